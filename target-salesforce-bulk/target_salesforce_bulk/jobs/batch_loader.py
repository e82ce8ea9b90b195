"""`BatchLoader`: loads one batch, from a job's creation to its outcomes on disk.

create → upload → close → wait → result files → match → outcomes, and again for the rows that are sent again; a small
batch's rows go in one request instead (`small_loads`). Each step that cannot be taken back is a transition of the
`Batch`, which writes it to the journal first.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from salesforce_bulk_client import (
    IncompleteResults,
    IngestJob,
    JobGone,
    JobInfo,
    JobState,
    JobTimedOut,
    NotFound,
    Operation,
    PollPolicy,
    RequestRefused,
    ResultKind,
    SalesforceClient,
    SalesforceError,
)
from salesforce_bulk_client.records.result_files import ResultFile, result_path

from target_salesforce_bulk.batches.batch import Batch
from target_salesforce_bulk.jobs.collections_requests import request_for, results_of, write_result_files
from target_salesforce_bulk.journal import BatchState
from target_salesforce_bulk.results.outcome_recorder import JobEnd, OutcomeRecorder, Unloaded
from target_salesforce_bulk.results.run_counts import RunCounts
from target_salesforce_bulk.stopping import Stopping

logger = logging.getLogger(__name__)


SET_ASIDE = "the batch %s is set aside, for salesforce-bulk batches to resume, resend or forget: %s"


@dataclass(frozen=True, kw_only=True)
class LoadPolicy:
    """How patiently batches are loaded."""

    poll: PollPolicy
    record_retries: int
    results_dir: Path

    def wait_before_retry_s(self, attempt: int) -> float:
        """Return the seconds before rows are sent again for the ``attempt``-th time.

        Locks are held for seconds: by default 2, 4, 8 … up to 30.
        """
        return min(self.poll.max_s, self.poll.min_s * 4 * 2.0 ** (attempt - 1))


class LeftToNextRun(Exception):
    """A batch was given up because the run is stopping; the journal knows how far it was."""


class BatchLoader:
    """Used by several threads at once."""

    def __init__(
        self,
        client: SalesforceClient,
        *,
        recorder: OutcomeRecorder,
        counts: RunCounts,
        policy: LoadPolicy,
        stopping: Stopping,
    ) -> None:
        self._client = client
        self._recorder = recorder
        self._counts = counts
        self._policy = policy
        self._stopping = stopping

    def load(self, batch: Batch) -> None:
        """Load a batch, sending rows again as often as allowed.

        Rows whose parent is missing may be left in it, see `Batch.parts`.

        Raises: SalesforceError; LeftToNextRun.
        """
        if batch.number_of_rows == 0:
            self._recorder.record(batch, None)
            return
        if batch.state is BatchState.FILLING:
            batch.enqueue()
        if batch.is_blocked:
            self._recorder.block(batch)
            return
        attempt = 1
        while True:
            unloaded = Unloaded.SEND_AGAIN if attempt <= self._policy.record_retries else Unloaded.GIVE_UP
            end = self._send(batch, unloaded)
            if end.wants_other_line_ending and end.never_began and batch.line_ending == "LF":
                logger.info("the org wants CRLF at the ends of lines, so the job is created again")
                batch.line_ending = "CRLF"
                batch.send_again()
            elif self._recorder.record(batch, end):
                return
            elif batch.awaits_parents:
                batch.put_back()
                return  # the scheduler sends them again, after others
            else:
                self._stopping.is_asked.wait(self._policy.wait_before_retry_s(attempt))
                attempt += 1

    def resume(self, batch: Batch) -> None:
        """Record the outcomes of a batch whose job an earlier run may have closed; an Open one is aborted.

        Nothing is sent: what was not processed comes again with the input. So does a batch without a job: it went
        without one, which is only done with what may be done again, or was not sent. A second pass does not come
        again, so it is sent, which may be done twice.

        Raises: SalesforceError that says nothing of this batch alone; LeftToNextRun.
        """
        if batch.destination.first_pass:
            self.resend(batch)
            return
        if batch.job_id is None:
            self._recorder.drop(batch)
            return
        try:
            end = self._end_of_found(batch, batch.job_id)
        except JobGone as gone:
            was_never_closed = batch.state is BatchState.OPEN
            end = JobEnd(unloaded=Unloaded.COME_AGAIN, reason=str(gone), was_never_closed=was_never_closed)
        except IncompleteResults as error:
            end = self._without_results(batch, error, unloaded=Unloaded.COME_AGAIN)
        except (RequestRefused, JobTimedOut, NotFound) as error:
            if self._stopping.is_over.is_set():
                raise LeftToNextRun(f"ingest job {batch.job_id} is left to the next run") from error
            if batch.state is BatchState.OPEN:
                end = JobEnd(unloaded=Unloaded.COME_AGAIN, was_never_closed=True)
            else:
                logger.warning(SET_ASIDE, batch.id, error, extra=_log_fields(batch))
                end = JobEnd(unloaded=Unloaded.COME_AGAIN, reason=str(error), is_set_aside=True)
        if end.never_began:
            self._recorder.drop(batch)
        else:
            self._recorder.record(batch, end)

    def ask_again(self, batch: Batch) -> None:
        """Record what the job of a batch that awaits a decision reports by now; its other rows keep waiting.

        Raises: SalesforceError, after which the batch is as it was; LeftToNextRun.
        """
        assert batch.job_id
        self._recorder.record(batch, self._end_of_found(batch, batch.job_id, unloaded=Unloaded.WAIT))

    def resend(self, batch: Batch) -> None:
        """Load a batch that an earlier run has left: all that its old job does not name as loaded or refused.

        Where nobody knew yet that rows are doubtful, they become so, and are not sent.

        Raises: SalesforceError; LeftToNextRun.
        """
        end = self._end_of_old_job(batch, batch.job_id) if batch.job_id else None
        if end is None or end.never_began:
            batch.send_again()
        elif self._recorder.record(batch, end):
            return
        self.load(batch)

    def _end_of_old_job(self, batch: Batch, job_id: str) -> JobEnd:
        is_decided = batch.state.awaits_decision
        unloaded = Unloaded.SEND_ALL if is_decided else Unloaded.SEND_AGAIN
        try:
            job = IngestJob.find(self._client, job_id, **self._job_options(batch))
            self._counts.add_job(job.info, batch=batch, is_found=True)
            if not job.info.state.is_final:
                with suppress(RequestRefused):  # then the job continues, and this run waits for it
                    job.abort()
            return self._wait(batch, job, unloaded=unloaded)
        except JobGone as gone:
            # Decided: nothing stands against sending all rows.
            is_unclosed = is_decided or batch.state is BatchState.OPEN
            return JobEnd(unloaded=unloaded, reason=str(gone), was_never_closed=is_unclosed)
        except (IncompleteResults, RequestRefused) as error:
            if is_decided:
                raise
            return JobEnd(unloaded=unloaded, reason=str(error), is_set_aside=True)

    def _end_of_found(self, batch: Batch, job_id: str, *, unloaded: Unloaded = Unloaded.COME_AGAIN) -> JobEnd:
        job = IngestJob.find(self._client, job_id, **self._job_options(batch))
        self._counts.add_job(job.info, batch=batch, is_found=True)
        if job.info.state is JobState.OPEN:
            aborted = job.abort()
            self._counts.note_ended(aborted)
            was_never_closed = batch.state is BatchState.OPEN and aborted.state is JobState.ABORTED
            if was_never_closed or aborted.proves_untouched:
                return JobEnd(unloaded=unloaded, info=aborted, was_never_closed=was_never_closed)
        try:
            end = self._wait(batch, job, unloaded=unloaded)
        except JobTimedOut as error:
            if unloaded is not Unloaded.COME_AGAIN:
                raise
            # It has had its time twice: what it has not processed comes again.
            logger.warning("%s; it is aborted", error, extra=_log_fields(batch))
            self._counts.note_ended(job.abort())
            end = self._wait(batch, job, unloaded=unloaded)
        if batch.state is BatchState.OPEN and not end.files and job.info.number_records_processed == 0:
            return replace(end, was_never_closed=True)  # somebody else has closed it, before it had any data
        return end

    def _send(self, batch: Batch, unloaded: Unloaded) -> JobEnd:
        """Send the rows once, and return how that ended."""
        end = self._send_request(batch, unloaded)
        if end is not None:
            return end
        try:
            job = self._send_job(batch)
        except JobGone as gone:
            return JobEnd(unloaded=unloaded, reason=str(gone), was_never_closed=batch.state is not BatchState.CLOSING)
        try:
            return self._wait(batch, job, unloaded=unloaded)
        except JobGone as gone:
            return JobEnd(unloaded=unloaded, reason=str(gone))
        except IncompleteResults as error:
            return self._without_results(batch, error, unloaded=unloaded)
        except RequestRefused as error:
            logger.warning(SET_ASIDE, batch.id, error, extra=_log_fields(batch))
            return JobEnd(unloaded=unloaded, reason=str(error), is_set_aside=True)

    def _without_results(self, batch: Batch, error: IncompleteResults, *, unloaded: Unloaded) -> JobEnd:
        """Return the end of a job whose result files and counts disagree, also when asked again."""
        logger.warning("the results of batch %s are not used: %s", batch.id, error, extra=_log_fields(batch))
        is_insert = batch.destination.operation is Operation.INSERT
        return JobEnd(unloaded=unloaded, reason=str(error), is_set_aside=is_insert)

    def _send_request(self, batch: Batch, unloaded: Unloaded) -> JobEnd | None:
        """Return the outcomes of rows that went in one request, or None if they have to go by a job."""
        send = request_for(batch, client=self._client)
        if send is None:
            return None
        self._check_stop()
        self._client.check_quota()
        batch.sending()
        try:
            results = results_of(send)
        except (RequestRefused, NotFound) as error:
            logger.info("%s; a job will show which row is meant", error.for_log, extra=_log_fields(batch))
            batch.may_skip_job = False
            batch.send_again()
            return None
        return JobEnd(unloaded=unloaded, files=write_result_files(batch, results, directory=self._policy.results_dir))

    def _send_job(self, batch: Batch) -> IngestJob:
        """Return a closed job with the batch's rows."""
        self._check_stop()
        self._client.check_quota()
        self._client.check_limits("DailyApiRequests", "DailyBulkApiBatches")
        spec = batch.destination.ingest_spec(line_ending=batch.line_ending)
        job = IngestJob.create(self._client, spec, **self._job_options(batch))
        batch.job_created(job.id)
        self._counts.add_job(job.info, batch=batch)
        try:
            job.upload(batch.open_data)
            self._check_stop()
        except BaseException:
            with suppress(SalesforceError):
                self._counts.note_ended(job.abort())
            raise
        batch.closing()
        self._counts.note_closed(job.close())
        return job

    def _wait(self, batch: Batch, job: IngestJob, *, unloaded: Unloaded) -> JobEnd:
        """Return how the job ended, with those of its result files on disk that have rows."""
        info = job.wait_until_final(self._policy.poll, on_look=self._check_wait, stop=self._stopping.is_over)
        self._counts.note_ended(info)
        columns = [column.name for column in batch.destination.columns]
        files = []
        for kind in ResultKind:
            path = result_path(self._policy.results_dir, sobject=batch.destination.object, name=job.id, kind=kind)
            try:
                has_rows = job.download(kind, path) > 0
            except IncompleteResults:
                if unloaded is not Unloaded.SEND_ALL:
                    raise
                has_rows = True  # a person has decided on the rows that it does not name
            if has_rows:
                files.append(ResultFile(path, kind=kind, columns=columns))
            else:
                path.unlink()  # no more than a header
        return JobEnd(unloaded=unloaded, info=info, files=files)

    def _job_options(self, batch: Batch) -> dict[str, Any]:
        return {"log_fields": _log_fields(batch), "poll": self._policy.poll, "stop": self._stopping.is_over}

    def _check_stop(self) -> None:
        if self._stopping.is_asked.is_set():
            raise LeftToNextRun("the run is stopping; what was not sent comes again with the next run")

    def _check_wait(self, info: JobInfo) -> None:
        if self._stopping.is_over.is_set() and not info.state.is_final:
            raise LeftToNextRun(f"ingest job {info.id} still runs; the next run resumes it")


def _log_fields(batch: Batch) -> dict[str, str]:
    return {"stream_name": batch.destination.stream}
