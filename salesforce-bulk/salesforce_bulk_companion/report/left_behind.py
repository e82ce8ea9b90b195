"""`LeftBehind`: what the journal of a results folder says is still under way."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec

_STAGES = {
    "pending": "was not sent; its records come again with the input",
    "open": "had not all its data; the next run aborts it",
    "closing": "is with Salesforce; the next run waits for it and uses its outcomes",
    "sending": "may have been sent; the next run sends it again",
}
"""What became of rows in each stage of the journal (docs/target-state-machine.md)."""


class LeftBehind(msgspec.Struct, frozen=True, kw_only=True):
    """Rows on their way, while a run goes on or after one that was cut off."""

    stream: str
    job_id: str | None
    what: str
    """A phrase that goes on after the job, or the rows."""


def read_journal(path: Path) -> tuple[list[str], list[LeftBehind]]:
    """Return the runs that have not ended, and the rows under way; nothing if the journal is away or cannot be read."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=2)) as db:
            runs = [run_id for (run_id,) in db.execute("SELECT run_id FROM runs")]
            units = db.execute("SELECT stream, stage, job_id FROM units ORDER BY rowid").fetchall()
    except sqlite3.Error:  # none yet, or a crash in the middle of a commit, which only the next run may undo
        return [], []
    return runs, [LeftBehind(stream=stream, job_id=job, what=_STAGES.get(stage, stage)) for stream, stage, job in units]
