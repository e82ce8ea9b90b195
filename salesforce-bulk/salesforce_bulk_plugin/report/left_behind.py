"""`LeftBehind`: what the journal of a results folder says is still under way."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec

from salesforce_bulk_plugin.formatting import counted, notes_on_outstanding

_STATES = {
    "pending": "was not sent; its records come again with the input",
    "open": "had not all its data; the next run aborts it",
    "closing": "is with Salesforce; the next run waits for it and uses its outcomes",
    "sending": "may have been sent; its records come again with the input",
    "doubtful": "leaves rows that may or may not be loaded: a person has to decide",
    "set_aside": "could not be read: a person has to decide",
}
"""What becomes of batches in each state of the journal (docs/decisions/0006)."""


_COUNT = """
SELECT count(*), min(since), count(*) FILTER (WHERE destination = ''),
    count(*) FILTER (WHERE error_code IN ('DUPLICATE_VALUE', 'DUPLICATES_DETECTED'))
FROM outstanding WHERE batch_id = ''
"""


class LeftBehind(msgspec.Struct, frozen=True, kw_only=True):
    """Rows on their way, while a run goes on or after one that was cut off."""

    stream: str
    job_id: str | None
    what: str
    """A phrase that goes on after the job, or the rows."""
    awaits_decision: bool
    """Whether only a person can resume it."""


class Outstanding(msgspec.Struct, frozen=True, kw_only=True):
    """Records that could not be loaded, and have not been since, whatever run it was."""

    number: int
    since: str
    """A date; empty when only their number is known."""
    lookups: int = 0
    """How many of them are records that are there without a lookup."""
    duplicates: int = 0
    """How many of them Salesforce takes for duplicates of records that it has: those may be the same ones."""

    def __str__(self) -> str:
        """Say it in words.

        >>> str(Outstanding(number=3, since="2026-11-23", duplicates=1))
        '3 records since 2026-11-23 (1 is a duplicate for Salesforce, and may be there already)'
        """
        since = f" since {self.since}" if self.since else ""
        notes = notes_on_outstanding(lookups=self.lookups, duplicates=self.duplicates)
        more = f" ({'; '.join(notes)})" if notes else ""
        return f"{counted(self.number, 'record')}{since}{more}"


def read_outstanding(path: Path) -> Outstanding | None:
    """Return what the journal lists as still not loaded; None if that is nothing, or cannot be read."""
    try:
        with closing(_opened(path)) as db:
            kept, since, lookups, duplicates = db.execute(_COUNT).fetchone()
            (not_kept,) = db.execute("SELECT coalesce(sum(not_kept), 0) FROM outstanding_counts").fetchone()
    except sqlite3.Error:  # as below; or the journal is of a version without the list
        return None
    if not kept + not_kept:
        return None
    return Outstanding(number=kept + not_kept, since=(since or "")[:10], lookups=lookups, duplicates=duplicates)


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=2)


def read_journal(path: Path) -> tuple[list[str], list[LeftBehind]]:
    """Return the runs that have not ended, and the rows under way; nothing if the journal is away or cannot be read."""
    try:
        with closing(_opened(path)) as db:
            runs = [run_id for (run_id,) in db.execute("SELECT run_id FROM runs")]
            batches = db.execute("SELECT stream, state, job_id FROM batches ORDER BY rowid").fetchall()
    except sqlite3.Error:  # none yet, or a crash in the middle of a commit, which only the next run may undo
        return [], []
    return runs, [
        LeftBehind(
            stream=stream,
            job_id=job,
            what=_STATES.get(state, state),
            awaits_decision=state in {"doubtful", "set_aside"},
        )
        for stream, state, job in batches
    ]
