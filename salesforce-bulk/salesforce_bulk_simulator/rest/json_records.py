"""Records in JSON: read into database values, and the result of a record that was saved."""

from __future__ import annotations

from typing import Any

from salesforce_bulk_simulator.data.records.keys import find_parent, key_field, refuse_second_reference
from salesforce_bulk_simulator.data.schema.model import Field, SObject
from salesforce_bulk_simulator.data.values.database import Value, Values
from salesforce_bulk_simulator.data.values.json import WrongJsonType, from_json
from salesforce_bulk_simulator.http.errors import RequestRefused
from salesforce_bulk_simulator.http.json_parser import column_of, json_text, token_of

from .org_protocol import RestOrg

_UNKNOWN_POSITION = "[Source: N/A; line: -1, column: -1][line:-1, column:-1]"
"""The position of a wrong value in a collection, as reported with a live org for records of a tree."""


def values_of(org: RestOrg, sobject: SObject, record: dict[str, Any], *, source: bytes = b"") -> Values:
    """Return the database values of a record in JSON. A parent can be identified by its key.

    ``source`` is the JSON text, if it contains only this record.

    Raises:
        RequestRefused: INVALID_FIELD, JSON_PARSER_ERROR.
        RecordRefused: a value is invalid for its field, or a lookup is set twice.
    """
    values: Values = {}
    for name, value in record.items():
        if name == "attributes":
            continue
        position = "[line:{}, column:{}]".format(*column_of(source, name)) if source else _UNKNOWN_POSITION
        if (reference := sobject.relationship(name)) and isinstance(value, dict):
            refuse_second_reference(values, reference)
            values[reference.name] = _parent_id(org, reference, value, position)
            continue
        field = sobject.field(name)
        if field is None or field.is_compound:
            raise RequestRefused(400, "INVALID_FIELD", f"No such column '{name}' on sobject of type {sobject.name}")
        if field.type == "reference":
            refuse_second_reference(values, field)
        values[field.name] = _value(field, value, position)
    return values


def _value(field: Field, value: Any, position: str) -> Value:
    try:
        return from_json(field, value)
    except WrongJsonType:
        token, text = token_of(value)
        message = (
            f"Cannot deserialize instance of {field.type} from {token} value {text}"
            f" or request may be missing a required field at {position}"
        )
        raise RequestRefused(400, "JSON_PARSER_ERROR", message) from None


def _parent_id(org: RestOrg, reference: Field, value: dict[str, Any], position: str) -> str:
    """Return the id of a parent given as ``{"Ext__c": "…"}``, with ``attributes`` if it is polymorphic."""
    attributes = value.get("attributes")
    named = attributes.get("type") if isinstance(attributes, dict) else None
    name = json_text(named or reference.reference_to[0])
    parent = org.objects.get(name.lower()) if name in reference.reference_to else None
    keys = [(key, text) for key, text in value.items() if key != "attributes"]
    key = key_field(parent, keys[0][0]) if parent and len(keys) == 1 else None
    if parent is None or key is None:
        raise RequestRefused(
            400, "INVALID_FIELD", f"The parent {reference.relationship_name} is not named by one of its keys"
        )
    return find_parent(org, parent, key, _value(key, keys[0][1], position))


def success(record_id: str) -> dict[str, Any]:
    """Return the result of a record that was saved."""
    return {"id": record_id, "success": True, "errors": []}
