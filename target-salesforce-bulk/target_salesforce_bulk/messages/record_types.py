"""A stream's schema as a type of msgspec's, by which a record is decoded and checked in one go. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType
from salesforce_bulk_client.records.column_conversion import MISSING

from target_salesforce_bulk.json_schema import required_of, types_of

_TYPES: dict[str, Any] = {"string": str, "integer": int, "boolean": bool}

_LIMITS = {
    "string": {"minLength": "min_length", "maxLength": "max_length"},
    "integer": {"minimum": "ge", "maximum": "le"},
}
"""By type, the checks of JSON Schema that msgspec does as well, and what it calls them."""

_LIMIT_RANGES = {"string": range(2**63), "integer": range(-(2**63), 2**63)}
"""By type, the limits that msgspec can check."""

_HARMLESS = frozenset({"type", "format", "title", "description", "default", "examples", "$comment", "$schema"})
"""What checks nothing (`validation` leaves formats to the conversion)."""

_CHECKS = frozenset(
    {
        *("enum", "const", "multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
        *("minLength", "maxLength", "pattern", "items", "prefixItems", "additionalItems", "contains"),
        *("minItems", "maxItems", "uniqueItems", "properties", "patternProperties", "additionalProperties"),
        *("propertyNames", "minProperties", "maxProperties", "required", "dependencies", "dependentRequired"),
        *("allOf", "anyOf", "oneOf", "not", "if", "then", "else", "$ref", "$dynamicRef", "definitions", "$defs"),
    }
)


def record_type(schema: dict[str, Any], *, key_properties: Sequence[str]) -> type[msgspec.Struct] | None:
    """Return a Struct with the schema's properties in their order, or None if it says what that cannot check.

    Numbers stay undecoded, which keeps all their digits. A missing property is UNSET, or `MISSING` for a number.

    >>> record_type({"properties": {"n": {"enum": [1, 2]}}}, key_properties=[]) is None
    True
    """
    if schema.keys() & _CHECKS - {"properties", "required", "additionalProperties"}:
        return None
    required = {*required_of(schema), *key_properties}
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    names: dict[str, str] = {}
    for number, (name, entry) in enumerate(schema["properties"].items()):
        kind = _kind(entry)
        if kind is None:
            return None
        field = f"p{number}"
        names[field] = name
        if name in required:
            fields.append((field, kind))
        elif kind is Raw:
            fields.append((field, kind, Raw(MISSING)))
        else:
            fields.append((field, kind | UnsetType, UNSET))
    try:
        return msgspec.defstruct("Record", fields, rename=names, forbid_unknown_fields=True, kw_only=True, gc=False)
    except ValueError:  # a name with a quote, a backslash or a control character
        return None


def is_number(entry: dict[str, Any]) -> bool:
    """Whether the values of a property stay undecoded."""
    return _kind(entry) is Raw


def takes_null(entry: dict[str, Any]) -> bool:
    """Whether a property may be null."""
    return "null" in types_of(entry)


def _kind(entry: Any) -> Any:
    """Return the type of one property, or None."""
    if not isinstance(entry, dict):
        return None
    kinds = types_of(entry)
    plain = kinds - {"null"}
    if len(plain) != 1:
        return None
    (name,) = plain
    limits = _LIMITS.get(name, {})
    if entry.keys() & (_CHECKS - limits.keys()):
        return None
    if name == "number":
        return Raw
    if name not in _TYPES:
        return None
    kind = _TYPES[name]
    meta = {word: entry[check] for check, word in limits.items() if check in entry}
    if not all(type(limit) is int and limit in _LIMIT_RANGES[name] for limit in meta.values()):
        return None
    if meta:
        kind = Annotated[kind, Meta(**meta)]
    return kind | None if "null" in kinds else kind
