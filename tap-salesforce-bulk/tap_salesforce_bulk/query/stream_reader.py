"""`StreamReader`: reads one stream in one run, with Bulk queries or else via REST, and keeps its state up to date."""

from __future__ import annotations

import logging
import time
from functools import partial
from typing import TYPE_CHECKING

from salesforce_bulk_client import SalesforceError, telemetry
from salesforce_bulk_plugin.instruments import RECORDS_PROCESSED

from tap_salesforce_bulk.errors import UNFORESEEN
from tap_salesforce_bulk.output.chunks import chunks_of
from tap_salesforce_bulk.query.bulk_support import is_refused_by_bulk
from tap_salesforce_bulk.query.progress import StreamProgress
from tap_salesforce_bulk.query.query_runner import RANGE_FAILED, QueryRunner
from tap_salesforce_bulk.query.range_job import RangeJob
from tap_salesforce_bulk.query.rest_fallback import rest_pages
from tap_salesforce_bulk.query.stream_state import JOB, Checkpoint, finish_job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from salesforce_bulk_client import Field, SalesforceClient

    from tap_salesforce_bulk.output.chunks import Chunk, Page
    from tap_salesforce_bulk.query.query_plan import QueryPlan
    from tap_salesforce_bulk.query.stream_state import State

    WritePage = Callable[[Iterable[Chunk]], None]

logger = logging.getLogger(__name__)


