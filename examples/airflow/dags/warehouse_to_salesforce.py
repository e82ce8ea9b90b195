# mypy: disable-error-code="import-not-found,untyped-decorator"
"""Warehouse → Salesforce, every hour: authenticate → extract → upload → collect results → update status.

What goes where is in warehouse_to_salesforce.yml beside this file; how to set it up, in the README above.
A task may be retried or cleared at any time: nothing is loaded twice (singer_steps/extraction.py says why).
"""

from __future__ import annotations

import json
import logging
import os
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from airflow.sdk import Param, TaskGroup, TriggerRule, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from singer_steps.extraction import (
    Extraction,
    cut,
    folder_name,
    is_batch_loaded,
    make_private,
    results_dir_of,
    write_private,
)
from singer_steps.programs import POSTGRES, RETRY_DELAY, SALESFORCE, run, settings_of

NAME = "warehouse_to_salesforce"
HOME = Path(os.environ.get("SINGER_HOME", "/var/lib/singer")) / NAME
PLAN: dict[str, Any] = yaml.safe_load(Path(__file__).with_suffix(".yml").read_text())
TABLES: dict[str, dict[str, Any]] = PLAN["tables"]
TARGET = "target-salesforce-bulk"

PARALLEL_BATCHES = int(os.environ.get("SINGER_PARALLEL_BATCHES", "4"))
"""Of one table. 1 where a key may come twice in a table: in parallel, nobody knows which of two batches is later."""

PARAMS = {
    "tables": Param([], type="array", items={"enum": list(TABLES)}, description="Only these; none means all"),
    "start_batch": Param(1, type="integer", minimum=1, description="Leave out the batches before this one"),
    "overrides": Param(
        {}, type="object", description='Settings of the target by table: {"flights": {"job_timeout_s": 28800}}'
    ),
}

logger = logging.getLogger(__name__)


@task
def authenticate() -> None:
    """Log in, and look whether the org has API requests left: better to wait now than in the middle."""
    run(
        ["salesforce-bulk", "check", "--target"],
        settings_for=TARGET,
        settings=settings_of("salesforce", names=SALESFORCE),
    )


@task(trigger_rule=TriggerRule.NONE_FAILED)
def extract(table: str) -> list[str]:
    """Read what is new in a table; gives the batches to load, one upload each."""
    context = get_current_context()
    if table not in tables_of_run():
        raise AirflowSkipException(f"{table} is not among the tables of this run")
    extraction = Extraction.to_load(HOME, table=table, run_id=context["run_id"])
    if extraction.run != folder_name(context["run_id"]):
        logger.warning("%s was not loaded to its end by run %s: going on with its batches", table, extraction.run)
    if not extraction.is_complete:
        read_table(extraction)
    return [str(batch) for batch in batches_of_run(extraction)]


def read_table(extraction: Extraction) -> None:
    """Run the warehouse's tap for one table, and cut what it gives into batches."""
    tap, table = PLAN["tap"], TABLES[extraction.table]
    settings = {**PLAN["tap_settings"], **settings_of("warehouse", names=POSTGRES)}
    folder = make_private(extraction.folder)
    catalog, state, messages = folder / "catalog.part", folder / "state.part", folder / "messages.part"
    for left in (catalog, messages):  # a try before this one
        left.unlink(missing_ok=True)

    run([tap, "--config=ENV", "--discover"], settings=settings, stdout=catalog)
    write_private(catalog, json.dumps(select(json.loads(catalog.read_text()), table=table)))
    write_private(state, json.dumps(extraction.bookmark))
    run(
        [tap, "--config=ENV", f"--catalog={catalog}", f"--state={state}"],
        settings=settings,
        stdout=messages,
    )
    with messages.open("rb") as lines:
        bookmark = cut(lines, folder=folder, rows=PLAN["rows_per_batch"])
    extraction.complete(bookmark)
    for done in (catalog, state, messages):
        done.unlink()


def select(catalog: dict[str, Any], *, table: dict[str, Any]) -> dict[str, Any]:
    """Return a catalog with one stream, selected, read by its replication key."""
    streams = [stream for stream in catalog["streams"] if stream["tap_stream_id"] == table["stream"]]
    if not streams:
        raise AirflowFailException(f"the tap knows no {table['stream']}")
    (whole,) = (entry["metadata"] for entry in streams[0]["metadata"] if not entry["breadcrumb"])
    whole |= {"selected": True, "replication-method": "INCREMENTAL", "replication-key": table["replication_key"]}
    return {"streams": streams}


