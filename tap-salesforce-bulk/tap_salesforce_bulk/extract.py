"""`Extraction`: one stream's query read to its end, part by part, by as many jobs as that takes."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

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

from tap_salesforce_bulk.errors import TooComplicated
from tap_salesforce_bulk.halving import halves

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any

    from salesforce_bulk_client import JobInfo, Locator, ResultPage, SalesforceClient

    from tap_salesforce_bulk.parts import Part
    from tap_salesforce_bulk.soql import Query

logger = logging.getLogger(__name__)

LIMITS = ("DailyBulkV2QueryJobs", "DailyBulkV2QueryFileStorageMB", "DailyApiRequests")
"""Of the org's, that a query job uses up."""

PASSING = (ConnectionFailed, ServerBusy)
WORTH_A_NEW_JOB = (JobFailed, JobAborted, JobTimedOut, JobGone, IncompleteResults)


@dataclass(kw_only=True)
class PartJob:
    """A part that is still to be read, and its job once that is made."""

    part: Part
    retries_left: int
    job_id: str | None = None
    job: QueryJob | None = None
    """None also for a job of the last run that has not been looked for yet."""
    error: SalesforceError | None = None
    """Why the job could not be made ahead; raised when it is the part's turn."""
    locator: Locator | None = None
    """The next page; None is the first."""
    records: int = 0
    """In the pages before it."""
    number_of_timeouts: int = 0

    @property
    def may_be_running(self) -> bool:
        """Whether the server is at work on it, as far as is known."""
        return self.job_id is not None and not (self.job and self.job.info.state.is_final)


class Listener(NamedTuple):
    """Whom an extraction tells how it gets on."""

    on_position: Callable[[], None]
    """A later run could go on from here: `Extraction.parts` says where."""
    on_look: Callable[[JobInfo], None]
    """The job under way was looked at."""
    on_room: Callable[[], None]
    """The server may have room for one more job."""
    on_window: Callable[[], None]
    """All rows up to here have been read: the bookmark may move."""


