"""What the client counts: its metrics by name (docs/observability.md has the same table)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final


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
    """Short names, such as ``sobject``; whoever exports the metrics gives them their full names."""
    meaning: str


def counter(name: str, unit: str, attributes: tuple[str, ...], meaning: str) -> Instrument:
    """Return a counter."""
    return Instrument(Kind.COUNTER, f"salesforce.bulk.{name}", unit, attributes, meaning)


def gauge(name: str, unit: str, meaning: str) -> Instrument:
    """Return a gauge."""
    return Instrument(Kind.GAUGE, f"salesforce.bulk.{name}", unit, (), meaning)


def seconds(name: str, attributes: tuple[str, ...], meaning: str) -> Instrument:
    """Return a histogram of durations."""
    return Instrument(Kind.HISTOGRAM, f"salesforce.bulk.{name}", "s", attributes, meaning)


_JOB = ("sobject", "operation", "job_kind")
_JOB_END = (*_JOB, "job_state")

JOBS_CREATED = counter("jobs.created", "{job}", _JOB, "Bulk jobs made")
JOBS_COMPLETED = counter(
    "jobs.completed", "{job}", _JOB, "Jobs that ended `JobComplete`; single records may have failed"
)
JOBS_FAILED = counter(
    "jobs.failed",
    "{job}",
    _JOB_END,
    "Jobs that ended `Failed` or `Aborted`, or were given up: `JobTimedOut`, `JobGone`",
)
JOB_DURATION = seconds("job.duration", _JOB_END, "From when this run made (or found) a job until it saw its end")
UPLOAD_DURATION = seconds("upload.duration", _JOB, "Sending the data of one job, retries included")
HTTP_REQUESTS = counter(
    "http.requests", "{request}", ("method", "status_class"), "Requests, each try: `2xx` … `5xx`, `none` for no answer"
)
HTTP_RETRIES = counter("http.retries", "{retry}", ("error_type",), "Requests sent again after an error that passes")
HTTP_SENT = counter("http.sent", "By", (), "Bodies of requests")
HTTP_RECEIVED = counter("http.received", "By", (), "Bodies of answers as they came, mostly compressed")
TOKEN_REFRESHES = counter(
    "token.refreshes", "{refresh}", ("flow", "result"), "Sessions begun, the first of a run included: `ok`, `failed`"
)
API_REQUESTS_USED = gauge("api.requests.used", "{request}", "API requests of the whole org in the last 24 hours")
API_REQUESTS_LIMIT = gauge("api.requests.limit", "{request}", "How many it may send in 24 hours")
CLIENT_INSTRUMENTS: Final = tuple(each for each in list(globals().values()) if isinstance(each, Instrument))
