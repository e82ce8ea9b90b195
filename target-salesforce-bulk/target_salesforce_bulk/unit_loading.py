"""`UnitLoader`: sees one unit through, from a job's creation to its outcomes on disk.

create → upload → close → wait → result files → match → outcomes, and again for the rows that may be sent again. The
journal is told before each step that cannot be taken back (docs/target-state-machine.md).
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from salesforce_bulk_client import (
    IngestJob,
    JobGone,
    JobInfo,
    JobState,
    Operation,
    PollPolicy,
    ResultKind,
    SalesforceClient,
    SalesforceError,
)

from target_salesforce_bulk.errors import OutcomeUnknowable
from target_salesforce_bulk.journal import JOURNAL_FILE, Journal
from target_salesforce_bulk.result_files import ResultFile
from target_salesforce_bulk.settling import JobEnd, Settler
from target_salesforce_bulk.stopping import Stopping
from target_salesforce_bulk.unit import Unit

logger = logging.getLogger(__name__)

FILE_NAMES = {
    ResultKind.SUCCESSFUL: "successful",
    ResultKind.FAILED: "failed",
    ResultKind.UNPROCESSED: "unprocessed",
}


@dataclass(frozen=True, kw_only=True)
class LoadPolicy:
    """How patiently units are seen through."""

    poll: PollPolicy
    record_retries: int
    results_dir: Path

    def wait_before_retry_s(self, attempt: int) -> float:
        """Return the seconds before rows are sent again for the ``attempt``-th time.

        Locks are held for seconds: by default 2, 4, 8 … up to 30.
        """
        return min(self.poll.max_s, self.poll.min_s * 4 * 2.0 ** (attempt - 1))


class LeftToNextRun(Exception):
    """A unit was given up because the run is stopping; the journal knows how far it was."""


class UnitLoader:
    """Used by several threads at once."""

    def __init__(
        self, client: SalesforceClient, *, journal: Journal, settler: Settler, policy: LoadPolicy, stopping: Stopping
    ) -> None:
        self._client = client
        self._journal = journal
        self._settler = settler
        self._policy = policy
        self._stopping = stopping

    def load(self, unit: Unit) -> None:
        """See a unit of this run through.

        Raises: SalesforceError; LeftToNextRun; OutcomeUnknowable.
        """
        if unit.number_of_rows == 0:
            self._settler.settle(unit, None)
            return
        self._journal.unit_pending(unit.id, stream=unit.destination.stream, spool=unit.spool.path.name)
        self._see_through(unit, self._send(unit))

    def resume(self, unit: Unit, *, job_id: str) -> None:
        """See a unit of an earlier run through, whose job may have been closed; an Open one is given up.

        Raises: as `load`.
        """
        try:
            job = IngestJob.find(self._client, job_id)
        except JobGone as error:
            job = self._send_after(error, unit)
        if job.info.state is JobState.OPEN and job.id == job_id:
            job.abort()
            self._journal.drop_unit(unit.id)
        else:
            self._see_through(unit, job)

    def _see_through(self, unit: Unit, job: IngestJob) -> None:
        attempt = 1
        while True:
            try:
                end = self._wait(unit, job, may_retry=attempt <= self._policy.record_retries)
            except JobGone as error:
                job = self._send_after(error, unit)
                continue
            if end.wants_other_line_ending and unit.line_ending == "LF":
                unit.line_ending = "CRLF"
                job = self._send(unit)
                continue
            if self._settler.settle(unit, end):
                return
            self._stopping.is_asked.wait(self._policy.wait_before_retry_s(attempt))
            job = self._send(unit)
            attempt += 1

    def _wait(self, unit: Unit, job: IngestJob, *, may_retry: bool) -> JobEnd:
        """Return how the job ended, with its result files on disk."""
        info = job.wait_until_final(self._policy.poll, on_look=self._check_wait, stop=self._stopping.is_over)
        columns = [column.name for column in unit.destination.columns]
        files = []
        for kind, word in FILE_NAMES.items():
            path = self._policy.results_dir / f"{unit.destination.object}_{job.id}_{word}.csv"
            if job.download(kind, path):
                files.append(ResultFile(path, kind=kind, columns=columns))
        return JobEnd(info=info, files=files, may_retry=may_retry)

    def _send(self, unit: Unit) -> IngestJob:
        """Return a closed job with the unit's rows."""
        self._check_stop()
        self._client.check_quota()
        data = unit.job_data()
        job = IngestJob.create(self._client, unit.destination.ingest_spec(line_ending=unit.line_ending))
        self._journal.job_open(unit.id, job_id=job.id)
        try:
            job.upload(data.open)
            self._check_stop()
        except BaseException:
            with suppress(SalesforceError):
                job.abort()
            raise
        self._journal.job_closing(unit.id, job_id=job.id)
        job.close()
        unit.drop_job_data()
        return job

    def _send_after(self, gone: JobGone, unit: Unit) -> IngestJob:
        """Return a new job in place of one that is gone, if what that may have done can be done twice."""
        if unit.destination.operation is Operation.INSERT:
            raise _unknowable(unit, gone) from gone
        logger.warning("%s; its rows are sent again, which changes nothing where they had arrived", gone)
        return self._send(unit)

    def _check_stop(self) -> None:
        if self._stopping.is_asked.is_set():
            raise LeftToNextRun("the run is stopping; what was not sent comes again with the next run")

    def _check_wait(self, info: JobInfo) -> None:
        if self._stopping.is_over.is_set() and not info.state.is_final:
            raise LeftToNextRun(f"ingest job {info.id} still runs; the next run finds it")


def _unknowable(unit: Unit, error: JobGone) -> OutcomeUnknowable:
    destination = unit.destination
    return OutcomeUnknowable(
        f"{error}. It inserted {unit.number_of_rows} rows of stream {destination.stream} into {destination.object}, and"
        " nothing tells any more which of them were created. Look for them in the org: the rows are in"
        f" {unit.spool.path}. Then remove {JOURNAL_FILE} from results_dir, and all rows that come again are inserted"
    )
