"""The target's own settings: what ``--about`` shows, and what they mean once read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from salesforce_bulk_client import CONNECTION_PROPERTIES, Operation, PollPolicy
from salesforce_bulk_client.limits import MAX_COLLECTION_RECORDS, MAX_JOB_DATA_BYTES
from singer_sdk import typing as th

from target_salesforce_bulk.batches.batch import BatchLimits
from target_salesforce_bulk.mapping.stream_settings import NullPolicy
from target_salesforce_bulk.status_tracking import PROPERTIES as STATUS_PROPERTIES


class OnRecordFailure(Enum):
    """What a refused record does to the run."""

    FAIL_AT_END = "fail_at_end"
    IGNORE = "ignore"
    FAIL_FAST = "fail_fast"


_OPERATIONS = [operation.value for operation in Operation]
_NULL_POLICIES = [policy.value for policy in NullPolicy]

_UNKNOWN_FIELDS = ["error", "drop"]

_STREAM_PROPERTIES = th.PropertiesList(
    th.Property("object", th.StringType, description="Object to load into"),
    th.Property("operation", th.StringType, allowed_values=_OPERATIONS, description="As the setting `operation`"),
    th.Property("external_id_field", th.StringType, description="As the setting `external_id_field`"),
    th.Property(
        "fields",
        th.ObjectType(additional_properties=th.CustomType({"type": ["string", "null"]})),
        description="Property → field, or relationship column such as `Account.External_Ref__c`; null or an empty text"
        " leaves it out",
    ),
    th.Property("null_policy", th.StringType, allowed_values=_NULL_POLICIES, description="As `null_policy`"),
    th.Property("unknown_fields", th.StringType, allowed_values=_UNKNOWN_FIELDS, description="As `unknown_fields`"),
    th.Property("assignment_rule_id", th.StringType, description="Assignment rule for a Case or Lead"),
)

TARGET_PROPERTIES = th.PropertiesList(
    th.Property(
        "operation",
        th.StringType,
        allowed_values=_OPERATIONS,
        default=Operation.UPSERT.value,
        description="What to do with records, unless `mappings` says otherwise",
    ),
    th.Property("object", th.StringType, description="Object to load into; the stream's name if absent"),
    th.Property(
        "external_id_field",
        th.StringType,
        description="Field to upsert by; the single key property if absent, when that is `Id` or an external id",
    ),
    th.Property(
        "mappings",
        th.ObjectType(
            additional_properties=th.ObjectType(*_STREAM_PROPERTIES.wrapped.values(), additional_properties=False)
        ),
        default={},
        description="Stream name or glob → any of `object`, `operation`, `external_id_field`, `fields`, `null_policy`,"
        " `unknown_fields`, `assignment_rule_id`",
    ),
    th.Property(
        "null_policy",
        th.StringType,
        allowed_values=_NULL_POLICIES,
        default=NullPolicy.CLEAR.value,
        description="`clear`: a null or empty property clears its field; `ignore`: it leaves it. A missing one always"
        " leaves it",
    ),
    th.Property(
        "unknown_fields",
        th.StringType,
        allowed_values=_UNKNOWN_FIELDS,
        default="error",
        description="`error`: a property that is not a field stops the run before anything is sent; `drop`: it is left"
        " out, with one warning",
    ),
    th.Property("batch_size_rows", th.IntegerType(minimum=1), default=100_000, description="Maximum rows of one job"),
    th.Property(
        "batch_wait_limit_seconds",
        th.NumberType(minimum=0),
        default=300,
        description="Maximum seconds that records wait for others before they are sent, checked with each record",
    ),
    th.Property(
        "job_data_max_bytes",
        th.IntegerType(minimum=1, maximum=MAX_JOB_DATA_BYTES),
        default=MAX_JOB_DATA_BYTES,
        description="Maximum bytes of one job's data",
    ),
    th.Property(
        "small_batch_rows",
        th.IntegerType(minimum=0, maximum=MAX_COLLECTION_RECORDS),
        default=MAX_COLLECTION_RECORDS,
        description="Update, upsert, delete: this many rows or fewer, left at the end of the input, go in one sObject"
        " Collections request instead of a job; 0 turns that off",
    ),
    th.Property("max_concurrent_jobs", th.IntegerType(minimum=1), default=5, description="Ingest jobs in flight"),
    th.Property(
        "poll_min_s",
        th.NumberType(exclusive_minimum=0),
        default=0.5,
        description="Seconds before the first poll of a job; the intervals then grow",
    ),
    th.Property(
        "poll_max_s", th.NumberType(exclusive_minimum=0), default=30, description="Maximum seconds between two polls"
    ),
    th.Property(
        "job_timeout_s",
        th.NumberType(exclusive_minimum=0),
        default=7200,
        description="Seconds that a job may take; then it is left running, and the next run waits for it once"
        " more, then aborts it",
    ),
    th.Property(
        "record_retries",
        th.IntegerType(minimum=0),
        default=3,
        description="How often rows refused with a passing error (`UNABLE_TO_LOCK_ROW` …) and unprocessed rows are"
        " sent again",
    ),
    th.Property(
        "on_record_failure",
        th.StringType,
        allowed_values=[choice.value for choice in OnRecordFailure],
        default=OnRecordFailure.FAIL_AT_END.value,
        description="`fail_at_end`: load everything, then exit 1; `ignore`: exit 0 in spite of refused records;"
        " `fail_fast`: stop after the first job with a failure",
    ),
    th.Property(
        "fail_on_outstanding",
        th.BooleanType,
        description="Exit 1 while a stream of the run has outstanding records, of earlier runs too; true unless"
        " `on_record_failure` is `ignore`",
    ),
    th.Property(
        "results_dir",
        th.StringType,
        default="salesforce/logs",
        description="Folder for outcomes, result files, summary and journal",
    ),
    th.Property(
        "results_keep_days",
        th.NumberType(exclusive_minimum=0),
        description="After a run that exits 0, remove the files of runs that are older than so many days; never the"
        " journal, outstanding records, or what an unfinished batch needs. Everything is kept if absent",
    ),
    th.Property(
        "html_report",
        th.BooleanType,
        default=True,
        description="Write `report.html` in `results_dir` at the end of each run: its report as a page",
    ),
    th.Property(
        "journal",
        th.BooleanType,
        default=True,
        description="Keep a journal, so that a run after a crash loads nothing twice",
    ),
    th.Property(
        "status_tracking",
        th.ObjectType(
            th.Property("object", th.StringType, required=True, description="Object of the record"),
            th.Property(
                "external_id_field", th.StringType, required=True, description="External id that names the record"
            ),
            th.Property("external_ref", th.StringType, description="Value of that; the run's id if absent"),
            th.Property(
                "fields",
                th.ObjectType(
                    *(th.Property(name, th.StringType) for name in STATUS_PROPERTIES), additional_properties=False
                ),
                required=True,
                description="Which fields take `status`, `records_loaded`, `records_failed`, `message`",
            ),
            additional_properties=False,
        ),
        description="A record in the org that shows the run's progress: `object`,"
        " `external_id_field`, `external_ref`, `fields`",
    ),
    th.Property(
        "dry_run",
        th.BooleanType,
        default=False,
        description="Check everything, log what would be sent and what it would cost, and send nothing",
    ),
)

CONFIG_JSONSCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {**CONNECTION_PROPERTIES, **TARGET_PROPERTIES.to_dict()["properties"]},
}


@dataclass(frozen=True, kw_only=True)
class LoadSettings:
    """The settings of a run, checked."""

    limits: BatchLimits
    small_batch_rows: int
    max_concurrent_jobs: int
    poll: PollPolicy
    record_retries: int
    on_record_failure: OnRecordFailure
    fail_on_outstanding: bool
    results_dir: Path
    results_keep_days: float | None
    html_report: bool
    has_journal: bool
    status_tracking: Mapping[str, Any] | None

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> LoadSettings:
        """Return the settings of a config that fits `CONFIG_JSONSCHEMA` and has its defaults."""
        on_record_failure = OnRecordFailure(config["on_record_failure"])
        fail_on_outstanding = config.get("fail_on_outstanding")
        if fail_on_outstanding is None:
            fail_on_outstanding = on_record_failure is not OnRecordFailure.IGNORE
        return cls(
            limits=BatchLimits(max_rows=config["batch_size_rows"], max_bytes=config["job_data_max_bytes"]),
            small_batch_rows=config["small_batch_rows"],
            max_concurrent_jobs=config["max_concurrent_jobs"],
            poll=PollPolicy(min_s=config["poll_min_s"], max_s=config["poll_max_s"], timeout_s=config["job_timeout_s"]),
            record_retries=config["record_retries"],
            on_record_failure=on_record_failure,
            fail_on_outstanding=fail_on_outstanding,
            # UTF-8 whatever the locale, as the settings are.
            results_dir=Path(os.fsdecode(config["results_dir"].encode("utf-8", "surrogateescape"))).expanduser(),
            results_keep_days=config.get("results_keep_days"),
            html_report=config["html_report"],
            has_journal=config["journal"],
            status_tracking=config.get("status_tracking"),
        )
