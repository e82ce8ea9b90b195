"""Ingest jobs: one upload, one close, three files; lost answers are resolved, never guessed."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from salesforce_bulk_client import (
    BrokenAnswer,
    ConnectionConfig,
    IncompleteResults,
    IngestJob,
    IngestSpec,
    JobGone,
    JobInfo,
    JobState,
    Operation,
    PollPolicy,
    RequestRefused,
    ResultKind,
    SalesforceClient,
)
from salesforce_bulk_simulator import Fault, Org, Progression

SOON = PollPolicy(min_s=0.01, max_s=0.02, timeout_s=10)
ACCOUNTS = IngestSpec(object="Account", operation=Operation.INSERT)
DATA = b'"Name"\n"Ada"\n"Bob"\n""\n'


def load(client: SalesforceClient, data: bytes = DATA, spec: IngestSpec = ACCOUNTS) -> tuple[IngestJob, JobInfo]:
    """A whole life: create, upload, close, wait."""
    job = IngestJob.create(client, spec)
    job.upload(lambda: io.BytesIO(data))
    job.close()
    return job, job.wait_until_final(SOON)


def rows(path: Path) -> list[dict[str, str]]:
    """A result file's rows."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_job_tells_of_each_row_what_became_of_it(org: Org, client: SalesforceClient, tmp_path: Path) -> None:
    """Two created, one refused, none left over."""
    job, info = load(client)
    counts = {kind: job.download(kind, tmp_path / f"{kind.value}.csv") for kind in ResultKind}

    assert (info.state, info.number_records_processed, info.number_records_failed) == (JobState.JOB_COMPLETE, 3, 1)
    assert list(counts.values()) == [2, 1, 0]
    assert {row["Name"] for row in rows(tmp_path / "successfulResults.csv")} == {"Ada", "Bob"}
    assert rows(tmp_path / "failedResults.csv")[0]["sf__Error"] == (
        "REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --"
    )
    assert stat.S_IMODE((tmp_path / "failedResults.csv").stat().st_mode) == 0o600
    assert sorted(row["Name"] for row in org.rows("Account")) == ["Ada", "Bob"]


@pytest.mark.parametrize("operation", ["ingest.create", "ingest.upload", "ingest.close", "ingest.info"])
@pytest.mark.parametrize(
    "fault",
    [Fault.reset_before(), Fault.reset_after(), Fault.html(503), Fault.unauthorized(), Fault.cut_after(bytes=0)],
    ids=lambda fault: f"{fault.kind}-{fault.status_code or fault.bytes_sent}",
)
def test_whatever_happens_to_an_answer_rows_are_loaded_once(
    org: Org, client: SalesforceClient, operation: str, fault: Fault
) -> None:
    """Before the work or after it: the org holds each row once."""
    org.faults.add(operation, fault)

    load(client)

    assert len(org.faults.completed) == 1
    assert sorted(row["Name"] for row in org.rows("Account")) == ["Ada", "Bob"]


@pytest.mark.parametrize("operation", ["ingest.successful", "ingest.failed", "ingest.unprocessed"])
@pytest.mark.parametrize(
    "fault",
    [Fault.cut_after(bytes=20), Fault.reset_before(), Fault.status(204), Fault.wrong_length()],
    ids=lambda fault: f"{fault.kind}-{fault.status_code or fault.bytes_sent}",
)
def test_a_broken_result_file_is_asked_for_again(
    org: Org, client: SalesforceClient, tmp_path: Path, operation: str, fault: Fault
) -> None:
    """A file on disk is a whole one."""
    job, _ = load(client)
    org.faults.add(operation, fault)

    counts = [job.download(kind, tmp_path / kind.value) for kind in ResultKind]

    assert counts == [2, 1, 0]
    assert len(org.faults.completed) == 1
    assert not list(tmp_path.glob("*.part"))


def test_a_job_names_the_form_of_its_data(client: SalesforceClient, sent: list[requests.PreparedRequest]) -> None:
    """Nothing is left to what Salesforce takes for given."""
    upsert = IngestSpec(object="Account", operation=Operation.UPSERT, external_id_field="Site", line_ending="CRLF")
    IngestJob.create(client, ACCOUNTS)
    with suppress(RequestRefused):  # there is no such rule
        IngestJob.create(client, replace(upsert, assignment_rule_id="01Q"))

    common = {"object": "Account", "contentType": "CSV", "columnDelimiter": "COMMA"}
    bodies = [json.loads(each.body or "") for each in sent if str(each.url).endswith("/jobs/ingest")]
    assert bodies == [
        {**common, "operation": "insert", "lineEnding": "LF"},
        {
            **common,
            "operation": "upsert",
            "lineEnding": "CRLF",
            "externalIdFieldName": "Site",
            "assignmentRuleId": "01Q",
        },
    ]


