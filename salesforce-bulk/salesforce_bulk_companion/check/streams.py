"""What `check` tells of a stream: the tap's own query for it, how many rows that finds, and some of them."""

from __future__ import annotations

import difflib
import re
import time
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from salesforce_bulk_client import (
    BrokenAnswer,
    ConfigError,
    JobGone,
    JobState,
    PollPolicy,
    QueryJob,
    QuotaError,
    RequestRefused,
    SalesforceError,
    describe_global,
    list_jobs,
    query_records,
)
from salesforce_bulk_plugin.formatting import duration, number
from tap_salesforce_bulk.parts import windows
from tap_salesforce_bulk.rest import MAX_QUERY_BYTES
from tap_salesforce_bulk.settings import CONFIG_JSONSCHEMA
from tap_salesforce_bulk.soql import first_value
from tap_salesforce_bulk.streams import SObjectStream
from tap_salesforce_bulk.tap import TapSalesforceBulk
from tap_salesforce_bulk.values import parse_instant

from salesforce_bulk_companion.check.client import Noted, PlannedQuery
from salesforce_bulk_companion.check.estimate import REST_BATCH, Estimate, Reading, Speed, estimate

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from salesforce_bulk_client import JobInfo

    from salesforce_bulk_companion.check.client import CheckingClient

NEVER_IN_A_CHECK = {"window_days": None, "resume_jobs": False, "schema_registry": None}
"""Settings that would cut the query into windows, go on with a job, or write files."""

LISTED_JOBS = 1000
"""So many of the org's query jobs are looked through for earlier ones of the object: one page of the list."""

EARLIER_JOBS = 3
"""So many of those are looked at, the latest: a full read may stand among incremental ones."""

COMPARABLE_SHARE = 0.1
"""A job of fewer records than this share tells little: most of its time went into other things than records."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Some records, as REST gives them."""

    records: list[dict[str, Any]]
    seconds: float
    number_of_fields: int
    """Asked for; less than the stream has where their names do not fit into an address."""


@dataclass(frozen=True, kw_only=True)
class StreamCheck:
    """What was found of one stream."""

    name: str
    query: PlannedQuery
    types: dict[str, str]
    """Salesforce's type of each field that is read."""
    rows: int
    jobs: int
    """How many query jobs; 0 when it is read by REST."""
    window_days: float | None
    sample: Sample | None
    estimate: Estimate


