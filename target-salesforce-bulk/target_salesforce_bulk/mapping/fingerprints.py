"""16 bytes that identify a record or a key, so that a later run recognises them (docs/decisions/0006). Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import msgspec
from salesforce_bulk_client import Operation
from salesforce_bulk_client.records.cells import decode_json
from salesforce_bulk_client.records.fingerprints import canonical_value, fingerprint_after, fingerprint_of_rows

from target_salesforce_bulk.mapping.plan import Destination

_encode_sorted = msgspec.json.Encoder(order="sorted").encode


def key_fingerprint(destination: Destination) -> Callable[[str], bytes]:
    """Return what gives for a key's text what any row for the same Salesforce record has, whatever its stream."""
    return fingerprint_after(destination.object, destination.key_column or "")


def source_key_fingerprint(destination: Destination) -> Callable[[bytes], bytes | None]:
    """Return what gives for a record in JSON what records of the same key properties have; None if it lacks one.

    It stands in for a key where rows have none in Salesforce: for inserts.
    """
    fingerprint_of = fingerprint_after(destination.id, b"key")
    names = destination.key_properties

    def of_record(record: bytes) -> bytes | None:
        key: dict[str, Any] = decode_json(destination.key_of(record))
        values = [key.get(name) for name in names]
        if not values or None in values:
            return None
        return fingerprint_of(_encode_sorted([canonical_value(value) for value in values]))

    return of_record


def row_fingerprint(destination: Destination) -> Callable[[Sequence[str]], bytes]:
    """Return what identifies a record by the cells of its row, for records that are loaded as they come in."""
    return fingerprint_of_rows(
        destination.id,
        columns=[column.name for column in destination.columns],
        number_columns=destination.number_columns,
        nulls_clear=destination.operation is not Operation.INSERT,
    )


def record_fingerprint(
    destination: Destination, *, properties: Collection[str]
) -> Callable[[Mapping[str, Any]], bytes]:
    """Return what identifies a record by these properties as they came in: those that are loaded."""
    fingerprint_of = fingerprint_after(destination.id, b"record")
    is_insert = destination.operation is Operation.INSERT

    def of_record(record: Mapping[str, Any]) -> bytes:
        kept = {
            name: canonical_value(value)
            for name, value in record.items()
            if name in properties and not (is_insert and value is None)
        }
        return fingerprint_of(_encode_sorted(kept))

    return of_record
