"""`Source`: a stream as it came in, before stream maps; and which of its properties are loaded. Pure."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WHOLE_RECORD = frozenset({"_", "record"})
"""What expressions of stream maps call the record (Meltano SDK, "Inline Stream Maps")."""

OWN_VALUE = "self"
"""What they call the property's own value."""

SDK_PROPERTIES = frozenset(
    {
        *("_sdc_extracted_at", "_sdc_received_at", "_sdc_batched_at", "_sdc_sequence", "_sdc_table_version"),
        *("_sdc_sync_started_at",),
    }
)
"""What ``add_record_metadata`` sets, whatever came in."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where the records of a sink come from."""

    stream: str
    schema: dict[str, Any]
    key_properties: Sequence[str]
    stream_map: Mapping[str, Any] | None = None
    """The stream map as the setting has it, None if there is none."""
    flattening_separator: str | None = None
    is_shared: bool = False
    """Whether several sinks take the same records, each by a stream map of its own."""

    def loaded_properties(self, loaded: Collection[str]) -> frozenset[str]:
        """Return the properties of incoming records that those of mapped records are made of.

        ``loaded`` are the properties of mapped records that fill a column.

        >>> source = Source(
        ...     stream="s",
        ...     schema={"properties": {"first": {}, "last": {}, "at": {}, "address": {}}},
        ...     key_properties=(),
        ...     stream_map={"name": "first + _['last']", "loaded_at": "now()"},
        ...     flattening_separator="__",
        ... )
        >>> sorted(source.loaded_properties(["name", "loaded_at", "address__city"]))
        ['address', 'first', 'last']
        """
        incoming = set(self.schema.get("properties") or {})
        used: set[str] = set()
        for name in loaded:
            expression = (self.stream_map or {}).get(name)
            if isinstance(expression, str):
                names = set(_names(expression, own=name))
                used |= incoming if names & WHOLE_RECORD else names & incoming
            elif name in incoming:
                used.add(name)
            elif self.flattening_separator:
                used |= {whole for whole in incoming if name.startswith(f"{whole}{self.flattening_separator}")}
        return frozenset(used - SDK_PROPERTIES)


def _names(expression: str, *, own: str) -> Iterator[str]:
    """Yield the properties that an expression names; one of `WHOLE_RECORD` if it may use any."""
    try:
        tree = ast.parse(expression, mode="eval")
    except SyntaxError:
        yield next(iter(WHOLE_RECORD))
        return
    constants = {id(node.value): node.slice.value for node in ast.walk(tree) if _is_subscript(node)}  # type: ignore[attr-defined]
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            name = constants.get(id(node), node.id)
            yield own if name == OWN_VALUE else str(name)


def _is_subscript(node: ast.AST) -> bool:
    """Whether this is ``_["name"]``."""
    return (
        isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Name)
        and node.value.id in WHOLE_RECORD
        and isinstance(node.slice, ast.Constant)
    )
