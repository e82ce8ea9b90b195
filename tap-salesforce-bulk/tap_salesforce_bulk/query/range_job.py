"""`RangeJob`: a range of a query, its job, and how much of it has been read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from salesforce_bulk_client import Locator, QueryJob, ResultPage, SalesforceError

    from tap_salesforce_bulk.query.ranges import QueryRange


@dataclass(kw_only=True)
class RangeJob:
    """A range that is still to be read, and its job once that is created."""

    query_range: QueryRange
    retries_left: int
    job_id: str | None = None
    job: QueryJob | None = None
    """None also for a job of the last run that has not been polled yet."""
    is_resumed: bool = False
    """Whether the last run stopped within this job."""
    error: SalesforceError | None = None
    """Why the job could not be created ahead; raised when it is the range's turn."""
    locator: Locator | None = None
    """The next page; None is the first."""
    records: int = 0
    """In the pages before it."""
    number_of_timeouts: int = 0

    @property
    def may_be_running(self) -> bool:
        """Whether the server is working on it, as far as is known."""
        return self.job_id is not None and not (self.job and self.job.info.state.is_final)

    def move_past(self, page: ResultPage) -> None:
        """Count a page as read: reading is resumed at the next one."""
        self.records += page.number_of_records
        self.locator = page.next_locator
