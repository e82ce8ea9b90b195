"""`OutstandingLookups`: lookups of records that are in Salesforce, which no run could fill yet (docs/decisions/0007).

They are in the list of outstanding records, one entry for each record: an update by its Id, as the failed file has it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from typing import Any

import msgspec
from salesforce_bulk_client.records.canonical_form import canonical_key
from salesforce_bulk_client.records.fingerprints import fingerprint_after

from target_salesforce_bulk import outstanding
from target_salesforce_bulk.mapping.plan import Destination, lookup_schema

_FIND = "SELECT id, record FROM outstanding WHERE org = :org AND fingerprint = :fingerprint AND is_keyed"
_REPLACE = "UPDATE outstanding SET record = :record, schema_id = :schema_id WHERE id = :id"
_REFRESH = "UPDATE outstanding SET error_code = :error_code, batch_id = '' WHERE id = :id"
_ADD = """INSERT INTO outstanding (
    org, object, stream, operation, destination, is_keyed, fingerprint, position, batch_id, since, error_code, key,
    schema_id, record
) VALUES (
    :org, :object, :stream, 'update', '', 1, :fingerprint, NULL, '', :since, :error_code, :key, :schema_id, :record
)"""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode
_canonical_id = canonical_key("id")


class OutstandingLookups:
    """Those of one object in one org; to be used inside a transaction of the journal's."""

    def __init__(self, db: sqlite3.Connection, *, org: str, destination: Destination) -> None:
        self._db = db
        self._destination = destination
        self._org = org
        self._fingerprint_of = fingerprint_after(destination.object, "lookups")

    @property
    def is_empty(self) -> bool:
        """Whether there are none."""
        return not outstanding.has_lookups(self._db, org=self._org, sobject=self._destination.object)

    def add(self, record: bytes, *, error_code: str, since: str) -> bool:
        """Note an update that was refused, over what an earlier one was to fill; False if the list is full."""
        cells = _decode(record)
        record_id = cells.get("Id")
        if not isinstance(record_id, str) or not record_id:
            return True  # of a failed file that somebody has changed: it names no record
        if found := self._find(record_id):
            number, earlier = found
            self._db.execute(_REFRESH, {"id": number, "error_code": error_code})
            given = {field_of(name) for name in cells}
            self._replace(number, {**{n: v for n, v in earlier.items() if field_of(n) not in given}, **cells})
            return True
        if not outstanding.room(self._db):
            return False
        values = {
            "org": self._org,
            "object": self._destination.object,
            "stream": self._destination.stream,
            "fingerprint": self._fingerprint(record_id),
            "since": since,
            "error_code": error_code,
            "key": record_id,
            "schema_id": self._schema_id(cells),
            "record": _encode(cells),
        }
        self._db.execute(_ADD, values)
        return True

    def fill(self, record_id: str, fields: Collection[str] | None) -> bool:
        """Take off what is filled by now, or all if the record is gone; return whether nothing of it is left."""
        found = self._find(record_id)
        if not found:
            return False
        number, cells = found
        left = {} if fields is None else {name: cell for name, cell in cells.items() if field_of(name) not in fields}
        left.pop("Id", None)
        if not left:
            outstanding.forget(self._db, [number])
        elif len(left) < len(cells) - 1:
            self._replace(number, {"Id": cells["Id"], **left})
        return not left

    def hide(self, record_id: str, *, batch_id: str) -> None:
        """Let a record's lookups wait for the decision on a batch, which may have filled them."""
        if found := self._find(record_id):
            self._db.execute("UPDATE outstanding SET batch_id = ? WHERE id = ?", (batch_id, found[0]))

    def _find(self, record_id: str) -> tuple[int, dict[str, Any]] | None:
        found = self._db.execute(_FIND, {"org": self._org, "fingerprint": self._fingerprint(record_id)}).fetchone()
        return found and (found[0], _decode(found[1]))

    def _fingerprint(self, record_id: str) -> bytes:
        return self._fingerprint_of(_canonical_id(record_id))

    def _replace(self, number: int, cells: dict[str, Any]) -> None:
        self._db.execute(_REPLACE, {"id": number, "record": _encode(cells), "schema_id": self._schema_id(cells)})

    def _schema_id(self, cells: Collection[str]) -> int:
        return outstanding.schema_id(
            self._db,
            stream=self._destination.source_stream,
            schema=lookup_schema(self._destination.object, [name for name in cells if name != "Id"]),
            key_properties=["Id"],
        )


def field_of(column: str) -> str:
    """Return the field that a column fills, in lower case.

    >>> [field_of(name) for name in ("Parent.Code__c", "ParentId", "Lead:Who.Code__c", "Lead__r.Code__c", "lead__c")]
    ['parentid', 'parentid', 'whoid', 'lead__c', 'lead__c']
    """
    relation, _, parent_key = column.lower().partition(".")
    if not parent_key:
        return relation
    name = relation.rpartition(":")[2]
    return f"{name.removesuffix('__r')}__c" if name.endswith("__r") else f"{name}id"
