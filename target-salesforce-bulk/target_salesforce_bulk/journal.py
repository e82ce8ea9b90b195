"""`Journal`: what a run has under way, so that the next one can finish it (docs/decisions/0006).

One SQLite file in ``results_dir``, every change on disk before the step that follows it:

- ``runs``: how much of each run's outcome files is committed; what lies behind that was written by a crash.
- ``batches``: rows on their way, and rows whose fate is doubtful. `Batch` writes here before each step that it takes.
- ``outcomes``: fingerprints of the records whose outcome is known, until the run ends well.
- ``readings``: how many records of each stream came before the last STATE that passed.
- ``outstanding`` and two more: what could not be loaded (`outstanding`).
"""

from __future__ import annotations

import sqlite3
import threading
from array import array
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import NamedTuple, Protocol

from target_salesforce_bulk import outstanding
from target_salesforce_bulk.errors import JournalUnusable

JOURNAL_FILE = "journal.sqlite"

VERSION = 3
"""Of the tables below, in SQLite's ``user_version``."""

_TABLES = f"""
CREATE TABLE runs (
    run_id TEXT PRIMARY KEY, outcomes_bytes INTEGER NOT NULL, failed_bytes INTEGER NOT NULL
);
CREATE TABLE batches (
    batch_id TEXT PRIMARY KEY, org TEXT NOT NULL, destination TEXT NOT NULL, stream TEXT NOT NULL,
    object TEXT NOT NULL, operation TEXT NOT NULL, files TEXT NOT NULL, number_of_rows INTEGER NOT NULL,
    state TEXT NOT NULL, job_id TEXT, reason TEXT NOT NULL, since TEXT NOT NULL
);
CREATE TABLE outcomes (
    id INTEGER PRIMARY KEY, org TEXT NOT NULL, destination TEXT NOT NULL, kind TEXT NOT NULL, batch_id TEXT NOT NULL,
    records BLOB NOT NULL, keys BLOB NOT NULL, positions BLOB NOT NULL, run_id TEXT NOT NULL DEFAULT ''
);
CREATE TABLE readings (
    org TEXT NOT NULL, destination TEXT NOT NULL, stream TEXT NOT NULL, object TEXT NOT NULL,
    before_state INTEGER NOT NULL, PRIMARY KEY (org, destination)
);
PRAGMA user_version = {VERSION};
"""

_UPGRADE_FROM_2 = f"""
ALTER TABLE outcomes ADD COLUMN run_id TEXT NOT NULL DEFAULT '';
PRAGMA user_version = {VERSION};
"""
LOOKUPS_MARK = ".lookups-"
"""In the ids of batches, and names of their files, whose rows fill lookups of records that are loaded."""

BUSY_TIMEOUT_S = 5.0
"""How long another program may hold the file, such as one that copies it."""


class BatchState(Enum):
    """How far a batch has come; see docs/decisions/0006."""

    FILLING = "filling"
    """Not in the journal yet."""
    PENDING = "pending"
    OPEN = "open"
    CLOSING = "closing"
    SENDING = "sending"
    DOUBTFUL = "doubtful"
    SET_ASIDE = "set_aside"

    @property
    def awaits_decision(self) -> bool:
        """Whether only a person can resume it."""
        return self in {BatchState.DOUBTFUL, BatchState.SET_ASIDE}


class OutcomeClass(Enum):
    """What is known of records that have come already."""

    LOADED = "loaded"
    FAILED = "failed"
    DOUBTFUL = "doubtful"
    TO_RETRY = "to_retry"
    """Refused or not processed by a run that has ended in order: sent again when it comes again."""
    FORGOTTEN = "forgotten"
    """A person has decided not to load it again; kept for as long as what was loaded."""
    UNLINKED = "unlinked"
    """It is loaded but for a lookup, so it failed, and is never loaded again."""
    INCOMPLETE = "incomplete"
    """It is loaded but for lookups, which a second pass under way fills: that brings its outcome."""


