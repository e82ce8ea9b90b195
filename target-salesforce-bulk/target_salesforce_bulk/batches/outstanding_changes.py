"""`OutstandingChanges`: what a batch's outcomes change in the list of outstanding records (docs/decisions/0007)."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
from salesforce_bulk_client import Operation
from salesforce_bulk_client.records.fingerprints import SIZE

from target_salesforce_bulk import outstanding
from target_salesforce_bulk.batches.job_data_files import Entry, JobDataFiles, StoredEntry, fingerprint_of
from target_salesforce_bulk.batches.outstanding_lookups import OutstandingLookups, field_of
from target_salesforce_bulk.journal import IN_SALESFORCE, KnownOutcomes, OutcomeClass
from target_salesforce_bulk.mapping.fingerprints import key_fingerprint, source_key_fingerprint
from target_salesforce_bulk.mapping.plan import Destination

_OF_KEY = """org = :org AND fingerprint = :fingerprint AND is_keyed
AND NOT (destination = :destination AND coalesce(position, -1) > :position)"""
"""The record of a key, unless it comes later in the same input."""

_EQUAL = """id = (
    SELECT id FROM outstanding WHERE org = :org AND fingerprint = :fingerprint AND NOT is_keyed
    AND (position IS NULL OR position = :position) ORDER BY position IS NULL, id LIMIT 1
)"""
"""One record without a key: that of the same place in an input that comes again, or the oldest equal one of an
earlier input. Equal ones from elsewhere in the same input are others."""

_VALUES = {
    "object": ":object",
    "stream": ":stream",
    "operation": ":operation",
    "destination": ":destination",
    "position": ":position",
    "batch_id": "''",
    "error_code": ":error_code",
    "key": ":key",
    "schema_id": ":schema_id",
    "record": ":record",
}
"""What a record that is refused again gets anew: all but its identity, and since when it is outstanding."""

_SET = ", ".join(f"{column} = {value}" for column, value in _VALUES.items())
_ADD = f"""INSERT OR IGNORE INTO outstanding (org, is_keyed, fingerprint, since, {", ".join(_VALUES)})
VALUES (:org, :is_keyed, :fingerprint, :since, {", ".join(_VALUES.values())})"""  # noqa: S608  our own columns
_CLEAR_KEY = f"DELETE FROM outstanding WHERE {_OF_KEY}"  # noqa: S608
_CLEAR_EQUAL = f"DELETE FROM outstanding WHERE {_EQUAL}"  # noqa: S608
_HIDE_KEY = f"UPDATE outstanding SET batch_id = :batch_id WHERE {_OF_KEY}"  # noqa: S608
_REFRESH = {
    is_keyed: f"UPDATE outstanding SET {_SET} WHERE {condition}"  # noqa: S608
    for is_keyed, condition in ((True, _OF_KEY), (False, _EQUAL))
}

_NO_PLACE = """UPDATE outstanding SET position = NULL
WHERE org = :org AND fingerprint = :fingerprint AND is_keyed AND destination = :destination"""
_OTHER_PLACE = """UPDATE outstanding SET position = :position WHERE id = (
    SELECT id FROM outstanding WHERE org = :org AND fingerprint = :fingerprint AND destination = :destination
    AND position = :earlier_position LIMIT 1
)"""

_FILLED_BY = frozenset({*IN_SALESFORCE, OutcomeClass.FORGOTTEN})
"""What is known of rows whose lookups are filled, or that a person has decided not to fill."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


