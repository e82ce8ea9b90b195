"""A quota stops a run before Salesforce does; the same command goes on later, and loads nothing twice."""

from __future__ import annotations

from typing import Any

import pytest
from salesforce_bulk_client import QuotaReached
from salesforce_bulk_simulator import Fault, Org

from tests.target.conftest import Command, TargetRunner, records, schema, state

PEOPLE = schema("Contact", LastName="string")
ROWS = records("Contact", *({"LastName": f"Ada {n}"} for n in range(4)))
MESSAGES = [PEOPLE, ROWS[:2], state({"n": 2}), ROWS[2:], state({"n": 4})]
CHOSEN: dict[str, Any] = {"operation": "insert", "batch_size_rows": 2, "max_concurrent_jobs": 1}


@pytest.mark.parametrize("limit", ["DailyApiRequests", "DailyBulkApiBatches"])
def test_a_used_up_share_stops_the_run_before_a_job(org: Org, target: TargetRunner, limit: str) -> None:
    """80 % by default, of requests as of batches: no job is made; with a larger share the same command goes on."""
    org.limits[limit].used = int(org.limits[limit].max * 0.81)

    first = target.run(*MESSAGES, **CHOSEN)

    assert isinstance(first.error, QuotaReached)
    assert "stopped for quota: " in str(first.error)
    assert first.states == []
    assert org.jobs == []

    second = target.run(*MESSAGES, **CHOSEN, quota_percent_total=95)

    assert second.error is None
    assert second.states == [{"n": 2}, {"n": 4}]
    assert len(org.rows("Contact")) == 4


def test_a_run_that_has_used_its_share_stops_between_jobs(org: Org, target: TargetRunner) -> None:
    """What is loaded has its outcomes and its STATE; the next run loads the rest, and only that."""
    org.limits["DailyApiRequests"].max = 100

    first = target.run(*MESSAGES, **CHOSEN, quota_percent_per_run=8)

    assert isinstance(first.error, QuotaReached)
    assert first.states == [{"n": 2}]
    assert first.statuses == ["created"] * 2

    second = target.run(*MESSAGES, **CHOSEN)

    assert second.error is None
    assert second.states == [{"n": 2}, {"n": 4}]
    assert sorted(row["LastName"] for row in org.rows("Contact")) == ["Ada 0", "Ada 1", "Ada 2", "Ada 3"]


def test_a_user_who_may_not_see_limits_loads_all_the_same(org: Org, target: TargetRunner) -> None:
    """The guard by the header of each answer is left."""
    org.faults.add("limits", Fault.status(403, json=[{"errorCode": "INSUFFICIENT_ACCESS", "message": "no"}]))

    run = target.run(*MESSAGES, **CHOSEN)

    assert run.error is None
    assert org.faults.completed


def test_a_quota_ends_with_exit_code_75(org: Org, command: Command) -> None:
    """Our own guard, or the org's refusal: one line that says quota, and which."""
    org.faults.add("ingest.create", Fault.request_limit_total())
    refused = command(*MESSAGES, **CHOSEN)
    org.limits["DailyBulkApiBatches"].used = 14_000
    guarded = command(*MESSAGES, **CHOSEN)

    for done, told in (
        (refused, "stopped for quota (DailyApiRequests); run again later to resume: "),
        (guarded, "stopped for quota: 14000 of the org's 15000 DailyBulkApiBatches are used"),
    ):
        assert (done.returncode, done.stdout) == (75, "")
        (error,) = [line for line in done.stderr.splitlines() if " ERROR " in line]
        assert told in error
        assert "Traceback" not in done.stderr
    assert org.rows("Contact") == []
    assert org.faults.completed
