"""How far a stream has come, in its own entry of the Singer state.

The entry has the SDK's ``replication_key`` and ``replication_key_value``: the bookmark, which moves only when a window
(without ``window_days``: everything) has been emitted in full. While jobs are under way it also has ``job``: where to
resume. The SDK's own ``progress_markers`` are not used, since for unsorted streams they resume nothing.
"""

from __future__ import annotations

import logging
import operator
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from salesforce_bulk_client import ConfigError

from tap_salesforce_bulk.query.ranges import QueryRange
from tap_salesforce_bulk.timestamps import parse_instant

if TYPE_CHECKING:
    from datetime import datetime

    from salesforce_bulk_client import Locator

logger = logging.getLogger(__name__)

State = dict[str, Any]
"""A stream's writable entry under ``bookmarks``."""

JOB = "job"
BOOKMARK_KEY = "replication_key"
BOOKMARK = "replication_key_value"


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A query job under way, and how much of it has been emitted."""

    job_id: str
    fingerprint: str
    """Of the query; a changed query needs a new job."""
    instance_url: str
    """The org the job is in."""
    query_range: QueryRange
    """What the job reads."""
    locator: Locator | None = None
    """The next page; None is the first."""
    records: int = 0
    """Emitted from the pages before it."""
    greatest_key_value: str | None = None
    """Of the replication key, among the records emitted; it becomes the bookmark."""
    next: list[tuple[QueryRange, str | None]] = field(default_factory=list)
    """Ranges to be read after this one, each with its job if that was created ahead."""
    until: datetime | None = None
    """The end of the windows that are still to be read."""

    def save(self, state: State) -> None:
        """Write this into the stream's entry, without moving its bookmark."""
        entry = {_NAMES_IN_STATE.get(name, name): value for name, value in asdict(self).items()}
        entry["part"] = self.query_range.to_json()
        entry["next"] = [{**query_range.to_json(), "job_id": job_id} for query_range, job_id in self.next]
        entry["until"] = QueryRange(upper=self.until).to_json().get("upper")
        state[JOB] = entry


_NAMES_IN_STATE = {"query_range": "part", "greatest_key_value": "greatest_cursor"}
"""Names of fields in the states that users keep, where they differ from those in the code."""


def load_checkpoint(state: State) -> Checkpoint | None:
    """Return the unfinished job of the stream's entry, or None: also for an entry that this tap has not written."""
    try:
        entry = dict(state[JOB])
        for name, name_in_state in _NAMES_IN_STATE.items():
            entry[name] = entry.pop(name_in_state)
        entry["query_range"] = QueryRange.from_json(entry["query_range"])
        entry["next"] = [
            (QueryRange.from_json({name: bound for name, bound in each.items() if name != "job_id"}), each["job_id"])
            for each in entry["next"]
        ]
        entry["until"] = QueryRange.from_json({"upper": entry["until"]}).upper
        if entry["greatest_key_value"] is not None:
            parse_instant(entry["greatest_key_value"])
        entry["records"] = operator.index(entry["records"])
        return Checkpoint(**entry)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def warn_of_unused_entry(state: State, *, stream: str, replication_key: str) -> None:
    """Warn of a stream's entry that has no bookmark by this key, and no job: the stream is read from its start."""
    if not state or JOB in state or load_bookmark(state, replication_key=replication_key):
        return
    key = state.get(BOOKMARK_KEY)
    if replication_key in state and key is None:
        warn_of_entry(stream, f"has {replication_key} without a replication_key, as other taps write it")
    elif key is not None and key != replication_key and state.get(BOOKMARK):
        warn_of_entry(stream, f"is a bookmark by {key}, but the stream is read by {replication_key}")
    elif key != replication_key or not state.keys() <= {BOOKMARK_KEY, BOOKMARK}:
        warn_of_entry(stream, f"has {', '.join(sorted(state))}, but no bookmark")


def warn_of_entry(stream: str, why: str) -> None:
    """Warn that a stream's entry is not used."""
    logger.warning(
        "the state of %s %s, so it is not used, and the stream is read from its start (docs/migrating.md shows what a"
        " state looks like)",
        stream,
        why,
        extra={"stream_name": stream},
    )


def load_bookmark(state: State, *, replication_key: str) -> datetime | None:
    """Return the instant from which the stream is continued, or None if it has no bookmark by this key.

    Raises: ConfigError for a bookmark that is not a date.
    """
    written = state.get(BOOKMARK)
    if not written or state.get(BOOKMARK_KEY) != replication_key:
        return None
    try:
        return parse_instant(written)
    except (TypeError, ValueError):
        raise ConfigError(
            f"the state has the bookmark {written!r}, which is not a date-time: correct it, or remove the stream from"
            " the state to read everything again"
        ) from None


def finish_job(state: State, *, replication_key: str | None, greatest_key_value: str | None) -> None:
    """Move the bookmark to the greatest value emitted, never back, and forget the job."""
    state.pop(JOB, None)
    if replication_key is None or greatest_key_value is None:
        return
    bookmark = load_bookmark(state, replication_key=replication_key)
    if bookmark is None or parse_instant(greatest_key_value) > bookmark:
        state[BOOKMARK_KEY] = replication_key
        state[BOOKMARK] = greatest_key_value
