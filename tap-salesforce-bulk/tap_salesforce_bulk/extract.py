"""`Extraction`: one query read to its end, by as many jobs as that takes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from salesforce_bulk_client import (
    IncompleteResults,
    JobAborted,
    JobFailed,
    JobGone,
    JobTimedOut,
    PollPolicy,
    QueryJob,
    RequestRefused,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from salesforce_bulk_client import Locator, ResultPage, SalesforceClient

    from tap_salesforce_bulk.soql import Query

logger = logging.getLogger(__name__)

WORTH_A_NEW_JOB = (JobFailed, JobAborted, JobTimedOut, JobGone, IncompleteResults)


class Position(NamedTuple):
    """A place between two pages of a job."""

    job_id: str
    locator: Locator | None
    """The next page; None is the first."""
    records: int
    """In the pages before it."""


class Extraction:
    """Reads one query, page by page; a job that does not end well is made again with the same query."""

    def __init__(
        self,
        client: SalesforceClient,
        query: Query,
        *,
        settings: Mapping[str, Any],
        on_position: Callable[[Position], None],
    ) -> None:
        """``on_position`` is told each place from which a later run can go on: all before it has been consumed."""
        self._client = client
        self._query = query
        self._page_size: int = settings["page_size"]
        self._concurrent_downloads: int = settings["max_concurrent_downloads"]
        self._retries: int = settings["job_retries"]
        self._poll = PollPolicy(
            min_s=settings["poll_min_s"], max_s=settings["poll_max_s"], timeout_s=settings["job_timeout_s"]
        )
        self._on_position = on_position

    def pages(self, *, resume_at: Position | None = None) -> Iterator[ResultPage]:
        """Yield all pages from ``resume_at`` on, in order; each must be consumed before the next is asked for.

        When a job has to be made again midway, its pages begin anew: every row at least once.

        Raises: what the last of all jobs raised.
        """
        if resume_at is not None:
            try:
                job = QueryJob.find(self._client, resume_at.job_id)
                logger.info("query job %s goes on after %d records", job.id, resume_at.records)
                yield from self._pages_of(job, resume_at)
                return
            except (*WORTH_A_NEW_JOB, RequestRefused) as error:
                logger.warning("the job of the last run cannot be continued, so a new one is made: %s", error)
        for retries_left in range(self._retries, -1, -1):
            try:
                yield from self._pages_of_new_job()
                return
            except WORTH_A_NEW_JOB as error:
                if not retries_left:
                    raise
                logger.warning("%s; the query is made again (%d retries left)", error, retries_left)

    def _pages_of_new_job(self) -> Iterator[ResultPage]:
        self._client.check_quota()
        job = QueryJob.create(self._client, self._query.soql, include_deleted=self._query.include_deleted)
        logger.debug("query job %s: %s", job.id, self._query.soql)
        start = Position(job.id, None, 0)
        self._on_position(start)
        return self._pages_of(job, start)

    def _pages_of(self, job: QueryJob, position: Position) -> Iterator[ResultPage]:
        try:
            job.wait(self._poll)
        except JobTimedOut as error:
            job.abort()  # else it would go on beside the job that replaces it
            raise JobTimedOut(
                f"query job {job.id} had not ended after {self._poll.timeout_s:g} s (job_timeout_s), and was aborted",
                job_id=job.id,
            ) from error
        records = position.records
        pages = job.pages(
            max_records=self._page_size,
            start=position.locator,
            rows_before=records,
            concurrent=self._concurrent_downloads,
        )
        for page in pages:
            with page:
                yield page
                records += page.number_of_records
                if page.next_locator is not None:
                    self._on_position(Position(job.id, page.next_locator, records))
                    self._client.check_quota()
