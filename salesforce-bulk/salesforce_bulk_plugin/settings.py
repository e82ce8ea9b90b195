"""Settings of both plugins, read and checked: nulls, numbers, names, and errors that never show a value."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any, Final, Protocol

SETTING_NAMES = frozenset(
    {
        # the connection
        *("access_token", "api_version", "auth_flow", "client_id", "client_secret", "domain", "instance_url"),
        *("is_sandbox", "login_url", "password", "private_key", "private_key_file", "quota_percent_per_run"),
        *("quota_percent_total", "refresh_token", "request_timeout_s", "retry_total_s", "security_token", "token_file"),
        "username",
        # both plugins
        *("job_timeout_s", "max_concurrent_jobs", "poll_max_s", "poll_min_s"),
        # the tap
        *("include_deleted", "job_retries", "lookback_window", "max_concurrent_downloads", "page_size"),
        *("rest_fallback", "resume_jobs", "schema_drift", "schema_registry", "select_fields_by_default"),
        *("soql_filters", "start_date", "streams_to_discover", "window_days"),
        # the target
        *("batch_wait_limit_seconds", "dry_run", "external_id_field", "fail_on_outstanding", "html_report"),
        *("job_data_max_bytes", "journal", "mappings", "null_policy", "object", "on_record_failure", "operation"),
        *("record_retries", "results_dir", "results_keep_days", "small_batch_rows", "status_tracking"),
        "unknown_fields",
        # the Meltano SDK
        *("add_record_metadata", "batch_config", "batch_size_rows", "faker_config", "flattening_enabled"),
        *("flattening_max_depth", "flattening_max_key_length", "flattening_separator", "load_method"),
        *("stream_map_config", "stream_maps", "validate_records"),
    }
)
"""All settings of the tap, the target and the SDK: people keep those of both plugins in one file."""

MAX_TYPOS = 2
"""Names that differ from a setting's in so few characters are taken for a typing mistake."""

_NOT_SETTINGS = frozenset({"LOGLEVEL"})
"""What else the SDK reads from a variable with the plugin's prefix."""


class SchemaError(Protocol):
    """The parts of jsonschema's ValidationError that are used here."""

    absolute_path: Collection[str | int]
    validator: str
    validator_value: Any
    instance: Any
    schema: Any


def name_problems(names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return what is wrong with names that are almost those of settings, and the other names that no setting has.

    >>> name_problems(["dryrun", "poll_min_s", "owner"])
    (["there is no setting 'dryrun': did you mean 'dry_run'?"], ['owner'])
    """
    problems, strangers = [], []
    for name in sorted(set(names) - SETTING_NAMES):
        if near := _nearest(name, SETTING_NAMES):
            problems.append(f"there is no setting {name!r}: did you mean {near!r}?")
        else:
            strangers.append(name)
    return problems, strangers


def _nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that differs from ``name`` least, if it differs in no more than `MAX_TYPOS` characters.

    >>> _nearest("Dry-Run", ["dry_run", "domain"]), _nearest("retries", ["record_retries"])
    ('dry_run', None)
    """
    distance, near = min((_edit_distance(name.lower(), other), other) for other in known)
    return near if distance <= MAX_TYPOS else None


def _edit_distance(one: str, other: str) -> int:
    """Return how many characters must be added, removed or replaced to make one text the other (Levenshtein).

    >>> _edit_distance("null_polcy", "null_policy"), _edit_distance("dry_rnu", "dry_run"), _edit_distance("", "abc")
    (1, 2, 3)
    """
    row = list(range(len(other) + 1))
    for number, character in enumerate(one, 1):
        diagonal, row[0] = row[0], number
        for place, counterpart in enumerate(other, 1):
            cost = diagonal + (character != counterpart)
            diagonal, row[place] = row[place], min(cost, row[place] + 1, row[place - 1] + 1)
    return row[-1]


def unknown_variables(prefix: str) -> dict[str, str]:
    """Return the environment variables with a plugin's prefix that no setting has, by the name that it would have.

    Names that begin with one more underscore are Meltano's own.
    """
    given = {name.removeprefix(prefix): value for name, value in os.environ.items() if name.startswith(prefix)}
    return {
        name.lower(): value
        for name, value in given.items()
        if name.lower() not in SETTING_NAMES and name not in _NOT_SETTINGS and not name.startswith("_")
    }


def given_settings(settings: Mapping[str, Any], properties: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the settings that are given (null is absent), with numbers as floats.

    From environment variables the SDK makes texts of them, from files Decimals, which no time can be counted in.
    ``properties`` is the JSON schema of all settings. A text that is not a number is left for validation to refuse.

    >>> given_settings({"a": "2.5", "b": "2.5", "c": None}, {"a": {"type": ["number"]}, "b": {"type": "string"}})
    {'a': 2.5, 'b': '2.5'}
    """
    given = {name: value for name, value in settings.items() if value is not None}
    for name, value in given.items():
        if isinstance(value, str | Decimal) and "number" in properties.get(name, {}).get("type", ()):
            with suppress(ValueError):
                given[name] = float(value)
    return given


_WANTED: Final[Mapping[str, str]] = {
    "minimum": "must be at least {}",
    "exclusiveMinimum": "must be greater than {}",
    "maximum": "must be at most {}",
    "exclusiveMaximum": "must be less than {}",
    "required": "needs {}",
    "enum": "must be one of {}",
    "const": "must be {}",
}


def setting_problem(error: SchemaError) -> str:
    """Return what is wrong with a setting: its path and the rule of its JSON schema, but not its value.

    Any value may hold a secret, also where none belongs.
    """
    rule, wanted = error.validator, error.validator_value
    where = ".".join(map(str, error.absolute_path)) or "the configuration"
    if rule == "additionalProperties" and wanted is False:
        return "; ".join(_no_such_name(name, where, error.schema["properties"]) for name in _extra_names(error))
    words = [wanted] if isinstance(wanted, str | int | float) else wanted
    given = [str(word) for word in words if word not in (None, "null")]
    if rule == "type":
        return f"{where} must be of type {' or '.join(given)}"
    return f"{where} {_WANTED[rule].format(', '.join(given))}" if rule in _WANTED else f"{where} is not valid ({rule})"


def _extra_names(error: SchemaError) -> list[str]:
    return sorted(error.instance.keys() - error.schema["properties"].keys())


def _no_such_name(name: str, where: str, known: Collection[str]) -> str:
    near = _nearest(name, known)
    advice = f"did you mean {near!r}?" if near else f"it takes {', '.join(known)}"
    return f"{where} has no setting {name!r}: {advice}"


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
