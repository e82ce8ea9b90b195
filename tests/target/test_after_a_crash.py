"""A run that dies at any step is gone on with by the next: nothing is loaded twice, every row has one outcome."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from salesforce_bulk_simulator import Org
from target_salesforce_bulk.errors import RecordsFailed

from tests.target.conftest import TargetRunner, lines, records, schema, state
from tests.target.crashing import run_and_kill

PEOPLE = schema("Contact", key=["n"], n="integer", LastName=["string", "null"], Email="string")
ROWS = records(
    "Contact", *({"n": n, "LastName": f"Ada {n}" if n != 2 else None, "Email": f"{n}@example.com"} for n in range(5))
)
MESSAGES = [PEOPLE, ROWS[:3], state({"n": 3}), ROWS[3:], state({"n": 5})]
CHOSEN: dict[str, Any] = {"unknown_fields": "drop", "batch_size_rows": 3, "max_concurrent_jobs": 1}


@pytest.mark.parametrize("operation", ["insert", "upsert"])
def test_a_run_killed_at_any_step_is_gone_on_with(
    target: TargetRunner, org: Org, tmp_path: Path, operation: str
) -> None:
    """Killed before and after each thing that it does, then fed the same input again: exactly once, one outcome each.

    One of the rows is refused, in the first run or in the second: the second ends with an error for it.
    """
    steps = 0
    while True:
        logs = tmp_path / str(steps)
        chosen = {**CHOSEN, "operation": operation, "external_id_field": "Email", "results_dir": str(logs)}
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
        assert {job["state"] for job in org.jobs} <= {"JobComplete", "Aborted"} or _open_are_empty(org), here
        assert list((logs / "pending").iterdir()) == [], here
        steps += 1

    assert steps > 30


def _open_are_empty(org: Org) -> bool:
    """Whether the only open jobs are those whose creation was never answered: they have no data."""
    return all(job["state"] != "Open" or "numberRecordsProcessed" not in job for job in org.jobs)
