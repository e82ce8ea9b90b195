"""A run that dies at any step is gone on with by the next: nothing is loaded twice, every row has one outcome."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from salesforce_bulk_client import JobTimedOut, QuotaExceeded, SalesforceClient
from salesforce_bulk_simulator import Fault, Org, Progression
from target_salesforce_bulk.errors import RecordsDoubtful, RecordsFailed

from tests.target.conftest import Run, TargetRunner, lines, records, schema, state
from tests.target.crashing import run_and_kill, run_and_kill_after

PEOPLE = schema("Contact", key=["n"], n="integer", LastName=["string", "null"], Email="string")
ROWS = records(
    "Contact", *({"n": n, "LastName": f"Ada {n}" if n != 2 else None, "Email": f"{n}@example.com"} for n in range(5))
)
MESSAGES = [PEOPLE, ROWS[:3], state({"n": 3}), ROWS[3:], state({"n": 5})]
CHOSEN: dict[str, Any] = {"unknown_fields": "drop", "max_concurrent_jobs": 1}
JOBS: dict[str, Any] = {"batch_size_rows": 3, "small_batch_rows": 0}


@pytest.mark.parametrize(
    ("operation", "how"),
    [("insert", JOBS), ("upsert", JOBS), ("upsert", {})],
    ids=["inserts by jobs", "upserts by jobs", "upserts by a request"],
)
def test_a_run_killed_at_any_step_is_gone_on_with(
    target: TargetRunner, org: Org, tmp_path: Path, operation: str, how: dict[str, Any]
) -> None:
    """Killed before and after each thing that it does, then fed the same input again: exactly once, one outcome each.

    One of the rows is refused, in the first run or in the second: the second ends with an error for it.
    """
    steps = 0
    while True:
        logs = tmp_path / str(steps)
        chosen = {**how, **CHOSEN, "operation": operation, "external_id_field": "Email", "results_dir": str(logs)}
        org.delete("Contact", [row["Id"] for row in org.rows("Contact")])
        stdout = tmp_path / "stdout"
        if not run_and_kill(at=steps, config=target.config(**chosen), data=lines(MESSAGES), stdout=stdout):
            break

        run = target.run(*MESSAGES, **chosen)

        here = f"killed at step {steps}"
        outcomes = [json.loads(line) for path in logs.glob("outcomes-*") for line in path.read_text().splitlines()]
        assert isinstance(run.error, RecordsFailed), here
        assert run.states[-1] == {"n": 5}, here
        assert sorted(row["LastName"] for row in org.rows("Contact")) == ["Ada 0", "Ada 1", "Ada 3", "Ada 4"], here
        assert Counter(outcome["key"]["n"] for outcome in outcomes) == Counter(range(5)), here
        assert [outcome["key"]["n"] for outcome in outcomes if outcome["status"] == "failed"] == [2], here
        assert {job["state"] for job in org.jobs} <= {"JobComplete", "Aborted", "Open"}, here
        assert org.open_jobs_with_data == [], here
        assert list((logs / "pending").iterdir()) == [], here
        steps += 1

    assert steps > (30 if how else 15)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("operation", ["insert", "upsert"])
def test_runs_killed_at_random_add_up(target: TargetRunner, org: Org, operation: str, seed: int) -> None:
    """Runs of the same input are killed at any moment, with several jobs under way, until one comes to its end.

    All rows are in the org once, and the outcome files of all runs together have each once.
    """
    chance = random.Random(seed)
    org.progression = Progression.looks(1)
    rows = records("Contact", *({"n": n, "LastName": f"Ada {n}", "Email": f"{n}@example.com"} for n in range(200)))
    data = lines([PEOPLE, rows[:90], state({"n": 90}), rows[90:], state({"n": 200})])
    chosen: dict[str, Any] = {
        "unknown_fields": "drop",
        "operation": operation,
        "external_id_field": "Email",
        "batch_size_rows": 15,
        "max_concurrent_jobs": 3,
    }
    config = target.config(**chosen)
    kills = 0
    while run_and_kill_after(chance.uniform(0.02, 0.3) * (1 + kills / 4), config=config, data=data):
        kills += 1

    run = Run(states=[], error=None, results_dir=target.results_dir)
    assert kills
    assert sorted(row["LastName"] for row in org.rows("Contact")) == sorted(f"Ada {n}" for n in range(200))
    assert Counter(outcome["key"]["n"] for outcome in run.outcomes) == Counter(range(200))
    assert Counter(run.statuses) == {"created": 200}
    assert list((run.results_dir / "pending").iterdir()) == []


def test_rows_that_are_sent_again_are_found_again_too(target: TargetRunner, org: Org) -> None:
    """A row is locked, sent again, and locked once more while the run that goes on with it takes its outcome."""
    chosen: dict[str, Any] = {"operation": "insert", "unknown_fields": "drop", "small_batch_rows": 0}
    org.faults.add("ingest.close", Fault.lock_rows(where=lambda row: row["LastName"] == "Ada 0"), times=2)
    org.faults.add("ingest.info", Fault.request_limit_total(), after=1)
    first = target.run(*MESSAGES, **chosen)

    second = target.run(*MESSAGES, **chosen)

    assert isinstance(first.error, QuotaExceeded)
    assert isinstance(second.error, RecordsFailed)
    assert {operation for operation, _ in org.faults.completed} == {"ingest.close", "ingest.info"}
    assert len(org.jobs) == 3
    assert sorted(row["LastName"] for row in org.rows("Contact")) == ["Ada 0", "Ada 1", "Ada 3", "Ada 4"]
    assert Counter(outcome["key"]["n"] for outcome in second.outcomes) == Counter(range(5))
    assert second.states[-1] == {"n": 5}


def test_a_job_that_takes_too_long_is_found_again(target: TargetRunner, org: Org) -> None:
    """It is left running; the next run takes its outcomes and makes no second one."""
    org.progression = Progression.seconds(3600)
    first = target.run(*MESSAGES, operation="insert", unknown_fields="drop", job_timeout_s=0.05)

    assert isinstance(first.error, JobTimedOut)
    assert (first.states, first.outcomes) == ([], [])

    org.progression = Progression.immediate()
    second = target.run(*MESSAGES, operation="insert", unknown_fields="drop")

    assert isinstance(second.error, RecordsFailed)
    assert second.states == [{"n": 3}, {"n": 5}]
    assert second.statuses == ["created", "created", "failed", "created", "created"]
    assert len(org.jobs) == 1
    assert len(org.rows("Contact")) == 4


def test_an_inserts_job_that_is_gone_leaves_its_rows_doubtful(
    target: TargetRunner, org: Org, client: SalesforceClient
) -> None:
    """They may have been created or not: each run says so and sends none of them, until a person has decided."""
    org.progression = Progression.seconds(3600)
    target.run(*MESSAGES, operation="insert", unknown_fields="drop", job_timeout_s=0.05)
    client.delete(f"jobs/ingest/{org.jobs[0]['id']}")
    org.progression = Progression.immediate()

    for _ in range(2):
        run = target.run(*MESSAGES, operation="insert", unknown_fields="drop")

        assert isinstance(run.error, RecordsDoubtful)
        assert "5 records may or may not be in Salesforce" in str(run.error)
        assert f"salesforce-bulk batches {run.results_dir}" in str(run.error)
        assert run.states == []
        assert run.statuses == ["doubtful"] * 5
        assert org.rows("Contact") == []
        assert len(org.jobs) == 0


def test_an_upserts_job_that_is_gone_leaves_its_rows_to_the_input(
    target: TargetRunner, org: Org, client: SalesforceClient
) -> None:
    """Doing it twice does no harm: the rows come again with the input, and are sent in its order."""
    chosen: dict[str, Any] = {"external_id_field": "Email", "unknown_fields": "drop", "small_batch_rows": 0}
    org.progression = Progression.seconds(3600)
    target.run(*MESSAGES, **chosen, job_timeout_s=0.05)
    client.delete(f"jobs/ingest/{org.jobs[0]['id']}")
    org.progression = Progression.immediate()

    run = target.run(*MESSAGES, **chosen)

    assert isinstance(run.error, RecordsFailed)
    assert run.states == [{"n": 5}]
    assert run.statuses == ["created", "created", "failed", "created", "created"]


def test_after_a_run_that_ended_well_the_same_rows_are_new_rows(target: TargetRunner, org: Org) -> None:
    """An insert that is asked for again inserts again."""
    for _ in range(2):
        target.run(*MESSAGES, operation="insert", unknown_fields="drop")

    assert len(org.rows("Contact")) == 8


def test_without_a_journal_nothing_is_remembered(target: TargetRunner, org: Org) -> None:
    """``journal: false`` leaves no file, and no protection."""
    run = target.run(*MESSAGES, operation="insert", unknown_fields="drop", journal=False)

    assert run.states == [{"n": 5}]
    assert not (run.results_dir / "journal.sqlite").exists()


def test_a_later_value_of_a_known_key_is_sent(target: TargetRunner, org: Org) -> None:
    """A re-run skips a row only while it equals what was last loaded for its key; then everything goes in order."""
    people = schema("Contact", key=["Email"], Email="string", LastName=["string", "null"])

    def row(name: str | None) -> list[dict[str, Any]]:
        return records("Contact", {"Email": "a@example.com", "LastName": name})

    chosen: dict[str, Any] = {"max_concurrent_jobs": 1, "small_batch_rows": 0}
    org.faults.add("ingest.close", Fault.job_fails("InvalidBatch : this one"), after=2)
    first = target.run(people, row("one"), row("two"), row("three"), state({"n": 3}), **chosen)
    assert org.rows("Contact")[0]["LastName"] == "two"
    assert first.states == []

    second = target.run(people, row("two"), row("one"), row("two"), state({"n": 3}))

    assert second.error is None
    assert second.states == [{"n": 3}]
    assert org.rows("Contact")[0]["LastName"] == "two"
    assert second.summary["known_from_earlier_run"] == {"loaded": 1, "failed": 0, "doubtful": 0, "forgotten": 0}
    assert org.faults.completed