class Extraction:
    """Reads one query, page by page; a job that does not end well is made again with the same query."""

    def __init__(
        self,
        client: SalesforceClient,
        query: Query,
        *,
        settings: Mapping[str, Any],
        parts: Iterator[Part],
        unfinished: Iterable[PartJob] = (),
        rest: Iterator[Part] | None = None,
        listener: Listener,
    ) -> None:
        """``parts`` are read in order; but first ``unfinished`` of the last run, and then its ``rest`` instead."""
        self._client = client
        self._query = query
        self._log_fields = {"stream_name": query.sobject}
        self._page_size: int = settings["page_size"]
        self._concurrent_downloads: int = settings["max_concurrent_downloads"]
        self._retries: int = settings["job_retries"]
        self._poll = PollPolicy(
            min_s=settings["poll_min_s"], max_s=settings["poll_max_s"], timeout_s=settings["job_timeout_s"]
        )
        self._listener = listener
        self.parts = deque(unfinished)
        """To be read, the present one first; more are added when their turn, or that of their job, comes."""
        self._resumed = self.parts[0] if self.parts else None
        self._from_the_beginning = parts
        self._coming = rest if rest is not None and self.parts else parts
        self._error: SalesforceError | None = None
        """Why no more parts can be found."""

    @property
    def number_of_running_jobs(self) -> int:
        """How many of its jobs may be running on the server."""
        return sum(each.may_be_running for each in self.parts)

    def make_next_job(self) -> bool:
        """Make the next job of those to come; False when there is none to make, or it could not be made.

        Raises: QuotaError; any other error is kept for the part's own turn.
        """
        try:
            return self._make_next_job()
        except QuotaError:
            raise
        except SalesforceError:  # kept in `_part_at`
            return False

    def _make_next_job(self) -> bool:
        index = 0
        while (each := self._part_at(index)) is not None and each.error is None:
            if each.job_id is None:
                try:
                    self._make_job(each)
                except QuotaError as error:
                    each.error = error
                    raise
                except SalesforceError as error:
                    each.error = error
                return each.error is None
            index += 1
        return False

    def abandon(self) -> None:
        """Abort what is running: nobody will read it."""
        for each in self.parts:
            if each.job_id and each.may_be_running:
                try:
                    (each.job or self._find(each.job_id)).abort()
                except SalesforceError as error:
                    fields = {**self._log_fields, "job_id": each.job_id, "error_type": type(error).__name__}
                    logger.info("query job %s could not be aborted: %s", each.job_id, error, extra=fields)
        self.parts.clear()

    def pages(self) -> Iterator[ResultPage]:
        """Yield all pages in order; each must be consumed before the next is asked for.

        When a job has to be made again midway, its pages begin anew: every row at least once.

        Raises: what the last of all jobs raised.
        """
        while (present := self._part_at(0)) is not None:
            try:
                yield from self._pages_of(present)
            except (*WORTH_A_NEW_JOB, RequestRefused) as error:
                self._plan_again(present, error)
                continue
            self.parts.popleft()
            following = self._part_at(0)
            if following is None or following.part.lower != present.part.lower:
                self._listener.on_window()

    def _part_at(self, index: int) -> PartJob | None:
        while len(self.parts) <= index:
            if self._error:
                raise self._error  # else an iterator that has failed would look like one at its end
            try:
                part = next(self._coming, None)
            except SalesforceError as error:
                self._error = error
                raise
            if part is None:
                return None
            self.parts.append(PartJob(part=part, retries_left=self._retries))
        return self.parts[index]

    def _make_job(self, each: PartJob) -> None:
        self._client.check_quota()
        self._client.check_limits(*LIMITS)
        soql = self._query.soql(each.part)
        each.job = QueryJob.create(
            self._client,
            soql,
            include_deleted=self._query.include_deleted,
            poll=self._poll,
            log_fields=self._log_fields,
        )
        each.job_id = each.job.id
        logger.debug("query job %s: %s", each.job_id, soql)
        self._listener.on_position()

    def _pages_of(self, present: PartJob) -> Iterator[ResultPage]:
        job = self._job_of(present)
        self._listener.on_room()
        try:
            job.wait(self._poll, on_look=self._listener.on_look)
        except JobTimedOut as error:
            job.abort()  # else it would go on beside the job that replaces it
            raise JobTimedOut(
                f"query job {job.id} had not ended after {self._poll.timeout_s:g} s (job_timeout_s), and was aborted",
                job_id=job.id,
            ) from error
        self._listener.on_room()
        pages = job.pages(
            max_records=self._page_size,
            start=present.locator,
            rows_before=present.records,
            concurrent=self._concurrent_downloads,
        )
        for page in pages:
            with page:
                yield page
            present.records += page.number_of_records
            present.locator = page.next_locator
            if page.next_locator is not None:
                self._listener.on_position()
                self._client.check_quota()

    def _job_of(self, present: PartJob) -> QueryJob:
        if present.error is not None and not isinstance(present.error, PASSING):
            raise present.error
        if present.job is None and present.job_id is not None:
            present.job = self._find(present.job_id)
            fields = {**present.job.log_fields, "records": present.records}
            logger.info("query job %s goes on after %d records", present.job_id, present.records, extra=fields)
        elif present.job is None:
            self._make_job(present)
        else:
            self._listener.on_position()  # made ahead: now it is the stream's present one
        assert present.job is not None
        return present.job

    def _find(self, job_id: str) -> QueryJob:
        return QueryJob.find(self._client, job_id, poll=self._poll, log_fields=self._log_fields)

    def _plan_again(self, failed: PartJob, error: SalesforceError) -> None:
        """Put into the failed part's place what is to be tried instead.

        Raises: ``error`` when nothing is left to be tried.
        """
        if failed is self._resumed:
            logger.warning("the job of the last run cannot be continued, so a new one is made: %s", error)
            self.abandon()
            self._coming = self._from_the_beginning
            return
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
        logger.warning("%s; the query is made again (%d retries left)", error, failed.retries_left, extra=fields)
        number_of_timeouts = failed.number_of_timeouts + isinstance(error, JobTimedOut)
        parts: tuple[Part, ...] = (failed.part,)
        if isinstance(error, JobTimedOut) and number_of_timeouts > 1:
            by_id = number_of_timeouts > 2
            parts = halves(self._client, self._query, failed.part, prefer_id=by_id) or parts
        self.parts.popleft()
        self.parts.extendleft(
            PartJob(part=part, retries_left=failed.retries_left - 1, number_of_timeouts=number_of_timeouts)
            for part in reversed(parts)
        )
