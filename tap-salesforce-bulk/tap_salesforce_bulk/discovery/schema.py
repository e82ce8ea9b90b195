"""From an object's describe to its Singer schema: the fields, their types, the replication key. Pure, no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_salesforce_bulk.field_types import ValueKind, kind_of

if TYPE_CHECKING:
    from salesforce_bulk_client import Field, SObjectDescribe

REPLICATION_KEYS = ("SystemModstamp", "LastModifiedDate", "CreatedDate", "LoginTime")
"""Candidates for the replication key, the best first: the first shows every change, the last two only new rows."""

KEY = "Id"

_UNSUPPORTED_TYPES = {
    "address": "a compound field: Bulk queries return its parts, such as the street and the city, instead",
    "location": "a compound field: Bulk queries return its latitude and longitude instead",
    "base64": "binary data: Bulk queries do not return it",
    "json": "Bulk queries do not return JSON fields",
    "complexvalue": "Bulk queries do not return complex values",
}

_JSON_TYPE: dict[ValueKind, dict[str, Any]] = {
    ValueKind.TEXT: {"type": ["string", "null"]},
    ValueKind.BOOLEAN: {"type": ["boolean", "null"]},
    ValueKind.INTEGER: {"type": ["integer", "null"]},
    ValueKind.NUMBER: {"type": ["number", "null"]},
    ValueKind.DATE: {"type": ["string", "null"], "format": "date"},
    ValueKind.DATETIME: {"type": ["string", "null"], "format": "date-time"},
    ValueKind.TIME: {"type": ["string", "null"], "format": "time"},
}


def json_schema(describe: SObjectDescribe) -> dict[str, Any]:
    """Return the JSON schema of an object's records: one property per field that Bulk can return."""
    return {
        "type": "object",
        "properties": {field.name: property_schema(field) for field in supported_fields(describe)},
    }


def property_schema(field: Field) -> dict[str, Any]:
    """Return the JSON schema of one field.

    Only ``Id`` is never null: describe's ``nillable`` applies to writes, and old rows may lack a value.
    Picklist values are listed in the description only, since rows may hold values that are inactive or never were
    in the list. A text area's length is left out: the markup of rich text does not count towards it.
    """
    schema = dict(_JSON_TYPE[kind_of(field)])
    if field.name == KEY:
        schema["type"] = ["string"]
    if field.length and field.type != "textarea" and kind_of(field) is ValueKind.TEXT:
        schema["maxLength"] = field.length
    schema["description"] = field.label
    if field.picklist_values:
        schema["description"] += f" (picklist: {'; '.join(field.picklist_values)})"
    return schema


def supported_fields(describe: SObjectDescribe) -> list[Field]:
    """Return the fields that Bulk can return, in describe's order."""
    return [field for field in describe.fields if unsupported_reason(field) is None]


def unsupported_reason(field: Field) -> str | None:
    """Return why Bulk cannot return this field, or None if it can.

    Only the type counts, and not ``compoundFieldName``: ``Contact.Name`` is the compound of ``FirstName``, but plain
    text.
    """
    if reason := _UNSUPPORTED_TYPES.get(field.type):
        return reason
    if field.soap_type.startswith("urn:") or field.soap_type in {"xsd:base64Binary", "tns:json"}:
        return f"Bulk queries do not return values of type {field.soap_type}"
    return None


def choose_replication_key(describe: SObjectDescribe) -> str | None:
    """Return the field to read incrementally by, or None if the object has none.

    It has to be filterable: ``ActivityFieldHistory`` has a ``SystemModstamp`` that is not.
    """
    for name in REPLICATION_KEYS:
        field = describe.field(name)
        if field is not None and can_be_replication_key(field):
            return field.name
    return None


def can_be_replication_key(field: Field) -> bool:
    """Whether rows can be read incrementally by this field."""
    return field.filterable and kind_of(field) in {ValueKind.DATETIME, ValueKind.DATE}
