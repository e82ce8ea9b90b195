"""`QueryPlan`: what one run reads of a stream, in which ranges, and whether it resumes a job of the last run."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from salesforce_bulk_client import ApiError, ConfigError, QuotaError

from tap_salesforce_bulk.query.bulk_support import NOT_IN_BULK
from tap_salesforce_bulk.query.range_split import earliest_key_value
from tap_salesforce_bulk.query.ranges import QueryRange, windows
from tap_salesforce_bulk.query.stream_state import JOB, load_bookmark, load_checkpoint, warn_of_unused_entry
from tap_salesforce_bulk.settings import start_date
from tap_salesforce_bulk.timestamps import EARLIEST, instant_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from salesforce_bulk_client import SalesforceClient

    from tap_salesforce_bulk.query.soql import Query
    from tap_salesforce_bulk.query.stream_state import Checkpoint, State

logger = logging.getLogger(__name__)


class QueryPlan:
    """Plans what the bookmark leaves to be read; creates nothing on the server."""

    def __init__(self, client: SalesforceClient, query: Query, *, settings: Mapping[str, Any], state: State) -> None:
        """``state`` is the stream's entry.

        Raises: ConfigError if it has no bookmark that can be read from.
        """
        self._client = client
        self.query = query
        self._settings = settings
        self._state = state
        self.replication_key = query.replication_key.name if query.replication_key else None
        self.until = client.server_now() + timedelta(seconds=1) if query.replication_key else None
        """The end of the server's current second. A second that is not over is read again by the next run."""
        if self.replication_key:
            warn_of_unused_entry(state, stream=query.sobject, replication_key=self.replication_key)
        self.begin = self._begin()
        self.is_bulk = not (settings["rest_fallback"] and query.sobject in NOT_IN_BULK)
        """Whether it is read with query jobs; otherwise with REST queries."""

    @property
    def soql(self) -> str:
        """The query for all rows at once; ``window_days`` does not apply to it."""
        return self.query.soql(self._all_with_key)

    @property
    def source(self) -> str:
        """What stands behind ``FROM`` in `soql`: the object and the conditions."""
        return self.query.source(self._all_with_key)

    @property
    def _all_with_key(self) -> QueryRange:
        return QueryRange(lower=self.begin, upper=self.until)

    def ranges(self) -> Iterator[QueryRange]:
        """Yield what to read when no job of the last run is resumed, one job's worth at a time.

        Raises: QuotaError.
        """
        if self.until is None:
            yield QueryRange()
            return
        begin, days = self.begin, self._settings.get("window_days")
        if begin is None and days is not None:
            begin = self._earliest()
        yield from windows(begin, self.until, days=days)
        yield from self._rows_without_key()

    def ranges_after(self, checkpoint: Checkpoint) -> Iterator[QueryRange]:
        """Yield the ranges after those that the state names."""
        last = checkpoint.next[-1][0] if checkpoint.next else checkpoint.query_range
        if last.upper and checkpoint.until and last.upper < checkpoint.until:
            yield from windows(last.upper, checkpoint.until, days=self._settings.get("window_days"))
        if not last.is_without_key:
            yield from self._rows_without_key()

    def ranges_for_rest(self, *, until: datetime | None) -> Iterator[QueryRange]:
        """Yield what to read with REST queries, which need no windows."""
        yield QueryRange(lower=self.begin, upper=until)
        yield from self._rows_without_key()

    def _rows_without_key(self) -> Iterator[QueryRange]:
        """Yield the rows that are in no window, if the replication key may be null; each run reads all of them."""
        if self.query.replication_key and self.query.replication_key.nillable:
            logger.info(
                "%s: %s may be null, so rows without it are read in each run", self.query.sobject, self.replication_key
            )
            yield QueryRange(is_without_key=True)

    def _earliest(self) -> datetime | None:
        try:
            return earliest_key_value(self._client, self.query)
        except QuotaError:
            raise
        except ApiError as error:
            logger.warning(
                "%s is read in one window, since its earliest row cannot be queried: %s", self.query.sobject, error
            )
            return None

    def _begin(self) -> datetime | None:
        """Return the bookmark, less the lookback; else the start date, else nothing.

        Raises: ConfigError for a beginning that lies in the future, or a bookmark that is not a date.
        """
        if self.replication_key is None or self.until is None:
            return None
        bookmark = load_bookmark(self._state, replication_key=self.replication_key)
        begin = bookmark or start_date(self._settings)
        lookback = timedelta(seconds=self._settings["lookback_window"] if bookmark else 0)
        if begin and begin >= self.until:
            raise ConfigError(
                f"the {'bookmark in the state' if bookmark else 'start_date'}, {instant_text(begin)}, lies in the"
                f" future: the server's clock says {instant_text(self.until)}"
            )
        # Other programs write year 1 for "from the beginning".
        return begin - lookback if begin and begin - EARLIEST > lookback else None

    # Resuming

    def fingerprint(self) -> str:
        """Return what a job must have in common with this plan to be continued by a later run."""
        begin = self._begin()  # a window that has been read moves it
        return self.query.fingerprint(
            begin=instant_text(begin) if begin else None,
            page_size=self._settings["page_size"],
            api_version=self._client.api_version,
        )

    def unfinished(self) -> Checkpoint | None:
        """Return where the last run stopped, if it stopped within this same query."""
        checkpoint = load_checkpoint(self._state)
        if checkpoint is None:
            if self._state.pop(JOB, None) is not None:
                logger.warning("the job in the state cannot be continued, so a new one is created")
            return None
        if not self._settings["resume_jobs"]:
            return None
        if checkpoint.instance_url != self._client.instance_url:
            logger.warning("the state's job %s is in another org: a new one is created", checkpoint.job_id)
            return None
        if checkpoint.fingerprint != self.fingerprint():
            logger.info("the query has changed since job %s: a new one is created", checkpoint.job_id)
            return None
        return checkpoint