class StreamChecker:
    """Checks streams of one tap, which reads nothing."""

    def __init__(
        self,
        client: CheckingClient,
        settings: Mapping[str, Any],
        *,
        catalog: dict[str, Any] | None,
        state: dict[str, Any] | None,
        speed: Speed | None,
        sampled: bool,
    ) -> None:
        """``speed`` is the user's word on how fast records come; ``sampled`` says whether some are to be read.

        Raises: ConfigError for settings that the tap refuses.
        """
        properties = CONFIG_JSONSCHEMA["properties"]
        own = {name: value for name, value in settings.items() if name in properties}
        self._window_days: float | None = TapSalesforceBulk(config=dict(own), setup_mapper=False).config.get(
            "window_days"
        )
        self._settings = own | NEVER_IN_A_CHECK
        self._client = client
        self._catalog = catalog
        self._state = state
        self._speed = speed
        self._sampled = sampled

    def streams(self, pattern: str) -> tuple[list[SObjectStream], dict[str, SalesforceError]]:
        """Return the streams that a name or glob stands for; and of those that cannot be described, why.

        Raises: ConfigError if there is none.
        """
        if self._catalog is None:
            self._check_name(pattern)
        tap = TapSalesforceBulk(
            config={**self._settings, "streams_to_discover": [pattern]},
            catalog=self._catalog,
            state=self._state,
            setup_mapper=False,
        )
        tap.client = self._client
        streams = [
            stream
            for name, stream in tap.streams.items()
            if isinstance(stream, SObjectStream) and stream.selected and fnmatchcase(name.lower(), pattern.lower())
        ]
        failures = {name: error for name, error in tap.failures.items() if fnmatchcase(name.lower(), pattern.lower())}
        if not streams and not failures:
            raise ConfigError(f"{pattern!r} names no stream that the catalog selects")
        return streams, failures

    def _check_name(self, pattern: str) -> None:
        """Say that there is no such object in words that fit the command line, where the tap speaks of a setting."""
        names = [summary.name for summary in describe_global(self._client) if summary.queryable]
        if any(fnmatchcase(name.lower(), pattern.lower()) for name in names):
            return
        near = difflib.get_close_matches(pattern, names, n=1)
        hint = f"did you mean {near[0]}?" if near else "names are API names, such as Account or Invoice__c"
        raise ConfigError(f"this user can query no such object; {hint}")

    def check(self, stream: SObjectStream) -> StreamCheck:
        """Return what is found.

        Raises: SalesforceError.
        """
        query = self._planned(stream)
        rows = self._count(query)
        sample = self._sample(query) if self._sampled and rows else None
        fields = stream.selected_fields()
        reading = Reading(
            rows=rows,
            is_bulk=query.is_bulk,
            jobs=self._number_of_jobs(stream, query) if query.is_bulk else 1,
            page_size=stream.config["page_size"],
            concurrent_downloads=stream.config["max_concurrent_downloads"],
            poll=PollPolicy(min_s=stream.config["poll_min_s"], max_s=stream.config["poll_max_s"]),
            api_version=self._client.api_version,
        )
        return StreamCheck(
            name=stream.name,
            query=query,
            types={field.name: field.type for field in fields},
            rows=rows,
            jobs=reading.jobs if query.is_bulk else 0,
            window_days=self._window_days,
            sample=sample,
            estimate=estimate(
                reading,
                given=self._speed,
                server=self._speed_of_server(query, rows=rows) if query.is_bulk and rows and not self._speed else None,
                download=_download_speed(sample, number_of_fields=len(fields)),
            ),
        )

    def _planned(self, stream: SObjectStream) -> PlannedQuery:
        """Return the query with which the tap itself begins to read the stream."""
        with self._client.noting():
            try:
                stream.reading  # noqa: B018  # raises what making jobs ahead would keep to itself
                if not stream.make_next_job():
                    next(stream.reading.pages(), None)
            except Noted as noted:
                return noted.query
        raise AssertionError("a stream is read by queries")

    def _count(self, query: PlannedQuery) -> int:
        soql = f"SELECT COUNT() FROM {query.source}"  # noqa: S608  # the tap's own query
        return self._client.get_as(lambda answer: int(answer["totalSize"]), query.rest_path, params={"q": soql})

    def _sample(self, query: PlannedQuery) -> Sample:
        """Read one answer of records, which shows what they are like and how fast they come."""
        columns = query.soql.removeprefix("SELECT ").partition(" FROM ")[0].split(", ")
        while len(quote_plus(soql := _limited(columns, query))) > MAX_QUERY_BYTES:
            columns = columns[: len(columns) * 9 // 10]
        began_at = time.monotonic()
        records = next(query_records(self._client, soql, include_deleted=query.include_deleted))
        return Sample(records=records, seconds=time.monotonic() - began_at, number_of_fields=len(columns))

    # How many jobs

    def _number_of_jobs(self, stream: SObjectStream, query: PlannedQuery) -> int:
        if self._window_days is None or stream.cursor is None:
            return 1
        cursor = stream.cursor.name
        lower, upper = (_bound(query.soql, cursor, sign) for sign in (">=", "<=?"))
        lower = lower or self._earliest(query, cursor=cursor)
        if lower is None or upper is None:
            return 1
        return sum(1 for _ in windows(lower, upper, days=self._window_days))

    def _earliest(self, query: PlannedQuery, *, cursor: str) -> datetime | None:
        soql = first_value(query.source.split()[0], field=cursor)
        batches = query_records(self._client, soql, include_deleted=query.include_deleted)
        first = next((record for batch in batches for record in batch), None)
        try:
            return parse_instant(first[cursor]) if first is not None else None
        except (LookupError, TypeError, ValueError):
            raise BrokenAnswer(f"the first {cursor}, asked for by REST, is not a time") from None

    # How fast Salesforce is

    @cached_property
    def _latest_jobs(self) -> list[JobInfo]:
        jobs = islice(list_jobs(self._client, "query"), LISTED_JOBS)
        return sorted(jobs, key=lambda job: job.created_date, reverse=True)

    def _speed_of_server(self, query: PlannedQuery, *, rows: int) -> Speed | None:
        """Return how fast an earlier job of the object was, if the org still has one of comparable size."""
        name = query.source.split()[0]
        try:
            ended = [job for job in self._latest_jobs if job.object == name and job.state is JobState.JOB_COMPLETE]
            earlier = [QueryJob.find(self._client, job.id).info for job in ended[:EARLIER_JOBS]]
        except QuotaError:
            raise
        except (RequestRefused, JobGone):  # the estimate does without them
            return None
        job = max(earlier, key=lambda job: job.number_records_processed or 0, default=None)
        records = job.number_records_processed or 0 if job else 0
        if job is None or not job.total_processing_ms or records < rows * COMPARABLE_SHARE:
            return None
        seconds = job.total_processing_ms / 1000
        basis = f"as fast as job {job.id} of {job.created_date[:10]}, {number(records)} records in {duration(seconds)}"
        return Speed(records / seconds, basis)


def _download_speed(sample: Sample | None, *, number_of_fields: int) -> Speed | None:
    if sample is None or not sample.records:
        return None
    speed = len(sample.records) / sample.seconds * sample.number_of_fields / number_of_fields
    basis = f"as fast as {number(len(sample.records))} records came by REST just now ({number(speed)} a second)"
    return Speed(speed, basis)


def _limited(columns: list[str], query: PlannedQuery) -> str:
    return f"SELECT {', '.join(columns)} FROM {query.source} LIMIT {REST_BATCH}"  # noqa: S608  # the tap's own query


def _bound(soql: str, cursor: str, sign: str) -> datetime | None:
    """Return the first bound of the cursor in a query of the tap's.

    >>> _bound("SELECT Id FROM A WHERE B >= 2024-01-15 AND B < 2024-02-01", "B", "<=?").isoformat()
    '2024-02-01T00:00:00+00:00'
    """
    found = re.search(rf" {cursor} {sign} (\S+)", soql)
    return parse_instant(found[1]) if found else None
