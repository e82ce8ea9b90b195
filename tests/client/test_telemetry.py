"""What a run tells of itself: totals for the log, and metrics and spans for a collector when one is asked for."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from salesforce_bulk_client import (
    ApiError,
    ConnectionConfig,
    IngestJob,
    IngestSpec,
    JobFailed,
    JobTimedOut,
    LoginError,
    Operation,
    PollPolicy,
    QueryJob,
    SalesforceClient,
    ServerBusy,
    telemetry,
)
from salesforce_bulk_client.instruments import (
    API_REQUESTS_LIMIT,
    API_REQUESTS_USED,
    Instrument,
    Kind,
)
from salesforce_bulk_plugin import run_telemetry
from salesforce_bulk_plugin.instruments import ATTRIBUTES, INSTRUMENTS, RECORDS_PROCESSED
from salesforce_bulk_simulator import Fault, Org, Progression

from tests.collector import Collector, collecting, values

SOON = PollPolicy(min_s=0.01, max_s=0.02, timeout_s=10)
SOQL = "SELECT Id, Name FROM Account"


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Whatever a test does to OpenTelemetry's logger is undone."""
    logger = logging.getLogger("opentelemetry")
    handlers, propagate = list(logger.handlers), logger.propagate
    yield monkeypatch
    run_telemetry.end(None)
    logger.handlers, logger.propagate = handlers, propagate


@pytest.fixture
def run(clean: pytest.MonkeyPatch) -> None:
    """A run that no collector is asked to hear of."""
    run_telemetry.begin("tap-salesforce-bulk")


@pytest.fixture
def collector(clean: pytest.MonkeyPatch) -> Iterator[Collector]:
    """A collector that hears of the run that has begun."""
    with collecting() as started:
        clean.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", started.url)
        run_telemetry.begin("tap-salesforce-bulk")
        yield started


def totals() -> dict[str, float]:
    """The run's totals, each with its tags, as in ``records.processed read``."""
    return {
        " ".join([instrument.name.removeprefix("salesforce.bulk."), *tags.values()]): value
        for instrument, tags, value in run_telemetry.totals()
    }


def quick(settings: dict[str, Any], **more: Any) -> SalesforceClient:
    """A client that gives up soon."""
    return SalesforceClient(ConnectionConfig.from_settings({**settings, "retry_total_s": 0.4, **more}))


@pytest.mark.usefixtures("run")
def test_a_query_is_counted(org: Org, client: SalesforceClient) -> None:
    """Logins, requests by how they ended, bytes, jobs, and the org's use of its API."""
    org.insert("Account", [{"Name": "Ada"}])
    job = QueryJob.create(client, SOQL, include_deleted=False)
    job.wait(SOON)
    for page in job.pages(max_records=None):
        page.close()

    counted = totals()
    assert counted.pop("http.sent") > 150
    assert counted.pop("http.received") > 300
    assert counted == {
        "jobs.created": 1,
        "jobs.completed": 1,
        "http.requests 2xx": 4,
        "token.refreshes ok": 1,
        "api.requests.used": 3,
        "api.requests.limit": 100000,
    }


@pytest.mark.usefixtures("run")
def test_what_went_wrong_is_counted(org: Org, client: SalesforceClient) -> None:
    """A busy server, a lost connection, and a session that had to be renewed."""
    client.limits()
    org.faults.add("limits", Fault.status(503))
    org.faults.add("limits", Fault.reset_before())
    org.faults.add("limits", Fault.unauthorized())

    client.limits()

    counted = totals()
    assert len(org.faults.completed) == 3
    assert counted["http.requests 5xx"] == 1
    assert counted["http.requests none"] == 1
    assert counted["http.requests 4xx"] == 1
    assert counted["http.retries ServerBusy"] == 1
    assert counted["http.retries ConnectionFailed"] == 1
    assert counted["token.refreshes ok"] == 2


