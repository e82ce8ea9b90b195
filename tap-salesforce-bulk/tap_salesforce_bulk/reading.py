"""`Reading`: one stream read in one run, by Bulk or else by REST, and its state kept up to date."""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import TYPE_CHECKING

from salesforce_bulk_client import ApiError, ConfigError, QuotaError, SalesforceError, telemetry
from salesforce_bulk_client.instruments import RECORDS_PROCESSED

from tap_salesforce_bulk.bulk_support import NOT_IN_BULK, is_refused_by_bulk
from tap_salesforce_bulk.checkpoint import (
    JOB,
    Checkpoint,
    finish_job,
    load_bookmark,
    load_checkpoint,
    warn_of_unused_entry,
)
from tap_salesforce_bulk.extract import Extraction, Listener, PartJob
from tap_salesforce_bulk.halving import earliest_cursor
from tap_salesforce_bulk.parts import Part, windows
from tap_salesforce_bulk.progress import Progress
from tap_salesforce_bulk.records import chunks_of
from tap_salesforce_bulk.rest import rest_pages
from tap_salesforce_bulk.settings import start_date
from tap_salesforce_bulk.values import EARLIEST, instant_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime
    from typing import Any

    from salesforce_bulk_client import Field, JobInfo, SalesforceClient

    from tap_salesforce_bulk.checkpoint import State
    from tap_salesforce_bulk.records import Chunk, Page
    from tap_salesforce_bulk.soql import Query

logger = logging.getLogger(__name__)