@dataclass(frozen=True, kw_only=True)
class OutstandingChanges:
    """What the outcomes of one batch change."""

    destination: Destination
    known: Mapping[OutcomeClass, KnownOutcomes]
    files: JobDataFiles
    """Those of the batch."""
    id_of: Callable[[int], str]
    """Gives the Id of a row's record by the row's number, as far as Salesforce gave one."""

    def apply(self, db: sqlite3.Connection, *, org: str, doubtful_batch: str, since: str) -> None:
        """Make the changes; ``doubtful_batch`` is the batch to which doubtful rows go."""
        lookups = OutstandingLookups(db, org=org, destination=self.destination)
        if self.destination.fills_lookups:  # of records that were taken off the list when they were loaded
            self._add_lookups(db, lookups, org=org, since=since)
        elif self.destination.is_retry:
            self._apply_retry(db, doubtful_batch=doubtful_batch)
        else:
            if self.known[OutcomeClass.FAILED].positions:
                self._add(db, org=org, since=since)
            self._clear(db, org=org, doubtful_batch=doubtful_batch)  # inserts of one batch may have the same key
        if self.destination.operation is not Operation.INSERT and not lookups.is_empty:
            self._clear_lookups(db, lookups, org=org, doubtful_batch=doubtful_batch)

    def _apply_retry(self, db: sqlite3.Connection, *, doubtful_batch: str) -> None:
        """Change the very records that were sent: their fingerprints are their ids."""
        known = self.known
        for kind in (*IN_SALESFORCE, OutcomeClass.FORGOTTEN):
            outstanding.forget(db, _ids(known[kind]))
        db.executemany(
            "UPDATE outstanding SET batch_id = ? WHERE id = ?",
            ((doubtful_batch, record_id) for record_id in _ids(known[OutcomeClass.DOUBTFUL])),
        )
        failed = known[OutcomeClass.FAILED]
        db.executemany(
            "UPDATE outstanding SET error_code = ? WHERE id = ?", zip(failed.codes, _ids(failed), strict=True)
        )

    def _clear(self, db: sqlite3.Connection, *, org: str, doubtful_batch: str) -> None:
        """Take off the list what is loaded by now; where it has nothing of the object, that is one look-up."""
        destination, known = self.destination, self.known
        place = self._place(org)
        if not db.execute("SELECT 1 FROM outstanding WHERE org = :org AND object = :object LIMIT 1", place).fetchone():
            return
        if destination.key_column:
            forgotten, doubtful = known[OutcomeClass.FORGOTTEN], known[OutcomeClass.DOUBTFUL]
            db.executemany(_CLEAR_KEY, _each(forgotten.keys, forgotten, place))
            db.executemany(_HIDE_KEY, _each(doubtful.keys, doubtful, place | {"batch_id": doubtful_batch}))
        if number := sum(self._clear_loaded(db, known[kind], place) for kind in IN_SALESFORCE):
            _count(db, place, loaded_later=number)

    def _clear_loaded(self, db: sqlite3.Connection, loaded: KnownOutcomes, place: Mapping[str, Any]) -> int:
        """Take what is loaded off the list, and return how many records that were."""
        if not loaded.positions:
            return 0
        if self.destination.key_column:
            return db.executemany(_CLEAR_KEY, _each(loaded.keys, loaded, place)).rowcount
        number = db.executemany(_CLEAR_EQUAL, _each(loaded.records, loaded, place)).rowcount
        if self.destination.key_properties:
            number += db.executemany(_CLEAR_KEY, self._by_source_key(loaded, place)).rowcount
        return number

    def _add_lookups(self, db: sqlite3.Connection, lookups: OutstandingLookups, *, org: str, since: str) -> None:
        """Put on the list the updates that were refused."""
        refused = self.known[OutcomeClass.UNLINKED if self.destination.first_pass else OutcomeClass.FAILED]
        not_kept = 0
        for number, entry in self._entries_of(refused):
            record = entry.deferred.record if entry.deferred else entry.record
            not_kept += not lookups.add(record, error_code=refused.codes[number], since=since)
        if not_kept:
            _count(db, self._place(org), not_kept=not_kept)

    def _clear_lookups(
        self, db: sqlite3.Connection, lookups: OutstandingLookups, *, org: str, doubtful_batch: str
    ) -> None:
        """Take off the list the lookups that newer rows fill, by whatever column, and those of deleted records."""
        destination = self.destination
        filled_by = {*_FILLED_BY} - ({OutcomeClass.UNLINKED} if destination.first_pass else set())
        filled = {position for kind in filled_by for position in self.known[kind].positions}
        doubtful = set(self.known[OutcomeClass.DOUBTFUL].positions)
        is_delete = destination.operation in {Operation.DELETE, Operation.HARD_DELETE}
        fields = [field_of(column.name) for column in destination.columns]
        place = destination.key_index if destination.key_column == "Id" else None
        number = 0
        for row, entry in self.files.row_entries():
            assert entry.cells is not None
            record_id = self.id_of(row) if place is None else entry.cells[place]
            if entry.position in doubtful:
                lookups.hide(record_id, batch_id=doubtful_batch)
            elif entry.position in filled:
                its = None if is_delete else {name for name, cell in zip(fields, entry.cells, strict=True) if cell}
                number += lookups.fill(record_id, its)
        if number and not destination.fills_lookups:
            _count(db, self._place(org), loaded_later=number)

    def _place(self, org: str) -> dict[str, str]:
        destination = self.destination
        return {"org": org, "object": destination.object, "stream": destination.stream, "destination": destination.id}

    def _by_source_key(self, known: KnownOutcomes, place: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        key_of = source_key_fingerprint(self.destination)
        for _, entry in self._entries_of(known):
            if key := key_of(entry.record):
                yield {**place, "fingerprint": key, "position": entry.position}

    def _entries_of(self, known: KnownOutcomes) -> Iterator[tuple[int, StoredEntry]]:
        """Yield the records that ``known`` is of, each with its number there, read from the batch's files."""
        number = 0
        for entry in self.files.entries():
            if number == len(known.positions):
                return
            if entry.position == known.positions[number]:
                yield number, entry
                number += 1

    def _add(self, db: sqlite3.Connection, *, org: str, since: str) -> None:
        """Put on the list what was refused; a record that is there already stays there once."""
        destination = self.destination
        values: dict[str, Any] = {
            "org": org,
            "object": destination.object,
            "stream": destination.stream,
            "operation": destination.operation.value,
            "destination": destination.id,
            "since": since,
            "schema_id": outstanding.schema_id(
                db,
                stream=destination.source_stream,
                schema=destination.stream_schema,
                key_properties=destination.key_properties,
                is_mapped=destination.takes_mapped,
            ),
        }
        key_of = _shown_key(destination)
        room = outstanding.room(db)
        not_kept = 0
        for failed in self._failed():
            values |= {**failed._asdict(), "key": key_of(failed.record)}
            if db.execute(_REFRESH[failed.is_keyed], values).rowcount:
                continue
            if room > 0:
                room -= db.execute(_ADD, values).rowcount
            else:
                not_kept += 1
        if not_kept:
            _count(db, values, not_kept=not_kept)

    def _failed(self) -> Iterator[_Failed]:
        """Yield the records that failed, each with what identifies it: its key, or where it has none its content."""
        failed, destination = self.known[OutcomeClass.FAILED], self.destination
        key_print, source_key = key_fingerprint(destination), source_key_fingerprint(destination)
        for number, entry in self._entries_of(failed):
            place = slice(number * SIZE, (number + 1) * SIZE)
            content = bytes(failed.records[place])
            key: bytes | None
            if destination.key_column is None:
                key = source_key(entry.record)
            elif entry.refusal is None:
                key = bytes(failed.keys[place])
            else:  # of one without a key the same content is the same record: it may be loaded twice
                key = content if entry.key is None else key_print(entry.key)
            yield _Failed(key or content, key is not None, entry.position, failed.codes[number], entry.record)


def correct_place(
    db: sqlite3.Connection,
    *,
    org: str,
    destination: Destination,
    entry: Entry,
    key_text: str | None,
    earlier_position: int | None,
) -> None:
    """Let an outstanding record follow where it is in another input than that of the unfinished run.

    Without ``earlier_position`` this is a newer record of its key: what is listed comes before it.
    """
    key = source_key_fingerprint(destination)(entry.record) if destination.key_column is None else None
    if destination.key_column is not None and key_text is not None:
        key = key_fingerprint(destination)(key_text)
    place = {"org": org, "destination": destination.id, "position": entry.position}
    if earlier_position is None:
        db.execute(_NO_PLACE, {**place, "fingerprint": key})
    else:
        fingerprint = key or fingerprint_of(destination, entry)
        db.execute(_OTHER_PLACE, {**place, "fingerprint": fingerprint, "earlier_position": earlier_position})


class _Failed(NamedTuple):
    fingerprint: bytes
    is_keyed: bool
    """Whether there is one record of this fingerprint; equal records without a key are several."""
    position: int
    error_code: str
    record: bytes


def id_as_fingerprint(record_id: int) -> bytes:
    """Return what identifies a retried record: its id in the list, whatever the settings make of its content.

    >>> id_as_fingerprint(17).hex()
    '00000000000000000000000000000011'
    """
    return record_id.to_bytes(SIZE, "big")


def _ids(known: KnownOutcomes) -> Iterator[int]:
    records = known.records
    return (int.from_bytes(records[start : start + SIZE], "big") for start in range(0, len(records), SIZE))


def _each(fingerprints: bytearray, known: KnownOutcomes, place: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for number, position in enumerate(known.positions):
        fingerprint = bytes(fingerprints[number * SIZE : (number + 1) * SIZE])
        yield {**place, "fingerprint": fingerprint, "position": position}


def _count(db: sqlite3.Connection, place: Mapping[str, Any], *, loaded_later: int = 0, not_kept: int = 0) -> None:
    db.execute(
        "INSERT INTO outstanding_counts VALUES (:org, :object, :stream, :loaded_later, :not_kept)"
        " ON CONFLICT DO UPDATE SET loaded_later = loaded_later + excluded.loaded_later,"
        " not_kept = not_kept + excluded.not_kept",
        {**place, "loaded_later": loaded_later, "not_kept": not_kept},
    )


def _shown_key(destination: Destination) -> Callable[[bytes], str]:
    """Return what gives the text by which a person calls a record, empty for one without a key."""
    names = destination.key_properties or ((destination.key_column,) if destination.key_column else ())

    def key_of(record: bytes) -> str:
        values = {name: value for name, value in _decode(record).items() if name in names}
        if len(names) > 1:
            return _encode(values).decode()
        value = msgspec.json.decode(values[names[0]]) if values else None
        return "" if value is None else value if isinstance(value, str) else bytes(values[names[0]]).decode()

    return key_of
