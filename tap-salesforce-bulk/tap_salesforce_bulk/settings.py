"""The tap's own settings, beside the connection's and the SDK's."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from salesforce_bulk_client import CONNECTION_PROPERTIES, ConfigError
from singer_sdk import typing as th

from tap_salesforce_bulk.timestamps import parse_instant

if TYPE_CHECKING:
    from collections.abc import Mapping
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
            " catalog, its selected streams are read instead"
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
        description="Seconds before the bookmark that are read again, for rows committed late",
    ),
    th.Property(
        "soql_filters",
        th.ObjectType(additional_properties=th.StringType),
        default={},
        description="Object name → SOQL condition; only rows that match it are read",
    ),
    th.Property(
        "window_days",
        th.NumberType(minimum=SHORTEST_WINDOW_DAYS, maximum=LONGEST_WINDOW_DAYS),  # type: ignore[arg-type]  # a fraction
        description=(
            "Split an incremental read into windows of this many days, each read by its own job; the bookmark moves"
            " window by window. Absent means one job for everything"
        ),
    ),
    th.Property(
        "max_concurrent_jobs",
        th.IntegerType(minimum=1),
        default=10,
        description="Maximum query jobs running at once: those of the next streams and windows are created ahead",
    ),
    th.Property(
        "max_concurrent_downloads",
        th.IntegerType(minimum=1),
        default=4,
        description="Maximum result pages downloaded at once, from API version 58.0 on",
    ),
    th.Property(
        "page_size",
        th.IntegerType(minimum=1),
        default=50000,
        description="Maximum rows of one result page (`maxRecords`); a run resumes after the last complete page",
    ),
    th.Property(
        "poll_min_s",
        th.NumberType(exclusive_minimum=0, maximum=LONGEST_POLL_S),
        default=0.5,
        description="Seconds before the first poll of a job; the intervals then grow",
    ),
    th.Property(
        "poll_max_s",
        th.NumberType(exclusive_minimum=0, maximum=LONGEST_POLL_S),
        default=30,
        description="Maximum seconds between two polls of a job",
    ),
    th.Property(
        "job_timeout_s",
        th.NumberType(exclusive_minimum=0),
        default=7200,
        description=(
            "Seconds after which a job that has not ended is aborted and replaced, the second time by two jobs for"
            " half the range each"
        ),
    ),
    th.Property(
        "job_retries",
        th.IntegerType(minimum=0),
        default=3,
        description="How often a job that failed, was aborted, timed out or disappeared is replaced by a new one",
    ),
    th.Property(
        "resume_jobs",
        th.BooleanType,
        default=True,
        description="Resume the job of the last run after the last page that its state confirms",
    ),
    th.Property(
        "rest_fallback",
        th.BooleanType,
        default=True,
        description="Read objects that Bulk refuses via REST queries",
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
            "What happens when fields were removed or changed their type since discovery, or changed in any way since"
            " the registry last saw them"
        ),
    ),
).to_dict()["properties"]

CONFIG_JSONSCHEMA: dict[str, Any] = {"type": "object", "properties": {**CONNECTION_PROPERTIES, **TAP_PROPERTIES}}


def file_name(text: str) -> str:
    """Return a path or URL of the settings as Python's file functions take it, also in the C locale.

    >>> file_name("schemas/café")
    'schemas/café'
    """
    return os.fsdecode(text.encode("utf-8", "surrogateescape"))


def start_date(settings: Mapping[str, Any]) -> datetime | None:
    """Return where streams without a bookmark begin.

    Raises: ConfigError for a ``start_date`` that is not a date.
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
