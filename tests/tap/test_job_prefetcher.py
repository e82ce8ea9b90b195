"""The server works on the next streams while one is read; what is created ahead is used, or aborted."""

from __future__ import annotations

import time

import pytest
from salesforce_bulk_simulator import Fault, Org, Progression

from .conftest import TapRunner

OBJECTS = ("Account", "Campaign", "Case", "Contact", "Event", "Lead", "Opportunity", "Product2", "Task", "User")
JOBS = "/services/data/v66.0/jobs/query"


def states(org: Org) -> list[tuple[str, str]]:
    return [(job["object"], job["state"]) for job in org.jobs]


def test_ten_jobs_take_as_long_as_one(org: Org, tap: TapRunner) -> None:
    """Each takes 0.6 seconds on the server, all together less than three of them would take one after another."""
    org.progression = Progression.seconds(0.3)
    names = [name for name in OBJECTS if name.lower() in org.objects]
    began_at = time.monotonic()

    run = tap.run(*names, max_concurrent_jobs=10)

    assert run.error is None
    assert len(org.jobs) == len(names) >= 9
    assert time.monotonic() - began_at < 1.8


@pytest.mark.parametrize("max_jobs", [1, 2, 3])
def test_so_many_jobs_run_at_once_and_no_more(org: Org, tap: TapRunner, max_jobs: int) -> None:
    """A job that is complete, and only waits to be read, makes room for the next."""
    org.progression = Progression.looks(1)

    run = tap.run("Account", "Contact", "Lead", "Opportunity", max_concurrent_jobs=max_jobs)

    assert run.error is None
    creations = [number for number, request in enumerate(org.requests) if request == ("POST", JOBS)]
    looks = [number for number, (method, path) in enumerate(org.requests) if method == "GET" and path.startswith(JOBS)]
    assert len(creations) == 4
    assert sum(number < looks[0] for number in creations) == max_jobs


def test_the_jobs_that_were_created_ahead_are_in_the_state(org: Org, tap: TapRunner, accounts: list[str]) -> None:
    """After a crash they are resumed as well."""
    org.insert("Lead", [{"LastName": "Eve", "Company": "E"}])
    crashed = tap.run("Account", "Contact", "Lead", crash_after_records=1)

    resumed = tap.run("Account", "Contact", "Lead", state=crashed.state)

    assert {name: entry["job"]["job_id"] for name, entry in crashed.state["bookmarks"].items()} == {
        job["object"]: job["id"] for job in org.jobs
    }
    assert resumed.error is None
    assert resumed.column("Lead", "LastName") == ["Eve"]
    assert len(org.jobs) == 3
    assert all("job" not in entry for entry in resumed.state["bookmarks"].values())


def test_a_job_that_cannot_be_created_ahead_concerns_its_own_stream(
    org: Org, tap: TapRunner, accounts: list[str]
) -> None:
    """The streams before and after it are read."""
    org.insert("Lead", [{"LastName": "Eve", "Company": "E"}])
    refused = Fault.status(400, json=[{"errorCode": "MALFORMED_QUERY", "message": "no"}])
    org.faults.add("query.create", refused, after=1)

    run = tap.run("Account", "Contact", "Lead")

    assert str(run.error).startswith("1 of 3 streams failed: Contact: ")
    assert run.column("Account", "Name") == ["Ada", "Bob", "Cyd"]
    assert run.column("Lead", "LastName") == ["Eve"]
    assert org.faults.completed


def test_a_server_that_was_down_for_a_while_is_asked_again(org: Org, tap: TapRunner, accounts: list[str]) -> None:
    """What passes costs no stream when its turn comes."""
    org.insert("Lead", [{"LastName": "Eve", "Company": "E"}])
    org.faults.add("query.create", Fault.status(503), after=1)

    run = tap.run("Account", "Lead", retry_total_s=0.01)

    assert run.error is None
    assert run.column("Lead", "LastName") == ["Eve"]
    assert org.faults.completed


def test_a_quota_that_is_met_ahead_stops_when_its_turn_comes(org: Org, tap: TapRunner, accounts: list[str]) -> None:
    """What has been made can still be read, and no further job is tried."""
    message = "Max bulk v2 query jobs (10000) per 24 hrs has been reached"
    limit = Fault.status(400, json=[{"errorCode": "LIMIT_EXCEEDED", "message": message}])
    org.faults.add("query.create", limit, after=1)

    run = tap.run("Account", "Contact", "Lead")

    assert "Max bulk v2 query jobs" in str(run.error)
    assert run.column("Account", "Name") == ["Ada", "Bob", "Cyd"]
    assert "replication_key_value" in run.state["bookmarks"]["Account"]
    assert len(org.jobs) == 1
    assert org.faults.completed


def test_a_failed_stream_leaves_no_job_running(org: Org, tap: TapRunner, accounts: list[str]) -> None:
    """Its windows that were created ahead are aborted: nobody will read them."""
    org.progression = Progression.looks(1)
    org.faults.add("query.create", Fault.job_fails("no"))

    run = tap.run("Account", window_days=10, start_date="2020-01-01", job_retries=0, max_concurrent_jobs=5)

    assert "Account: " in str(run.error)
    assert states(org) == [("Account", "Failed"), *[("Account", "Aborted")] * 4]
    assert run.state == {"bookmarks": {"Account": {}}}
    assert org.faults.completed
