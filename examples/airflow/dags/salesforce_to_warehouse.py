# mypy: disable-error-code="import-not-found,untyped-decorator"
"""Salesforce → warehouse, every hour: authenticate → extract → upload → update status, object by object.

What is read is in salesforce_to_warehouse.yml beside this file; how to set it up, in the README above.
"""

from __future__ import annotations

import json
import logging
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from airflow.sdk import Param, TriggerRule, dag, get_current_context, task, task_group
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from singer_steps.extraction import Extraction, folder_name, keep_to_last_state, make_private, write_private
from singer_steps.programs import POSTGRES, RETRY_DELAY, SALESFORCE, run, settings_of

NAME = "salesforce_to_warehouse"
HOME = Path(os.environ.get("SINGER_HOME", "/var/lib/singer")) / NAME
PLAN: dict[str, Any] = yaml.safe_load(Path(__file__).with_suffix(".yml").read_text())
OBJECTS: dict[str, dict[str, Any]] = PLAN["objects"]
TAP = "tap-salesforce-bulk"

PARALLEL_OBJECTS = int(os.environ.get("SINGER_PARALLEL_OBJECTS", "4"))

PARAMS = {
    "objects": Param([], type="array", items={"enum": list(OBJECTS)}, description="Only these; none means all"),
    "overrides": Param({}, type="object", description='Settings of the tap by object: {"Case": {"window_days": 7}}'),
}

logger = logging.getLogger(__name__)


@task
def authenticate() -> None:
    """Log in, and look whether the org has API requests left: better to wait now than in the middle."""
    run(["salesforce-bulk", "check"], settings_for=TAP, settings=settings_of("salesforce", names=SALESFORCE))


@task(max_active_tis_per_dagrun=PARALLEL_OBJECTS)
def extract(sobject: str) -> str:
    """Read what is new of an object into a file. A retry goes on after the last STATE, with the same query job."""
    context = get_current_context()
    if context["params"]["objects"] and sobject not in context["params"]["objects"]:
        raise AirflowSkipException(f"{sobject} is not among the objects of this run")
    extraction = Extraction.to_load(HOME, table=sobject, run_id=context["run_id"])
    messages, state = extraction.folder / "messages.part", extraction.folder / "state.part"
    if not extraction.is_complete:
        make_private(extraction.folder)
        # A quota may stop the tap hour after hour: what it has read must not be read again each time.
        write_private(state, json.dumps(keep_to_last_state(messages) or extraction.bookmark))
        settings = {
            **settings_of("salesforce", names=SALESFORCE),
            **OBJECTS[sobject],
            **context["params"]["overrides"].get(sobject, {}),
            "streams_to_discover": [sobject],
        }
        run([TAP, "--config=ENV", f"--state={state}"], settings=settings, stdout=messages)
        bookmark = keep_to_last_state(messages)
        messages.rename(extraction.folder / "0001.singer.jsonl")
        extraction.complete(bookmark or {})
        state.unlink()
    return sobject


@task(max_active_tis_per_dagrun=PARALLEL_OBJECTS)
def upload(sobject: str) -> None:
    """Load the file into the warehouse; then the next extraction begins where this one ended.

    The target merges by the key (`load_method: upsert`), so a retry leaves every row once.
    """
    run_id = get_current_context()["run_id"]
    extraction = Extraction.to_load(HOME, table=sobject, run_id=run_id)
    settings = {**PLAN["target_settings"], **settings_of("warehouse", names=POSTGRES)}
    for batch in extraction.batches:
        run([PLAN["target"], "--config=ENV"], settings=settings, stdin=batch)
    extraction.confirm(run_id=run_id)


@task(trigger_rule=TriggerRule.ALL_DONE)
def update_status() -> None:
    """Write how the run went to status.json; fail the run if an object is not loaded."""
    context = get_current_context()
    extractions = {
        sobject: Extraction.of_run(HOME, table=sobject, run_id=context["run_id"])
        for sobject in context["params"]["objects"] or OBJECTS
    }
    loaded = {sobject: bool(extraction and extraction.is_loaded) for sobject, extraction in extractions.items()}
    status = {
        "ended_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "status": "succeeded" if all(loaded.values()) else "failed",
        "is_loaded": loaded,
    }
    folder = make_private(HOME / "runs" / folder_name(context["run_id"]))
    write_private(folder / "status.json", json.dumps(status, indent=2))
    if not all(loaded.values()):
        raise AirflowFailException(f"not loaded: {[sobject for sobject, is_loaded in loaded.items() if not is_loaded]}")


@dag(
    dag_id=NAME,
    schedule="@hourly",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,  # two runs would read the same rows
    dagrun_timeout=timedelta(hours=48),  # a run that waits for a quota ends some day
    default_args={"retries": 3, "retry_delay": RETRY_DELAY},
    params=PARAMS,
    tags=["salesforce"],
)
def salesforce_to_warehouse() -> None:
    """Objects side by side; one that fails does not stop the others."""

    @task_group
    def sync(sobject: str) -> None:
        upload(extract(sobject))

    authenticate() >> sync.expand(sobject=list(OBJECTS)) >> update_status()


salesforce_to_warehouse()
