# The tap, the target and salesforce-bulk in one small image:
#     docker build -t salesforce-bulk .
#     docker run --rm --env-file salesforce.env salesforce-bulk salesforce-bulk check
# With Meltano, PostgreSQL's plugins, and this repository's Meltano project:
#     docker build --target meltano -t salesforce-bulk-meltano .
# Settings and secrets come by environment variables when a container runs, never when the image is built. docs/deploying.md

FROM python:3.11-slim-bookworm AS base
# As process 1 a program hears no SIGTERM unless it asks for it, and a shell passes none on; tini -g tells all of a pipe.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin singer \
    && install --directory --owner=singer --group=singer --mode=700 /data
ENV PATH=/opt/singer/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    TZ=UTC \
    TARGET_SALESFORCE_BULK_RESULTS_DIR=/data/results
ENTRYPOINT ["tini", "-g", "--"]

FROM base AS build
ARG EXTRAS="--extra opentelemetry"
WORKDIR /src
RUN pip install --no-cache-dir uv
COPY pyproject.toml uv.lock README.md LICENSE ./
COPY salesforce-bulk salesforce-bulk
COPY tap-salesforce-bulk tap-salesforce-bulk
COPY target-salesforce-bulk target-salesforce-bulk
# The versions of uv.lock, without the source: nothing is left in the image that the plugins do not need.
RUN UV_PROJECT_ENVIRONMENT=/opt/singer uv sync --locked --no-default-groups --no-editable --compile-bytecode $EXTRAS

FROM base AS meltano
RUN python -m venv /opt/meltano && /opt/meltano/bin/pip install --no-cache-dir 'meltano>=4.4,<5' uv
COPY --from=build /src /project
COPY meltano.yml /project/meltano.yml
COPY plugins /project/plugins
COPY examples/nycflights13/dev.meltano.yml /project/examples/nycflights13/dev.meltano.yml
WORKDIR /project
ENV PATH=/opt/meltano/bin:$PATH \
    MELTANO_SEND_ANONYMOUS_USAGE_STATS=false \
    MELTANO_DATABASE_URI=sqlite:////data/meltano.db
RUN UV_NO_CACHE=1 MELTANO_DATABASE_URI=sqlite:////tmp/meltano.db \
        meltano install tap-salesforce-bulk target-salesforce-bulk tap-postgres target-postgres \
    && rm /tmp/meltano.db \
    && mkdir -p .meltano/run .meltano/logs \
    && chown -R singer .meltano/run .meltano/logs
USER 10001
VOLUME /data
CMD ["meltano", "--help"]

FROM base AS plugins
COPY --from=build /opt/singer /opt/singer
WORKDIR /data
USER 10001
VOLUME /data
CMD ["salesforce-bulk", "--help"]
