"""`UnitLoader`: sees one unit through, from a job's creation to its outcomes on disk.

create → upload → close → wait → result files → match → outcomes, and again for the rows that may be sent again; a
small unit's rows go in one request instead (`small_loads`). The journal is told before each step that cannot be taken
back (docs/target-state-machine.md).
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
    NotFound,
    Operation,
    PollPolicy,
    RequestRefused,
    ResultKind,
    SalesforceClient,
    SalesforceError,
)

from target_salesforce_bulk.errors import OutcomeUnknowable
from target_salesforce_bulk.journal import JOURNAL_FILE, Journal
from target_salesforce_bulk.result_files import ResultFile, result_path
from target_salesforce_bulk.settling import JobEnd, Settler
from target_salesforce_bulk.small_loads import request_for, results_of, write_result_files
from target_salesforce_bulk.stopping import Stopping
from target_salesforce_bulk.summary import Tally
from target_salesforce_bulk.unit import Unit

logger = logging.getLogger(__name__)


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
        self,
        client: SalesforceClient,
        *,
        journal: Journal,
        settler: Settler,
        tally: Tally,
        policy: LoadPolicy,
        stopping: Stopping,
    ) -> None:
        self._client = client
        self._journal = journal
        self._settler = settler
        self._tally = tally
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
        self._see_through(unit)

    def resume(self, unit: Unit, *, job_id: str | None) -> None:
        """See a unit of an earlier run through, whose job may have been closed; an Open one is given up.

        Raises: as `load`.
        """
        if job_id is None:
            self._see_through(unit, was_sent=True)
            return
        try:
            job = IngestJob.find(self._client, job_id, log_fields=_log_fields(unit))
        except JobGone as gone:
            self._check_repeatable(unit, gone)
            self._see_through(unit)
            return
        self._tally.add_job(job.info, unit=unit, is_found=True)
        if job.info.state is JobState.OPEN:
            self._tally.note_ended(job.abort())
            self._journal.drop_unit(unit.id)
        else:
            self._see_through(unit, job)

    def _see_through(self, unit: Unit, job: IngestJob | None = None, *, was_sent: bool = False) -> None:
        """Go on until each row has its outcome; without a (closed) ``job``, the rows are yet to be sent.

        ``was_sent``: a request may have been sent for them.
        """
        attempt = 1
        while True:
            may_retry = attempt <= self._policy.record_retries
            end = self._ask(unit, may_retry=may_retry, was_sent=was_sent) if job is None else None
            if end is None:
                job = job or self._send(unit)
                try:
                    end = self._wait(unit, job, may_retry=may_retry)
                except JobGone as gone:
                    self._check_repeatable(unit, gone)
                    job = None
                    continue
            job, was_sent = None, False
            if end.wants_other_line_ending and end.never_began and unit.line_ending == "LF":
                logger.info("the org wants CRLF at the ends of lines, so the job is made again")
                unit.line_ending = "CRLF"
            elif self._settler.settle(unit, end):
                return
            else:
                self._stopping.is_asked.wait(self._policy.wait_before_retry_s(attempt))
                attempt += 1

    def _ask(self, unit: Unit, *, may_retry: bool, was_sent: bool) -> JobEnd | None:
        """Return what became of rows that went in one request, or None if they have to go by a job."""
        send = request_for(unit, client=self._client)
        if send is None:
            return None
        self._check_stop()
        self._client.check_quota()
        self._journal.rows_sending(unit.id)
        try:
            results = results_of(send, operation=unit.destination.operation, was_sent=was_sent)
        except (RequestRefused, NotFound) as error:
            logger.info("%s; a job will tell which row is meant", error, extra=_log_fields(unit))
            unit.is_small = False
            return None
        files = write_result_files(unit, results, directory=self._policy.results_dir)
        return JobEnd(info=None, files=files, may_retry=may_retry)

    def _wait(self, unit: Unit, job: IngestJob, *, may_retry: bool) -> JobEnd:
        """Return how the job ended, with its result files on disk."""
        info = job.wait_until_final(self._policy.poll, on_look=self._check_wait, stop=self._stopping.is_over)
        self._tally.note_ended(info)
        columns = [column.name for column in unit.destination.columns]
        files = []
        for kind in ResultKind:
            path = result_path(self._policy.results_dir, sobject=unit.destination.object, name=job.id, kind=kind)
            if job.download(kind, path):
                files.append(ResultFile(path, kind=kind, columns=columns))
        return JobEnd(info=info, files=files, may_retry=may_retry)

    def _send(self, unit: Unit) -> IngestJob:
        """Return a closed job with the unit's rows."""
        self._check_stop()
        self._client.check_quota()
        self._client.check_limits("DailyApiRequests", "DailyBulkApiBatches")
        spec = unit.destination.ingest_spec(line_ending=unit.line_ending)
        job = IngestJob.create(self._client, spec, log_fields=_log_fields(unit))
        self._journal.job_open(unit.id, job_id=job.id)
        self._tally.add_job(job.info, unit=unit)
        try:
            job.upload(unit.open_data)
            self._check_stop()
        except BaseException:
            with suppress(SalesforceError):
                self._tally.note_ended(job.abort())
            raise
        self._journal.job_closing(unit.id, job_id=job.id)
        self._tally.note_closed(job.close())
        return job

    def _check_repeatable(self, unit: Unit, gone: JobGone) -> None:
        """Raise OutcomeUnknowable if what a job that is gone may have done cannot be done twice."""
        if unit.destination.operation is Operation.INSERT:
            raise _unknowable(unit, gone) from gone
        fields = {**_log_fields(unit), "job_id": gone.job_id}
        logger.warning("%s; its rows are sent again, which changes nothing where they had arrived", gone, extra=fields)

    def _check_stop(self) -> None:
        if self._stopping.is_asked.is_set():
            raise LeftToNextRun("the run is stopping; what was not sent comes again with the next run")

    def _check_wait(self, info: JobInfo) -> None:
        if self._stopping.is_over.is_set() and not info.state.is_final:
            raise LeftToNextRun(f"ingest job {info.id} still runs; the next run finds it")


def _log_fields(unit: Unit) -> dict[str, str]:
    return {"stream_name": unit.destination.stream}


def _unknowable(unit: Unit, error: JobGone) -> OutcomeUnknowable:
    destination = unit.destination
    return OutcomeUnknowable(
        f"{error}. It inserted {unit.number_of_rows} rows of stream {destination.stream} into {destination.object}, and"
        " nothing tells any more which of them were created. Look for them in the org: the rows are in"
        f" {unit.spool.path}. Then remove {JOURNAL_FILE} from results_dir, and all rows that come again are inserted"
    )
