"""How far a stream has come, in its own entry of the Singer state.

The entry has the SDK's ``replication_key`` and ``replication_key_value``: the bookmark, which moves only when a window
(without ``window_days``: everything) has been emitted whole. While jobs are under way it also has ``job``: where to
go on. The SDK's own ``progress_markers`` are not used, since for unsorted streams they resume nothing.
"""

from __future__ import annotations

import logging
import operator
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from salesforce_bulk_client import ConfigError

from tap_salesforce_bulk.parts import Part
from tap_salesforce_bulk.values import parse_instant

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
    """A query job under way, and what of it has been emitted."""

    job_id: str
    fingerprint: str
    """Of the query; a changed query makes its own job."""
    instance_url: str
    """The org the job is in."""
    part: Part
    """What the job reads."""
    locator: Locator | None = None
    """The next page; None is the first."""
    records: int = 0
    """Emitted from the pages before it."""
    greatest_cursor: str | None = None
    """Among the records emitted; to become the bookmark."""
    next: list[tuple[Part, str | None]] = field(default_factory=list)
    """Parts to be read after this one, each with its job if that was made ahead."""
    until: datetime | None = None
    """Up to where the rest is read in further windows."""

    def save(self, state: State) -> None:
        """Write this into the stream's entry, without moving its bookmark."""
        entry = asdict(self)
        entry["part"] = self.part.to_json()
        entry["next"] = [{**part.to_json(), "job_id": job_id} for part, job_id in self.next]
        entry["until"] = Part(upper=self.until).to_json().get("upper")
        state[JOB] = entry


def load_checkpoint(state: State) -> Checkpoint | None:
    """Return the unfinished job of the stream's entry, or None: also for an entry that is none of ours."""
    try:
        entry = dict(state[JOB])
        entry["part"] = Part.from_json(entry["part"])
        entry["next"] = [
            (Part.from_json({name: bound for name, bound in each.items() if name != "job_id"}), each["job_id"])
            for each in entry["next"]
        ]
        entry["until"] = Part.from_json({"upper": entry["until"]}).upper
        if entry["greatest_cursor"] is not None:
            parse_instant(entry["greatest_cursor"])
        entry["records"] = operator.index(entry["records"])
        return Checkpoint(**entry)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def usable_state(state: State) -> State:
    """Return a Singer state of what programs keep it in; what has no use is warned about by name.

    Meltano keeps it under ``singer_state``, a STATE message under ``value``.

    >>> usable_state({"type": "STATE", "value": {"bookmarks": {"Account": {}}}})
    {'bookmarks': {'Account': {}}}
    """
    wrapper = "singer_state" if "singer_state" in state else "value" if state.get("type") == "STATE" else None
    if wrapper and isinstance(state[wrapper], dict):
        return usable_state(state[wrapper])
    bookmarks = state.get("bookmarks")
    if not isinstance(bookmarks, dict):
        if strangers := sorted(name for name, value in state.items() if value and name != "bookmarks"):
            logger.warning(
                "the state has no bookmarks, but %s: nothing of it is used, and streams are read from their start"
                " (docs/migrating.md shows what a state is like)",
                ", ".join(strangers),
            )
        return state
    odd = [name for name, entry in bookmarks.items() if not isinstance(entry, dict)]
    for name in odd:
        if bookmarks[name] is not None:
            _warn_of_entry(name, "is not an object with replication_key and replication_key_value")
    return {**state, "bookmarks": {name: {} if name in odd else entry for name, entry in bookmarks.items()}}


def warn_of_unused_entry(state: State, *, stream: str, replication_key: str) -> None:
    """Warn of a stream's entry that has no bookmark by this key, and no job: the stream is read from its start."""
    if not state or JOB in state or load_bookmark(state, replication_key=replication_key):
        return
    key = state.get(BOOKMARK_KEY)
    if replication_key in state and key is None:
        _warn_of_entry(stream, f"has {replication_key} without a replication_key, as other taps write it")
    elif key is not None and key != replication_key and state.get(BOOKMARK):
        _warn_of_entry(stream, f"is a bookmark by {key}, but the stream is read by {replication_key}")
    elif key != replication_key or not state.keys() <= {BOOKMARK_KEY, BOOKMARK}:
        _warn_of_entry(stream, f"has {', '.join(sorted(state))}, but no bookmark")


def _warn_of_entry(stream: str, why: str) -> None:
    logger.warning(
        "the state of %s %s, so it is not used, and the stream is read from its start (docs/migrating.md shows what a"
        " state is like)",
        stream,
        why,
        extra={"stream_name": stream},
    )


def load_bookmark(state: State, *, replication_key: str) -> datetime | None:
    """Return the instant from which the stream goes on, or None if it has no bookmark by this key.

    Raises: ConfigError for a bookmark that is no date.
    """
    written = state.get(BOOKMARK)
    if not written or state.get(BOOKMARK_KEY) != replication_key:
        return None
    try:
        return parse_instant(written)
    except (TypeError, ValueError):
        raise ConfigError(
            f"the state has the bookmark {written!r}, which is no date-time: correct it, or remove the stream from"
            " the state to read everything again"
        ) from None


def finish_job(state: State, *, replication_key: str | None, greatest_cursor: str | None) -> None:
    """Move the bookmark to the greatest cursor emitted, never back, and forget the job."""
    state.pop(JOB, None)
    if replication_key is None or greatest_cursor is None:
        return
    bookmark = load_bookmark(state, replication_key=replication_key)
    if bookmark is None or parse_instant(greatest_cursor) > bookmark:
        state[BOOKMARK_KEY] = replication_key
        state[BOOKMARK] = greatest_cursor