@pytest.mark.usefixtures("run")
def test_requests_are_counted_by_the_hundreds_of_their_status(org: Org, client: SalesforceClient) -> None:
    """499 is nginx's word for a client that has hung up, and 599 a proxy's for a server that has."""
    for status in (499, 599):
        org.faults.add("limits", Fault.status(status))
        with pytest.raises(ApiError):
            client.limits()

    assert len(org.faults.completed) == 2
    assert {name: value for name, value in totals().items() if name.startswith("http.requests")} == {
        "http.requests 2xx": 1,
        "http.requests 4xx": 1,
        "http.requests 5xx": 1,
    }


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize(
    "wrong",
    [{"refresh_token": "wrong"}, {"refresh_token": None, "access_token": "dead", "auth_flow": "access_token"}],
    ids=["login refused", "given token dead"],
)
def test_a_login_that_fails_is_counted(settings: dict[str, Any], wrong: dict[str, Any]) -> None:
    """It is what an alert should wait for: nothing works any more."""
    given = {name: value for name, value in {**settings, **wrong}.items() if value is not None}
    with quick({**given, "instance_url": settings["login_url"]}) as client, pytest.raises(LoginError):
        client.get_json("limits")

    assert totals()["token.refreshes failed"] == 1


@pytest.mark.usefixtures("run")
def test_jobs_that_do_not_end_well_are_counted_by_how(org: Org, client: SalesforceClient) -> None:
    """Failed by Salesforce, or still running when our patience ends."""
    org.faults.add("query.create", Fault.job_fails())
    with pytest.raises(JobFailed):
        QueryJob.create(client, SOQL, include_deleted=False).wait(SOON)
    org.progression = Progression.looks(1_000_000)
    with pytest.raises(JobTimedOut):
        QueryJob.create(client, SOQL, include_deleted=False).wait(replace(SOON, timeout_s=0.03))

    counted = totals()
    assert org.faults.completed
    assert counted["jobs.created"] == 2
    assert counted["jobs.failed Failed"] == 1
    assert counted["jobs.failed JobTimedOut"] == 1
    assert "jobs.completed" not in counted


def test_a_collector_gets_what_was_noted(collector: Collector) -> None:
    """Each instrument by its name and unit, and nothing but its own attributes."""
    for instrument in INSTRUMENTS:
        telemetry.note(instrument, 3, **dict.fromkeys(instrument.attributes, "x"))
    run_telemetry.end(None)

    assert collector.metrics.keys() == {instrument.name for instrument in INSTRUMENTS}
    for instrument in INSTRUMENTS:
        metric = collector.metrics[instrument.name]
        names = {ATTRIBUTES[name] for name in instrument.attributes}
        assert metric.unit == instrument.unit
        assert metric.WhichOneof("data") == {Kind.COUNTER: "sum"}.get(instrument.kind, instrument.kind.value)
        for attributes in collector.points(instrument.name):
            assert {name for name, _ in attributes} == names
    assert collector.points("salesforce.bulk.jobs.created") == {
        (("salesforce.job.kind", "x"), ("salesforce.operation", "x"), ("salesforce.sobject", "x")): 3
    }
    assert collector.resource["service.name"] == "tap-salesforce-bulk"


def test_jobs_and_requests_are_told_by_their_kind(org: Org, client: SalesforceClient, collector: Collector) -> None:
    """What a chart can be divided by: object, operation and kind of a job, method and end of a request."""
    query = QueryJob.create(client, SOQL, include_deleted=False)
    query.wait(SOON)
    ingest = IngestJob.create(client, IngestSpec(object="Account", operation=Operation.INSERT))
    ingest.upload(lambda: io.BytesIO(b'"Name"\n"Ada"\n'))
    ingest.close()
    ingest.wait_until_final(SOON)
    run_telemetry.end(None)

    def points(name: str) -> dict[tuple[Any, ...], float]:
        found = collector.points(f"salesforce.bulk.{name}")
        return {tuple(value for _, value in attributes): amount for attributes, amount in found.items()}

    kinds = [("ingest", "insert", "Account"), ("query", "query", "Account")]
    assert points("jobs.created") == points("jobs.completed") == dict.fromkeys(kinds, 1)
    assert points("job.duration") == {(kind, "JobComplete", *more): 1 for kind, *more in kinds}
    assert points("upload.duration") == {kinds[0]: 1}
    assert points("http.requests") == {("POST", "2xx"): 3, ("GET", "2xx"): 2, ("PUT", "2xx"): 1, ("PATCH", "2xx"): 1}


