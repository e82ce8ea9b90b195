"""Ingest jobs: one upload, one close, three files; lost answers are resolved, never guessed."""

from __future__ import annotations

import csv
import io
import stat
from pathlib import Path

import pytest
from salesforce_bulk_client import (
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
        IngestJob.find(client, job.id)


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
