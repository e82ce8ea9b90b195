"""What an unfinished run has done, so that records which come again are not loaded again (docs/decisions/0006).

`EarlierOutcomes` looks records up; `LeadingRecords` holds back the first ones of each stream until it is known which
input this is: the same again, or one that resumes from the last STATE.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from salesforce_bulk_client import Operation
from salesforce_bulk_client.records.fingerprints import SIZE

from target_salesforce_bulk.batches.job_data_files import Entry, fingerprint_of
from target_salesforce_bulk.journal import IN_SALESFORCE, Journal, OutcomeClass
from target_salesforce_bulk.mapping.fingerprints import key_fingerprint
from target_salesforce_bulk.mapping.plan import Destination

MAX_LEADING_RECORDS = 1000
"""So many records are compared with the unfinished run's, at most."""

MAX_PLACES = 1000
"""So many places in the unfinished run's input are considered, at most; only equal records have more."""

_TABLES = """
CREATE TABLE earlier (
    id INTEGER PRIMARY KEY, destination TEXT, position INTEGER, class TEXT, record BLOB, key BLOB, is_loaded INTEGER,
    run INTEGER
);
CREATE INDEX by_record ON earlier (destination, record, position);
CREATE INDEX by_position ON earlier (destination, position);
CREATE INDEX by_key ON earlier (key) WHERE key != x'';
CREATE TABLE superseded (key BLOB PRIMARY KEY, stream TEXT, entry BLOB) WITHOUT ROWID;
"""


_encode = msgspec.msgpack.Encoder().encode
_decode_entry = msgspec.msgpack.Decoder(Entry).decode


