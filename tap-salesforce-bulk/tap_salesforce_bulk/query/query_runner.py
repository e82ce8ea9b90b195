"""`QueryRunner`: the query jobs of one stream; each range is read by as many of them as it takes."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING

from salesforce_bulk_client import (
    ConnectionFailed,
    IncompleteResults,
    JobAborted,
    JobFailed,
    JobGone,
    JobTimedOut,
    PollPolicy,
    QueryJob,
    QuotaError,
    RequestRefused,
    SalesforceError,
    ServerBusy,
)

from tap_salesforce_bulk.errors import UNFORESEEN, TooComplicated
from tap_salesforce_bulk.query.bulk_support import check_job_limits
from tap_salesforce_bulk.query.range_job import RangeJob
from tap_salesforce_bulk.query.range_split import split_range

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any

    from salesforce_bulk_client import JobInfo, ResultPage, SalesforceClient

    from tap_salesforce_bulk.query.ranges import QueryRange
    from tap_salesforce_bulk.query.soql import Query

logger = logging.getLogger(__name__)

RANGE_FAILED = (JobFailed, JobAborted, JobTimedOut, JobGone, IncompleteResults, RequestRefused)
"""Errors after which `QueryRunner.replan` decides whether the range is read by another job."""

TRANSIENT = (ConnectionFailed, ServerBusy)


class QueryRunner:
    """Creates, polls and replaces the jobs of one query; its caller reads their pages."""

    def __init__(
        self,
        client: SalesforceClient,
        query: Query,
        *,
        settings: Mapping[str, Any],
        ranges: Iterator[QueryRange],
        unfinished: Iterable[RangeJob] = (),
    ) -> None:
        """``unfinished`` of the last run are read first, then ``ranges``."""
        self._client = client
        self._query = query
        self._log_fields = {"stream_name": query.sobject}
        self._page_size: int = settings["page_size"]
        self._concurrent_downloads: int = settings["max_concurrent_downloads"]
        self._retries: int = settings["job_retries"]
        self._poll = PollPolicy(
            min_s=settings["poll_min_s"], max_s=settings["poll_max_s"], timeout_s=settings["job_timeout_s"]
        )
        self.jobs = deque(unfinished)
        """To be read, the current one first; more are added when their turn, or that of their job, comes."""
        self._ranges = ranges
        self._error: Exception | None = None
        """Why no more ranges can be found."""

    @property
    def number_of_running_jobs(self) -> int:
        """How many of its jobs may be running on the server."""
        return sum(each.may_be_running for each in self.jobs)

    def current(self) -> RangeJob | None:
        """Return the range whose turn it is; None when all have been read.

        Raises: SalesforceError when its bounds cannot be found.
        """
        return self._job_at(0)

    def _job_at(self, index: int) -> RangeJob | None:
        while len(self.jobs) <= index:
            if self._error:
                raise self._error  # else an iterator that has failed would look like one at its end
            try:
                query_range = next(self._ranges, None)
            except (SalesforceError, *UNFORESEEN) as error:
                self._error = error
                raise
            if query_range is None:
                return None
            self.jobs.append(RangeJob(query_range=query_range, retries_left=self._retries))
        return self.jobs[index]

    # The current range, step by step

    def start(self, current: RangeJob) -> None:
        """Make sure that the range has a job: create it, unless it was created ahead or by the last run.

        Raises: what kept its job from being created ahead, unless that is transient; JobGone, QuotaError and others.
        """
        if current.error is not None and not isinstance(current.error, TRANSIENT):
            raise current.error
        if current.job is None and current.job_id is not None:
            current.job = self._find(current.job_id)
            fields = {**current.job.log_fields, "records": current.records}
            logger.info("query job %s resumes after %d records", current.job_id, current.records, extra=fields)
        elif current.job is None:
            self._create_job(current)

    def wait(self, current: RangeJob, *, on_poll: Callable[[JobInfo], None]) -> None:
        """Return when the result of the range's job is ready.

        Raises: JobFailed, JobAborted, JobTimedOut, JobGone.
        """
        assert current.job is not None
        try:
            current.job.wait(self._poll, on_look=on_poll)
        except JobTimedOut as error:
            current.job.abort()  # else it would run beside the job that replaces it
            raise JobTimedOut(
                f"query job {current.job_id} had not ended after {self._poll.timeout_s:g} s (job_timeout_s), and was"
                " aborted",
                job_id=current.job.id,
            ) from error

    def pages(self, current: RangeJob) -> Iterator[ResultPage]:
        """Yield the pages of the range that have not been read yet.

        Raises: IncompleteResults, JobGone, ConnectionFailed.
        """
        assert current.job is not None
        return current.job.pages(
            max_records=self._page_size,
            start=current.locator,
            rows_before=current.records,
            concurrent=self._concurrent_downloads,
        )

    def finish(self, current: RangeJob) -> bool:
        """Remove a range that has been read; return whether the bookmark may move past it.

        Ranges split by Id have the same lower bound: the bookmark moves after the last of them.

        Raises: SalesforceError when the bounds of the next range cannot be found.
        """
        self.jobs.popleft()
        following = self.current()
        return following is None or following.query_range.lower != current.query_range.lower

    # Jobs ahead

    def create_next_job(self) -> bool:
        """Create the first job that has not been created; False when there is none to create, or it was refused.

        Raises: QuotaError; any other error of Salesforce's is kept for the range's own turn.
        """
        try:
            index = 0
            while (each := self._job_at(index)) is not None and each.error is None:
                if each.job_id is None:
                    self._create_job_ahead(each)
                    return each.error is None
                index += 1
        except QuotaError:
            raise
        except SalesforceError:  # kept in `_job_at`
            return False
        return False

    def _create_job_ahead(self, each: RangeJob) -> None:
        try:
            self._create_job(each)
        except SalesforceError as error:
            each.error = error
            if isinstance(error, QuotaError):
                raise

    def _create_job(self, each: RangeJob) -> None:
        check_job_limits(self._client)
        soql = self._query.soql(each.query_range)
        each.job = QueryJob.create(
            self._client,
            soql,
            include_deleted=self._query.include_deleted,
            poll=self._poll,
            log_fields=self._log_fields,
        )
        each.job_id = each.job.id
        logger.debug("query job %s: %s", each.job_id, soql)

    def _find(self, job_id: str) -> QueryJob:
        return QueryJob.find(self._client, job_id, poll=self._poll, log_fields=self._log_fields)

    # When a job does not end well

    def replan(self, failed: RangeJob, error: SalesforceError) -> None:
        """Replace the current range, whose job failed, by one or two to be read instead.

        Raises: ``error`` when there is nothing left to try.
        """
        if "QUERY_TOO_COMPLICATED" in str(error):  # a failed job has no code, only a message that begins with one
            raise TooComplicated(
                f"{error} (the same query would fail again: deselect fields, formula fields first, or shorten its"
                " condition in soql_filters)"
            ) from error
        if isinstance(error, RequestRefused) or not failed.retries_left:
            raise error
        fields = {
            **self._log_fields,
            "job_id": failed.job_id,
            "error_type": type(error).__name__,
            "retries_left": failed.retries_left,
        }
        logger.warning("%s; a new job runs the query again (%d retries left)", error, failed.retries_left, extra=fields)
        number_of_timeouts = failed.number_of_timeouts + isinstance(error, JobTimedOut)
        ranges: tuple[QueryRange, ...] = (failed.query_range,)
        if isinstance(error, JobTimedOut) and number_of_timeouts > 1:
            by_id = number_of_timeouts > 2
            ranges = split_range(self._client, self._query, failed.query_range, prefer_id=by_id) or ranges
        self.jobs.popleft()
        self.jobs.extendleft(
            RangeJob(query_range=each, retries_left=failed.retries_left - 1, number_of_timeouts=number_of_timeouts)
            for each in reversed(ranges)
        )

    def start_over(self, ranges: Iterator[QueryRange]) -> None:
        """Abort all jobs, and read ``ranges`` instead."""
        self.abandon()
        self._ranges = ranges

    def abandon(self) -> None:
        """Abort the jobs that are running: nobody will read them."""
        for each in self.jobs:
            if each.job_id and each.may_be_running:
                try:
                    (each.job or self._find(each.job_id)).abort()
                except SalesforceError as error:
                    fields = {**self._log_fields, "job_id": each.job_id, "error_type": type(error).__name__}
                    logger.info("query job %s could not be aborted: %s", each.job_id, error, extra=fields)
        self.jobs.clear()
