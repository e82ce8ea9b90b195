"""Which types a JSON schema allows. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def types_of(schema: Any) -> frozenset[str]:
    """Return the types that a property's schema allows; empty where it names none.

    >>> sorted(types_of({"type": ["string", "null"]})), types_of(True)
    (['null', 'string'], frozenset())
    """
    kinds = schema.get("type") if isinstance(schema, Mapping) else None
    listed = kinds if isinstance(kinds, list) else [kinds]
    return frozenset(kind for kind in listed if isinstance(kind, str))


def required_of(schema: Mapping[str, Any]) -> list[str]:
    """Return the properties that a record must have.

    >>> required_of({"required": ["id"]}), required_of({"required": True})
    (['id'], [])
    """
    names = schema.get("required")
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
