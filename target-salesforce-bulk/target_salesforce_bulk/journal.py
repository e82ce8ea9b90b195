"""`Journal`: what a run has under way, so that the next one can finish it (docs/target-state-machine.md).

One SQLite file in ``results_dir``, every change on disk before the step that follows it:

- ``runs``: how much of each run's outcome files is committed; what lies behind that was written by a crash.
- ``units``: rows on their way. A unit is *pending* until its job exists, *open* while the job takes data, and
  *closing* from just before Salesforce is told to begin. Rows that go without a job are *sending* from just before
  they are sent. A unit leaves the table together with its outcomes.
- ``known``: fingerprints of records whose outcome is known, until the run ends well.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import NamedTuple

JOURNAL_FILE = "journal.sqlite"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    run_id TEXT PRIMARY KEY, outcomes_bytes INTEGER NOT NULL, failed_bytes INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS units (
    unit_id TEXT PRIMARY KEY, org TEXT NOT NULL, stream TEXT NOT NULL,
    spool TEXT NOT NULL, stage TEXT NOT NULL, job_id TEXT
);
CREATE TABLE IF NOT EXISTS known (
    id INTEGER PRIMARY KEY, org TEXT NOT NULL, stream TEXT NOT NULL, kind TEXT NOT NULL, fingerprints BLOB NOT NULL
);
"""


class Stage(Enum):
    """How far a unit has come."""

    PENDING = "pending"
    OPEN = "open"
    CLOSING = "closing"
    SENDING = "sending"


class KnownKind(Enum):
    """What is known of records, and what their fingerprints are made of."""

    INSERTED = "inserted"
    """One fingerprint a record, of the record."""
    KEYED = "keyed"
    """Two a record: of its key, then of the row that was loaded."""
    FAILED = "failed"
    """One a record, of the record."""


@dataclass(frozen=True, kw_only=True)
class UnitNote:
    """What the journal knows of one unit."""

    unit_id: str
    org: str
    stream: str
    spool: str
    """File name, in the folder of pending units."""
    stage: Stage
    job_id: str | None


class Committed(NamedTuple):
    """Lengths of a run's two outcome files, up to which they are true."""

    outcomes_bytes: int
    failed_bytes: int


class Journal:
    """Safe to use from several threads. Without a path it is kept in memory, and forgotten at the end."""

    def __init__(self, path: Path | None, *, org: str) -> None:
        """``org`` tells orgs that share a folder apart: the instance URL."""
        self._org = org
        self._run_id = ""
        self._lock = threading.RLock()
        if path and not path.exists():
            path.touch(mode=0o600)
        self._db = sqlite3.connect(path or ":memory:", check_same_thread=False)
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    # Runs

    def unfinished_runs(self) -> dict[str, Committed]:
        """Return the runs that did not end in order, with the true lengths of their files."""
        with self._lock:
            rows = self._db.execute("SELECT run_id, outcomes_bytes, failed_bytes FROM runs").fetchall()
        return {run_id: Committed(outcomes, failed) for run_id, outcomes, failed in rows}

    def begin_run(self, run_id: str) -> None:
        """Note a run that begins; those before are done with, their files having been cut to their true lengths."""
        self._run_id = run_id
        with self._lock, self._db:
            self._db.execute("DELETE FROM runs")
            self._db.execute("INSERT INTO runs VALUES (?, 0, 0)", (run_id,))

    def end_run(self, *, streams: Collection[str], forgetting: Collection[KnownKind]) -> None:
        """Note that the run has ended in order, and forget what is known of these kinds of its streams' records."""
        with self._lock, self._db:
            self._db.execute("DELETE FROM runs")
            for stream in streams:
                for kind in forgetting:
                    self._db.execute(
                        "DELETE FROM known WHERE org = ? AND stream = ? AND kind = ?", (self._org, stream, kind.value)
                    )

    # Units

    def unsettled_units(self) -> list[UnitNote]:
        """Return the units that earlier runs have left, of all orgs."""
        with self._lock:
            rows = self._db.execute(
                "SELECT unit_id, org, stream, spool, stage, job_id FROM units ORDER BY rowid"
            ).fetchall()
        return [
            UnitNote(unit_id=unit_id, org=org, stream=stream, spool=spool, stage=Stage(stage), job_id=job_id)
            for unit_id, org, stream, spool, stage, job_id in rows
        ]

    def unit_pending(self, unit_id: str, *, stream: str, spool: str) -> None:
        """Note rows that are about to get a job."""
        with self._lock, self._db:
            self._db.execute(
                "INSERT INTO units VALUES (?, ?, ?, ?, ?, NULL)",
                (unit_id, self._org, stream, spool, Stage.PENDING.value),
            )

    def job_open(self, unit_id: str, *, job_id: str) -> None:
        """Note the job that was made for a unit."""
        self._set_stage(unit_id, Stage.OPEN, job_id)

    def job_closing(self, unit_id: str, *, job_id: str) -> None:
        """Note that Salesforce is about to be told to begin: from here on rows may be loaded."""
        self._set_stage(unit_id, Stage.CLOSING, job_id)

    def rows_sending(self, unit_id: str) -> None:
        """Note that rows are about to be sent without a job: from here on they may be loaded."""
        self._set_stage(unit_id, Stage.SENDING, None)

    def _set_stage(self, unit_id: str, stage: Stage, job_id: str | None) -> None:
        with self._lock, self._db:
            self._db.execute("UPDATE units SET stage = ?, job_id = ? WHERE unit_id = ?", (stage.value, job_id, unit_id))

    def drop_unit(self, unit_id: str) -> None:
        """Note that nothing of a unit was loaded; its records come again."""
        with self._lock, self._db:
            self._db.execute("DELETE FROM units WHERE unit_id = ?", (unit_id,))

    def settle(
        self,
        unit_id: str,
        *,
        stream: str,
        known: Mapping[KnownKind, bytes | bytearray],
        committed: Committed,
        next_spool: str | None,
    ) -> None:
        """Note, all at once, outcomes that are on disk; ``next_spool`` holds the rows that are sent again, if any."""
        with self._lock, self._db:
            self._db.execute(
                "UPDATE runs SET outcomes_bytes = ?, failed_bytes = ? WHERE run_id = ?", (*committed, self._run_id)
            )
            for kind, fingerprints in known.items():
                if fingerprints:
                    self._db.execute(
                        "INSERT INTO known (org, stream, kind, fingerprints) VALUES (?, ?, ?, ?)",
                        (self._org, stream, kind.value, fingerprints),
                    )
            if next_spool:
                self._db.execute(
                    "UPDATE units SET spool = ?, stage = ?, job_id = NULL WHERE unit_id = ?",
                    (next_spool, Stage.PENDING.value, unit_id),
                )
            else:
                self._db.execute("DELETE FROM units WHERE unit_id = ?", (unit_id,))

    # Known records

    def known(self) -> Iterator[tuple[KnownKind, bytes]]:
        """Yield what is known of this org's records, in the order in which it became known."""
        with self._lock:
            ids = [row[0] for row in self._db.execute("SELECT id FROM known WHERE org = ? ORDER BY id", (self._org,))]
        for known_id in ids:
            with self._lock:
                row = self._db.execute("SELECT kind, fingerprints FROM known WHERE id = ?", (known_id,)).fetchone()
            yield KnownKind(row[0]), row[1]