@task(trigger_rule=TriggerRule.NONE_FAILED, max_active_tis_per_dagrun=PARALLEL_BATCHES)
def upload(batch: str, table: str) -> None:
    """Load one batch. A retry finds the journal of the try before in the same results_dir, and goes on from there."""
    path = Path(batch)
    if is_batch_loaded(path):  # the task died after the target had ended, or was cleared
        logger.info("%s is loaded", path)
        return
    settings = {
        **settings_of("salesforce", names=SALESFORCE),
        "mappings": {TABLES[table]["stream"]: TABLES[table]["mapping"]},
        **settings_for(table),
        "results_dir": str(results_dir_of(path)),
        "on_record_failure": "ignore",  # refused records are for update_status: a retry would not make them better
    }
    if "status_tracking" in settings:  # one record of the org for each batch
        reference = f"{path.parts[-3]}-{table}-{results_dir_of(path).name}"
        settings["status_tracking"] = {"external_ref": reference, **settings["status_tracking"]}
    make_private(results_dir_of(path))
    run([TARGET, "--config=ENV"], settings=settings, stdin=path)


@task(trigger_rule=TriggerRule.NONE_FAILED)  # also where there was no batch, so that no upload ran
def confirm(table: str) -> None:
    """All batches are loaded: the next extraction begins where this one ended."""
    run_id = get_current_context()["run_id"]
    if table not in tables_of_run():
        raise AirflowSkipException(f"{table} is not among the tables of this run")
    extraction = Extraction.to_load(HOME, table=table, run_id=run_id)
    missing = [batch.name for batch in batches_of_run(extraction) if not is_batch_loaded(batch)]
    if missing:  # somebody has marked an upload as a success by hand
        raise AirflowFailException(f"not loaded: {missing}")
    extraction.confirm(run_id=run_id)


@task(trigger_rule=TriggerRule.ALL_DONE)
def collect_results() -> dict[str, Any]:
    """Bring the result files of all batches into one folder, with one page on all of them; gives counts by table."""
    context = get_current_context()
    folder = make_private(run_folder() / "results")
    results = {}
    for table in tables_of_run():
        extraction = Extraction.of_run(HOME, table=table, run_id=context["run_id"])
        if extraction is None:  # not even extracted
            results[table] = {"is_loaded": False, "outcomes": {}}
            continue
        outcomes = Counter(outcome["status"] for outcome in extraction.outcomes())
        results[table] = {"is_loaded": extraction.is_loaded, "outcomes": outcomes}
        extraction.link_results(folder)
    if any(folder.iterdir()):
        run(["salesforce-bulk", "report", str(folder), "--last=0"], settings={})
    return results


@task(trigger_rule=TriggerRule.ALL_DONE)
def update_status(results: dict[str, Any]) -> None:
    """Write how the run went to status.json; fail the run if a table is not loaded, or had records refused."""
    not_loaded = [table for table, result in results.items() if not result["is_loaded"]]
    refused = [table for table, result in results.items() if result["outcomes"].get("failed")]
    not_tolerated = [table for table in refused if settings_for(table).get("on_record_failure") != "ignore"]
    status = {
        "ended_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "status": "failed" if not_loaded or not_tolerated else "succeeded",
        "tables": results,
    }
    write_private(make_private(run_folder()) / "status.json", json.dumps(status, indent=2))
    if not_loaded or not_tolerated:
        raise AirflowFailException(f"not loaded to the end: {not_loaded}; records were refused of: {not_tolerated}")


def tables_of_run() -> list[str]:
    """Return the tables that this run is about."""
    return get_current_context()["params"]["tables"] or list(TABLES)


def batches_of_run(extraction: Extraction) -> list[Path]:
    """Return the batches of a table that this run is about."""
    batches: list[Path] = extraction.batches
    return batches[get_current_context()["params"]["start_batch"] - 1 :]


def settings_for(table: str) -> dict[str, Any]:
    """Return the target's settings that are a table's own: those of the plan, and over them those of this run."""
    overrides: dict[str, Any] = get_current_context()["params"]["overrides"].get(table, {})
    return {**TABLES[table].get("settings", {}), **overrides}


def run_folder() -> Path:
    """Return where the files of this run are."""
    name: str = folder_name(get_current_context()["run_id"])
    return HOME / "runs" / name


@dag(
    dag_id=NAME,
    schedule="@hourly",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,  # two runs would extract the same rows
    dagrun_timeout=timedelta(hours=48),  # a run that waits for a quota ends some day
    default_args={"retries": 3, "retry_delay": RETRY_DELAY},
    params=PARAMS,
    tags=["salesforce"],
)
def warehouse_to_salesforce() -> None:
    """Tables side by side, each after those that it points to."""
    logged_in = authenticate()
    extracted, confirmed = {}, {}
    for table in TABLES:
        with TaskGroup(table):
            extracted[table] = extract(table)
            confirmed[table] = confirm(table)
            upload.partial(table=table).expand(batch=extracted[table]) >> confirmed[table]
    for table, plan in TABLES.items():
        [logged_in, *(confirmed[other] for other in plan.get("after", []))] >> extracted[table]
    results = collect_results()
    list(confirmed.values()) >> results
    update_status(results)


warehouse_to_salesforce()
