"""What goes wrong on the way costs requests, never a record: each is in the org once, with its one outcome."""

from __future__ import annotations

import pytest
from salesforce_bulk_simulator import Fault, Org
from target_salesforce_bulk.errors import RecordsFailed, RecordsUnprocessed

from tests.target.conftest import TargetRunner, records, schema, state

PEOPLE = schema("Contact", key=["n"], n="integer", LastName=["string", "null"], Birthdate="string")
ROWS = records("Contact", *({"n": n, "LastName": f"Ada {n}", "Birthdate": "1815-12-10"} for n in range(10)))

PASSING = [
    Fault.reset_before(),
    Fault.reset_after(),
    Fault.unauthorized(),
    Fault.html(503),
    Fault.status(500),
    Fault.request_limit_concurrent(),
]
CUT = [Fault.cut_after(bytes=40), Fault.wrong_length()]
CALLS = ["describe", "limits", "ingest.create", "ingest.upload", "ingest.close", "ingest.info"]
RESULTS = ["ingest.successful", "ingest.failed", "ingest.unprocessed"]


def names(org: Org) -> list[str]:
    """The last names of all contacts."""
    return sorted(row["LastName"] for row in org.rows("Contact"))


@pytest.mark.parametrize("fault", [*PASSING, *CUT], ids=lambda fault: fault.kind + str(fault.status_code or ""))
@pytest.mark.parametrize("operation", [*CALLS, *RESULTS])
def test_a_passing_fault_costs_no_record(org: Org, target: TargetRunner, operation: str, fault: Fault) -> None:
    """Whichever call meets it, before or after its work was done: all rows are inserted once, STATE passes."""
    org.faults.add(operation, fault)

    run = target.run(PEOPLE, ROWS, state({"n": 10}), operation="insert", unknown_fields="drop")

    assert run.error is None
    assert run.states == [{"n": 10}]
    assert names(org) == [f"Ada {n}" for n in range(10)]
    assert run.statuses == ["created"] * 10
    assert {outcome["id"] for outcome in run.outcomes} == {row["Id"] for row in org.rows("Contact")}
    assert org.open_jobs_with_data == []
    assert org.faults.completed


def test_locked_rows_go_again_alone(org: Org, target: TargetRunner) -> None:
    """Only the rows that were refused for a lock are in the second job."""
    org.faults.add("ingest.create", Fault.lock_rows(3))

    run = target.run(PEOPLE, ROWS, state({"n": 10}), operation="insert", unknown_fields="drop")

    assert run.error is None
    assert run.states == [{"n": 10}]
    assert names(org) == [f"Ada {n}" for n in range(10)]
    assert run.statuses == ["created"] * 10
    assert [job["records_processed"] for job in run.summary["jobs"]] == [10, 3]
    assert org.faults.completed


def test_rows_that_stay_locked_fail_in_the_end(org: Org, target: TargetRunner) -> None:
    """After ``record_retries`` further jobs their refusal is final."""
    org.faults.add("ingest.create", Fault.lock_rows(where=lambda row: row["LastName"] == "Ada 3"), times=2)

    run = target.run(PEOPLE, ROWS, state({"n": 10}), operation="insert", unknown_fields="drop", record_retries=1)

    assert isinstance(run.error, RecordsFailed)
    assert run.states == [{"n": 10}]
    assert [outcome["key"] for outcome in run.outcomes if outcome["status"] == "failed"] == [{"n": 3}]
    assert run.summary["errors"] == {"UNABLE_TO_LOCK_ROW": 1}
    assert len(org.rows("Contact")) == 9
    assert org.faults.completed


def test_a_failed_job_is_made_again(org: Org, target: TargetRunner) -> None:
    """The rows that it had not touched go into a new job."""
    org.faults.add("ingest.close", Fault.job_fails())

    run = target.run(PEOPLE, ROWS, state({"n": 10}), operation="insert", unknown_fields="drop")

    assert run.error is None
    assert names(org) == [f"Ada {n}" for n in range(10)]
    assert run.statuses == ["created"] * 10
    assert [job["state"] for job in run.summary["jobs"]] == ["Failed", "JobComplete"]
    assert org.faults.completed


