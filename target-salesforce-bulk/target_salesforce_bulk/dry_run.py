"""`DryRun`: stands in for `Run`, makes the same batches of the same rows, and reports them instead of sending them."""

from __future__ import annotations

import logging
import math
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from salesforce_bulk_client import RequestRefused, SalesforceClient

from target_salesforce_bulk.batches.batch import Batch
from target_salesforce_bulk.batches.batcher import Batcher
from target_salesforce_bulk.batches.job_data_files import Entry
from target_salesforce_bulk.errors import RecordsFailed, TargetError
from target_salesforce_bulk.jobs.collections_requests import request_for
from target_salesforce_bulk.journal import Journal
from target_salesforce_bulk.mapping.plan import Destination, Refusal
from target_salesforce_bulk.settings import LoadSettings, OnRecordFailure

logger = logging.getLogger(__name__)

REQUESTS_OF_A_JOB = 7
"""Create, upload, close, one poll, three result files; each further poll costs one more."""

ROWS_OF_A_BATCH = 10_000
"""Salesforce counts a batch for so many rows of a job (Limits, "Bulk API 2.0")."""


@dataclass
class _StreamPlan:
    """What would be sent of one stream."""

    destination: Destination
    rows: int = 0
    size_bytes: int = 0
    jobs: int = 0
    small_requests: int = 0
    batches: int = 0
    problems: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many records have one, by error code and field, or message where that says it all."""
    examples: dict[tuple[str, str], str] = field(default_factory=dict)


class DryRun:
    """Has the methods of `Run` that sinks and the target use."""

    def __init__(self, client: SalesforceClient, *, settings: LoadSettings) -> None:
        """Log in, to be able to describe objects."""
        self.client = client
        self._settings = settings
        self._folder = tempfile.TemporaryDirectory(prefix="target-salesforce-bulk-")
        self._batcher = Batcher(
            begin=self._begin_batch, under_way=lambda: (), submit=self._count, small_rows=settings.small_batch_rows
        )
        self._streams: dict[str, _StreamPlan] = {}
        self._number_of_batches = 0
        self._number_of_records = 0
        self._result: list[str] = []

    def start(self) -> None:
        """Nothing: what earlier runs have left is not touched."""

    def begin_stream(self, destination: Destination) -> None:
        """Note a new schema of a stream: rows of the old one go first."""
        self._batcher.close_stream(destination.stream)

    def close_stream(self, stream: str) -> None:
        """Nothing: how long records would wait is not known."""

    def add(
        self,
        destination: Destination,
        *,
        cells: Sequence[str] | None,
        refusal: Refusal | None,
        record: bytes,  # noqa: ARG002
        fingerprint: bytes | None = None,  # noqa: ARG002
        key_text: str | None = None,  # noqa: ARG002
    ) -> None:
        """Take one record: its row or the reason why it has none."""
        stream = self._streams.setdefault(destination.stream, _StreamPlan(destination))
        self._number_of_records += 1
        if refusal:
            _note(stream, refusal)
        if cells is not None:
            entry = Entry(cells, None, b"{}")
            self._batcher.add(entry, destination=destination, key_text=destination.key_text(cells))

    def log_result(self) -> None:
        """Log the plan, if the run came to its end."""
        for line in self._result:
            logger.info("%s", line)

    def forget(self) -> None:
        """Nothing: no journal was kept."""

    def _begin_batch(self, destination: Destination) -> Batch:
        self._number_of_batches += 1
        return Batch.begin(
            str(self._number_of_batches),
            destination=destination,
            directory=Path(self._folder.name),
            limits=self._settings.limits,
            journal=Journal(None, org=""),
        )

    def _count(self, batch: Batch) -> None:
        stream = self._streams[batch.destination.stream]
        if batch.files.number_of_refusals:
            for entry in batch.files.entries():
                if entry.refusal:
                    _note(stream, entry.refusal)
        if batch.number_of_rows:
            stream.rows += batch.number_of_rows
            stream.size_bytes += batch.size_bytes
            if request_for(batch, client=self.client):
                stream.small_requests += 1
            else:
                stream.jobs += 1
                stream.batches += math.ceil(batch.number_of_rows / ROWS_OF_A_BATCH)
        batch.discard()

    def end_input(self) -> None:
        """Nothing: `finish` follows."""

    def finish(self) -> TargetError | None:
        """Make the plan, and return what would be wrong with the records."""
        self._batcher.close_all()
        self._result = self._lines()
        self.abandon(None)
        refused = sum(sum(stream.problems.values()) for stream in self._streams.values())
        if refused and self._settings.on_record_failure is not OnRecordFailure.IGNORE:
            return RecordsFailed(
                f"dry run: {refused} of {self._number_of_records} records would be refused before they are sent"
            )
        return None

    def abandon(self, error: BaseException | None) -> None:  # noqa: ARG002
        """Leave nothing behind."""
        self._batcher.abandon()
        self._folder.cleanup()
        self.client.close()

    def _lines(self) -> list[str]:
        lines = ["dry run: nothing is sent, and no STATE is emitted"]
        for name, stream in self._streams.items():
            destination = stream.destination
            small = f"{stream.small_requests} small request{'' if stream.small_requests == 1 else 's'}"
            by_key = f" by {destination.external_id_field}" if destination.external_id_field else ""
            lines.append(
                f"{name}: {destination.operation.value} {destination.object}{by_key}: {stream.rows} rows,"
                f" {stream.size_bytes} bytes of job data, {stream.jobs} jobs, {small}"
            )
            for problem, number in stream.problems.most_common():
                code, place = problem
                example = stream.examples[problem]
                told = place if place == example else f"{place}, for example: {example}"
                lines.append(f"{name}: {number} records refused, {code}: {told}")
        jobs = sum(stream.jobs for stream in self._streams.values())
        requests = jobs * REQUESTS_OF_A_JOB + sum(stream.small_requests for stream in self._streams.values())
        batches = sum(stream.batches for stream in self._streams.values())
        lines.append(
            f"in all: {jobs} jobs, {batches} batches, {requests} API requests"
            f" and one for each further poll of a job{self._quota()}"
        )
        return lines

    def _quota(self) -> str:
        """Return what the org has left, as far as the user may see it."""
        try:
            limits = self.client.limits()
        except RequestRefused:
            usage = self.client.api_usage
            return f"; the org has {usage.max - usage.used} of {usage.max} API requests left" if usage else ""
        told = [
            f"{limits[name].remaining} of {limits[name].max} {words}"
            for name, words in (("DailyApiRequests", "API requests"), ("DailyBulkApiBatches", "batches"))
            if name in limits
        ]
        return f"; the org has {' and '.join(told)} left" if told else ""


def _note(stream: _StreamPlan, refusal: Refusal) -> None:
    problem = (refusal.code, ", ".join(refusal.fields) or refusal.message)
    stream.problems[problem] += 1
    stream.examples.setdefault(problem, refusal.message)
