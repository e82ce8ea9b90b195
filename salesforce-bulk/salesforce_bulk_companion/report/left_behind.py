"""`LeftBehind`: what the journal of a results folder says is still under way."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec

_STATES = {
    "pending": "was not sent; its records come again with the input",
    "open": "had not all its data; the next run aborts it",
    "closing": "is with Salesforce; the next run waits for it and uses its outcomes",
    "sending": "may have been sent; its records come again with the input",
    "doubtful": "leaves rows that may or may not be loaded: a person has to decide",
    "set_aside": "could not be read: a person has to decide",
}
"""What becomes of batches in each state of the journal (docs/decisions/0006)."""


class LeftBehind(msgspec.Struct, frozen=True, kw_only=True):
    """Rows on their way, while a run goes on or after one that was cut off."""

    stream: str
    job_id: str | None
    what: str
    """A phrase that goes on after the job, or the rows."""
    awaits_decision: bool
    """Whether only a person can go on with it."""


def read_journal(path: Path) -> tuple[list[str], list[LeftBehind]]:
    """Return the runs that have not ended, and the rows under way; nothing if the journal is away or cannot be read."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=2)) as db:
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