IN_SALESFORCE = frozenset({OutcomeClass.LOADED, OutcomeClass.INCOMPLETE, OutcomeClass.UNLINKED})
"""What is known of records that are in Salesforce."""


class Memory(Enum):
    """What the journal still knows of a run's records when the run has ended."""

    ALL = "all"
    """It is unfinished: no record gets a second outcome, be it loaded or refused."""
    LOADED = "loaded"
    """It is unfinished, and its failed records are known: those are tried again."""
    NOTHING = "nothing"
    """It ended well: the same records are new records."""


@dataclass(frozen=True, kw_only=True)
class BatchNote:
    """What the journal knows of one batch."""

    batch_id: str
    org: str
    destination: str
    """`Destination.id`."""
    stream: str
    object: str
    operation: str
    files: str
    """Name of the file with the records, in the folder of pending batches."""
    number_of_rows: int
    state: BatchState
    job_id: str | None
    """Of a batch that awaits a decision: a job that may still have something to say of its rows, all of them."""
    reason: str
    """Why a person has to decide, in words; empty for other states."""
    since: str
    """When the state began; ISO 8601, UTC."""

    @property
    def is_second_pass(self) -> bool:
        """Whether its rows only fill lookups of records that are loaded."""
        return LOOKUPS_MARK in self.batch_id


@dataclass
class KnownOutcomes:
    """Records with an outcome of one class, in the order in which they came."""

    records: bytearray = field(default_factory=bytearray)
    """A fingerprint each."""
    keys: bytearray = field(default_factory=bytearray)
    """A fingerprint of its key each; empty where records have no key."""
    positions: array[int] = field(default_factory=lambda: array("q"))
    """In their stream, from 0."""
    run_id: str = ""
    """The run that wrote these outcomes to its files; empty if a version wrote them that did not note it."""
    codes: list[str] = field(default_factory=list)
    """Why each was not loaded; not kept by the journal, and empty for what was."""

    def add(self, record: bytes | bytearray, *, key: bytes | bytearray, position: int, code: str | None = None) -> None:
        """Add one record."""
        self.records += record
        self.keys += key
        self.positions.append(position)
        if code:
            self.codes.append(code)


class Changes(Protocol):
    """What changes in the list of outstanding records."""

    def apply(self, db: sqlite3.Connection, *, org: str, doubtful_batch: str, since: str) -> None:
        """Make the changes; ``doubtful_batch`` is the batch to which doubtful rows go."""


class Committed(NamedTuple):
    """Lengths of a run's two outcome files, up to which they are true."""

    outcomes_bytes: int
    failed_bytes: int