def test_spans_of_a_job_tell_which_and_how_much(org: Org, client: SalesforceClient, collector: Collector) -> None:
    """Of one that was slow, all its steps can be found."""
    org.insert("Account", [{"Name": name} for name in ("Ada", "Bob", "Cyd")])
    query = QueryJob.create(client, SOQL, include_deleted=False)
    query.wait(SOON)
    for page in query.pages(max_records=2):
        page.close()
    ingest = IngestJob.create(client, IngestSpec(object="Account", operation=Operation.INSERT))
    ingest.upload(lambda: io.BytesIO(b'"Name"\n"Dan"\n'))
    run_telemetry.end(None)

    def told(name: str) -> list[dict[str, Any]]:
        return [values(span.attributes) for span in collector.spans_by_name()[f"salesforce.bulk.job.{name}"]]

    (wait,), (upload,), pages = told("wait"), told("upload"), told("page")
    assert (wait["salesforce.job.id"], wait["salesforce.job.state"]) == (query.id, "JobComplete")
    assert (upload["salesforce.job.id"], upload["salesforce.operation"]) == (ingest.id, "insert")
    assert [page["salesforce.job.id"] for page in pages] == [query.id] * 2
    assert [wait["salesforce.records"], *(page["salesforce.records"] for page in pages)] == [3, 2, 1]


def test_no_metric_has_an_attribute_without_end() -> None:
    """Ids, counts and addresses are for spans: each value of a metric's attribute is a series of its own."""
    endless = {"job_id", "run_id", "records", "url_template", "server", "status_code", "exit_code"}

    assert [each.name for each in INSTRUMENTS if endless & set(each.attributes)] == []


def test_spans_hang_together(org: Org, client: SalesforceClient, collector: Collector) -> None:
    """One trace a run: a request below what it is for, and what another thread does below the run itself."""
    with telemetry.span("salesforce.bulk.stream", sobject="Account"):
        client.limits()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(client.limits).result()
    run_telemetry.end(None)

    spans = {span.span_id: span for span in collector.spans}
    run, login = (collector.spans_by_name()[f"salesforce.bulk.{name}"][0] for name in ("run", "login"))
    below = [(span.name, spans[span.parent_span_id].name) for span in spans.values() if span is not run]
    assert len({span.trace_id for span in spans.values()}) == 1
    assert run.parent_span_id == b""
    assert sorted(below) == [
        ("GET limits", "salesforce.bulk.run"),
        ("GET limits", "salesforce.bulk.stream"),
        ("POST services/oauth2/token", "salesforce.bulk.login"),
        ("salesforce.bulk.login", "salesforce.bulk.stream"),
        ("salesforce.bulk.stream", "salesforce.bulk.run"),
    ]
    assert values(login.attributes) == {"salesforce.login.flow": "refresh_token"}


def test_a_span_tells_the_kind_of_an_error_and_not_its_text(
    org: Org, settings: dict[str, Any], collector: Collector
) -> None:
    """Salesforce's messages may hold a record's values."""
    org.faults.add("limits", Fault.status(503, json=[{"errorCode": "BUSY", "message": "Ada's secret"}]), times=9)
    with quick(settings) as client, pytest.raises(ServerBusy):
        client.limits()
    run_telemetry.end(None)

    request = collector.spans_by_name()["GET limits"][0]
    assert values(request.attributes) == {
        "http.request.method": "GET",
        "url.template": "limits",
        "server.address": "127.0.0.1",
        "http.response.status_code": 503,
        "error.type": "ServerBusy",
    }
    assert request.status.code == 2
    assert not request.events
    assert b"secret" not in b"".join(each.SerializeToString() for each in collector.span_exports)