class Reading:
    """Reads what the bookmark leaves to be read, and moves it."""

    def __init__(
        self,
        client: SalesforceClient,
        query: Query,
        *,
        fields: Sequence[Field],
        settings: Mapping[str, Any],
        state: State,
        write_state: Callable[[], None],
        make_jobs_ahead: Callable[[], None],
    ) -> None:
        """``state`` is the stream's entry, ``write_state`` emits it.

        Raises: ConfigError if it has no bookmark that can be read from.
        """
        self._client = client
        self._query = query
        self._settings = settings
        self._state = state
        self._write_state = write_state
        self._make_jobs_ahead = make_jobs_ahead
        self.fields = fields
        self._cursor = query.cursor.name if query.cursor else None
        self._until = client.server_now() + timedelta(seconds=1) if query.cursor else None
        if self._cursor:
            warn_of_unused_entry(self._state, stream=query.sobject, replication_key=self._cursor)
        self._begin = self._where_to_begin()
        self._greatest: str | None = None
        self._progress = Progress(query.sobject)
        self._is_by_rest = settings["rest_fallback"] and query.sobject in NOT_IN_BULK
        self.extraction = self._new_extraction() if not self._is_by_rest else None

    @property
    def number_of_records(self) -> int:
        """Records that have been emitted so far."""
        return self._progress.records

    def pages(self) -> Iterator[Iterator[Chunk]]:
        """Yield the rows of each page as chunks; they must be consumed before the next page is asked for.

        Raises: SalesforceError.
        """
        began_at = time.monotonic()
        nuls = 0
        operation = "queryAll" if self._query.include_deleted else "query"
        labels = {"sobject": self._query.sobject, "operation": operation, "status": "read"}
        for page in self._pages():
            yield self._chunks(page)
            self._progress.add(page.number_of_records)
            telemetry.note(RECORDS_PROCESSED, page.number_of_records, **labels)
            nuls += page.nul_count
        finish_job(self._state, replication_key=self._cursor, greatest_cursor=self._greatest)
        self._progress.finish(seconds=time.monotonic() - began_at)
        if nuls:
            logger.warning("%s: %d NUL characters were removed from texts", self._query.sobject, nuls)

    def give_up(self) -> None:
        """Abort the jobs that nobody will read, and forget them."""
        if self.extraction:
            self.extraction.abandon()
        self._state.pop(JOB, None)

    def _pages(self) -> Iterator[Page]:
        if self.extraction:
            try:
                yield from self.extraction.pages()
                return
            except SalesforceError as error:
                if not self._settings["rest_fallback"] or not is_refused_by_bulk(error):
                    raise
                logger.info("%s is read by REST, since Bulk refuses it: %s", self._query.sobject, error)
                self.give_up()
                self.extraction = None
        for part in (Part(lower=self._begin, upper=self._until), *self._rows_without_key()):
            yield from rest_pages(self._client, self._query, part)

    def _chunks(self, page: Page) -> Iterator[Chunk]:
        for chunk in chunks_of(page, fields=self.fields):
            if self._cursor:
                # All in one form, so that texts compare as the instants they are.
                stamps = [str(value) for value in chunk.columns[chunk.names.index(self._cursor)] if value is not None]
                self._greatest = max([*stamps, self._greatest or ""]) or None
            yield chunk

    # Where to read

    def _where_to_begin(self) -> datetime | None:
        """Return the bookmark, less the lookback; else the start date, else nothing.

        Raises: ConfigError for a beginning that lies in the future, or a bookmark that is no date.
        """
        if self._cursor is None or self._until is None:
            return None
        bookmark = load_bookmark(self._state, replication_key=self._cursor)
        begin = bookmark or start_date(self._settings)
        lookback = timedelta(seconds=self._settings["lookback_window"] if bookmark else 0)
        if begin and begin >= self._until:
            raise ConfigError(
                f"the {'bookmark in the state' if bookmark else 'start_date'}, {instant_text(begin)}, lies in the"
                f" future: the server's clock says {instant_text(self._until)}"
            )
        # Other programs write year 1 for "from the beginning".
        return begin - lookback if begin and begin - EARLIEST > lookback else None

    def _new_extraction(self) -> Extraction:
        everything = self._everything(self._until)
        unfinished = self._unfinished()
        self._greatest = unfinished.greatest_cursor if unfinished else None
        return Extraction(
            self._client,
            self._query,
            settings=self._settings,
            parts=everything,
            unfinished=_part_jobs(unfinished, retries=self._settings["job_retries"]) if unfinished else (),
            rest=self._rest_of(unfinished) if unfinished else None,
            listener=Listener(
                on_position=self._save,
                on_look=self._look,
                on_room=self._make_jobs_ahead,
                on_window=self._finish_window,
            ),
        )

    def _everything(self, until: datetime | None) -> Iterator[Part]:
        """Yield what to read when no job is left of the last run. It ends with the server's current second.

        A second that has not passed yet is read again by the next run, which begins with it.
        """
        self._until = until
        if until is None:
            yield Part()
            return
        begin, days = self._begin, self._settings.get("window_days")
        if begin is None and days is not None:
            begin = self._earliest()
        yield from windows(begin, until, days=days)
        yield from self._rows_without_key()

    def _rest_of(self, unfinished: Checkpoint) -> Iterator[Part]:
        """Yield the windows after those that the state names."""
        last = unfinished.next[-1][0] if unfinished.next else unfinished.part
        if last.upper and unfinished.until and last.upper < unfinished.until:
            yield from windows(last.upper, unfinished.until, days=self._settings.get("window_days"))
        if not last.is_without_key:
            yield from self._rows_without_key()

    def _rows_without_key(self) -> Iterator[Part]:
        """Yield the rows that no window holds, if the replication key may be null; each run reads all of them."""
        if self._query.cursor and self._query.cursor.nillable:
            logger.info("%s: %s may be null, so rows without it are read each time", self._query.sobject, self._cursor)
            yield Part(is_without_key=True)

    def _earliest(self) -> datetime | None:
        try:
            return earliest_cursor(self._client, self._query)
        except QuotaError:
            raise
        except ApiError as error:
            logger.warning("%s is read in one window, since nobody knows its first: %s", self._query.sobject, error)
            return None

    # State

    def _save(self) -> None:
        if self.extraction is None:
            return
        present, *others = self.extraction.parts
        if present.job_id is None:
            return
        Checkpoint(
            job_id=present.job_id,
            part=present.part,
            locator=present.locator,
            records=present.records,
            next=[(each.part, each.job_id) for each in others],
            until=self._until,
            greatest_cursor=self._greatest,
            fingerprint=self._fingerprint,
            instance_url=self._client.instance_url,
        ).save(self._state)
        self._write_state()

    def _look(self, job: JobInfo) -> None:
        if self.extraction:
            self._progress.look(job, records_before=self.extraction.parts[0].records)

    def _finish_window(self) -> None:
        finish_job(self._state, replication_key=self._cursor, greatest_cursor=self._greatest)

    @property
    def _fingerprint(self) -> str:
        begin = self._where_to_begin()  # a window that has been read moves it
        return self._query.fingerprint(
            begin=instant_text(begin) if begin else None,
            page_size=self._settings["page_size"],
            api_version=self._client.api_version,
        )

    def _unfinished(self) -> Checkpoint | None:
        """Return where the last run stopped, if it stopped within this same query."""
        checkpoint = load_checkpoint(self._state)
        if checkpoint is None:
            if self._state.pop(JOB, None) is not None:
                logger.warning("the state's job is none that can be continued, so a new one is made")
            return None
        if not self._settings["resume_jobs"]:
            return None
        if checkpoint.instance_url != self._client.instance_url:
            logger.warning("the state's job %s is in another org: a new one is made", checkpoint.job_id)
            return None
        if checkpoint.fingerprint != self._fingerprint:
            logger.info("the query has changed since job %s: a new one is made", checkpoint.job_id)
            return None
        self._until = checkpoint.until
        return checkpoint


def _part_jobs(checkpoint: Checkpoint, *, retries: int) -> Iterator[PartJob]:
    yield PartJob(
        part=checkpoint.part,
        job_id=checkpoint.job_id,
        locator=checkpoint.locator,
        records=checkpoint.records,
        retries_left=retries,
    )
    for part, job_id in checkpoint.next:
        yield PartJob(part=part, job_id=job_id, retries_left=retries)
