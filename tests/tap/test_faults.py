"""What goes wrong between the tap and Salesforce costs requests or a new job, and never a row."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from salesforce_bulk_client import QuotaError
from salesforce_bulk_simulator import Fault, Org, Progression

from .conftest import TapRunner

pytestmark = pytest.mark.usefixtures("accounts")


@pytest.mark.parametrize(
    ("operation", "fault"),
    [
        ("query.results", Fault.cut_after(bytes=100)),
        ("query.results", Fault.wrong_length()),
        ("query.results", Fault.reset_after()),
        ("query.results", Fault.status(204)),
        ("query.results", Fault.html(503)),
        ("query.results", Fault.unauthorized()),
        ("query.results", Fault.without_header("Sforce-Locator")),
        ("query.create", Fault.reset_before()),
        ("query.create", Fault.reset_after()),
        ("query.create", Fault.unauthorized()),
        ("query.create", Fault.request_limit_concurrent()),
        ("query.info", Fault.reset_after()),
        ("query.info", Fault.unauthorized()),
        ("query.info", Fault.status(500)),
        ("describe", Fault.cut_after(bytes=1000)),
        ("login", Fault.reset_before()),
    ],
)
def test_a_passing_fault_costs_no_record(org: Org, tap: TapRunner, operation: str, fault: Fault) -> None:
    """Each row comes once, and the bookmark moves."""
    org.faults.add(operation, fault)

    run = tap.run("Account", page_size=2)

    assert run.error is None
    assert run.column("Account", "Name") == ["Ada", "Bob", "Cyd"]
    assert "replication_key_value" in run.state["bookmarks"]["Account"]
    assert org.faults.completed


def test_a_failed_job_is_made_again(org: Org, tap: TapRunner, queries: Callable[[], list[str]]) -> None:
    """With the very same query, upper bound included."""
    org.faults.add("query.create", Fault.job_fails(), times=2)

    run = tap.run("Account")

    assert run.error is None
    assert run.column("Account", "Name") == ["Ada", "Bob", "Cyd"]
    assert [job["state"] for job in org.jobs] == ["Failed", "Failed", "JobComplete"]
    assert len(queries()) == 3
    assert len(set(queries())) == 1
    assert len(org.faults.completed) == 2


def test_a_job_that_always_fails_is_given_up(org: Org, tap: TapRunner) -> None:
    """After `job_retries` more jobs, with Salesforce's reason."""
    org.faults.add("query.create", Fault.job_fails("InternalServerError : no"), times=2)

    run = tap.run("Account", job_retries=1)

    assert "InternalServerError : no" in str(run.error)
    assert run.records["Account"] == []
    assert len(org.jobs) == 2
    assert len(org.faults.completed) == 2


@pytest.mark.parametrize("when", ["as it is made", "later"])
def test_a_query_that_is_too_complicated_is_not_made_again(org: Org, tap: TapRunner, when: str) -> None:
    """It would fail again; the error says what to do, and the other stream is read."""
    org.insert("Lead", [{"LastName": "Eve", "Company": "E"}])
    message = "Query is either selecting too many fields or the filter conditions are too complicated."
    refusal = Fault.status(400, json=[{"errorCode": "QUERY_TOO_COMPLICATED", "message": message}])
    failure = Fault.job_fails(f"QUERY_TOO_COMPLICATED : {message}")
    org.faults.add("query.create", refusal if when == "as it is made" else failure)

    run = tap.run("Account", "Lead", max_concurrent_jobs=1)

    assert str(run.error).startswith("1 of 2 streams failed: Account: ")
    assert "QUERY_TOO_COMPLICATED" in str(run.error)
    assert "deselect fields, formula fields first, or shorten its condition in soql_filters" in str(run.error)
    assert run.column("Lead", "LastName") == ["Eve"]
    assert len(org.jobs) == {"as it is made": 1, "later": 2}[when]
    assert org.faults.completed


def test_a_job_that_somebody_aborts_is_made_again(org: Org, tap: TapRunner) -> None:
    """An aborted job is an end, and no reason to wait for ever."""
    org.faults.add("query.info", Fault.status(200, json={**job_answer(), "state": "Aborted"}))

    run = tap.run("Account")

    assert run.error is None
    assert run.column("Account", "Name") == ["Ada", "Bob", "Cyd"]
    assert len(org.jobs) == 2
    assert org.faults.completed