def test_the_environment_names_the_run(clean: pytest.MonkeyPatch) -> None:
    """Its service, its resource, its headers, and the trace that it is part of."""
    with collecting() as collector:
        for name, value in {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20abc",
            "OTEL_SERVICE_NAME": "nightly",
            "OTEL_RESOURCE_ATTRIBUTES": "service.instance.id=accounts,deployment.environment.name=prod",
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta",
            "TRACEPARENT": "00-0123456789abcdef0123456789abcdef-00f067aa0ba902b7-01",
        }.items():
            clean.setenv(name, value)
        run_telemetry.begin("tap-salesforce-bulk")
        telemetry.note(RECORDS_PROCESSED, 2)
        run_telemetry.end(None)

    (span,) = collector.spans
    assert {name: collector.resource[name] for name in ("service.name", "service.instance.id")} == {
        "service.name": "nightly",
        "service.instance.id": "accounts",
    }
    assert collector.headers[0]["authorization"] == "Bearer abc"
    assert collector.metrics["salesforce.bulk.records.processed"].sum.aggregation_temporality == 1
    assert span.trace_id.hex() == "0123456789abcdef0123456789abcdef"
    assert span.parent_span_id.hex() == "00f067aa0ba902b7"


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"OTEL_TRACES_EXPORTER": "jaeger"}, "OTEL_TRACES_EXPORTER=jaeger is none of otlp, console, none"),
        ({"OTEL_METRICS_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "needs opentelemetry-exporter-otlp"),
        ({"OTEL_METRICS_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "smoke"}, "=smoke is none of http/protobuf,"),
        ({"OTEL_METRICS_EXPORTER": "otlp", "OTEL_METRIC_EXPORT_INTERVAL": "-1"}, "interval value -1"),
    ],
)
def test_settings_that_cannot_be_are_one_warning(
    clean: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, environment: dict[str, str], told: str
) -> None:
    """The run goes on without a collector."""
    for name, value in environment.items():
        clean.setenv(name, value)

    run_telemetry.begin("tap-salesforce-bulk")
    telemetry.note(RECORDS_PROCESSED, 2)

    (warning,) = caplog.messages
    assert told in warning
    assert totals() == {"records.processed": 2}


def test_a_missing_package_is_one_warning(clean: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """It says what to install, or how to be rid of the warning."""
    clean.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    clean.delitem(sys.modules, "salesforce_bulk_plugin.telemetry_export", raising=False)
    clean.setitem(sys.modules, "opentelemetry.sdk.metrics", None)

    run_telemetry.begin("tap-salesforce-bulk")

    (warning,) = caplog.messages
    assert 'install "singer-salesforce-bulk[opentelemetry]", as the README shows under "Install",' in warning
    assert "or set OTEL_SDK_DISABLED=true" in warning


@pytest.mark.parametrize(
    ("behaviour", "told"),
    [({"status": 401}, "401"), ({"stalls": True}, "has not taken everything within 0.3 s")],
    ids=["refuses", "stalls"],
)
def test_a_collector_that_is_no_help_costs_one_warning_and_little_time(
    clean: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, behaviour: dict[str, Any], told: str
) -> None:
    """However it fails, and whatever OpenTelemetry itself would say of each try."""
    clean.setattr("salesforce_bulk_plugin.telemetry_export.END_TIMEOUT_S", 0.3)
    with collecting(**behaviour) as collector:
        clean.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        run_telemetry.begin("tap-salesforce-bulk")
        telemetry.note(RECORDS_PROCESSED, 2)
        began_at = time.monotonic()
        run_telemetry.end(None)
        seconds = time.monotonic() - began_at

    (warning,) = caplog.messages
    assert told in warning
    assert collector.headers
    assert seconds < 5


@pytest.mark.usefixtures("run")
def test_each_log_line_of_a_run_has_its_id(caplog: pytest.LogCaptureFixture) -> None:
    """Lines before and after have none."""
    run_id = run_telemetry.run_id()
    logging.getLogger("anything").warning("during")
    run_telemetry.end(None)
    logging.getLogger("anything").warning("after")

    during, after = caplog.records
    assert during.__dict__["run_id"] == run_id
    assert "run_id" not in after.__dict__
    assert run_telemetry.run_id() != run_id


def test_without_a_run_nothing_is_counted() -> None:
    """A program that only uses the client is not measured behind its back."""
    telemetry.note(API_REQUESTS_USED, 7)
    with telemetry.span("salesforce.bulk.stream") as note:
        note(records=7)

    assert run_telemetry.totals() == []


@pytest.mark.usefixtures("run")
def test_a_gauge_has_its_last_amount() -> None:
    """And what is only a matter of buckets is no total."""
    histogram = next(each for each in INSTRUMENTS if each.kind is Kind.HISTOGRAM)
    noted: list[tuple[Instrument, int]] = [(API_REQUESTS_LIMIT, 5), (API_REQUESTS_LIMIT, 4), (histogram, 9)]
    for instrument, amount in noted:
        telemetry.note(instrument, amount)

    assert totals() == {"api.requests.limit": 4}


@pytest.mark.parametrize("is_asked_for", [False, True], ids=["nobody asks", "a collector is named"])
def test_opentelemetry_is_imported_only_when_it_is_asked_for(is_asked_for: bool) -> None:  # noqa: FBT001
    """Start-up is what most runs of Singer programs are made of."""
    variables = {"OTEL_TRACES_EXPORTER": "console", "PYTHONWARNINGS": "error"} if is_asked_for else {}
    code = (
        "import sys; from salesforce_bulk_plugin import run_telemetry;"
        "run_telemetry.begin('x'); run_telemetry.end(None);"
        "print(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=variables)

    assert done.stdout == f"{is_asked_for}\n"
    assert ("salesforce.bulk.run" in done.stderr) == is_asked_for
