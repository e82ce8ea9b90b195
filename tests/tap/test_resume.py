"""After a crash a run with the last STATE resumes the same job at the next page."""

from __future__ import annotations

from typing import Any

import pytest
from salesforce_bulk_client import SalesforceClient
from salesforce_bulk_simulator import Fault, Org, Progression

from .conftest import BOTH_PATHS, Run, TapRunner

pytestmark = BOTH_PATHS


@pytest.fixture
def crashed(org: Org, tap: TapRunner, accounts: list[str]) -> Run:
    """A run that died while it wrote the second of three pages, of one row each."""
    return tap.run("Account", page_size=1, crash_after_records=1)


def pages_read(org: Org, *, since: int = 0) -> int:
    return sum(path.endswith("/results") for _, path in org.requests[since:])


def test_a_state_follows_each_page(org: Org, tap: TapRunner, accounts: list[str]) -> None:
    """First the job, then its pages, at last the bookmark: no state says more than what went before it."""
    messages = tap.run("Account", page_size=1).messages

    assert [message["type"] for message in messages] == [
        "SCHEMA",
        "STATE",
        "RECORD",
        "STATE",
        "RECORD",
        "STATE",
        "RECORD",
        "STATE",
    ]
    jobs = [message["value"]["bookmarks"]["Account"].get("job") for message in messages if message["type"] == "STATE"]
    assert [job and job["records"] for job in jobs] == [0, 1, 2, None]
    assert {job["job_id"] for job in jobs if job} == {org.jobs[0]["id"]}


def test_the_bookmark_stays_until_the_job_has_been_emitted_whole(crashed: Run) -> None:
    """The rows that are missing may be older than those that came."""
    entry = crashed.state["bookmarks"]["Account"]

    assert "replication_key_value" not in entry
    assert "progress_markers" not in entry
    assert entry["job"]["greatest_cursor"] == crashed.records["Account"][0]["SystemModstamp"]


def test_the_job_goes_on_at_the_next_page(org: Org, tap: TapRunner, crashed: Run) -> None:
    """No new job, no page twice, and together each row once."""
    before = len(org.requests)

    resumed = tap.run("Account", page_size=1, state=crashed.state)

    assert len(org.jobs) == 1
    assert pages_read(org, since=before) == 2
    together = crashed.records["Account"] + resumed.records["Account"]
    assert sorted(record["Name"] for record in together) == ["Ada", "Bob", "Cyd"]
    assert "job" not in resumed.state["bookmarks"]["Account"]


def test_the_bookmark_counts_the_rows_before_the_crash(org: Org, tap: TapRunner, accounts: list[str]) -> None:
    """The greatest cursor was on the first page, and is on none of the others."""
    org.shuffle = False
    org.clock.advance(3600)
    org.update("Account", [{"Id": accounts[0], "Name": "Ann"}])
    greatest = max(str(row["SystemModstamp"]) for row in org.rows("Account"))
    crashed = tap.run("Account", page_size=2, crash_after_records=2)

    resumed = tap.run("Account", page_size=2, state=crashed.state)

    assert "Ann" in crashed.column("Account", "Name")
    assert resumed.column("Account", "Name") == ["Cyd"]
    assert resumed.records["Account"][0]["SystemModstamp"] < greatest
    assert resumed.state["bookmarks"]["Account"]["replication_key_value"] == greatest


def test_a_job_that_has_not_been_read_at_all_goes_on_too(org: Org, tap: TapRunner, accounts: list[str]) -> None:
    """A job may take hours before its first page."""
    crashed = tap.run("Account", crash_after_records=0)

    resumed = tap.run("Account", state=crashed.state)

    assert resumed.column("Account", "Name") == ["Ada", "Bob", "Cyd"]
    assert len(org.jobs) == 1


def test_a_full_table_goes_on_too(org: Org, tap: TapRunner) -> None:
    """A job needs no cursor to be continued."""
    org.insert("CronJobDetail", [{"Name": name} for name in "abc"])
    crashed = tap.run("CronJobDetail", page_size=1, crash_after_records=1)

    resumed = tap.run("CronJobDetail", page_size=1, state=crashed.state)

    together = crashed.records["CronJobDetail"] + resumed.records["CronJobDetail"]
    assert sorted(record["Name"] for record in together) == ["a", "b", "c"]
    assert resumed.state == {"bookmarks": {"CronJobDetail": {}}}


def test_the_jobs_of_the_last_run_that_are_given_up_are_aborted(org: Org, tap: TapRunner) -> None:
    """Its first job is gone, so that all is read anew: nobody will read those that it had created ahead."""
    org.clock.advance(-300 * 86_400)
    for month in range(3):
        org.insert("Account", [{"Name": f"month {month}"}])
        org.clock.advance(100 * 86_400)
    settings: dict[str, Any] = {"window_days": 100, "max_concurrent_jobs": 3}
    org.progression = Progression.looks(2)
    crashed = tap.run("Account", crash_after_records=0, **settings)
    old = [job["id"] for job in org.jobs]
    gone = Fault.status(404, json=[{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}])
    org.faults.add("query.info", gone, times=6)

    resumed = tap.run("Account", state=crashed.state, **settings)

    states = {job["id"]: job["state"] for job in org.jobs}
    assert resumed.error is None
    assert len(org.faults.completed) == 6
    assert resumed.column("Account", "Name") == ["month 0", "month 1", "month 2"]
    assert [states[id_] for id_ in old[1:]] == ["Aborted"] * 3


def test_a_job_that_is_gone_is_made_anew(org: Org, tap: TapRunner, crashed: Run, client: SalesforceClient) -> None:
    """It was deleted, or its 7 days are over: all rows come again."""
    client.delete(f"jobs/query/{org.jobs[0]['id']}")

    resumed = tap.run("Account", page_size=1, state=crashed.state)

    assert resumed.error is None
    assert resumed.column("Account", "Name") == ["Ada", "Bob", "Cyd"]


@pytest.mark.parametrize(
    "changed",
    [
        {"page_size": 2},
        {"include_deleted": False},
        {"soql_filters": {"Account": "Name != 'Bob'"}},
        {"start_date": "2024-01-01"},
        {"resume_jobs": False},
        {"api_version": "65.0"},
    ],
)
def test_a_changed_query_makes_its_own_job(org: Org, tap: TapRunner, crashed: Run, changed: dict[str, Any]) -> None:
    """The old job holds other rows, or other pages."""
    resumed = tap.run("Account", **{"page_size": 1, **changed}, state=crashed.state)

    assert resumed.error is None
    assert len(org.jobs) == 2
    assert "Ada" in resumed.column("Account", "Name")
    assert "Cyd" in resumed.column("Account", "Name")


@pytest.mark.parametrize(
    "damage",
    [
        {"locator": "nonsense"},
        {"job_id": "750000000000000AAA"},
        {"job_id": "../limits"},
        {"instance_url": "https://other.my.salesforce.com"},
        {"records": 7},
    ],
)
def test_a_damaged_job_in_the_state_is_made_anew(
    org: Org, tap: TapRunner, crashed: Run, damage: dict[str, Any]
) -> None:
    """State of another org, of another version, or changed by hand, loses no row."""
    crashed.state["bookmarks"]["Account"]["job"] |= damage

    resumed = tap.run("Account", page_size=1, state=crashed.state)

    assert resumed.error is None
    assert {"Ada", "Bob", "Cyd"} == set(resumed.column("Account", "Name"))
    assert "job" not in resumed.state["bookmarks"]["Account"]
