"""Outstanding records: what runs could not load, listed in the journal until it is loaded (docs/decisions/0007).

These functions work inside a transaction of the journal's: a record's outcome and what it changes in the list are
committed together.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec
from salesforce_bulk_plugin.formatting import counted, notes_on_outstanding

MAX_RECORDS = 1_000_000
"""So many are kept; more are only counted, and are in the failed files."""

OUTSTANDING = "salesforce_bulk_outstanding"
"""What a retry adds to a SCHEMA (whether its records are as mapped) and to a RECORD (its id in the list)."""

_ARE_DUPLICATES = "error_code IN ('DUPLICATE_VALUE', 'DUPLICATES_DETECTED')"
"""What Salesforce refuses because it has a record with the same unique value, or one that a duplicate rule takes for
the same. Whether it is the same, nothing tells."""

TABLES = f"""
CREATE TABLE IF NOT EXISTS outstanding (
    id INTEGER PRIMARY KEY AUTOINCREMENT, org TEXT NOT NULL, object TEXT NOT NULL, stream TEXT NOT NULL,
    operation TEXT NOT NULL, destination TEXT NOT NULL, is_keyed INTEGER NOT NULL, fingerprint BLOB NOT NULL,
    position INTEGER, batch_id TEXT NOT NULL, since TEXT NOT NULL, error_code TEXT NOT NULL, key TEXT NOT NULL,
    schema_id INTEGER NOT NULL, record BLOB NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS outstanding_keyed ON outstanding (org, fingerprint) WHERE is_keyed;
CREATE INDEX IF NOT EXISTS outstanding_keyless ON outstanding (org, fingerprint, position) WHERE NOT is_keyed;
CREATE INDEX IF NOT EXISTS outstanding_streams ON outstanding (org, object, stream, batch_id, since);
CREATE INDEX IF NOT EXISTS outstanding_batches ON outstanding (batch_id) WHERE batch_id != '';
CREATE TABLE IF NOT EXISTS outstanding_schemas (
    id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, stream TEXT NOT NULL, schema BLOB NOT NULL,
    key_properties BLOB NOT NULL, is_mapped INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS outstanding_counts (
    org TEXT NOT NULL, object TEXT NOT NULL, stream TEXT NOT NULL, loaded_later INTEGER NOT NULL,
    not_kept INTEGER NOT NULL, PRIMARY KEY (org, object, stream)
);
CREATE INDEX IF NOT EXISTS outstanding_lookups ON outstanding (org, object, stream, batch_id) WHERE destination = '';
CREATE INDEX IF NOT EXISTS outstanding_duplicates ON outstanding (org, object, stream, batch_id)
    WHERE {_ARE_DUPLICATES};
"""
"""A record that is also in a doubtful batch (``batch_id``) waits for that decision: it is neither counted nor retried.

``position`` is the record's in its stream while the run that has read it is unfinished: it is recognized when it comes
again, and no earlier row of its key clears it. ``destination`` is empty for lookups of a record that is in Salesforce.
"""

_COLUMNS = "id, org, object, stream, operation, since, error_code, key"
_ROWS_AT_A_TIME = 1000
_DIGEST_SIZE = 16

_encode = msgspec.json.Encoder().encode
_encode_in_order = msgspec.json.Encoder(order="deterministic").encode


class Left(NamedTuple):
    """What is still not in Salesforce."""

    number: int
    since: str
    """ISO 8601, UTC; empty when nothing is left."""
    not_kept: int
    """How many of them came when the list was full, so that only the failed files have them."""
    lookups: int = 0
    """How many of them are records that are in Salesforce without a lookup."""
    duplicates: int = 0
    """How many of them Salesforce takes for duplicates of records that it has: those may be the same ones."""

    def __str__(self) -> str:
        """Say it in words; an empty text when nothing is left.

        >>> str(Left(1, "2026-11-23T10:30:00+00:00", 0)), str(Left(0, "", 0))
        ('still not in Salesforce: 1 record since 2026-11-23', '')
        >>> str(Left(3, "", 0, lookups=1, duplicates=1)).partition(": ")[2]
        '3 records (1 is there without a lookup; 1 is a duplicate for Salesforce, and may be there already)'
        """
        if not self.number:
            return ""
        since = f" since {self.since[:10]}" if self.since else ""
        notes = []
        if self.not_kept:
            notes.append(f"{self.not_kept:,} of them only in failed-*.singer.jsonl: the list is full")
        notes += notes_on_outstanding(lookups=self.lookups, duplicates=self.duplicates)
        more = f" ({'; '.join(notes)})" if notes else ""
        return f"still not in Salesforce: {counted(self.number, 'record')}{since}{more}"


@dataclass(frozen=True, kw_only=True)
class OutstandingRecord:
    """One of the list."""

    id: int
    org: str
    object: str
    stream: str
    """After stream maps."""
    operation: str
    since: str
    """When it was refused first; ISO 8601, UTC."""
    error_code: str
    """Of the last time."""
    key: str
    """The value of its key property, several values as JSON, or ``#`` and its id where it has none."""


def release_batch(db: sqlite3.Connection, batch_id: str) -> None:
    """Note that a batch is no longer doubtful: what waited for that is outstanding as before."""
    db.execute("UPDATE outstanding SET batch_id = '' WHERE batch_id = ? AND batch_id != ''", (batch_id,))


def forget_batch(db: sqlite3.Connection, batch_id: str) -> None:
    """Note that a person has given up the records of a doubtful batch."""
    db.execute("DELETE FROM outstanding WHERE batch_id = ? AND batch_id != ''", (batch_id,))


def end_reading(db: sqlite3.Connection, *, org: str, destination: str) -> None:
    """Note that a destination's input has ended well: positions of the next one say nothing of this one's records."""
    db.execute(
        "UPDATE outstanding SET position = NULL WHERE org = ? AND destination = ? AND position IS NOT NULL",
        (org, destination),
    )


def has_places(db: sqlite3.Connection, *, org: str) -> bool:
    """Whether records have a position in the input of an unfinished run."""
    found = db.execute("SELECT 1 FROM outstanding WHERE org = ? AND position IS NOT NULL LIMIT 1", (org,))
    return found.fetchone() is not None


def has_lookups(db: sqlite3.Connection, *, org: str, sobject: str) -> bool:
    """Whether lookups of records of an object, which are in Salesforce, are still to be filled."""
    found = db.execute(
        "SELECT 1 FROM outstanding WHERE org = ? AND object = ? AND destination = '' LIMIT 1", (org, sobject)
    )
    return found.fetchone() is not None


def room(db: sqlite3.Connection) -> int:
    """Return how many more records may be listed."""
    (number,) = db.execute("SELECT count(*) FROM outstanding").fetchone()
    return max(0, MAX_RECORDS - int(number))


def is_outstanding(db: sqlite3.Connection, record_id: int, *, org: str) -> bool:
    """Whether a record is still to be loaded."""
    found = db.execute("SELECT 1 FROM outstanding WHERE id = ? AND org = ? AND batch_id = ''", (record_id, org))
    return found.fetchone() is not None


def left_of(db: sqlite3.Connection, *, org: str, streams: Iterable[tuple[str, str]]) -> Left:
    """Return what is left of these streams, each with its object, in one org."""
    each = [_left(db, org=org, stream=stream, object=sobject) for stream, sobject in streams]
    dates = [left.since for left in each if left.since]
    return Left(
        number=sum(left.number for left in each),
        since=min(dates, default=""),
        not_kept=sum(left.not_kept for left in each),
        lookups=sum(left.lookups for left in each),
        duplicates=sum(left.duplicates for left in each),
    )


def left_in(db: sqlite3.Connection, *, org: str | None = None) -> Left:
    """Return what is left of all streams in an org, or in all of them."""
    return _left(db) if org is None else _left(db, org=org)


def _left(db: sqlite3.Connection, **place: str) -> Left:
    where = " AND ".join(["1", *(f"{column} = :{column}" for column in place)])
    number, since = db.execute(
        f"SELECT count(*), min(since) FROM outstanding WHERE {where} AND batch_id = ''",  # noqa: S608  our columns
        place,
    ).fetchone()
    (not_kept,) = db.execute(
        f"SELECT coalesce(sum(not_kept), 0) FROM outstanding_counts WHERE {where}",  # noqa: S608
        place,
    ).fetchone()
    lookups, duplicates = (
        db.execute(f"SELECT count(*) FROM outstanding WHERE {where} AND batch_id = '' AND {what}", place).fetchone()[0]  # noqa: S608
        for what in ("destination = ''", _ARE_DUPLICATES)
    )
    return Left(number + not_kept, since or "", not_kept, lookups, duplicates)


def orgs(db: sqlite3.Connection) -> list[str]:
    """Return the orgs that something is left of."""
    return [org for (org,) in db.execute("SELECT DISTINCT org FROM outstanding WHERE batch_id = ''")]


def newest_id(db: sqlite3.Connection) -> int:
    """Return the id of the record that came last, or 0."""
    (number,) = db.execute("SELECT coalesce(max(id), 0) FROM outstanding").fetchone()
    return int(number)


class Counts(NamedTuple):
    """How many records are on the list."""

    waiting: int
    doubtful: int
    """Those that wait for a decision on their batch."""


def counts(db: sqlite3.Connection, *, org: str, last: int) -> Counts:
    """Return how many of an org's records are on the list, up to the ``last`` by their ids."""
    row = db.execute(
        "SELECT count(*) FILTER (WHERE batch_id = ''), count(*) FILTER (WHERE batch_id != '') FROM outstanding"
        " WHERE org = ? AND id <= ?",
        (org, last),
    ).fetchone()
    return Counts(*row)


def page_of_records(db: sqlite3.Connection, *, after: int) -> list[OutstandingRecord]:
    """Return the next records of the list, by their ids."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM outstanding WHERE id > ? AND batch_id = '' ORDER BY id LIMIT ?",  # noqa: S608
        (after, _ROWS_AT_A_TIME),
    )
    return [OutstandingRecord(**dict(zip(_COLUMNS.split(", "), row, strict=True))) for row in rows]


class RecordToLoad(NamedTuple):
    """One of the list, as a retry sends it."""

    id: int
    stream: str
    """As it came in."""
    schema_id: int
    message: bytes
    """Its RECORD, as a line."""


def page_of_records_to_load(db: sqlite3.Connection, *, org: str, after: int, last: int) -> list[RecordToLoad]:
    """Return the next records of an org's list, by their ids, up to the ``last``."""
    rows = db.execute(
        "SELECT outstanding.id, outstanding_schemas.stream, schema_id, record FROM outstanding"
        " JOIN outstanding_schemas ON outstanding_schemas.id = schema_id"
        " WHERE outstanding.id > ? AND outstanding.id <= ? AND org = ? AND batch_id = ''"
        " ORDER BY outstanding.id LIMIT ?",
        (after, last, org, _ROWS_AT_A_TIME),
    )
    return [
        RecordToLoad(
            number,
            stream,
            schema_id,
            _line({"type": "RECORD", "stream": stream, "record": msgspec.Raw(record), OUTSTANDING: number}),
        )
        for number, stream, schema_id, record in rows
    ]


def schema_id(
    db: sqlite3.Connection,
    *,
    stream: str,
    schema: Mapping[str, Any],
    key_properties: Sequence[str],
    is_mapped: bool = False,
) -> int:
    """Return the id of a SCHEMA, which is kept as long as records are listed."""
    values = (stream, _encode_in_order(schema), _encode_in_order(key_properties), is_mapped)
    digest = blake2b(_encode_in_order(values), digest_size=_DIGEST_SIZE).digest()
    db.execute("INSERT OR IGNORE INTO outstanding_schemas VALUES (NULL, ?, ?, ?, ?, ?)", (digest, *values))
    (number,) = db.execute("SELECT id FROM outstanding_schemas WHERE digest = ?", (digest,)).fetchone()
    return int(number)


def schema_message(db: sqlite3.Connection, schema_id: int) -> bytes:
    """Return a SCHEMA as a line."""
    stream, schema, key_properties, is_mapped = db.execute(
        "SELECT stream, schema, key_properties, is_mapped FROM outstanding_schemas WHERE id = ?", (schema_id,)
    ).fetchone()
    return _line(
        {
            "type": "SCHEMA",
            "stream": stream,
            "schema": msgspec.Raw(schema),
            "key_properties": msgspec.Raw(key_properties),
            OUTSTANDING: {"is_mapped": bool(is_mapped)},
        }
    )


def _line(message: dict[str, Any]) -> bytes:
    return _encode(message) + b"\n"


def forget(db: sqlite3.Connection, record_ids: Iterable[int]) -> None:
    """Take records off the list, because a person has decided so."""
    db.executemany("DELETE FROM outstanding WHERE id = ?", ((number,) for number in record_ids))


def forget_named(db: sqlite3.Connection, key: str) -> int:
    """Take off the list what a person calls so, and return how many records that were."""
    gone = db.execute("DELETE FROM outstanding WHERE batch_id = '' AND (key = ? OR '#' || id = ?)", (key, key))
    return gone.rowcount


def forget_all(db: sqlite3.Connection) -> None:
    """Empty the list, but for what waits for another decision."""
    db.execute("DELETE FROM outstanding WHERE batch_id = ''")
    db.execute("DELETE FROM outstanding_counts")
    forget_schemas(db)


def forget_schemas(db: sqlite3.Connection) -> None:
    """Forget the schemas when no record is left that has one."""
    db.execute("DELETE FROM outstanding_schemas WHERE NOT EXISTS (SELECT 1 FROM outstanding)")


def take_loaded_later(db: sqlite3.Connection, *, org: str) -> int:
    """Return how many records were cleared since this was asked last, because a later run has loaded their key."""
    (number,) = db.execute(
        "SELECT coalesce(sum(loaded_later), 0) FROM outstanding_counts WHERE org = ?", (org,)
    ).fetchone()
    db.execute("UPDATE outstanding_counts SET loaded_later = 0 WHERE org = ?", (org,))
    return int(number)
