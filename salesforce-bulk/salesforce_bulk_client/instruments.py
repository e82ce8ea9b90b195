"""The metrics by name, and the attributes that they and spans may have (docs/observability.md has the same tables)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

ATTRIBUTES: Final[Mapping[str, str]] = {
    "sobject": "salesforce.sobject",
    "operation": "salesforce.operation",
    "status": "salesforce.record.status",
    "records": "salesforce.records",
    "job_id": "salesforce.job.id",
    "job_kind": "salesforce.job.kind",
    "job_state": "salesforce.job.state",
    "flow": "salesforce.login.flow",
    "result": "salesforce.result",
    "run_id": "salesforce.run.id",
    "exit_code": "process.exit.code",
    "method": "http.request.method",
    "status_class": "salesforce.http.status_class",
    "status_code": "http.response.status_code",
    "url_template": "url.template",
    "server": "server.address",
    "error_type": "error.type",
}
"""Our names, which log fields have too, and OpenTelemetry's. Ids are for spans and logs: a metric's would never end."""

TELLS_TOTALS_APART: Final = frozenset({"status", "job_state", "status_class", "error_type", "result"})
"""The attributes that the totals in the log keep: each has a handful of values."""


class Kind(Enum):
    """What an instrument does with an amount: add it, take it for the present one, or count it among its like."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, eq=False)
class Instrument:
    """One metric. ``unit`` is by UCUM: ``By`` are bytes, ``s`` seconds, braces name what is counted."""

    kind: Kind
    name: str
    unit: str
    attributes: tuple[str, ...]
    """Names in `ATTRIBUTES`."""
    meaning: str


def _counter(name: str, unit: str, attributes: tuple[str, ...], meaning: str) -> Instrument:
    return Instrument(Kind.COUNTER, f"salesforce.bulk.{name}", unit, attributes, meaning)


def _gauge(name: str, unit: str, meaning: str) -> Instrument:
    return Instrument(Kind.GAUGE, f"salesforce.bulk.{name}", unit, (), meaning)


def _seconds(name: str, attributes: tuple[str, ...], meaning: str) -> Instrument:
    return Instrument(Kind.HISTOGRAM, f"salesforce.bulk.{name}", "s", attributes, meaning)


_ROWS = ("sobject", "operation", "status")
_JOB = ("sobject", "operation", "job_kind")
_JOB_END = (*_JOB, "job_state")

RECORDS_PROCESSED = _counter(
    "records.processed", "{record}", _ROWS, "Records emitted by the tap (`read`), or whose outcome the target knows"
)
RECORDS_FAILED = _counter(
    "records.failed", "{record}", _ROWS, "Those of them that are not loaded: `failed`, `unprocessed`, `doubtful`"
)
JOBS_CREATED = _counter("jobs.created", "{job}", _JOB, "Bulk jobs made")
JOBS_COMPLETED = _counter(
    "jobs.completed", "{job}", _JOB, "Jobs that ended `JobComplete`; single records may have failed"
)
JOBS_FAILED = _counter(
    "jobs.failed",
    "{job}",
    _JOB_END,
    "Jobs that ended `Failed` or `Aborted`, or were given up: `JobTimedOut`, `JobGone`",
)
JOB_DURATION = _seconds("job.duration", _JOB_END, "From when this run made (or found) a job until it saw its end")
UPLOAD_DURATION = _seconds("upload.duration", _JOB, "Sending the data of one job, retries included")
HTTP_REQUESTS = _counter(
    "http.requests", "{request}", ("method", "status_class"), "Requests, each try: `2xx` … `5xx`, `none` for no answer"
)
HTTP_RETRIES = _counter("http.retries", "{retry}", ("error_type",), "Requests sent again after an error that passes")
HTTP_SENT = _counter("http.sent", "By", (), "Bodies of requests")
HTTP_RECEIVED = _counter("http.received", "By", (), "Bodies of answers as they came, mostly compressed")
TOKEN_REFRESHES = _counter(
    "token.refreshes", "{refresh}", ("flow", "result"), "Sessions begun, the first of a run included: `ok`, `failed`"
)
API_REQUESTS_USED = _gauge("api.requests.used", "{request}", "API requests of the whole org in the last 24 hours")
API_REQUESTS_LIMIT = _gauge("api.requests.limit", "{request}", "How many it may send in 24 hours")
SCHEMA_CHANGES = _counter("schema.changes", "{field}", ("sobject",), "Changed fields that `schema_drift` reports")
RUN_DURATION = _seconds("run.duration", ("result",), "One run of a command: `ok`, `failed`, `quota`, `stopped`")

INSTRUMENTS: Final = tuple(each for each in list(globals().values()) if isinstance(each, Instrument))
