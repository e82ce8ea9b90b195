"""The catalog and the state that a run is given: checked, since the SDK trusts in their form, and unwrapped."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from salesforce_bulk_client import ConfigError

from tap_salesforce_bulk.query.stream_state import warn_of_entry

if TYPE_CHECKING:
    from tap_salesforce_bulk.query.stream_state import State

logger = logging.getLogger(__name__)


def checked_catalog_entries(catalog: Any) -> list[dict[str, Any]]:
    """Return the streams of a catalog that was read from a file.

    Raises: ConfigError.
    """
    _check_file("catalog", catalog, part="streams", kind=list)
    entries: list[dict[str, Any]] = catalog.get("streams") or [] if isinstance(catalog, dict) else []
    for entry in entries:
        _check_entry(entry)
    return entries


def _check_file(name: str, content: Any, *, part: str, kind: type[list[Any] | dict[str, Any]]) -> None:
    """Check the outer form of a catalog or state that was read from a file.

    Raises: ConfigError.
    """
    if isinstance(content, list):
        raise ConfigError(f"the {name} is a list, but must be an object with {part}")
    if isinstance(content, dict) and part in content:
        inner = content[part]
        entries = inner.values() if isinstance(inner, dict) else inner or ()
        if not isinstance(inner, kind) or not all(isinstance(entry, dict) for entry in entries):
            wanted = "a list" if kind is list else "an object"
            raise ConfigError(f"the {name} is no Singer {name}: its {part} must be {wanted}")


def _check_entry(entry: Mapping[str, Any]) -> None:
    """Check the form of a stream in a catalog.

    Raises: ConfigError.
    """
    name = entry.get("tap_stream_id")
    if not isinstance(name, str):
        raise ConfigError("a stream of the catalog has no tap_stream_id: discover again")
    if entry.get("stream", name) != name:
        raise ConfigError(
            f"the catalog calls the stream {name!r} {entry['stream']!r}: leave out stream; __alias__ in stream_maps"
            " gives the target another name"
        )
    if not isinstance(entry.get("schema", {}), dict):
        raise ConfigError(f"the catalog's schema of {name!r} must be an object: discover again")
    metadata = entry.get("metadata", [])
    if not isinstance(metadata, list) or not all(map(_is_metadata, metadata)):
        raise ConfigError(
            f"the catalog's metadata of {name!r} must be a list of objects, each with breadcrumb and metadata:"
            " discover again"
        )


def _is_metadata(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("breadcrumb"), list)
        and isinstance(value.get("metadata"), dict)
    )


def usable_state(state: Any) -> Any:
    """Return the Singer state within what a program keeps; what cannot be used is warned about by name.

    Meltano keeps it under ``singer_state``, a STATE message under ``value``.

    >>> usable_state({"type": "STATE", "value": {"bookmarks": {"Account": {}}}})
    {'bookmarks': {'Account': {}}}

    Raises: ConfigError.
    """
    if isinstance(state, dict):
        state = _without_odd_entries(_unwrapped(state))
    _check_file("state", state, part="bookmarks", kind=dict)
    return state


def _unwrapped(state: State) -> State:
    wrapper = "singer_state" if "singer_state" in state else "value" if state.get("type") == "STATE" else None
    return _unwrapped(state[wrapper]) if wrapper and isinstance(state[wrapper], dict) else state


def _without_odd_entries(state: State) -> State:
    bookmarks = state.get("bookmarks")
    if not isinstance(bookmarks, dict):
        if unknown := sorted(name for name, value in state.items() if value and name != "bookmarks"):
            logger.warning(
                "the state has no bookmarks, but %s: nothing of it is used, and streams are read from their start"
                " (docs/migrating.md shows what a state looks like)",
                ", ".join(unknown),
            )
        return state
    odd = [name for name, entry in bookmarks.items() if not isinstance(entry, dict)]
    for name in odd:
        if bookmarks[name] is not None:
            warn_of_entry(name, "is not an object with replication_key and replication_key_value")
    return {**state, "bookmarks": {name: {} if name in odd else entry for name, entry in bookmarks.items()}}