class StreamReader:
    """Reads what the bookmark leaves to be read, and moves it."""

    def __init__(
        self,
        client: SalesforceClient,
        plan: QueryPlan,
        *,
        fields: Sequence[Field],
        settings: Mapping[str, Any],
        state: State,
        write_state: Callable[[], None],
        prefetch_jobs: Callable[[], None],
    ) -> None:
        """``state`` is the stream's entry, ``write_state`` emits it.

        ``prefetch_jobs`` is called when the server may have room for more jobs, of this or other streams.
        """
        self._client = client
        self._plan = plan
        self._fields = fields
        self._settings = settings
        self._state = state
        self._write_state = write_state
        self._prefetch_jobs = prefetch_jobs
        self._progress = StreamProgress(plan.query.sobject)
        self._number_of_nuls = 0
        self._is_stopped = False
        unfinished = plan.unfinished() if plan.is_bulk else None
        self._until = unfinished.until if unfinished else plan.until
        self._greatest_key_value = unfinished.greatest_key_value if unfinished else None
        self._runner: QueryRunner | None = None
        """The stream's query jobs; None where it is read via REST."""
        if plan.is_bulk:
            self._runner = QueryRunner(
                client,
                plan.query,
                settings=settings,
                ranges=plan.ranges_after(unfinished) if unfinished else plan.ranges(),
                unfinished=_range_jobs(unfinished, retries=settings["job_retries"]) if unfinished else (),
            )

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the fields that it reads."""
        return tuple(field.name for field in self._fields)

    @property
    def number_of_records(self) -> int:
        """Records that have been written so far."""
        return self._progress.records

    def read(self, write: WritePage) -> None:
        """Read the stream to its end; ``write`` is given the rows of each page, and has written them when it returns.

        Raises: SalesforceError.
        """
        began_at = time.monotonic()
        if self._runner:
            try:
                self._read_with_jobs(self._runner, write)
            except SalesforceError as error:
                if not self._settings["rest_fallback"] or not is_refused_by_bulk(error):
                    raise
                logger.info("%s is read via REST, since Bulk refuses it: %s", self._plan.query.sobject, error)
                self._discard_jobs()
                self._runner = None
        if self._runner is None:
            self._read_via_rest(write)
        self._move_bookmark()
        self._progress.finish(seconds=time.monotonic() - began_at)
        if self._number_of_nuls:
            sobject = self._plan.query.sobject
            logger.warning("%s: %d NUL characters were removed from texts", sobject, self._number_of_nuls)

    def _read_with_jobs(self, runner: QueryRunner, write: WritePage) -> None:
        """Read range by range, page by page; when a job is replaced midway, its range is read again from the start."""
        while (current := runner.current()) is not None:
            try:
                runner.start(current)
                self._save_position(runner)
                self._prefetch_jobs()
                runner.wait(current, on_poll=partial(self._progress.show_job, records_before=current.records))
                self._prefetch_jobs()
                for page in runner.pages(current):
                    with page:
                        write(self._chunks(page))
                    self._count(page)
                    current.move_past(page)
                    if page.next_locator is not None:
                        self._save_position(runner)
                        self._client.check_quota()
            except RANGE_FAILED as error:
                self._replan(runner, current, error)
                continue
            if runner.finish(current):
                self._move_bookmark()

    def _replan(self, runner: QueryRunner, failed: RangeJob, error: SalesforceError) -> None:
        """Decide what is read in the place of a range whose job failed.

        Raises: ``error`` when there is nothing left to try.
        """
        if not failed.is_resumed:
            runner.replan(failed, error)
            return
        logger.warning("the job of the last run cannot be continued, so a new one is created: %s", error)
        self._until = self._plan.until
        runner.start_over(self._plan.ranges())

    def _read_via_rest(self, write: WritePage) -> None:
        for query_range in self._plan.ranges_for_rest(until=self._until):
            for page in rest_pages(self._client, self._plan.query, query_range):
                write(self._chunks(page))
                self._count(page)

    def _chunks(self, page: Page) -> Iterator[Chunk]:
        """Yield the page's rows; the greatest value of the replication key is kept."""
        key = self._plan.replication_key
        for chunk in chunks_of(page, fields=self._fields):
            if key:
                # Values of one form, so that they sort as the instants they are.
                values = [str(value) for value in chunk.columns[chunk.names.index(key)] if value is not None]
                self._greatest_key_value = max([*values, self._greatest_key_value or ""]) or None
            yield chunk

    def _count(self, page: Page) -> None:
        query = self._plan.query
        self._progress.add(page.number_of_records)
        self._number_of_nuls += page.nul_count
        operation = "queryAll" if query.include_deleted else "query"
        telemetry.note(
            RECORDS_PROCESSED, page.number_of_records, sobject=query.sobject, operation=operation, status="read"
        )

    # Jobs ahead

    @property
    def number_of_running_jobs(self) -> int:
        """How many of its query jobs may be running on the server."""
        return self._runner.number_of_running_jobs if self._runner else 0

    def create_next_job(self) -> bool:
        """Create a query job ahead of its turn; False when there is none to create, or it cannot be created now.

        Raises: QuotaError. Other errors are raised when the turn of the job comes.
        """
        if self._runner is None or self._is_stopped:
            return False
        try:
            is_created = self._runner.create_next_job()
        except UNFORESEEN:
            self._is_stopped = True
            return False
        if is_created:
            self._save_position(self._runner)
        return is_created

    def stop(self) -> None:
        """Create no more jobs; the next run resumes those that the state names."""
        self._is_stopped = True

    def abandon(self) -> None:
        """Abort the stream's jobs, and remove them from its state: nobody will read them."""
        self._is_stopped = True
        self._discard_jobs()

    def _discard_jobs(self) -> None:
        if self._runner:
            self._runner.abandon()
        self._state.pop(JOB, None)

    # State

    def _save_position(self, runner: QueryRunner) -> None:
        """Write a state from which a later run can resume."""
        current, *others = runner.jobs
        if current.job_id is None:
            return
        Checkpoint(
            job_id=current.job_id,
            query_range=current.query_range,
            locator=current.locator,
            records=current.records,
            next=[(each.query_range, each.job_id) for each in others],
            until=self._until,
            greatest_key_value=self._greatest_key_value,
            fingerprint=self._plan.fingerprint(),
            instance_url=self._client.instance_url,
        ).save(self._state)
        self._write_state()

    def _move_bookmark(self) -> None:
        """Move the bookmark past what has been written."""
        finish_job(self._state, replication_key=self._plan.replication_key, greatest_key_value=self._greatest_key_value)


def _range_jobs(checkpoint: Checkpoint, *, retries: int) -> Iterator[RangeJob]:
    yield RangeJob(
        query_range=checkpoint.query_range,
        job_id=checkpoint.job_id,
        is_resumed=True,
        locator=checkpoint.locator,
        records=checkpoint.records,
        retries_left=retries,
    )
    for query_range, job_id in checkpoint.next:
        yield RangeJob(query_range=query_range, job_id=job_id, retries_left=retries)
