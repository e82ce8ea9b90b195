"""The settings that may differ from stream to stream, with `mappings` applied. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum
from fnmatch import fnmatchcase
from typing import Any

from salesforce_bulk_client import ConfigError, Operation

from target_salesforce_bulk.mapping.plan import LOOKUP_UPDATE


class NullPolicy(Enum):
    """What a null property does to its field."""

    CLEAR = "clear"
    IGNORE = "ignore"


@dataclass(frozen=True, kw_only=True)
class StreamSettings:
    """What to do with the records of one stream."""

    object: str
    operation: Operation
    external_id_field: str | None = None
    fields: Mapping[str, str | None] = field(default_factory=dict)
    """Property → field or relationship column; null leaves the property out."""
    null_policy: NullPolicy = NullPolicy.CLEAR
    assignment_rule_id: str | None = None
    drops_unknown_fields: bool = False

    @classmethod
    def of_lookups(cls, schema: Mapping[str, Any]) -> StreamSettings | None:
        """Return what to do with records of a `lookup_schema`, whatever the settings; None for any other schema."""
        if LOOKUP_UPDATE not in schema:
            return None
        marked = schema[LOOKUP_UPDATE]
        sobject = marked.get("object") if isinstance(marked, Mapping) else None
        if not isinstance(sobject, str) or marked != {"object": sobject, "operation": Operation.UPDATE.value}:
            raise ConfigError(f'{LOOKUP_UPDATE} in a schema must have an "object", and "update" as its "operation"')
        return cls(object=sobject, operation=Operation.UPDATE, drops_unknown_fields=True)

    @classmethod
    def for_stream(cls, stream: str, *, settings: Mapping[str, Any]) -> StreamSettings:
        """Return the settings of ``stream``: its entry in ``mappings`` over the general ones.

        The entry is the one of its exact name, else that of the first glob that matches.
        """
        mapping = _mapping(stream, settings.get("mappings") or {})
        chosen = {**{name: value for name, value in settings.items() if value is not None}, **mapping}
        return cls(
            object=chosen.get("object") or stream,
            operation=Operation(chosen.get("operation") or Operation.UPSERT.value),
            external_id_field=chosen.get("external_id_field"),
            fields={name: column or None for name, column in (mapping.get("fields") or {}).items()},
            null_policy=NullPolicy(chosen.get("null_policy") or NullPolicy.CLEAR.value),
            assignment_rule_id=mapping.get("assignment_rule_id"),
            drops_unknown_fields=chosen.get("unknown_fields") == "drop",
        )


def _mapping(stream: str, mappings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entry of ``mappings`` for a stream.

    >>> _mapping("crm-users", {"crm-*": {"object": "User"}, "*": {"object": "Lead"}})
    {'object': 'User'}
    """
    if stream in mappings:
        found = mappings[stream]
    else:
        found = next((entry for pattern, entry in mappings.items() if fnmatchcase(stream, pattern)), {})
    if not isinstance(found, Mapping):
        raise ConfigError(f"mappings: the entry for {stream!r} must be an object of settings")
    return {name: value for name, value in found.items() if value is not None}


def unmatched(mappings: Mapping[str, Any], *, streams: Collection[str]) -> tuple[list[str], list[str]]:
    """Return the entries of ``mappings`` that match none of these streams, and the streams that match no entry.

    >>> unmatched({"crm-*": {}, "[x]": {}, "acnts": {}}, streams=["crm-users", "[x]", "accounts"])
    (['acnts'], ['accounts'])
    """
    matches = [(p, name) for p in mappings for name in streams if name == p or fnmatchcase(name, p)]
    used, mapped = {pattern for pattern, _ in matches}, {name for _, name in matches}
    return [pattern for pattern in mappings if pattern not in used], sorted(set(streams) - mapped)