class Journal:
    """Safe to use from several threads. Without a path it is kept in memory, and forgotten at the end."""

    def __init__(self, path: Path | None, *, org: str) -> None:
        """Open or create the file; ``org`` is the org's id: others that share the folder are left alone.

        Raises: JournalUnusable for a file that is damaged, locked, or of another version.
        """
        self._path = path
        self._org = org
        self._run_id = ""
        self._lock = threading.RLock()
        if path and not path.exists():
            path.touch(mode=0o600)
        with self._readable():
            self._db = sqlite3.connect(path or ":memory:", check_same_thread=False, timeout=BUSY_TIMEOUT_S)
            self._db.execute("PRAGMA synchronous = FULL")
            self._create_tables()
            self._db.executescript(f"BEGIN; {outstanding.TABLES} COMMIT;")  # early journals lack them

    def _create_tables(self) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version == VERSION:
            return
        if version == 2:
            self._db.executescript(f"BEGIN; {_UPGRADE_FROM_2} COMMIT;")
            return
        tables = {name for (name,) in self._db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        drop = ""
        if version == 0 and tables == {"runs", "units", "known"}:
            unfinished = self._db.execute(
                "SELECT (SELECT count(*) FROM units) + (SELECT count(*) FROM known)"
            ).fetchone()[0]
            if unfinished:
                self._db.close()
                raise JournalUnusable(
                    f"{self._path} was written by an older version, and has unfinished work. Run the same pipeline once"
                    " more with that version, or move the file away and check in the org what was loaded"
                )
            drop = "".join(f"DROP TABLE {table};" for table in tables)
        elif version or tables:
            self._db.close()
            what = "is not a journal of this target; set another results_dir"
            if version > VERSION:
                what = (
                    f"was written by a newer version of this target ({version}, not {VERSION}); upgrade it, or set"
                    " another results_dir"
                )
            raise JournalUnusable(f"{self._path} {what}")
        self._db.executescript(f"BEGIN; {drop} {_TABLES} COMMIT;")  # all or nothing: a crash leaves no half of them

    @contextmanager
    def _readable(self) -> Iterator[None]:
        """Say in one line what is wrong with the file."""
        try:
            yield
        except sqlite3.OperationalError as error:
            advice = "check the disk and the permissions, and run again"
            if "locked" in str(error):
                advice = "another program holds it; wait for that to end, and run again"
            raise JournalUnusable(f"{self._path} cannot be used, {error}: {advice}") from error
        except sqlite3.DatabaseError as error:
            raise JournalUnusable(
                f"{self._path} is damaged: {error}. Move it away to continue; what it knew of unfinished runs is"
                " then lost, so check in the org what they have loaded"
            ) from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._readable(), self._db:
            yield self._db

    def outstanding_records(self) -> AbstractContextManager[sqlite3.Connection]:
        """Return a transaction for the functions of `outstanding`."""
        return self._transaction()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    # Runs

    def unfinished_runs(self) -> dict[str, Committed]:
        """Return the runs that did not end in order, with the true lengths of their files."""
        with self._transaction() as db:
            rows = db.execute("SELECT run_id, outcomes_bytes, failed_bytes FROM runs").fetchall()
        return {run_id: Committed(outcomes, failed) for run_id, outcomes, failed in rows}

    def begin_run(self, run_id: str) -> None:
        """Note a run that begins; those before are done with, their files having been cut to their true lengths."""
        self._run_id = run_id
        with self._transaction() as db:
            db.execute("DELETE FROM runs")
            db.execute("INSERT INTO runs VALUES (?, 0, 0)", (run_id,))

    def end_run(self, *, destinations: Collection[str], memory: Memory) -> None:
        """Note that the run has ended in order, and what is still known of its destinations' records."""
        with self._transaction() as db:
            db.execute("DELETE FROM runs WHERE run_id = ?", (self._run_id,))
            for destination in destinations:
                owner = (self._org, destination)
                if memory is Memory.NOTHING:
                    db.execute("DELETE FROM outcomes WHERE org = ? AND destination = ? AND kind != 'doubtful'", owner)
                    db.execute("DELETE FROM readings WHERE org = ? AND destination = ?", owner)
                    outstanding.end_reading(db, org=self._org, destination=destination)
                elif memory is Memory.LOADED:
                    db.execute(
                        "UPDATE outcomes SET kind = 'to_retry' WHERE org = ? AND destination = ? AND kind = 'failed'",
                        owner,
                    )
            outstanding.forget_schemas(db)

    # Batches

    def batches(self) -> list[BatchNote]:
        """Return the batches that are in the journal, of all orgs, in the order in which they came."""
        with self._transaction() as db:
            rows = db.execute(
                "SELECT batch_id, org, destination, stream, object, operation, files, number_of_rows, state, job_id,"
                " reason, since FROM batches ORDER BY rowid"
            ).fetchall()
        names = ("batch_id", "org", "destination", "stream", "object", "operation", "files", "number_of_rows")
        return [
            BatchNote(
                **dict(zip(names, row[:8], strict=True)),
                state=BatchState(row[8]),
                job_id=row[9],
                reason=row[10],
                since=row[11],
            )
            for row in rows
        ]

    def add_batch(self, note: BatchNote) -> None:
        """Note rows that are about to be sent."""
        with self._transaction() as db:
            _insert_batch(db, note)

    def set_state(self, batch_id: str, state: BatchState, *, job_id: str | None) -> None:
        """Note a step that is about to be taken."""
        with self._transaction() as db:
            db.execute(
                "UPDATE batches SET state = ?, job_id = ?, reason = '', since = ? WHERE batch_id = ?",
                (state.value, job_id, now(), batch_id),
            )

    def set_aside(self, batch_id: str, *, reason: str) -> None:
        """Note that only a person can resume a batch, none of whose outcomes could be written."""
        with self._transaction() as db:
            db.execute(
                "UPDATE batches SET state = ?, reason = ?, since = ? WHERE batch_id = ?",
                (BatchState.SET_ASIDE.value, reason, now(), batch_id),
            )
            db.execute(
                "UPDATE outcomes SET kind = ? WHERE batch_id = ?", (OutcomeClass.DOUBTFUL.value, batch_id)
            )  # of a second pass

    def replace_batch(self, batch_ids: Collection[str], following: Collection[BatchNote]) -> None:
        """Note that rows of a batch are sent in other parts, or in another form; nothing else is known of them."""
        with self._transaction() as db:
            db.executemany("DELETE FROM batches WHERE batch_id = ?", ((batch_id,) for batch_id in batch_ids))
            for note in following:
                _insert_batch(db, note)

    def drop_batch(self, batch_id: str) -> None:
        """Note that nothing of a batch was processed, or that all of it may come again."""
        with self._transaction() as db:
            db.execute("DELETE FROM batches WHERE batch_id = ?", (batch_id,))
            db.execute("DELETE FROM outcomes WHERE batch_id = ?", (batch_id,))
            outstanding.release_batch(db, batch_id)

    def forget_batch(self, batch_id: str) -> None:
        """Note that a person has given up a batch whose rows cannot be read any more."""
        with self._transaction() as db:
            db.execute("DELETE FROM batches WHERE batch_id = ?", (batch_id,))
            db.execute(
                "UPDATE outcomes SET kind = ?, batch_id = '' WHERE batch_id = ?",
                (OutcomeClass.FORGOTTEN.value, batch_id),
            )
            outstanding.forget_batch(db, batch_id)

    def commit(
        self,
        batch_id: str,
        *,
        destination: str,
        known: Mapping[OutcomeClass, KnownOutcomes],
        committed: Committed,
        following: Sequence[BatchNote],
        changes: Changes | None = None,
    ) -> None:
        """Note, all at once, outcomes that are on disk, and ``changes`` of the outstanding records.

        The batch is replaced by ``following``: its rows that are sent again, those that are doubtful, and those of a
        second pass.
        """
        with self._transaction() as db:
            db.execute(
                "UPDATE runs SET outcomes_bytes = ?, failed_bytes = ? WHERE run_id = ?", (*committed, self._run_id)
            )
            db.execute("DELETE FROM batches WHERE batch_id = ?", (batch_id,))
            db.execute("DELETE FROM outcomes WHERE batch_id = ?", (batch_id,))  # what was doubtful of it
            owners = {
                OutcomeClass.DOUBTFUL: next((note.batch_id for note in following if note.state.awaits_decision), ""),
                OutcomeClass.INCOMPLETE: next((note.batch_id for note in following if note.is_second_pass), ""),
            }
            for kind, outcomes in known.items():
                if outcomes.positions:
                    db.execute(
                        "INSERT INTO outcomes (org, destination, kind, batch_id, records, keys, positions, run_id)"
                        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                        (
                            self._org,
                            destination,
                            kind.value,
                            owners.get(kind, ""),
                            outcomes.records,
                            outcomes.keys,
                            outcomes.positions.tobytes(),
                            self._run_id,
                        ),
                    )
            for note in following:
                _insert_batch(db, note)
            outstanding.release_batch(db, batch_id)
            if changes and self._path:  # what is forgotten at the end of the run is no list
                changes.apply(db, org=self._org, doubtful_batch=owners[OutcomeClass.DOUBTFUL], since=now())

    def awaiting_decision(self) -> list[BatchNote]:
        """Return this org's batches that only a person can resume."""
        return [note for note in self.batches() if note.org == self._org and note.state.awaits_decision]

    def unrecognizable(self, destination: str) -> list[BatchNote]:
        """Return the batches of a destination that wait for a decision, and whose records nobody can recognize."""
        with self._transaction() as db:
            recognizable = {batch_id for (batch_id,) in db.execute("SELECT DISTINCT batch_id FROM outcomes")}
        return [
            note
            for note in self.awaiting_decision()
            if note.destination == destination and note.batch_id not in recognizable
        ]

    @property
    def org(self) -> str:
        """The org that this is about."""
        return self._org

    # What earlier runs have read

    def known_outcomes(self) -> Iterator[tuple[str, OutcomeClass, KnownOutcomes]]:
        """Yield what is known of this org's records, by `Destination.id`, in the order in which it became known."""
        with self._transaction() as db:
            ids = [row[0] for row in db.execute("SELECT id FROM outcomes WHERE org = ? ORDER BY id", (self._org,))]
        for outcome_id in ids:
            with self._transaction() as db:
                destination, kind, records, keys, positions, run_id = db.execute(
                    "SELECT destination, kind, records, keys, positions, run_id FROM outcomes WHERE id = ?",
                    (outcome_id,),
                ).fetchone()
            yield (
                destination,
                OutcomeClass(kind),
                KnownOutcomes(bytearray(records), bytearray(keys), array("q", positions), run_id),
            )

    def note_reading(self, destination: str, *, stream: str, sobject: str) -> None:
        """Note that a run reads records for a destination."""
        with self._transaction() as db:
            db.execute(
                "INSERT INTO readings VALUES (?, ?, ?, ?, 0) ON CONFLICT DO NOTHING",
                (self._org, destination, stream, sobject),
            )

    def note_state(self, numbers_before: Mapping[str, int]) -> None:
        """Note that a STATE is about to pass, and how many records of each destination came before it."""
        with self._transaction() as db:
            db.executemany(
                "UPDATE readings SET before_state = ? WHERE org = ? AND destination = ?",
                ((number, self._org, destination) for destination, number in numbers_before.items()),
            )

    def numbers_before_state(self) -> dict[str, int]:
        """Return how many records of each destination came before the last STATE that passed."""
        with self._transaction() as db:
            rows = db.execute("SELECT destination, before_state FROM readings WHERE org = ?", (self._org,)).fetchall()
        return dict(rows)

    def other_destinations(self, stream: str, *, destination: str) -> list[str]:
        """Return the objects into which unfinished runs have loaded records of a stream with other settings."""
        with self._transaction() as db:
            rows = db.execute(
                "SELECT DISTINCT object FROM readings JOIN outcomes USING (org, destination)"
                " WHERE org = ? AND stream = ? AND destination != ? AND kind = 'loaded'",
                (self._org, stream, destination),
            ).fetchall()
        return [name for (name,) in rows]


def _insert_batch(db: sqlite3.Connection, note: BatchNote) -> None:
    db.execute(
        "INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            note.batch_id,
            note.org,
            note.destination,
            note.stream,
            note.object,
            note.operation,
            note.files,
            note.number_of_rows,
            note.state.value,
            note.job_id,
            note.reason,
            note.since,
        ),
    )


def now() -> str:
    """Return this moment as the journal writes it."""
    return datetime.now(UTC).isoformat(timespec="seconds")
