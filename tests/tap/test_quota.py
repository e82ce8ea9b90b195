"""A quota ends the run so that a later one resumes: never as a success, never with a row lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from salesforce_bulk_client import LoginError, QuotaError, QuotaReached
from salesforce_bulk_simulator import Fault, Org
from tap_salesforce_bulk.discovery.schema_drift import SchemaRegistry

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
    """It needs a permission of its own; what every response shows of the API use still counts."""
    refused = Fault.status(403, json=[{"errorCode": "FORBIDDEN", "message": "no"}])
    org.faults.add("limits", refused)

    run = tap.run("Account")

    assert run.error is None
    assert run.column("Account", "Name") == ["Ada", "Bob", "Cyd"]
    assert org.faults.completed


@pytest.mark.parametrize("answer", ["odd", [], 5, {"ok": True}, {"DailyApiRequests": {"Max": "x", "Remaining": 1}}])
def test_limits_of_an_odd_form_stop_no_stream(
    org: Org, tap: TapRunner, accounts: list[str], caplog: pytest.LogCaptureFixture, answer: Any
) -> None:
    """As where they may not be seen; one warning says that they are not checked."""
    org.faults.add("limits", Fault.status(200, json=answer), times=1000)

    run = tap.run("Account", "Contact", retry_total_s=0.01)

    assert org.faults.pending
    assert run.error is None
    assert run.column("Account", "Name") == ["Ada", "Bob", "Cyd"]
    assert caplog.text.count("the org's limits are not checked, since they cannot be read: GET /services/") == 1


def test_a_quota_that_is_reached_while_reading_stops_after_the_page(
    org: Org, tap: TapRunner, accounts: list[str]
) -> None:
    """Each response shows the org's API use; the page that came is emitted, and the next run resumes after it."""
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


def test_the_guard_is_asked_between_two_pages(org: Org, tap: TapRunner) -> None:
    """Before the page whose request would pass it, and not only when Salesforce refuses."""
    org.insert("Account", [{"Name": f"Account {number:02}"} for number in range(40)])
    api = org.limits["DailyApiRequests"]
    api.max, api.used = 1000, 780

    stopped = tap.run("Account", page_size=1)

    assert isinstance(stopped.error, QuotaReached)
    assert stopped.error.quota == "quota_percent_total"
    assert 800 <= api.used < 805
    assert 10 < len(stopped.records["Account"]) < 20


def test_the_guard_is_asked_between_two_answers_of_rest(org: Org, tap: TapRunner) -> None:
    """Each holds up to 2000 records; the first that passes the guard is the last that is asked for."""
    org.insert("CaseStatus", [{"MasterLabel": f"{number}"} for number in range(4500)])
    api = org.limits["DailyApiRequests"]
    api.max, api.used = 1000, 797

    stopped = tap.run("CaseStatus")

    assert isinstance(stopped.error, QuotaReached)
    assert stopped.error.quota == "quota_percent_total"
    assert len(stopped.records["CaseStatus"]) < 4500
    assert api.used <= 801


OUT = Fault.status(403, json=[{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded."}])


@pytest.mark.parametrize("streams", [["Account"], ["Account", "Contact", "Lead"]])
@pytest.mark.parametrize("after", [0, 1])
def test_a_quota_stops_the_run_while_the_first_row_is_looked_for(
    org: Org, tap: TapRunner, accounts: list[str], streams: list[str], after: int
) -> None:
    """Also while that is done ahead for a later stream, which must not look as if it had no rows."""
    org.insert("Lead", [{"LastName": "Eve", "Company": "E"}])
    org.faults.add("rest.query", OUT, after=min(after, len(streams) - 1))

    run = tap.run(*streams, window_days=30)

    assert isinstance(run.error, QuotaError)
    assert org.faults.completed


def test_a_stream_whose_first_row_is_not_found_ahead_fails_by_itself(
    org: Org, tap: TapRunner, accounts: list[str]
) -> None:
    """The one that is being read continues; the other has not been read, and says so."""
    org.insert("Lead", [{"LastName": "Eve", "Company": "E"}])
    org.faults.add("rest.query", Fault.reset_before(), after=1, times=50)

    run = tap.run("Account", "Lead", window_days=30, retry_total_s=0.02)

    assert str(run.error).startswith("1 of 2 streams failed: Lead: ")
    assert run.column("Account", "Name") == ["Ada", "Bob", "Cyd"]
    assert "replication_key_value" not in run.state["bookmarks"]["Lead"]
    assert org.faults.completed


def test_a_quota_stops_the_run_while_a_range_is_split(org: Org, tap: TapRunner, accounts: list[str]) -> None:
    """Reading the whole range once more would cost what is not there."""
    answer = {"id": "750", "operation": "query", "object": "Account", "apiVersion": 66.0}
    org.faults.add("query.info", Fault.status(200, json={**answer, "state": "InProgress"}), times=2)
    org.faults.add("query.abort", Fault.status(200, json={**answer, "state": "Aborted"}), times=2)
    org.faults.add("rest.query", OUT)

    run = tap.run("Account", job_timeout_s=0.001, max_concurrent_jobs=1, job_retries=8)

    assert isinstance(run.error, QuotaError)
    assert run.records["Account"] == []
    assert len(org.faults.completed) == 5
    assert len(org.jobs) == 2


@pytest.mark.parametrize("operation", ["describe", "describe_global"])
def test_a_quota_stops_the_run_while_objects_are_described(org: Org, tap: TapRunner, operation: str) -> None:
    """It is not taken for an object that cannot be described."""
    org.faults.add(operation, OUT)

    run = tap.run("Account", "Lead")

    assert isinstance(run.error, QuotaError)
    assert org.jobs == []
    assert org.faults.completed


def test_a_quota_stops_the_run_while_the_schema_registry_is_compared(
    org: Org, tap: TapRunner, accounts: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Met ahead, it stops the making of further jobs; what has been made is read."""
    keep = SchemaRegistry.keep

    def refuse(registry: SchemaRegistry, stream: str, schema: dict[str, Any]) -> None:
        if stream == "Contact":
            raise QuotaReached("stopped for quota", quota="DailyApiRequests")
        keep(registry, stream, schema)

    monkeypatch.setattr(SchemaRegistry, "keep", refuse)

    run = tap.run("Account", "Contact", "Lead", schema_registry=str(tmp_path))

    assert isinstance(run.error, QuotaReached)
    assert run.column("Account", "Name") == ["Ada", "Bob", "Cyd"]
    assert [job["object"] for job in org.jobs] == ["Account"]


def test_nothing_is_read_after_a_fatal_error(org: Org, tap: TapRunner, accounts: list[str]) -> None:
    """A login that is refused would be refused for the other streams, too."""
    org.insert("Lead", [{"LastName": "Eve", "Company": "E"}])
    refused = {"error": "invalid_grant", "error_description": "expired access/refresh token"}
    org.faults.add("query.results", Fault.unauthorized())
    org.faults.add("login", Fault.status(400, json=refused), after=1)

    run = tap.run("Account", "Lead")

    assert isinstance(run.error, LoginError)
    assert run.records == {}
    assert len(org.faults.completed) == 2
    assert [path for _, path in org.requests if path.endswith("/results")] == [
        f"/services/data/v66.0/jobs/query/{org.jobs[0]['id']}/results"
    ]
    assert not [each for each in run.messages if each["type"] == "SCHEMA" and each["stream"] == "Lead"]


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
