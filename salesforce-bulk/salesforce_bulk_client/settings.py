"""Settings of both plugins, read and checked: nulls, numbers, and errors that never show a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any


def given_settings(settings: Mapping[str, Any], properties: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the settings that are given (null is absent), with numbers as floats.

    From environment variables the SDK makes texts of them, from files Decimals, which no time can be counted in.
    ``properties`` is the JSON schema of all settings. A text that is no number is left for validation to refuse.

    >>> given_settings({"a": "2.5", "b": "2.5", "c": None}, {"a": {"type": ["number"]}, "b": {"type": "string"}})
    {'a': 2.5, 'b': '2.5'}
    """
    given = {name: value for name, value in settings.items() if value is not None}
    for name, value in given.items():
        if isinstance(value, str | Decimal) and "number" in properties.get(name, {}).get("type", ()):
            with suppress(ValueError):
                given[name] = float(value)
    return given


_WANTED = {
    "minimum": "must be at least {}",
    "exclusiveMinimum": "must be greater than {}",
    "maximum": "must be at most {}",
    "exclusiveMaximum": "must be less than {}",
    "required": "needs {}",
    "enum": "must be one of {}",
    "const": "must be {}",
}


def setting_problem(path: Sequence[str | int], rule: str, wanted: Any) -> str:
    """Return what is wrong with a setting: its path and the rule of its JSON schema, but not its value.

    Any value may hold a secret, also where none belongs.

    >>> setting_problem(["password"], "type", ["string", "null"])
    'password must be of type string'
    >>> setting_problem(["batch_config", "encoding", "format"], "enum", ["jsonl", "parquet", None])
    'batch_config.encoding.format must be one of jsonl, parquet'
    """
    where = ".".join(map(str, path)) or "the configuration"
    words = [wanted] if isinstance(wanted, str | int | float) else wanted
    given = [str(word) for word in words if word not in (None, "null")]
    if rule == "type":
        return f"{where} must be of type {' or '.join(given)}"
    return f"{where} {_WANTED[rule].format(', '.join(given))}" if rule in _WANTED else f"{where} is not valid ({rule})"


def as_utf8(value: Any) -> Any:
    r"""Return a value of an environment variable as UTF-8, also where Python has read it in the C locale.

    >>> as_utf8({"a": ["caf\udcc3\udca9", "caf\u00e9", 1]})
    {'a': ['café', 'café', 1]}
    """
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
    if isinstance(value, list):
        return [as_utf8(each) for each in value]
    if isinstance(value, dict):
        return {as_utf8(name): as_utf8(each) for name, each in value.items()}
    return value
