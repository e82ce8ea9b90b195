"""Which rows are sent again, how often, and which never are: an insert is not done twice."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from salesforce_bulk_client import IngestJob, PollPolicy, QuotaExceeded, RequestRefused, SalesforceClient
from salesforce_bulk_client.jobs import NOT_FOUND_TRIES
from salesforce_bulk_simulator import Fault, Org, Progression
from target_salesforce_bulk.errors import RecordsDoubtful, RecordsFailed, RecordsUnprocessed
from target_salesforce_bulk.jobs.batch_loader import LoadPolicy
from target_salesforce_bulk.journal import BatchNote, BatchState, Journal
from target_salesforce_bulk.target import TargetSalesforceBulk

from tests.target.conftest import Message, TargetRunner, records, schema, state

ACCOUNT = schema("Account", key=["External_Id__c"], External_Id__c="string", Name="string")
INSERT: dict[str, Any] = {"operation": "insert", "small_batch_rows": 0}
UPSERT: dict[str, Any] = {"operation": "upsert", "small_batch_rows": 0}
LINE_ENDING = "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is LF"


def accounts(*keys: str) -> list[Message]:
    return records("Account", *({"External_Id__c": key, "Name": key} for key in keys))


def keys(org: Org) -> list[str]:
    return sorted(row["External_Id__c"] for row in org.rows("Account"))


@pytest.mark.parametrize(("record_retries", "jobs"), [(0, 1), (1, 2), (3, 4)])
@pytest.mark.parametrize("operation", ["insert", "upsert"])
def test_record_retries_counts_the_further_jobs(
    target: TargetRunner, org: Org, operation: str, record_retries: int, jobs: int
) -> None:
    """A row that stays locked is in exactly so many jobs more, and then it has failed."""
    org.faults.add("ingest.close", Fault.lock_rows(1), times=10)

    run = target.run(
        ACCOUNT, accounts("a"), state(1), operation=operation, small_batch_rows=0, record_retries=record_retries
    )

    assert isinstance(run.error, RecordsFailed)
    assert run.error_codes == ["UNABLE_TO_LOCK_ROW"]
    assert len(org.jobs) == jobs
    assert run.states == [1]


@pytest.mark.parametrize("code", ["UNABLE_TO_LOCK_ROW", "TooManyLockFailure", "TOO_MANY_LOCK_FAILURE"])
def test_a_row_whose_record_others_hold_is_sent_again(target: TargetRunner, org: Org, code: str) -> None:
    """Locks pass by themselves, by whatever name Salesforce refuses them."""
    refused = f'"sf__Id","sf__Error","External_Id__c","Name"\n"","{code}:it is held:--","a","a"\n'
    answer = Fault.status(200, body=refused, headers={"Content-Type": "text/csv", "Sforce-NumberOfRecords": "1"})
    org.faults.add("ingest.close", Fault.lock_rows(1))
    org.faults.add("ingest.failed", answer)

    run = target.run(ACCOUNT, accounts("a"), state(1), **INSERT)

    assert run.error is None
    assert run.states == [1]
    assert keys(org) == ["a"]
    assert len(org.jobs) == 2
    assert len(org.faults.completed) == 2


def test_the_first_retry_waits_shortest() -> None:
    """Twice as long each time, up to ``poll_max_s``."""
    policy = LoadPolicy(poll=PollPolicy(min_s=0.5, max_s=30), record_retries=3, results_dir=Path())

    assert [policy.wait_before_retry_s(attempt) for attempt in range(1, 7)] == [2, 4, 8, 16, 30, 30]


# Inserts


@pytest.mark.parametrize(
    "fault",
    [
        Fault.job_fails(after_rows=1, has_counts=False, lists_unprocessed=False),
        Fault.job_fails(after_rows=1, lists_unprocessed=False),
        Fault.results_lost("successful", rows=2, has_counts=False),
    ],
    ids=["failed without counts", "failed", "complete"],
)
def test_inserted_rows_that_no_file_names_are_never_sent_again(target: TargetRunner, org: Org, fault: Fault) -> None:
    """One is in the org at least, and nothing tells which: they are doubtful, in the next run as well."""
    org.faults.add("ingest.close", fault)
    first = target.run(ACCOUNT, accounts("a", "b", "c"), state(3), **INSERT)
    in_org = keys(org)
    (job,), (note,) = org.jobs, notes(target, org)
    assert note.reason == f"job {job['id']} has ended {job['state']}, and no result file names these rows"
    assert (note.state, note.job_id, note.number_of_rows) == (BatchState.DOUBTFUL, None, 2)

    second = target.run(ACCOUNT, accounts("a", "b", "c"), state(3), **INSERT)

    for run in (first, second):
        assert isinstance(run.error, RecordsDoubtful)
        assert run.states == []
    assert second.statuses.count("doubtful") == 2
    assert keys(org) == in_org
    assert len(org.jobs) == 1
    assert org.faults.completed


def test_a_failed_job_without_counts_may_have_done_something(target: TargetRunner, org: Org) -> None:
    """A count that is absent is not 0: nothing is loaded, but nothing proves it, so no insert is repeated."""
    org.faults.add("ingest.close", Fault.job_fails(has_counts=False, lists_unprocessed=False))

    run = target.run(ACCOUNT, accounts("a", "b"), state(2), **INSERT)

    assert isinstance(run.error, RecordsDoubtful)
    assert run.statuses == ["doubtful"] * 2
    assert len(org.jobs) == 1
    assert org.faults.completed


def test_a_failed_job_that_counts_nothing_has_done_nothing(target: TargetRunner, org: Org) -> None:
    """Its rows are sent again, also those of an insert, and even if its files do not name them."""
    org.faults.add("ingest.close", Fault.job_fails(lists_unprocessed=False))

    run = target.run(ACCOUNT, accounts("a", "b"), state(2), **INSERT)

    assert run.error is None
    assert keys(org) == ["a", "b"]
    assert run.statuses == ["created"] * 2
    assert org.faults.completed


@pytest.mark.parametrize("code", ["InvalidBatch", "ClientInputError", "FeatureNotEnabled", "InvalidJob", "InvalidUser"])
def test_a_failure_that_any_job_would_meet_is_not_repeated(target: TargetRunner, org: Org, code: str) -> None:
    """It is about the data, or about what the user may do: one job is enough to know."""
    org.faults.add("ingest.close", Fault.job_fails(f"{code} : it cannot be"), times=2)

    run = target.run(ACCOUNT, accounts("a"), state(1), **UPSERT)

    assert isinstance(run.error, RecordsUnprocessed)
    assert run.states == []
    assert len(org.jobs) == 1
    assert len(org.faults.completed) == 1


@pytest.mark.parametrize("operation", ["insert", "update", "upsert", "delete"])
def test_only_an_inserts_job_that_is_gone_leaves_a_doubt(target: TargetRunner, org: Org, operation: str) -> None:
    """It is gone while it is waited for, after it was closed. What may be done twice is sent again."""
    ids = [] if operation == "insert" else org.insert("Account", [{"Name": "old"}])
    row = {"Id": ids[0], "Name": "new"} if ids else {"Name": "new"}
    org.progression = Progression.looks(1)
    org.faults.add("ingest.info", Fault.not_found(), times=NOT_FOUND_TRIES)
    properties = dict.fromkeys(row, "string")
    chosen: dict[str, Any] = {"operation": operation, "small_batch_rows": 0, "unknown_fields": "drop"}
    if operation == "upsert":
        chosen["external_id_field"] = "Id"

    run = target.run(schema("Account", **properties), records("Account", row), state(1), **chosen)

    if operation == "insert":
        assert isinstance(run.error, RecordsDoubtful)
        assert len(org.jobs) == 1
        assert len(org.rows("Account")) <= 1
    else:
        assert run.error is None
        assert len(org.jobs) > 1
        assert [one["Name"] for one in org.rows("Account")] == ([] if operation == "delete" else ["new"])


FORBIDDEN = Fault.status(403, json=[{"errorCode": "INSUFFICIENT_ACCESS", "message": "not now"}])


def notes(target: TargetRunner, org: Org) -> list[BatchNote]:
    """The batches in the journal."""
    with closing(Journal(target.results_dir / "journal.sqlite", org=org.org_id)) as journal:
        return journal.batches()


@pytest.mark.parametrize("operation", ["insert", "upsert"])
@pytest.mark.parametrize("call", ["ingest.info", "ingest.failed"])
def test_a_job_that_may_not_be_read_is_set_aside(target: TargetRunner, org: Org, operation: str, call: str) -> None:
    """It runs or has run: no row is sent again, whatever the operation, and a person learns job and reason."""
    org.progression = Progression.looks(1)
    org.faults.add(call, FORBIDDEN)

    run = target.run(ACCOUNT, accounts("a", "b"), state(2), operation=operation, small_batch_rows=0)

    (note,) = notes(target, org)
    assert isinstance(run.error, RecordsDoubtful)
    assert run.states == []
    assert run.statuses == ["doubtful"] * 2
    assert [job["id"] for job in org.jobs] == [note.job_id]
    assert (note.state, note.number_of_rows) == (BatchState.SET_ASIDE, 2)
    assert "INSUFFICIENT_ACCESS" in note.reason
    assert {outcome["error_message"] for outcome in run.outcomes} == {note.reason}
    assert org.faults.completed


@pytest.mark.parametrize("is_resumed", [False, True], ids=["own", "found"])
@pytest.mark.parametrize("operation", ["insert", "upsert"])
def test_counts_and_files_that_disagree_prove_nothing(
    target: TargetRunner, org: Org, operation: str, *, is_resumed: bool
) -> None:
    """The job counts a row that its files lack: an insert is set aside, what may be done twice is sent again."""
    chosen: dict[str, Any] = {"operation": operation, "small_batch_rows": 0}
    org.faults.add("ingest.close", Fault.results_lost("successful", rows=1))
    if is_resumed:
        org.faults.add("ingest.info", Fault.request_limit_total())
        target.run(ACCOUNT, accounts("a", "b"), state(2), **chosen)

    run = target.run(ACCOUNT, accounts("a", "b"), state(2), **chosen)

    assert keys(org) == ["a", "b"]
    assert len(org.faults.completed) == 1 + is_resumed
    if operation == "insert":
        (note,) = notes(target, org)
        assert isinstance(run.error, RecordsDoubtful)
        assert (note.state, note.job_id) == (BatchState.SET_ASIDE, org.jobs[0]["id"])
        assert "has counted 2 rows for successfulResults, but 1 came" in note.reason
        assert len(org.jobs) == 1
    else:
        assert run.error is None
        assert run.states == [2]
        assert len(org.jobs) == 2


def test_why_rows_are_doubtful_is_said_with_each(target: TargetRunner, org: Org) -> None:
    """Their job is gone: the outcome names it, as the batch that waits for a decision does."""
    org.faults.add("ingest.info", Fault.not_found(), times=NOT_FOUND_TRIES)

    run = target.run(ACCOUNT, accounts("a"), **INSERT)

    (note,) = notes(target, org)
    message = run.outcomes[0]["error_message"]
    assert message == note.reason
    assert message.startswith(f"ingest job {note.job_id} does not exist any more")
    assert (note.state, note.job_id) == (BatchState.DOUBTFUL, org.jobs[0]["id"])


def test_rows_behind_unprocessed_ones_are_not_sent(target: TargetRunner, org: Org) -> None:
    """A later value of their key would be overtaken when the earlier one comes again: they wait, and say for what."""
    org.faults.add("ingest.close", Fault.job_fails("InvalidBatch : x"))
    rows = records("Account", *({"External_Id__c": "a", "Name": name} for name in ("old", "newer", "new")))
    blocked = "a row before it that may name the same record, or its parent, was not processed"

    run = target.run(ACCOUNT, rows, state(3), **UPSERT)

    assert isinstance(run.error, RecordsUnprocessed)
    assert run.states == []
    assert [outcome["error_message"] for outcome in run.outcomes] == ["InvalidBatch : x", blocked, blocked]
    assert len(org.jobs) == 1

    again = target.run(ACCOUNT, rows, state(3), **UPSERT)

    assert again.error is None
    assert [row["Name"] for row in org.rows("Account")] == ["new"]


# Jobs that are refused or gone on the way


def test_a_job_refused_midway_for_its_line_ending_is_not_sent_again(target: TargetRunner, org: Org) -> None:
    """Some of its rows are in the org: only a job that has done nothing is created again with CRLF."""
    org.faults.add("ingest.close", Fault.job_fails(LINE_ENDING, after_rows=1))

    run = target.run(ACCOUNT, accounts("a", "b", "c"), state(3), **INSERT)

    assert isinstance(run.error, RecordsUnprocessed)
    assert keys(org) == ["a"]
    assert run.statuses == ["created", "unprocessed", "unprocessed"]
    assert [job["lineEnding"] for job in org.jobs] == ["LF"]
    assert run.states == []
    assert org.faults.completed


@pytest.mark.parametrize("operation", ["insert", "upsert"])
@pytest.mark.parametrize("call", ["ingest.upload", "ingest.close"])
def test_a_job_that_is_gone_before_it_has_the_rows_is_created_again(
    target: TargetRunner, org: Org, call: str, operation: str
) -> None:
    """A 404 that stays: nothing was processed if it was never closed; an insert is doubtful once a close was sent."""
    org.faults.add(call, Fault.not_found(), times=NOT_FOUND_TRIES)

    run = target.run(ACCOUNT, accounts("a"), state(1), operation=operation, small_batch_rows=0, record_retries=3)

    if (call, operation) == ("ingest.close", "insert"):
        assert isinstance(run.error, RecordsDoubtful)
        assert len(org.jobs) == 1
    else:
        assert run.error is None
        assert keys(org) == ["a"]
        assert run.statuses == ["created"]
    assert org.faults.completed


def test_a_404_to_a_request_makes_a_job_of_its_rows(target: TargetRunner, org: Org) -> None:
    """An org without sObject Collections, or a gateway: the run does not end."""
    org.faults.add("collections", Fault.not_found())

    run = target.run(ACCOUNT, accounts("a", "b"), state(2))

    assert run.error is None
    assert keys(org) == ["a", "b"]
    assert len(org.jobs) == 1
    assert org.faults.completed


@pytest.mark.parametrize(
    "fault", [Fault.reset_after(), Fault.html_after(502), Fault.html(503)], ids=["cut", "502", "503"]
)
@pytest.mark.parametrize("looks", [1, 3])
def test_a_close_whose_answer_is_lost_while_the_job_is_queued(
    target: TargetRunner, org: Org, fault: Fault, looks: int
) -> None:
    """The second close is refused, since the job is queued or runs: it is the same job, and it is waited for."""
    org.progression = Progression.looks(looks)
    org.faults.add("ingest.close", fault)

    run = target.run(ACCOUNT, accounts("a", "b"), state(2), **INSERT)

    assert run.error is None
    assert run.states == [2]
    assert keys(org) == ["a", "b"]
    assert len(org.jobs) == 1
    assert org.faults.completed


# What the journal says between two jobs of a batch


@pytest.mark.parametrize(
    "fault", [Fault.lock_rows(1), Fault.job_fails(LINE_ENDING)], ids=["locked rows", "line ending"]
)
def test_between_two_jobs_a_batch_has_none(target: TargetRunner, org: Org, fault: Fault) -> None:
    """Its rows wait for a new job: the next run must not take the outcomes of the old one for theirs."""
    org.faults.add("ingest.close", fault)
    org.faults.add("ingest.create", Fault.request_limit_total(), after=1)
    first = target.run(ACCOUNT, accounts("a", "b"), state(2), **INSERT)
    assert isinstance(first.error, QuotaExceeded)

    (note,) = notes(target, org)

    assert (note.state, note.job_id) == (BatchState.PENDING, None)
    assert len(org.faults.completed) == 2

    second = target.run(ACCOUNT, accounts("a", "b"), state(2), **INSERT)

    assert second.error is None
    assert second.statuses == ["created"] * 2
    assert keys(org) == ["a", "b"]


def test_an_open_job_of_an_earlier_run_is_aborted_not_finished(target: TargetRunner, org: Org) -> None:
    """Its close never arrived, and its rows come again: finishing it as well would load them twice."""
    org.faults.add("ingest.close", Fault.reset_before(), times=1000)
    first = target.run(ACCOUNT, accounts("a"), state(1), **INSERT, retry_total_s=0.1)
    assert first.error is not None
    org.faults.clear()
    (note,) = notes(target, org)
    assert note.state is BatchState.CLOSING

    run = target.run(ACCOUNT, accounts("a"), state(1), **INSERT)

    assert run.error is None
    assert [job["state"] for job in org.jobs] == ["Aborted", "JobComplete"]
    assert keys(org) == ["a"]
    assert run.statuses == ["created"]


def test_jobs_of_a_run_that_was_given_up_are_aborted(target: TargetRunner, org: Org) -> None:
    """A run could neither upload nor abort; the next one does not leave its job open for ever."""
    org.faults.add("ingest.upload", Fault.reset_before(), times=1000)
    org.faults.add("ingest.abort", Fault.status(400, json=[{"errorCode": "INVALIDJOBSTATE", "message": "no"}]))
    first = target.run(ACCOUNT, accounts("a"), state(1), **INSERT, retry_total_s=0.1)
    assert first.error is not None
    assert [job["state"] for job in org.jobs] == ["Open"]
    org.faults.clear()

    run = target.run(ACCOUNT, accounts("a"), state(1), **INSERT)

    assert run.error is None
    assert [job["state"] for job in org.jobs] == ["Aborted", "JobComplete"]


def test_a_job_that_somebody_has_closed_before_it_had_data_loads_nothing(
    target: TargetRunner, org: Org, client: SalesforceClient
) -> None:
    """A run could neither upload nor abort; an administrator closes the empty job. The rows come again."""
    org.faults.add("ingest.upload", Fault.reset_before(), times=1000)
    org.faults.add("ingest.abort", Fault.reset_before(), times=1000)
    target.run(ACCOUNT, accounts("a"), state(1), **INSERT, retry_total_s=0.1)
    org.faults.clear()
    IngestJob.find(client, org.jobs[0]["id"]).close()

    run = target.run(ACCOUNT, accounts("a"), state(1), **INSERT)

    assert run.error is None
    assert run.statuses == ["created"]
    assert keys(org) == ["a"]
    assert [job["state"] for job in org.jobs] == ["JobComplete", "JobComplete"]


@pytest.mark.parametrize(
    ("fault", "times"), [(Fault.not_found(), NOT_FOUND_TRIES), (FORBIDDEN, 1)], ids=["gone", "403"]
)
def test_an_open_job_that_cannot_be_asked_for_is_no_matter(
    target: TargetRunner, org: Org, fault: Fault, times: int
) -> None:
    """It was never closed, so nothing of it was loaded, also of an insert."""
    org.faults.add("ingest.upload", Fault.reset_before(), times=1000)
    org.faults.add("ingest.abort", Fault.reset_before(), times=1000)
    target.run(ACCOUNT, accounts("a"), **INSERT, retry_total_s=0.1)
    org.faults.clear()
    org.faults.add("ingest.info", fault, times=times)

    run = target.run(ACCOUNT, accounts("a"), state(1), **INSERT)

    assert run.error is None
    assert run.states == [1]
    assert run.statuses == ["created"]
    assert notes(target, org) == []
    assert not org.faults.pending


def test_a_job_that_is_found_is_in_the_summary_since_salesforce_has_it(target: TargetRunner, org: Org) -> None:
    """Not since this run: how long it took is counted from its creation."""
    org.faults.add("ingest.info", Fault.request_limit_total())
    target.run(ACCOUNT, accounts("a"), **INSERT)

    run = target.run(ACCOUNT, accounts("a"), **INSERT)

    (job,) = org.jobs
    (told,) = run.summary["jobs"]
    assert (told["id"], told["state"], told["rows"]) == (job["id"], "JobComplete", 1)
    assert datetime.fromisoformat(told["created_at"]) == datetime.fromisoformat(job["createdDate"])


def test_nothing_is_read_after_a_fatal_error(target: TargetRunner, org: Org) -> None:
    """The first job is refused for a reason of the whole run: the tap is not drained, and STATE stays."""
    org.faults.add("ingest.create", Fault.status(403, json=[{"errorCode": "API_DISABLED_FOR_ORG", "message": "no"}]))
    stream = [line for number in range(50) for line in [*accounts(str(number)), state(number)]]
    end_of_input = b"this line would be refused, if it were read\n"

    run = target.run(ACCOUNT, *stream, end_of_input, **INSERT, batch_size_rows=1, max_concurrent_jobs=1)

    assert isinstance(run.error, RequestRefused)
    assert run.states == []
    assert org.jobs == []
    assert org.faults.completed


# Result files that say less than expected


@pytest.mark.parametrize(
    "text",
    [
        '"sf__Id","sf__Created","Name"\n"001000000000001AAA","true","a"\n"001000000000002AAA","true","b"\n',
        '"sf__Id","sf__Created","External_Id__c"\n"001000000000001AAA","true","a"\n"001000000000002AAA","true","b"\n',
    ],
    ids=["without the key", "without a column"],
)
@pytest.mark.parametrize("operation", ["insert", "upsert"])
def test_a_result_file_without_a_column_is_read(target: TargetRunner, org: Org, operation: str, text: str) -> None:
    """The rows are recognized by the others, in this run and the next."""
    answer = Fault.status(200, body=text, headers={"Content-Type": "text/csv", "Sforce-NumberOfRecords": "2"})
    org.faults.add("ingest.successful", answer)

    run = target.run(ACCOUNT, accounts("a", "b"), state(2), operation=operation, small_batch_rows=0)

    assert run.error is None
    assert run.states == [2]
    assert [outcome["id"] for outcome in run.outcomes] == ["001000000000001AAA", "001000000000002AAA"]
    assert org.faults.completed


def test_fractions_in_state_stay_numbers(target: TargetRunner, capsys: pytest.CaptureFixture[str]) -> None:
    """All of their digits, too."""
    value = b'{"at":1.5,"exact":0.12345678901234567890,"great":12345678901234567890123}'

    TargetSalesforceBulk(config=target.config()).listen(BytesIO(b'{"type":"STATE","value":' + value + b"}\n"))

    assert capsys.readouterr().out == value.decode() + "\n"