class EarlierOutcomes:
    """Records with a known outcome; spilled to disk, gone at the end.

    Each that is met again is used up. Of one key, those that were loaded are met in their order: a row that is not
    among them is sent, and so is every later row of its key.
    """

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)  # a private file that SQLite removes by itself
        self._db.executescript(_TABLES)
        self._numbers_before_state: dict[str, int] = {}
        self._destinations: dict[str, Destination] = {}
        self._places: dict[str, Place] = {}
        self._run_ids: list[str] = []
        """Column ``run`` is a place in it."""
        self.is_empty = True

    def read(self, journal: Journal) -> None:
        """Take what ``journal`` knows of its org's records."""
        self._numbers_before_state = journal.numbers_before_state()
        self._db.execute("BEGIN")
        for destination, kind, known in journal.known_outcomes():
            self.is_empty = False
            if known.run_id not in self._run_ids:
                self._run_ids.append(known.run_id)
            run = self._run_ids.index(known.run_id)
            records = _parts(known.records)
            keys = _parts(known.keys) if known.keys else [b""] * len(records)
            self._db.executemany(
                "INSERT INTO earlier (destination, position, class, record, key, is_loaded, run)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    (destination, position, kind.value, record, key, kind in IN_SALESFORCE, run)
                    for position, record, key in zip(known.positions, records, keys, strict=True)
                ),
            )
        self._db.execute("COMMIT")

    def close(self) -> None:
        """Delete the file."""
        self._db.close()

    # Which input this is

    def is_placed(self, destination: Destination) -> bool:
        """Whether it is known where in the unfinished run's input the records of a destination begin."""
        return destination.id in self._places

    def place(self, destination: Destination, fingerprints: Sequence[bytes], *, are_all: bool, has_ended: bool) -> bool:
        """Find where the unfinished run's input has these leading records; return whether that is known now.

        ``are_all``: no more of them can be waited for; ``has_ended``: the stream has no more.
        """
        before_state = self._numbers_before_state.get(destination.id, 0)
        starts = self._starts(destination.id, fingerprints, before_state=before_state)
        number = len(fingerprints)
        if has_ended:
            starts = [start for start in starts if start + number >= before_state]
        if starts and not are_all and starts[0] + number < before_state:
            return False
        resumes = self._resumes(destination.id, fingerprints, before_state=before_state)
        if starts:  # the first has the most records in common; equal records alone say nothing
            is_sure = not resumes and (len(starts) == 1 or len(set(fingerprints[: before_state - starts[0]])) > 1)
        else:
            is_sure = resumes or not before_state
        first = starts[0] if starts and is_sure else before_state
        is_another = not starts and not self._may_be(destination.id, before_state, fingerprints[0])
        self._places[destination.id] = Place(first, first, is_sure=is_sure, is_another=is_another)
        return True

    def _starts(self, destination: str, fingerprints: Sequence[bytes], *, before_state: int) -> list[int]:
        """Return the positions before the last STATE from which on that run's records are these, lowest first."""
        rows = self._db.execute(
            "SELECT DISTINCT position FROM earlier WHERE destination = ? AND record = ? AND position < ?"
            " ORDER BY position LIMIT ?",
            (destination, fingerprints[0], before_state, MAX_PLACES),
        )
        starts = [position for (position,) in rows]
        for number, fingerprint in enumerate(fingerprints[1:], 1):
            if not starts:
                break
            starts = [
                start
                for start in starts
                if start + number >= before_state or self._may_be(destination, start + number, fingerprint)
            ]
        return starts

    def _resumes(self, destination: str, fingerprints: Sequence[bytes], *, before_state: int) -> bool:
        """Whether that run has read these records after its last STATE, as far as the journal knows them."""
        if not self._is_at(destination, before_state, fingerprints[0]):
            return False
        return all(
            self._may_be(destination, before_state + number, fingerprint)
            for number, fingerprint in enumerate(fingerprints)
        )

    def _is_at(self, destination: str, position: int, fingerprint: bytes) -> bool:
        found = self._db.execute(
            "SELECT 1 FROM earlier WHERE destination = ? AND position = ? AND record = ?",
            (destination, position, fingerprint),
        )
        return found.fetchone() is not None

    def _may_be(self, destination: str, position: int, fingerprint: bytes) -> bool:
        found = self._db.execute(
            "SELECT record FROM earlier WHERE destination = ? AND position = ?", (destination, position)
        ).fetchall()
        return not found or (fingerprint,) in found

    def has_left(self, destination: str) -> bool:
        """Whether records with an outcome, from where this input begins on, have not come again."""
        place = self._places.get(destination)
        first = place.first_position if place else self._numbers_before_state.get(destination, 0)
        found = self._db.execute(
            "SELECT 1 FROM earlier WHERE destination = ? AND position >= ? AND (is_loaded OR class = 'failed') LIMIT 1",
            (destination, first),
        )
        return found.fetchone() is not None

    # What is known of a record

    def recall(self, destination: Destination, entry: Entry, *, key_text: str | None) -> Recalled:
        """Return what is known of the next record of a destination, which is placed."""
        place = self._places[destination.id]
        position = place.next_position
        self._places[destination.id] = place._replace(next_position=position + 1)
        entry = msgspec.structs.replace(entry, position=position)
        record = fingerprint_of(destination, entry)
        key = b"" if key_text is None else key_fingerprint(destination)(key_text)
        found = self._use_up(destination, record, position=position, first_position=place.first_position)
        if found:
            if found.outcome in IN_SALESFORCE and key:
                self._supersede(destination, entry, key=key, number=found.number)
            return Recalled(found.outcome, entry, run_id=found.run_id, earlier_position=found.position)
        if key:
            overtaken = self._use_up_overtaken(destination, record, key=key, first_position=place.first_position)
            if overtaken:
                return Recalled(
                    OutcomeClass.FAILED, entry, run_id=overtaken.run_id, earlier_position=overtaken.position
                )
        tried = self._use_up_tried(destination, record, position=position, first_position=place.first_position)
        if key:
            self._db.execute("DELETE FROM superseded WHERE key = ?", (key,))
            self._db.execute("DELETE FROM earlier WHERE key = ? AND is_loaded", (key,))
            # A job that nobody can ask may still load an older value of this key.
            doubtful = "SELECT 1 FROM earlier WHERE key = ? AND class = 'doubtful' LIMIT 1"
            is_doubtful = self._db.execute(doubtful, (key,)).fetchone() is not None
        else:
            may_be_earlier = not place.is_sure and destination.operation is Operation.INSERT
            is_doubtful = may_be_earlier and bool(self._use_up(destination, record, position=0, first_position=0))
        return Recalled(
            None,
            entry,
            is_doubtful=is_doubtful,
            earlier_position=tried and tried.position,
            is_new=tried is None and (destination.key_column is not None or place.is_another),
        )

    def _use_up(self, destination: Destination, record: bytes, *, position: int, first_position: int) -> _Found | None:
        """Take out the outcome of an equal record, the one at the same position, else the first that is left."""
        row = self._db.execute(
            "SELECT id, class, run, position FROM earlier WHERE destination = ? AND record = ? AND position >= ?"
            " AND class != 'to_retry' ORDER BY position = ? DESC, position LIMIT 1",
            (destination.id, record, first_position, position),
        ).fetchone()
        return self._take_out(row)

    def _use_up_tried(
        self, destination: Destination, record: bytes, *, position: int, first_position: int
    ) -> _Found | None:
        """Take out an equal record that is to be tried again, the one at the same position, else the first."""
        row = self._db.execute(
            "SELECT id, class, run, position FROM earlier WHERE destination = ? AND record = ? AND position >= ?"
            " AND class = 'to_retry' ORDER BY position = ? DESC, position LIMIT 1",
            (destination.id, record, first_position, position),
        ).fetchone()
        return self._take_out(row)

    def _use_up_overtaken(
        self, destination: Destination, record: bytes, *, key: bytes, first_position: int
    ) -> _Found | None:
        """Take out a record that was refused and is not tried again, because a later one of its key was loaded."""
        row = self._db.execute(
            "SELECT id, class, run, position FROM earlier WHERE destination = ? AND record = ? AND position >= ?"
            " AND class = 'to_retry' AND EXISTS (SELECT 1 FROM earlier AS later WHERE later.key = ?"
            " AND later.is_loaded AND later.id > earlier.id) ORDER BY position LIMIT 1",
            (destination.id, record, first_position, key),
        ).fetchone()
        return self._take_out(row)

    def _take_out(self, row: tuple[int, str, int, int] | None) -> _Found | None:
        if row is None:
            return None
        number, outcome, run, position = row
        self._db.execute("DELETE FROM earlier WHERE id = ?", (number,))
        return _Found(number, OutcomeClass(outcome), self._run_ids[run], position)

    def _supersede(self, destination: Destination, entry: Entry, *, key: bytes, number: int) -> None:
        """Note a loaded record that comes again; what was loaded of its key before it does not come again after it."""
        self._db.execute("DELETE FROM superseded WHERE key = ?", (key,))
        self._db.execute("DELETE FROM earlier WHERE key = ? AND is_loaded AND id <= ?", (key, number))
        if self._db.execute("SELECT 1 FROM earlier WHERE key = ? AND is_loaded LIMIT 1", (key,)).fetchone():
            self._destinations[destination.id] = destination
            self._db.execute("INSERT INTO superseded VALUES (?, ?, ?)", (key, destination.id, _encode(entry)))

    def superseded(self) -> Iterator[tuple[Destination, Entry]]:
        """Yield the records that were skipped although a later one of their key was loaded, which did not come again.

        The input's last word for that key is the skipped one: it is to be sent.
        """
        while row := self._db.execute("SELECT key, stream, entry FROM superseded LIMIT 1").fetchone():
            self._db.execute("DELETE FROM superseded WHERE key = ?", (row[0],))
            yield self._destinations[row[1]], _decode_entry(row[2])