def test_rows_that_are_never_processed_hold_state(org: Org, target: TargetRunner) -> None:
    """The run is unfinished; the same input again loads them, and nothing twice."""
    org.faults.add("ingest.close", Fault.job_fails("ExceededQuota : too many batches"), times=2)

    first = target.run(PEOPLE, ROWS, state({"n": 10}), operation="insert", unknown_fields="drop", record_retries=1)

    assert isinstance(first.error, RecordsUnprocessed)
    assert first.states == []
    assert first.statuses == ["unprocessed"] * 10
    assert first.failed_file.count(b"RECORD") == 10
    assert first.outcomes[0]["error_message"] == "ExceededQuota : too many batches"

    second = target.run(PEOPLE, ROWS, state({"n": 10}), operation="insert", unknown_fields="drop")

    assert second.error is None
    assert second.states == [{"n": 10}]
    assert names(org) == [f"Ada {n}" for n in range(10)]
    assert len(org.faults.completed) == 2


def test_one_bad_job_does_not_stop_the_others(org: Org, target: TargetRunner) -> None:
    """STATE passes up to it, the rest is loaded, and the exit is not 0."""
    org.faults.add("ingest.close", Fault.job_fails("InvalidBatch : this one"), after=1)

    run = target.run(
        PEOPLE,
        ROWS[:4],
        state({"n": 4}),
        ROWS[4:8],
        state({"n": 8}),
        ROWS[8:],
        state({"n": 10}),
        operation="insert",
        unknown_fields="drop",
        batch_size_rows=4,
        max_concurrent_jobs=1,
    )

    assert isinstance(run.error, RecordsUnprocessed)
    assert run.states == [{"n": 4}]
    assert run.statuses == ["created"] * 4 + ["unprocessed"] * 4 + ["created"] * 2
    assert org.faults.completed


def test_a_refused_creation_ends_the_run(org: Org, target: TargetRunner) -> None:
    """What Salesforce says is told; nothing was loaded, so nothing has an outcome, and STATE stays."""
    org.allows_hard_delete = False
    ids = org.insert("Contact", [{"LastName": "Ada"}])

    run = target.run(
        schema("Contact", key=["Id"], Id="string"),
        records("Contact", {"Id": ids[0]}),
        state({"n": 1}),
        operation="hardDelete",
    )

    assert "hardDelete operation requires special user profile permission" in str(run.error)
    assert run.states == []
    assert run.outcomes == []


def test_a_daily_limit_stops_the_run_resumably(org: Org, target: TargetRunner) -> None:
    """What was loaded has its outcomes and its STATE; the next run loads the rest."""
    org.faults.add("ingest.create", Fault.request_limit_total(), after=1)
    messages = [PEOPLE, ROWS[:5], state({"n": 5}), ROWS[5:], state({"n": 10})]
    chosen = {"operation": "insert", "unknown_fields": "drop", "batch_size_rows": 5, "max_concurrent_jobs": 1}

    first = target.run(*messages, **chosen)

    assert "TotalRequests Limit exceeded" in str(first.error)
    assert first.states == [{"n": 5}]
    assert org.faults.completed

    second = target.run(*messages, **chosen)

    assert second.error is None
    assert second.states == [{"n": 5}, {"n": 10}]
    assert names(org) == [f"Ada {n}" for n in range(10)]
    assert second.statuses == ["created"] * 10


LINE_ENDING = "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is LF"


def test_an_org_that_wants_the_other_line_ending_gets_it(org: Org, target: TargetRunner) -> None:
    """Line breaks inside values can make an org refuse a job; the same rows go again with CRLF at the ends of rows."""
    org.faults.add("ingest.close", Fault.job_fails(LINE_ENDING))

    run = target.run(
        schema("Contact", LastName="string", Description="string"),
        records("Contact", {"LastName": "Ada", "Description": "one\r\ntwo\nthree"}),
        operation="insert",
    )

    assert run.error is None
    assert [job["lineEnding"] for job in org.jobs] == ["LF", "CRLF"]
    assert [row["Description"] for row in org.rows("Contact")] == ["one\r\ntwo\nthree"]
    assert run.statuses == ["created"]
    assert org.faults.completed


def test_a_line_ending_is_tried_once_only(org: Org, target: TargetRunner) -> None:
    """An org that refuses both has not processed the rows, and says so."""
    org.faults.add("ingest.close", Fault.job_fails(LINE_ENDING), times=2)

    run = target.run(schema("Contact", LastName="string"), records("Contact", {"LastName": "Ada"}), operation="insert")

    assert isinstance(run.error, RecordsUnprocessed)
    assert run.outcomes[0]["error_message"] == LINE_ENDING
    assert [job["lineEnding"] for job in org.jobs] == ["LF", "CRLF"]
    assert len(org.faults.completed) == 2