def test_result_files_are_asked_for_compressed(
    client: SalesforceClient, sent: list[requests.PreparedRequest], tmp_path: Path
) -> None:
    """Salesforce compresses CSV for plain gzip only."""
    job, _ = load(client)
    sent.clear()
    for kind in ResultKind:
        job.download(kind, tmp_path / kind.value)

    assert [(each.headers["Accept"], each.headers["Accept-Encoding"]) for each in sent] == [("text/csv", "gzip")] * 3


def test_a_result_file_is_on_the_disk_before_it_has_its_name(
    org: Org, client: SalesforceClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut leaves a whole file or none: all that came is synced, and then renamed."""
    body = '"sf__Id","sf__Error","Name"\n"","REQUIRED_FIELD_MISSING",""\n'
    synced: list[tuple[int, bool]] = []
    sync = os.fsync

    def note_and_sync(handle: int) -> None:
        sync(handle)
        synced.append((os.fstat(handle).st_size, (tmp_path / "failed").exists()))

    job, _ = load(client)
    org.faults.add("ingest.failed", Fault.status(200, body=body, headers={"Content-Type": "text/csv"}))
    monkeypatch.setattr(os, "fsync", note_and_sync)

    assert job.download(ResultKind.FAILED, tmp_path / "failed") == 1
    assert synced == [(len(body), False)]
    assert (tmp_path / "failed").read_text() == body
    assert org.faults.completed


def test_a_job_that_salesforce_gives_up_tells_why(client: SalesforceClient) -> None:
    """Failed is about the job, not about its rows."""
    _, info = load(client, b'"Nonsense__c"\n"1"\n')

    assert (info.state, info.error_message) == (
        JobState.FAILED,
        "InvalidBatch : Field name not found : Nonsense__c",
    )


def test_aborting_is_final_and_may_be_repeated(client: SalesforceClient) -> None:
    """A finished job is left as it is."""
    job = IngestJob.create(client, ACCOUNTS)

    assert job.abort().state is JobState.ABORTED
    assert job.abort().state is JobState.ABORTED

    done, _ = load(client)

    assert done.abort().state is JobState.JOB_COMPLETE


def test_a_job_can_be_found_again(client: SalesforceClient) -> None:
    """By its id, from another process; a deleted one is gone."""
    job, _ = load(client)
    assert IngestJob.find(client, job.id).info.state is JobState.JOB_COMPLETE

    job.delete()

    with pytest.raises(JobGone, match="does not exist any more"):
        IngestJob.find(client, job.id, poll=SOON)


def test_an_abort_that_comes_after_a_close_says_how_far_the_job_is(org: Org, client: SalesforceClient) -> None:
    """Another run's close has won: the abort is refused, and that is an answer, not an error."""
    job = IngestJob.create(client, ACCOUNTS)
    job.upload(lambda: io.BytesIO(DATA))
    org.faults.add("ingest.abort", Fault.status(400, json=[{"errorCode": "INVALIDJOBSTATE", "message": "no"}]))
    org.progression = Progression.looks(100)
    IngestJob.find(client, job.id).close()

    info = job.abort()

    assert org.faults.completed
    assert (job.info, info.state.is_final, info.proves_untouched) == (info, False, False)
    assert info.state is not JobState.OPEN


def test_an_abort_that_is_refused_for_another_reason_is_an_error(org: Org, client: SalesforceClient) -> None:
    """The job is as it was: who is not told would take it for aborted."""
    job = IngestJob.create(client, ACCOUNTS)
    org.faults.add("ingest.abort", Fault.status(403, json=[{"errorCode": "INSUFFICIENT_ACCESS", "message": "no"}]))

    with pytest.raises(RequestRefused, match="INSUFFICIENT_ACCESS"):
        job.abort()
    assert org.faults.completed


def test_an_aborted_job_has_what_salesforce_counts(client: SalesforceClient) -> None:
    """The answer to an abort has no counts, so the job is asked for once more."""
    job = IngestJob.create(client, ACCOUNTS)
    job.upload(lambda: io.BytesIO(DATA))

    info = job.abort()

    assert (info.state, info.number_records_processed, info.proves_untouched) == (JobState.ABORTED, 0, True)


@pytest.mark.parametrize(
    ("state", "processed", "proves_untouched"),
    [
        ("Aborted", 0, True),
        ("Failed", 0, True),
        ("Aborted", None, False),
        ("Failed", None, False),
        ("Failed", 1, False),
        ("Open", 0, False),
        ("InProgress", 0, False),
        ("JobComplete", 0, False),
    ],
)
def test_only_a_counted_zero_proves_that_a_job_has_touched_nothing(
    state: str, processed: int | None, *, proves_untouched: bool
) -> None:
    """A count that is absent is not 0, and a job that has not ended can still begin."""
    info = JobInfo.from_json({"id": "750000000000001AAA", "state": state, "numberRecordsProcessed": processed})

    assert info.proves_untouched is proves_untouched


def test_a_lost_answer_to_a_close_is_looked_up_while_the_job_waits_its_turn(org: Org, client: SalesforceClient) -> None:
    """The second try is refused, since the job is closed; that it has not ended yet is no error."""
    org.progression = Progression.looks(100)
    job = IngestJob.create(client, ACCOUNTS)
    job.upload(lambda: io.BytesIO(DATA))
    org.faults.add("ingest.close", Fault.reset_after())

    info = job.close()

    assert org.faults.completed
    assert info.state in {JobState.UPLOAD_COMPLETE, JobState.IN_PROGRESS}


def test_a_close_costs_one_request(org: Org, client: SalesforceClient) -> None:
    """Its answer is the job as it is now."""
    org.progression = Progression.looks(100)
    job = IngestJob.create(client, ACCOUNTS)
    job.upload(lambda: io.BytesIO(DATA))
    org.requests.clear()

    assert job.close().state is JobState.UPLOAD_COMPLETE
    assert org.requests == [("PATCH", f"/services/data/v66.0/{job.path}")]


def test_a_close_that_is_answered_without_a_word_is_looked_up(org: Org, client: SalesforceClient) -> None:
    """What the job is now is not guessed."""
    job = IngestJob.create(client, ACCOUNTS)
    job.upload(lambda: io.BytesIO(DATA))
    org.faults.add("ingest.close", replace(Fault.status(204), kind="answer_after"))

    assert job.close().state is JobState.JOB_COMPLETE
    assert job.info.number_records_processed == 3
    assert org.faults.completed


def test_a_web_page_is_no_answer_to_an_upload(org: Org, client: SalesforceClient) -> None:
    """A gateway has answered with status 200, and Salesforce has no data: it is sent again."""
    org.faults.add("ingest.upload", Fault.html(200))

    load(client)

    assert len(org.faults.completed) == 1
    assert sorted(row["Name"] for row in org.rows("Account")) == ["Ada", "Bob"]


def test_a_close_that_is_refused_is_an_error(org: Org, client: SalesforceClient) -> None:
    """The job is still Open, and nothing would ever begin it."""
    job = IngestJob.create(client, ACCOUNTS)
    org.faults.add("ingest.close", Fault.status(403, json=[{"errorCode": "INSUFFICIENT_ACCESS", "message": "no"}]))

    with pytest.raises(RequestRefused, match="INSUFFICIENT_ACCESS"):
        job.close()
    assert org.faults.completed


@pytest.mark.parametrize("operation", ["ingest.upload", "ingest.close", "ingest.create", "ingest.failed"])
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed_and_no_success(
    org: Org, url: str, client: SalesforceClient, tmp_path: Path, operation: str, status: int
) -> None:
    """The request has not been carried out where it went, and its data goes nowhere else."""
    elsewhere = f"{url}/services/data/v66.0/limits"
    org.faults.add(operation, Fault.status(status, headers={"Location": elsewhere}))

    with pytest.raises(RequestRefused, match=rf"answered {status} .* redirects to 127.0.0.1, which is not followed"):
        load(client)[0].download(ResultKind.FAILED, tmp_path / "failed")
    assert len(org.faults.completed) == 1
    assert elsewhere.removeprefix(url) not in {path for _, path in org.requests}


RESULT_HEADER = '"sf__Id","sf__Created","Name"\n'


@pytest.mark.parametrize("body", [RESULT_HEADER, RESULT_HEADER + '"1","true","a"\n' * 3, ""], ids=["0", "3", "empty"])
def test_a_result_file_with_another_number_of_rows_than_counted_is_asked_for_again(
    org: Org, client: SalesforceClient, tmp_path: Path, body: str
) -> None:
    """Two were created: with fewer rows some would have no outcome, with more a wrong one."""
    job, _ = load(client)
    org.faults.add("ingest.successful", Fault.status(200, body=body, headers={"Content-Type": "text/csv"}))

    assert job.download(ResultKind.SUCCESSFUL, tmp_path / "successful") == 2
    assert len(rows(tmp_path / "successful")) == 2
    assert len(org.faults.completed) == 1


@pytest.mark.parametrize("kind", [ResultKind.SUCCESSFUL, ResultKind.FAILED])
def test_result_files_that_never_have_the_counted_rows_are_an_error(
    org: Org, client: SalesforceClient, tmp_path: Path, kind: ResultKind
) -> None:
    """Success is never claimed over rows that nothing tells of."""
    job, _ = load(client)
    operation = {ResultKind.SUCCESSFUL: "ingest.successful", ResultKind.FAILED: "ingest.failed"}[kind]
    org.faults.add(operation, Fault.status(200, body=RESULT_HEADER, headers={"Content-Type": "text/csv"}), times=9)

    with pytest.raises(IncompleteResults, match=r"has counted [12] rows for \w+, but 0 came"):
        job.download(kind, tmp_path / "file")
    assert len(org.faults.completed) == 3


def test_an_empty_result_file_has_no_rows(org: Org, client: SalesforceClient, tmp_path: Path) -> None:
    """Not even a header."""
    job, _ = load(client)
    org.faults.add("ingest.unprocessed", Fault.status(200, headers={"Content-Type": "text/csv"}))

    assert job.download(ResultKind.UNPROCESSED, tmp_path / "file") == 0
    assert (tmp_path / "file").read_bytes() == b""
    assert org.faults.completed


def test_a_204_is_not_an_empty_result_file(org: Org, settings: dict[str, Any], tmp_path: Path) -> None:
    """The file is not ready: nothing is written."""
    with SalesforceClient(ConnectionConfig.from_settings({**settings, "retry_total_s": 0.1})) as client:
        job, _ = load(client)
        org.faults.add("ingest.unprocessed", Fault.status(204), times=9)

        with pytest.raises(BrokenAnswer, match=r"the unprocessedrecords of ingest job .* are not ready yet"):
            job.download(ResultKind.UNPROCESSED, tmp_path / "file")

    assert org.faults.completed
    assert not (tmp_path / "file").exists()


def test_a_poll_that_is_stopped_does_not_wait_to_its_end(
    org: Org, client: SalesforceClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who sets the event is heard at once, however far apart the polls are."""

    class Stopped(Exception):
        pass

    def stop_at_the_second_poll(_: JobInfo) -> None:
        if stop.is_set():
            raise Stopped
        stop.set()

    def never(_: float) -> None:
        pytest.fail("a sleep hears nothing")

    stop = threading.Event()
    job = IngestJob.create(client, ACCOUNTS)
    monkeypatch.setattr(time, "sleep", never)

    with pytest.raises(Stopped):
        job.wait_until_final(
            PollPolicy(min_s=3600, max_s=3600, timeout_s=36_000), on_look=stop_at_the_second_poll, stop=stop
        )


def test_a_count_that_is_absent_is_not_0() -> None:
    """Nothing is known then; what is only shown is empty."""
    info = JobInfo.from_json({"id": "750000000000001AAA", "state": "Failed"})

    assert (info.number_records_processed, info.number_records_failed) == (None, None)
    assert (info.operation, info.created_date, info.error_message, info.total_processing_ms) == ("", "", None, 0)


@pytest.mark.parametrize("location", ["/login", ""])
def test_a_redirect_to_another_path_is_refused_as_well(org: Org, client: SalesforceClient, location: str) -> None:
    """It names no host."""
    org.faults.add("ingest.create", Fault.status(302, headers={"Location": location}))

    with pytest.raises(RequestRefused, match="it redirects to another path, which is not followed"):
        IngestJob.create(client, ACCOUNTS)
    assert org.faults.completed
