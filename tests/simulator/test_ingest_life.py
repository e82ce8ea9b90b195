"""The life of Bulk 2.0 ingest jobs: their steps, limits, faults and end."""

from __future__ import annotations

import json

import pytest
from salesforce_bulk_simulator import Clock, Fault, Org, Progression, running

from .api import Api


def test_a_job_goes_from_open_to_complete(api: Api, org: Org) -> None:
    """Create, one PUT, PATCH; counts are reported once it is closed."""
    created = api("POST", "jobs/ingest", json={"object": "Account", "operation": "insert"})
    job = created.json()["id"]
    open_info = api("GET", f"jobs/ingest/{job}").json()
    upload = api.upload(job, "Name\nAda\n")
    closed = api.close(job)
    done = api("GET", f"jobs/ingest/{job}").json()

    assert (created.status_code, created.json()["state"]) == (200, "Open")
    assert created.json()["contentUrl"] == f"services/data/v66.0/jobs/ingest/{job}/batches"
    assert "numberRecordsProcessed" not in open_info
    assert (upload.status_code, upload.content) == (201, b"")
    assert (closed.json()["state"], "contentUrl" in closed.json()) == ("UploadComplete", False)
    assert (done["state"], done["jobType"]) == ("JobComplete", "V2Ingest")
    assert (done["numberRecordsProcessed"], done["numberRecordsFailed"]) == (1, 0)
    assert [row["Name"] for row in org.rows("Account")] == ["Ada"]


def test_a_second_upload_is_refused(api: Api) -> None:
    """Exactly one PUT per job."""
    job = api.ingest_job("Account", "insert")
    api.upload(job, "Name\nAda\n")

    answer = api.upload(job, "Name\nBob\n")

    assert answer.status_code == 400
    assert answer.json()[0]["message"].startswith(f"Found multiple contents for job: <{job}>")


def test_a_closed_job_cannot_be_closed_or_aborted_again(api: Api) -> None:
    """The message shows a client whose response was lost that its request had arrived."""
    job = api.ingest_job("Account", "insert")
    api.upload(job, "Name\nAda\n")
    api.close(job)

    closing = api.close(job)
    aborting = api("PATCH", f"jobs/ingest/{job}", json={"state": "Aborted"})

    assert closing.json() == [{"message": "Closing already Completed Job not allowed", "errorCode": "INVALIDJOBSTATE"}]
    assert aborting.json() == [
        {"message": "Aborting already Completed Job not allowed", "errorCode": "INVALIDJOBSTATE"}
    ]


def test_an_aborted_job_leaves_its_rows_unprocessed(api: Api, org: Org) -> None:
    """What was never tried comes back as it was uploaded."""
    org.progression = Progression.looks(5)
    job = api.ingest_job("Account", "insert")
    api.upload(job, 'Name,Rating\n"Ada, Sons",Hot\n')
    api.close(job)

    api("PATCH", f"jobs/ingest/{job}", json={"state": "Aborted"})

    assert api("GET", f"jobs/ingest/{job}/unprocessedRecords/").text == 'Name,Rating\n"Ada, Sons","Hot"\n'
    assert org.rows("Account") == []


def test_progress_grows_by_batches_of_ten_thousand(api: Api, org: Org, monkeypatch: pytest.MonkeyPatch) -> None:
    """A poll of a running job shows its progress."""
    monkeypatch.setattr("salesforce_bulk_simulator.jobs.registry.MAX_WAIT_S", 60)  # however busy the machine is
    org.progression = Progression.looks(2)
    job = api.ingest_job("Account", "insert")
    api.upload(job, "Name\n" + "".join(f"A{number}\n" for number in range(20_001)))
    api.close(job)

    counts = [api("GET", f"jobs/ingest/{job}").json()["numberRecordsProcessed"] for _ in range(5)]

    assert counts == [0, 0, 0, 10_000, 20_001]


