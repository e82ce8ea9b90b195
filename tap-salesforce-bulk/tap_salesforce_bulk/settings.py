"""The tap's own settings, beside the connection's and the SDK's."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from salesforce_bulk_client import CONNECTION_PROPERTIES, ConfigError
from singer_sdk import typing as th

from tap_salesforce_bulk.values import parse_instant

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

LONGEST_LOOKBACK_S = 3_155_760_000
"""A century."""

SHORTEST_WINDOW_DAYS, LONGEST_WINDOW_DAYS = 0.01, 36_525
"""A quarter of an hour, and a century."""

LONGEST_POLL_S = 86_400

TAP_PROPERTIES: dict[str, Any] = th.PropertiesList(
    th.Property(
        "start_date",
        th.StringType,
        description=(
            "Date or date-time (ISO 8601) where an incremental stream without a bookmark begins; a bare date is"
            " midnight UTC; absent means everything"
        ),
    ),
    th.Property(
        "streams_to_discover",
        th.ArrayType(th.StringType),
        description=(
            "Names or globs of the objects to discover; absent means all that the user can query. With an input"
            " catalog its selected streams are read instead"
        ),
    ),
    th.Property(
        "select_fields_by_default",
        th.BooleanType,
        default=True,
        description="Whether discovery marks fields as selected by default",
    ),
    th.Property(
        "include_deleted",
        th.BooleanType,
        default=True,
        description="Read soft-deleted and archived rows too (`queryAll`): they come with `IsDeleted = true`",
    ),
    th.Property(
        "lookback_window",
        th.NumberType(minimum=0, maximum=LONGEST_LOOKBACK_S),
        default=600,
        description="Seconds before the bookmark that are read again, for rows that were committed late",
    ),
    th.Property(
        "soql_filters",
        th.ObjectType(additional_properties=th.StringType),
        default={},
        description="Object name to SOQL condition; only rows that meet it are read",
    ),
    th.Property(
        "window_days",
        th.NumberType(minimum=SHORTEST_WINDOW_DAYS, maximum=LONGEST_WINDOW_DAYS),  # type: ignore[arg-type]  # a fraction
        description=(
            "Cut an incremental read into windows of so many days, each read by its own job; the bookmark moves window"
            " by window. Absent means one job for everything"
        ),
    ),
    th.Property(
        "max_concurrent_jobs",
        th.IntegerType(minimum=1),
        default=10,
        description="Query jobs that the server works on at once: those of the next streams and windows are made ahead",
    ),
    th.Property(
        "max_concurrent_downloads",
        th.IntegerType(minimum=1),
        default=4,
        description="Result pages that are downloaded at once, from API version 58.0 on",
    ),
    th.Property(
        "page_size",
        th.IntegerType(minimum=1),
        default=50000,
        description="Most rows of one result page (`maxRecords`); a run goes on from the last whole page",
    ),
    th.Property(
        "poll_min_s",
        th.NumberType(exclusive_minimum=0, maximum=LONGEST_POLL_S),
        default=0.5,
        description="Seconds before the first look at a job; later looks come ever less often",
    ),
    th.Property(
        "poll_max_s",
        th.NumberType(exclusive_minimum=0, maximum=LONGEST_POLL_S),
        default=30,
        description="Most seconds between two looks at a job",
    ),
    th.Property(
        "job_timeout_s",
        th.NumberType(exclusive_minimum=0),
        default=7200,
        description="Seconds after which a job that has not ended is aborted and made again, the second time in halves",
    ),
    th.Property(
        "job_retries",
        th.IntegerType(minimum=0),
        default=3,
        description="How often a job that failed, was aborted, timed out or vanished is made again",
    ),
    th.Property(
        "resume_jobs",
        th.BooleanType,
        default=True,
        description="Go on with the job of the last run after the last page that its state confirms",
    ),
    th.Property(
        "rest_fallback",
        th.BooleanType,
        default=True,
        description="Read objects that Bulk refuses by REST query",
    ),
    th.Property(
        "schema_registry",
        th.StringType,
        description="Folder in which the schema of each stream that is read is kept in a versioned file",
    ),
    th.Property(
        "schema_drift",
        th.StringType,
        allowed_values=["warn", "error", "ignore"],
        default="warn",
        description=(
            "What happens when fields are gone or of another type since the catalog was made, or have changed in any"
            " way since the registry last saw them"
        ),
    ),
).to_dict()["properties"]

CONFIG_JSONSCHEMA: dict[str, Any] = {"type": "object", "properties": {**CONNECTION_PROPERTIES, **TAP_PROPERTIES}}


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


def file_name(text: str) -> str:
    """Return a path or URL of the settings as Python's file functions take it, also in the C locale.

    >>> file_name("schemas/café")
    'schemas/café'
    """
    return os.fsdecode(text.encode("utf-8", "surrogateescape"))


def start_date(settings: Mapping[str, Any]) -> datetime | None:
    """Return where streams without a bookmark begin.

    Raises: ConfigError for a ``start_date`` that is no date.
    """
    written = settings.get("start_date")
    if not written:
        return None
    try:
        return parse_instant(written)
    except ValueError:
        raise ConfigError(
            f"start_date is {written!r}, but must be a date or date-time like 2024-01-31 or 2024-01-31T09:30:00Z"
        ) from None
