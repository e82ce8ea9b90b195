"""What a run of a plugin counts: its metrics, those of the client, and the attributes that metrics and spans may have.

docs/observability.md has the same tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from salesforce_bulk_client.instruments import CLIENT_INSTRUMENTS, counter, seconds

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

TOTALS_BY: Final = frozenset({"status", "job_state", "status_class", "error_type", "result"})
"""The attributes that the totals in the log keep: each has a handful of values."""

_ROWS = ("sobject", "operation", "status")

RECORDS_PROCESSED = counter(
    "records.processed", "{record}", _ROWS, "Records emitted by the tap (`read`), or whose outcome the target knows"
)
RECORDS_FAILED = counter(
    "records.failed", "{record}", _ROWS, "Those of them that are not loaded: `failed`, `unprocessed`, `doubtful`"
)
SCHEMA_CHANGES = counter("schema.changes", "{field}", ("sobject",), "Changed fields that `schema_drift` reports")
RUN_DURATION = seconds("run.duration", ("result",), "One run of a command: `ok`, `failed`, `quota`, `stopped`")

INSTRUMENTS: Final = (RECORDS_PROCESSED, RECORDS_FAILED, *CLIENT_INSTRUMENTS, SCHEMA_CHANGES, RUN_DURATION)
"""All metrics, in the order of the docs."""