def test_a_job_that_takes_too_long_is_aborted_and_made_again(org: Org, tap: TapRunner) -> None:
    """The abandoned job does not run beside the new one."""
    org.progression = Progression.looks(1_000)

    run = tap.run("Account", job_timeout_s=0.1, job_retries=1)

    assert "had not ended after 0.1 s (job_timeout_s), and was aborted" in str(run.error)
    assert [job["state"] for job in org.jobs] == ["Aborted", "Aborted"]


def test_a_job_that_vanishes_midway_is_made_again(org: Org, tap: TapRunner) -> None:
    """The pages that were read come again: every row at least once."""
    gone = Fault.status(404, json=[{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}])
    org.faults.add("query.results", gone, after=1, times=6)

    run = tap.run("Account", page_size=1, max_concurrent_downloads=1, poll_min_s=0.01)

    assert run.error is None
    assert set(run.column("Account", "Name")) == {"Ada", "Bob", "Cyd"}
    assert len(run.records["Account"]) == 4
    assert len(org.jobs) == 2
    assert org.faults.completed


def test_a_slow_job_is_waited_for(org: Org, tap: TapRunner) -> None:
    """Through each of its states."""
    org.progression = Progression.looks(2)

    run = tap.run("Account")

    assert run.column("Account", "Name") == ["Ada", "Bob", "Cyd"]


def test_a_used_up_quota_ends_the_run_resumably(org: Org, tap: TapRunner) -> None:
    """The error says which; the pages that were read are not read again."""
    org.faults.add("query.results", Fault.request_limit_total(), after=1)

    stopped = tap.run("Account", "Lead", page_size=1)
    resumed = tap.run("Account", "Lead", page_size=1, state=stopped.state)

    assert isinstance(stopped.error, QuotaError)
    assert "TotalRequests Limit exceeded" in str(stopped.error)
    assert len(stopped.records["Account"]) == 1
    assert len(resumed.records["Account"]) == 2
    assert [job["object"] for job in org.jobs] == ["Account", "Lead"]
    assert org.faults.completed


def test_our_own_guard_stops_before_the_quota_is_used_up(org: Org, tap: TapRunner) -> None:
    """`quota_percent_total` keeps the rest of the day's requests for the org's users."""
    run = tap.run("Account", quota_percent_total=0.001)

    assert isinstance(run.error, QuotaError)
    assert "quota_percent_total" in str(run.error)
    assert org.jobs == []


def test_one_bad_object_does_not_stop_the_others(org: Org, tap: TapRunner) -> None:
    """It is reported at the end, and the others are read."""
    org.insert("Lead", [{"LastName": "Eve", "Company": "E"}])
    refused = Fault.status(400, json=[{"errorCode": "INVALID_TYPE", "message": "sObject type 'X' is not supported."}])
    org.faults.add("query.create", refused)

    run = tap.run("Account", "Lead")

    assert "1 of 2 streams failed: Account: " in str(run.error)
    assert run.column("Lead", "LastName") == ["Eve"]
    assert "replication_key_value" not in run.state["bookmarks"]["Account"]
    assert "replication_key_value" in run.state["bookmarks"]["Lead"]
    assert org.faults.completed


@pytest.mark.parametrize("more", [{}, {"flattening_enabled": True, "flattening_max_depth": 1}])
def test_a_value_that_its_field_cannot_hold_fails_its_own_stream(
    org: Org, tap: TapRunner, more: dict[str, object]
) -> None:
    """It is not in the message; the bookmark stays, and the others are read."""
    org.insert("Lead", [{"LastName": "Eve", "Company": "E"}])
    catalog = tap.catalog(Account=["NumberOfEmployees"], Lead=["LastName"])
    page = '"Id","NumberOfEmployees","SystemModstamp"\n' + 3 * '"001000000000001AAA","abc","2024-01-15T10:30:00.000Z"\n'
    org.faults.add("query.results", Fault.status(200, body=page, headers={"Content-Type": "text/csv"}))

    run = tap.run(catalog=catalog, **more)

    assert str(run.error) == (
        "1 of 2 streams failed: Account: a value of NumberOfEmployees is not of type int, as describe says it is"
    )
    assert run.column("Lead", "LastName") == ["Eve"]
    assert "replication_key_value" not in run.state["bookmarks"]["Account"]
    assert org.faults.completed


def job_answer() -> dict[str, object]:
    """What Salesforce answers about some job."""
    return {
        "id": "750000000000001AAA",
        "operation": "queryAll",
        "object": "Account",
        "createdDate": "2024-01-15T10:30:00.000+0000",
        "state": "InProgress",
        "apiVersion": 66.0,
    }