class Place(NamedTuple):
    """Where in the unfinished run's input the records of a destination are."""

    first_position: int
    """Outcomes of records before that are not theirs."""
    next_position: int
    is_sure: bool
    """Whether it is known; if not, equal records from before the last STATE may be theirs after all."""
    is_another: bool
    """Whether the input is another one: that run had another record where this one begins."""


class Recalled(NamedTuple):
    """What is known of a record."""

    outcome: OutcomeClass | None
    """Its outcome in the unfinished run; None if it is to be sent."""
    entry: Entry
    """The record, with its position."""
    is_doubtful: bool = False
    """Whether it is not known if it is one that was loaded or another one that is equal."""
    run_id: str = ""
    """The run whose files have that outcome; the present one, if it took it from a job that an earlier one left."""
    earlier_position: int | None = None
    """Its position in the unfinished run's input; None if it is not known to have been there."""
    is_new: bool = False
    """Whether it comes after all that was refused of its key. Keyed rows have their outcomes in the order of the
    input, so one whose outcome is not known is such a row; inserts are not ordered."""


class _Found(NamedTuple):
    """What was known of an equal record."""

    number: int
    outcome: OutcomeClass
    run_id: str
    position: int


def _parts(fingerprints: bytes | bytearray) -> list[bytes]:
    return [bytes(fingerprints[start : start + SIZE]) for start in range(0, len(fingerprints), SIZE)]


class LeadingRecords:
    """Holds the input back, up to `MAX_LEADING_RECORDS` records, while the place of one of its streams is not known."""

    def __init__(
        self,
        earlier: EarlierOutcomes,
        *,
        take: Callable[[Entry, Destination], None],
        take_state: Callable[[Any], None],
    ) -> None:
        self._earlier = earlier
        self._take = take
        self._take_state = take_state
        self._waiting: deque[tuple[Destination | None, Any]] = deque()
        """Records with their destinations, and STATE values without, in the order of the input."""
        self._number_of_records = 0

    def add(self, entry: Entry, destination: Destination) -> None:
        """Take a record."""
        self._waiting.append((destination, entry))
        self._number_of_records += 1
        number = len(self._waiting)
        if number & (number - 1) == 0 or self._number_of_records >= MAX_LEADING_RECORDS:  # 1, 2, 4, 8 …
            self._release(has_ended=False)

    def add_state(self, value: Any) -> None:
        """Take a STATE, which waits for the records before it."""
        self._waiting.append((None, value))
        self._release(has_ended=False)

    def end(self) -> None:
        """Release everything: the input has ended."""
        self._release(has_ended=True)

    def _release(self, *, has_ended: bool) -> None:
        while self._waiting:
            destination, value = self._waiting[0]
            if destination is None:
                self._take_state(value)
            elif self._earlier.is_placed(destination) or self._is_placed_now(destination, has_ended=has_ended):
                self._number_of_records -= 1
                self._take(value, destination)
            else:
                return
            self._waiting.popleft()

    def _is_placed_now(self, destination: Destination, *, has_ended: bool) -> bool:
        fingerprints = [
            fingerprint_of(destination, entry)
            for other, entry in self._waiting
            if other is not None and other.id == destination.id
        ]
        return self._earlier.place(
            destination,
            fingerprints,
            are_all=has_ended or self._number_of_records >= MAX_LEADING_RECORDS,
            has_ended=has_ended,
        )
