"""A quota ends the run so that a later one goes on: never as a success, never with a row lost."""

from __future__ import annotations

import pytest
from salesforce_bulk_client import QuotaError
from salesforce_bulk_simulator import Fault, Org

from .conftest import TapRunner

LIMITS = ("DailyBulkV2QueryJobs", "DailyBulkV2QueryFileStorageMB", "DailyApiRequests")


@pytest.mark.parametrize("name", LIMITS)
def test_no_job_is_made_past_a_limit(org: Org, tap: TapRunner, accounts: list[str], name: str) -> None:
    """The org's own users need the rest of the day; the message names the limit and the way on."""
    org.limits[name].used = org.limits[name].max * 81 // 100

    run = tap.run("Account")

    assert isinstance(run.error, QuotaError)
    assert "stopped for quota" in str(run.error)
    assert run.error.quota in {name, "quota_percent_total"}
    assert org.jobs == []
    assert run.records["Account"] == []


def test_the_next_run_reads_all(org: Org, tap: TapRunner, accounts: list[str]) -> None:
    """The state that the stopped run gave is good."""
    jobs = org.limits["DailyBulkV2QueryJobs"]
    jobs.used = jobs.max
    stopped = tap.run("Account")
    jobs.used = 0

    run = tap.run("Account", state=stopped.states[-1] if stopped.states else None)

    assert isinstance(stopped.error, QuotaError)
    assert run.error is None
    assert run.column("Account", "Name") == ["Ada", "Bob", "Cyd"]


def test_the_limits_are_asked_for_once_a_minute(org: Org, tap: TapRunner) -> None:
    """Asking costs a request, too."""
    run = tap.run("Account", "Contact", "Lead")

    assert run.error is None
    assert sum(path.endswith("/limits") for _, path in org.requests) == 1


def test_a_user_who_may_not_see_the_limits_reads_all_the_same(org: Org, tap: TapRunner, accounts: list[str]) -> None:
    """It needs a permission of its own; what every answer tells of the API use is still heeded."""
    refused = Fault.status(403, json=[{"errorCode": "FORBIDDEN", "message": "no"}])
    org.faults.add("limits", refused)

    run = tap.run("Account")

    assert run.error is None
    assert run.column("Account", "Name") == ["Ada", "Bob", "Cyd"]
    assert org.faults.completed


def test_a_quota_that_is_reached_while_reading_stops_after_the_page(
    org: Org, tap: TapRunner, accounts: list[str]
) -> None:
    """Each answer tells the org's API use; the page that came is emitted, and the next run goes on after it."""
    api = org.limits["DailyApiRequests"]
    api.max, api.used = 100, 60
    for number in range(40):
        org.insert("Account", [{"Name": f"Account {number:02}"}])

    stopped = tap.run("Account", page_size=1)
    api.used = 0
    resumed = tap.run("Account", page_size=1, state=stopped.state, quota_percent_total=100)

    assert isinstance(stopped.error, QuotaError)
    assert 0 < len(stopped.records["Account"]) < 40
    assert resumed.error is None
    together = stopped.records["Account"] + resumed.records["Account"]
    assert len(together) == len({record["Id"] for record in together}) == 43
    assert len(org.jobs) == 1


@pytest.mark.parametrize(
    ("code", "message", "quota"),
    [
        ("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", "DailyApiRequests"),
        ("LIMIT_EXCEEDED", "Max bulk v2 query jobs (10000) per 24 hrs has been reached", "DailyBulkV2QueryJobs"),
        (
            "LIMIT_EXCEEDED",
            "Max bulk v2 query result size stored (1000000000) kb per 24 hrs has been exceeded",
            "DailyBulkV2QueryFileStorageMB",
        ),
    ],
)
def test_salesforces_own_words_are_understood(
    org: Org, tap: TapRunner, accounts: list[str], code: str, message: str, quota: str
) -> None:
    """Should others have used the quota up meanwhile."""
    status = 403 if code == "REQUEST_LIMIT_EXCEEDED" else 400
    org.faults.add("query.create", Fault.status(status, json=[{"errorCode": code, "message": message}]))

    run = tap.run("Account")

    assert isinstance(run.error, QuotaError)
    assert run.error.quota == quota
    assert org.faults.completed
