"""`Source`: a stream as it came in, before stream maps; and which of its properties are loaded. Pure."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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
    """With ``stream`` and ``key_properties`` what the failed file has for its records."""
    key_properties: Sequence[str]
    properties: Collection[str] = ()
    """Those of records as they come in."""
    is_mapped: bool = False
    """Whether a stream map or flattening makes other records of them."""
    stream_map: Mapping[str, Any] = field(default_factory=dict)
    """Property → expression, as the setting has it; empty where it is not known which entry applies."""
    settings: Any = None
    """All settings that say what is made of records: another value makes another destination."""
    flattening_separator: str | None = None
    is_shared: bool = False
    """Whether several sinks take the same records, each by a stream map of its own."""
    is_retry: bool = False
    """Whether its records come from the list of outstanding records."""

    def loaded_properties(self, loaded: Collection[str]) -> frozenset[str]:
        """Return the properties of incoming records that those of mapped records are made of.

        ``loaded`` are those of mapped records that fill a column. One that cannot be traced may be made of any.

        >>> source = Source(
        ...     stream="s",
        ...     schema={},
        ...     key_properties=(),
        ...     properties=["first", "last", "at", "address"],
        ...     stream_map={"name": "first + _['last']", "loaded_at": "now()"},
        ...     flattening_separator="__",
        ... )
        >>> sorted(source.loaded_properties(["name", "loaded_at", "address__city"]))
        ['address', 'first', 'last']
        >>> sorted(source.loaded_properties(["adr__city"]))
        ['address', 'at', 'first', 'last']
        """
        incoming = frozenset(self.properties)
        used: set[str] = set()
        for name in loaded:
            expression = self.stream_map.get(name)
            if isinstance(expression, str):
                names = set(_names(expression, own=name))
                used |= incoming if names & WHOLE_RECORD else names & incoming
            elif name in incoming:
                used.add(name)
            elif name not in SDK_PROPERTIES:
                used |= self._flattened(name) or incoming
        return frozenset(used - SDK_PROPERTIES)

    def unmapped(self, record: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the properties of an incoming record that no stream map changes; none where that is not known."""
        if not self.is_mapped:
            return record
        return {name: value for name, value in record.items() if self.stream_map and name not in self.stream_map}

    def _flattened(self, name: str) -> set[str]:
        separator = self.flattening_separator
        return {whole for whole in self.properties if separator and name.startswith(f"{whole}{separator}")}


def _names(expression: str, *, own: str) -> Iterator[str]:
    """Yield the properties that an expression names; one of `WHOLE_RECORD` if it may use any."""
    try:
        tree = ast.parse(expression, mode="eval")
    except SyntaxError:
        yield next(iter(WHOLE_RECORD))
        return
    constants = dict(filter(None, map(_constant, ast.walk(tree))))
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            name = constants.get(id(node), node.id)
            yield own if name == OWN_VALUE else name


def _constant(node: ast.AST) -> tuple[int, str] | None:
    """Return the record's node and the property's name of ``_["name"]`` and ``_.get("name")``."""
    record, name = None, None
    if isinstance(node, ast.Subscript):
        record, name = node.value, node.slice
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get" and node.args:
        record, name = node.func.value, node.args[0]
    if isinstance(record, ast.Name) and record.id in WHOLE_RECORD and isinstance(name, ast.Constant):
        return id(record), str(name.value)
    return None
