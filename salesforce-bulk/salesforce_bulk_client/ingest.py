"""`IngestJob`: rows into an org, from the job's creation to its three result files (Bulk guide, "Ingest Jobs").

A lost answer is never guessed at: create is repeated (an Open job without data is harmless), an upload is repeated
(Salesforce takes one, and says when it has one), and a close is looked up in the job's state.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

from salesforce_bulk_client import telemetry
from salesforce_bulk_client.csv_pages import SpooledCsv
from salesforce_bulk_client.errors import BrokenAnswer, IncompleteResults, RequestRefused
from salesforce_bulk_client.http import read_nothing
from salesforce_bulk_client.instruments import JOBS_CREATED, UPLOAD_DURATION
from salesforce_bulk_client.jobs import BulkJob, JobInfo, JobState, PollPolicy
from salesforce_bulk_client.private_files import for_owner

if TYPE_CHECKING:
    import requests

    from salesforce_bulk_client.client import SalesforceClient

logger = logging.getLogger(__name__)

DOWNLOAD_TRIES = 3
"""How often a result file that does not have as many rows as its job has counted is asked for."""


class Operation(Enum):
    """What an ingest job does with its rows, in Salesforce's words."""

    INSERT = "insert"
    UPDATE = "update"
    UPSERT = "upsert"
    DELETE = "delete"
    HARD_DELETE = "hardDelete"


class ResultKind(Enum):
    """A job's result files, by the last part of their address."""

    SUCCESSFUL = "successfulResults"
    FAILED = "failedResults"
    UNPROCESSED = "unprocessedrecords"


@dataclass(frozen=True, kw_only=True)
class IngestSpec:
    """What a job is to do."""

    object: str
    operation: Operation
    external_id_field: str | None = None
    """For upsert only: ``Id`` or a field that is an external id."""
    assignment_rule_id: str | None = None
    line_ending: str = "LF"


class IngestJob(BulkJob):
    """A job that takes one upload of rows, and tells of each what became of it."""

    kind = "ingest"

    @classmethod
    def create(
        cls,
        client: SalesforceClient,
        spec: IngestSpec,
        *,
        poll: PollPolicy | None = None,
        stop: threading.Event | None = None,
        log_fields: Mapping[str, str] | None = None,
    ) -> Self:
        """Create an Open job; for ``poll`` and ``stop`` see `BulkJob`.

        Raises: RequestRefused, QuotaExceeded.
        """
        body = {
            "object": spec.object,
            "operation": spec.operation.value,
            "contentType": "CSV",
            "columnDelimiter": "COMMA",
            "lineEnding": spec.line_ending,
        }
        if spec.operation is Operation.UPSERT:
            body["externalIdFieldName"] = spec.external_id_field or "Id"
        if spec.assignment_rule_id:
            body["assignmentRuleId"] = spec.assignment_rule_id
        info = client.send_as(JobInfo.from_json, "POST", "jobs/ingest", body)
        job = cls(client, info, poll=poll, stop=stop, log_fields=log_fields)
        telemetry.note(JOBS_CREATED, 1, **job.labels)
        logger.info("ingest job %s begun: %s %s", job.id, spec.operation.value, spec.object, extra=job.log_fields)
        return job

    def upload(self, open_data: Callable[[], IO[bytes]]) -> None:
        """Send the job's data, which must be all of it: a job takes one upload.

        Raises: RequestRefused, JobGone, ConnectionFailed.
        """
        began_at = time.monotonic()
        with telemetry.span("salesforce.bulk.job.upload", job_id=self.id, **self.labels):
            self._upload(open_data)
        telemetry.note(UPLOAD_DURATION, time.monotonic() - began_at, **self.labels)

    def _upload(self, open_data: Callable[[], IO[bytes]]) -> None:
        def put() -> None:
            self.client.request(
                "PUT",
                f"{self.path}/batches",
                body=open_data,
                headers={"Content-Type": "text/csv; charset=UTF-8"},
                read=read_nothing,
            )

        try:
            self.unless_gone(put)
        except RequestRefused as error:
            # Its code is not documented, so the text decides: an earlier try, whose answer was lost, had arrived.
            if not error.message.startswith("Found multiple contents"):
                raise
            logger.info("the data of ingest job %s had arrived already", self.id, extra=self.log_fields)

    def close(self) -> JobInfo:
        """Say that the data is complete, so that processing begins.

        Raises: RequestRefused, JobGone.
        """
        try:
            return self._patch_state(JobState.UPLOAD_COMPLETE)
        except RequestRefused:
            if self.refresh().state is JobState.OPEN:
                raise
            return self.info  # an earlier try had worked, whose answer was lost; or the job was aborted

    def download(self, kind: ResultKind, path: Path) -> int:
        """Write one result file to ``path``, as received, mode 600, whole or not at all; return its number of rows.

        Raises: IncompleteResults when a complete job's file does not have the rows that the job has counted;
            JobGone.
        """
        for _ in range(DOWNLOAD_TRIES):
            rows = self._download_once(kind, path)
            counted = self._counted(kind)
            if counted in {None, rows}:
                return rows
        raise IncompleteResults(
            f"ingest job {self.id} has counted {counted} rows for {kind.value}, but {rows} came", job_id=self.id
        )

    def _download_once(self, kind: ResultKind, path: Path) -> int:
        def read(response: requests.Response) -> int:
            if response.status_code == 204:
                raise BrokenAnswer(f"the {kind.value} of ingest job {self.id} are not ready yet (204)")
            with contextlib.closing(SpooledCsv(response)) as csv:
                _write_whole(csv.file, path)
                return csv.number_of_records

        def get() -> int:
            return self.client.request(
                "GET",
                f"{self.path}/{kind.value}",
                headers={"Accept": "text/csv", "Accept-Encoding": "gzip"},
                read=read,
            )

        return self.unless_gone(get)

    def _counted(self, kind: ResultKind) -> int | None:
        """Return how many rows the job says a file has, where it says so."""
        info = self.info
        processed, failed = info.number_records_processed, info.number_records_failed
        if info.state is not JobState.JOB_COMPLETE or processed is None or failed is None:
            return None
        return {ResultKind.SUCCESSFUL: processed - failed, ResultKind.FAILED: failed}.get(kind)


def _write_whole(file: IO[bytes], path: Path) -> None:
    temporary = path.with_name(f".{path.name}.part")
    with open(temporary, "wb", opener=for_owner) as copy:
        file.seek(0)
        shutil.copyfileobj(file, copy, 1 << 20)
        copy.flush()
        os.fsync(copy.fileno())
    temporary.replace(path)