def test_an_open_job_cannot_be_deleted_and_a_closed_one_can(api: Api) -> None:
    """DELETE is allowed in UploadComplete, JobComplete, Aborted and Failed."""
    job = api.ingest_job("Account", "insert")

    refused = api("DELETE", f"jobs/ingest/{job}")
    api("PATCH", f"jobs/ingest/{job}", json={"state": "Aborted"})

    assert refused.status_code == 400
    assert api("DELETE", f"jobs/ingest/{job}").status_code == 204


def test_a_multipart_job_is_closed_at_once(api: Api, org: Org) -> None:
    """Job and data in one request."""
    job = json.dumps({"object": "Account", "operation": "insert"})
    files = {"job": (None, job, "application/json"), "content": ("content", "Name\nAda\n", "text/csv")}

    answer = api("POST", "jobs/ingest", files=files)

    assert answer.json()["state"] == "UploadComplete"
    assert [row["Name"] for row in org.rows("Account")] == ["Ada"]


def test_a_job_can_be_made_to_fail(api: Api, org: Org) -> None:
    """Its rows are then unprocessed."""
    org.faults.add("ingest.close", Fault.job_fails("InternalServerError : Retried more than twenty times"))

    info = api.load("Account", "insert", "Name\nAda\n")

    assert (info["state"], info["errorMessage"]) == ("Failed", "InternalServerError : Retried more than twenty times")
    assert info["unprocessedrecords"] == ["Name", '"Ada"']
    assert len(org.faults.completed) == 1


def test_rows_can_be_locked(api: Api, org: Org) -> None:
    """Those chosen are refused once, with the code that is worth a retry."""
    org.faults.add("ingest.create", Fault.lock_rows(where=lambda row: row["Name"] == "Bob"))

    first = api.load("Account", "insert", "Name\nAda\nBob\n")
    second = api.load("Account", "insert", "Name\nBob\n")

    assert "UNABLE_TO_LOCK_ROW:unable to obtain exclusive access to this record" in first["failedResults"][1]
    assert (first["numberRecordsFailed"], second["numberRecordsFailed"]) == (1, 0)
    assert len(org.faults.completed) == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"object": "Nonsense", "operation": "insert"}, "INVALIDENTITY"),
        ({"object": "Account", "operation": "merge"}, "INVALIDJOB"),
        ({"object": "Account", "operation": "upsert", "externalIdFieldName": "Rating"}, "INVALIDJOB"),
        ({"object": "Account", "operation": "insert", "lineEnding": "CR"}, "INVALIDJOB"),
        ({"object": "Account", "operation": "insert", "colour": "red"}, "JSON_PARSER_ERROR"),
    ],
    ids=["object", "operation", "key", "line ending", "unknown key"],
)
def test_a_wrong_job_is_refused(api: Api, body: dict[str, str], code: str) -> None:
    """Before anything is made."""
    answer = api("POST", "jobs/ingest", json=body)

    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, code)
    assert api("GET", "jobs/ingest").json()["records"] == []


def test_data_over_150_mb_after_base64_is_refused(api: Api) -> None:
    """112.5 MB of CSV; the job stays open, for less."""
    job = api.ingest_job("Account", "insert")

    refused = api.upload(job, b"Name\n" + b"x" * 112_500_000)
    taken = api.upload(job, b"Name\nAda\n")

    assert (refused.status_code, refused.json()[0]["errorCode"]) == (400, "CLIENTINPUTERROR")
    assert taken.status_code == 201


def test_an_open_job_is_gone_after_a_day() -> None:
    """24 hours, then 404."""
    org = Org(clock=Clock(), token_life_s=1e6)
    with running(org) as url:
        api = Api(url)
        job = api.ingest_job("Account", "insert")
        org.clock.advance(23 * 3600)
        before = api("GET", f"jobs/ingest/{job}").status_code
        org.clock.advance(3601)
        after = api("GET", f"jobs/ingest/{job}").status_code
        api.session.close()

    assert (before, after) == (200, 404)
