"""What `check` tells of a stream: the tap's own query for it, how many rows that finds, and some of them."""

from __future__ import annotations

import difflib
import time
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from salesforce_bulk_client import (
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
from tap_salesforce_bulk.query.bulk_support import check_job_limits
from tap_salesforce_bulk.query.range_split import earliest_key_value
from tap_salesforce_bulk.query.ranges import windows
from tap_salesforce_bulk.query.rest_fallback import MAX_QUERY_BYTES
from tap_salesforce_bulk.settings import CONFIG_JSONSCHEMA
from tap_salesforce_bulk.streams import SObjectStream
from tap_salesforce_bulk.tap import TapSalesforceBulk

from salesforce_bulk_companion.check.estimate import REST_BATCH, Estimate, Reading, Speed, estimate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from salesforce_bulk_client import JobInfo
    from tap_salesforce_bulk.query.query_plan import QueryPlan

    from salesforce_bulk_companion.check.client import CheckingClient

NEVER_IN_A_CHECK = {"schema_registry": None}
"""The setting that would write files."""

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
    plan: QueryPlan
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
        plan = stream.query_plan()
        if plan.is_bulk:
            check_job_limits(self._client)
        rows = self._count(plan)
        sample = self._sample(plan) if self._sampled and rows else None
        fields = stream.selected_fields
        sobject = plan.query.sobject
        reading = Reading(
            rows=rows,
            is_bulk=plan.is_bulk,
            jobs=self._number_of_jobs(plan) if plan.is_bulk else 1,
            page_size=stream.config["page_size"],
            concurrent_downloads=stream.config["max_concurrent_downloads"],
            poll=PollPolicy(min_s=stream.config["poll_min_s"], max_s=stream.config["poll_max_s"]),
            api_version=self._client.api_version,
        )
        return StreamCheck(
            name=stream.name,
            plan=plan,
            types={field.name: field.type for field in fields},
            rows=rows,
            jobs=reading.jobs if plan.is_bulk else 0,
            window_days=self._window_days,
            sample=sample,
            estimate=estimate(
                reading,
                given=self._speed,
                server=self._speed_of_server(sobject, rows=rows) if plan.is_bulk and rows and not self._speed else None,
                download=_download_speed(sample, number_of_fields=len(fields)),
            ),
        )

    def _count(self, plan: QueryPlan) -> int:
        soql = f"SELECT COUNT() FROM {plan.source}"  # noqa: S608  # the tap's own query
        path = "queryAll" if plan.query.include_deleted else "query"
        return self._client.get_as(lambda answer: int(answer["totalSize"]), path, params={"q": soql})

    def _sample(self, plan: QueryPlan) -> Sample:
        """Read one answer of records, which shows what they are like and how fast they come."""
        columns = plan.query.columns
        while len(quote_plus(soql := _limited(columns, plan))) > MAX_QUERY_BYTES:
            columns = columns[: len(columns) * 9 // 10]
        began_at = time.monotonic()
        records = next(query_records(self._client, soql, include_deleted=plan.query.include_deleted))
        return Sample(records=records, seconds=time.monotonic() - began_at, number_of_fields=len(columns))

    # How many jobs

    def _number_of_jobs(self, plan: QueryPlan) -> int:
        if self._window_days is None or plan.until is None:
            return 1
        begin = plan.begin or earliest_key_value(self._client, plan.query)
        return sum(1 for _ in windows(begin, plan.until, days=self._window_days)) if begin else 1

    # How fast Salesforce is

    @cached_property
    def _latest_jobs(self) -> list[JobInfo]:
        jobs = islice(list_jobs(self._client, "query"), LISTED_JOBS)
        return sorted(jobs, key=lambda job: job.created_date, reverse=True)

    def _speed_of_server(self, name: str, *, rows: int) -> Speed | None:
        """Return how fast an earlier job of the object was, if the org still has one of comparable size."""
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
    """Return how fast records of ``number_of_fields`` would come, by the sample, which may have fewer.

    >>> sample = Sample(records=[{}] * 50, seconds=0.5, number_of_fields=2)
    >>> _download_speed(sample, number_of_fields=4).records_per_second
    50.0
    """
    if sample is None or not sample.records:
        return None
    speed = len(sample.records) / sample.seconds * sample.number_of_fields / number_of_fields
    basis = f"as fast as {number(len(sample.records))} records came by REST just now ({number(speed)} a second)"
    return Speed(speed, basis)


def _limited(columns: Sequence[str], plan: QueryPlan) -> str:
    return f"SELECT {', '.join(columns)} FROM {plan.source} LIMIT {REST_BATCH}"  # noqa: S608  # the tap's own query
