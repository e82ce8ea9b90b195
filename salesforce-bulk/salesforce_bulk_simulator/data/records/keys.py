"""Keys: the fields that identify a record, its Id and its external IDs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from salesforce_bulk_simulator.data.errors import RecordRefused
from salesforce_bulk_simulator.data.org_protocol import DataOrg
from salesforce_bulk_simulator.data.schema.model import Field, SObject
from salesforce_bulk_simulator.data.values.database import Value, Values
from salesforce_bulk_simulator.data.values.text import text_parser, to_result_text


def key_field(sobject: SObject, name: Any) -> Field | None:
    """Return the field with that name if it can be the key of an upsert."""
    field = sobject.field(name) if isinstance(name, str) else None
    return field if field is not None and (field.id_lookup or field.name == "Id") else None


def parse_key(key: Field, text: str) -> Any:
    """Return the value of a key in a path."""
    return text_parser(key)(text)


def refuse_second_reference(values: Values, field: Field) -> None:
    """Refuse a record that sets one lookup twice: with an id and with a key of its parent, or with two keys.

    Raises:
        RecordRefused: INVALID_FIELD.
    """
    if field.name in values:
        reference = field.relationship_name
        message = f"Cannot specify both an external ID reference {reference} and a salesforce id, {field.name}"
        raise RecordRefused("INVALID_FIELD", message, field.name)


def find_parent(org: DataOrg, parent: SObject, key: Field, value: Value) -> str:
    """Return the id of the only record that has a key's value.

    Raises:
        RecordRefused: no record has it, or more than one.
    """
    found = org.store.ids_with(parent, key, value)
    if not found:
        text = to_result_text(key, value)
        message = f"Foreign key external ID: {text} not found for field {key.name} in entity {parent.name}"
        raise RecordRefused("INVALID_FIELD", message)
    if len(found) > 1:
        message = f"{key.name}: more than one record found for external id field: [{', '.join(found)}]"
        raise RecordRefused("DUPLICATE_EXTERNAL_ID", message, key.name)
    return found[0]


class KeyCounts:
    """How often each key occurs among records that are saved together. Records that share a key are all refused."""

    def __init__(self, key: Field, records: Iterable[Values]) -> None:
        self._key = key
        self._counts = Counter(self._folded(values) for values in records if values.get(key.name) is not None)

    def refuse_duplicate(self, values: Values) -> None:
        """Refuse a record whose key another record has, too.

        Raises:
            RecordRefused: DUPLICATE_VALUE.
        """
        if self._counts[self._folded(values)] > 1:
            kind = "id" if self._key.name == "Id" else "external id"
            message = f"Duplicate {kind} specified: {to_result_text(self._key, values[self._key.name])}"
            raise RecordRefused("DUPLICATE_VALUE", message, self._key.name)

    def _folded(self, values: Values) -> str:
        text = str(values.get(self._key.name))
        return text if self._key.case_sensitive or self._key.name == "Id" else text.lower()
