"""How an object's fields have changed: since discovery, and since the registry last saw them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from salesforce_bulk_client import ConfigError

from tap_salesforce_bulk.settings import file_name

if TYPE_CHECKING:
    from collections.abc import Mapping

Schema = dict[str, Any]
"""The JSON schema of a stream."""


def changes(before: Schema, now: Schema) -> dict[str, str]:
    """Return what has happened to which property: gone, new, or of another type.

    >>> text, number = {"type": ["string", "null"], "maxLength": 80}, {"type": ["number", "null"]}
    >>> changes({"properties": {"A": text, "B": text}}, {"properties": {"B": number, "C": number}})
    {'A': 'is gone', 'B': 'was string(80), and is number', 'C': 'is new: number'}
    """
    old, new = _types(before), _types(now)
    found = {}
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            found[name] = "is gone"
        elif name not in old:
            found[name] = f"is new: {new[name]}"
        elif old[name] != new[name]:
            found[name] = f"was {old[name]}, and is {new[name]}"
    return found


def as_text(found: Mapping[str, str]) -> str:
    """Return changes as one line."""
    return "; ".join(f"{name} {what}" for name, what in found.items())


def _types(schema: Schema) -> dict[str, str]:
    return {name: _type(property_) for name, property_ in schema.get("properties", {}).items()}


def _type(property_: Mapping[str, Any]) -> str:
    """Return a property's type in a word or two; whether it may be null, and its description, do not count."""
    types = property_.get("type") or "anything"
    words = [types] if isinstance(types, str) else [each for each in types if each != "null"]
    if format_ := property_.get("format"):
        words = [format_]
    length = f"({property_['maxLength']})" if property_.get("maxLength") else ""
    return "/".join(words) + length


class SchemaRegistry:
    """A folder with a file per stream: its schema, a version that counts the changes, and the changes themselves."""

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(file_name(str(folder)))

    def compare(self, stream: str, schema: Schema) -> dict[str, str]:
        """Return what has changed since the schema was kept; nothing for a new stream.

        Raises: ConfigError for a file that this tap has not written.
        """
        entry = self._entry(stream)
        return changes(entry["schema"], schema) if entry else {}

    def keep(self, stream: str, schema: Schema) -> None:
        """Keep the schema, as a new version if its fields have changed.

        Raises: ConfigError if it cannot be written.
        """
        entry = self._entry(stream)
        found = changes(entry["schema"], schema) if entry else {}
        if entry and not found:
            return
        version = entry["version"] + 1 if entry else 1
        now = datetime.now(UTC).isoformat(timespec="seconds")
        history = [*(entry["changes"] if entry else []), {"version": version, "seen_at": now, "fields": found}]
        content = {"stream": stream, "version": version, "schema": schema, "changes": history}
        path = self._path(stream)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_suffix(".tmp")
            unfinished.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
            unfinished.replace(path)
        except OSError as error:
            raise ConfigError(f"schema_registry: {path} cannot be written ({error.strerror})") from error

    def _path(self, stream: str) -> Path:
        return self._folder / f"{stream}.json"

    def _entry(self, stream: str) -> dict[str, Any] | None:
        path = self._path(stream)
        try:
            entry: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            entry["version"] + 0, entry["schema"]["properties"], [*entry["changes"]]
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError):
            raise ConfigError(
                f"schema_registry: {path} was not written by this tap: move it away to start a new one"
            ) from None
        return entry
