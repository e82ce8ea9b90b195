"""Faults that leave a client in doubt of what the org has done, and the org's own record of it."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from salesforce_bulk_simulator import Fault, Org, Progression

from .api import Api

ADA = {"attributes": {"type": "Contact"}, "Email": "ada@example.com", "LastName": "Ada"}
ROWS = "Name\nAda\nBob\nCyd\n"


@pytest.fixture
def org() -> Org:
    """An org that keeps its history."""
    return Org(keeps_history=True, shuffle=False)


def upsert(api: Api, **values: str) -> requests.Response:
    """Send one Contact by Collections, keyed by its Email."""
    return api("PATCH", "composite/sobjects/Contact/Email", json={"records": [ADA | values]})


def changes(org: Org) -> list[tuple[str, Any]]:
    """Return kind and LastName of each change."""
    return [(change.kind, change.values.get("LastName")) for change in org.history]


# --- answers that are lost, false or late ----------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["ingest.info", "ingest.upload", "ingest.close", "collections"])
@pytest.mark.parametrize("fault", [Fault.not_found(), Fault.html(404)], ids=["Salesforce's", "a gateway's"])
def test_a_false_404_is_answered_once(api: Api, org: Org, operation: str, fault: Fault) -> None:
    """Though what is asked for is there; the second time the request is done."""
    job = api.ingest_job("Account", "insert")
    call = {
        "ingest.info": lambda: api("GET", f"jobs/ingest/{job}"),
        "ingest.upload": lambda: api.upload(job, ROWS),
        "ingest.close": lambda: api.close(job),
        "collections": lambda: upsert(api),
    }[operation]
    org.faults.add(operation, fault)

    first, second = call(), call()

    assert first.status_code == 404
    assert second.ok
    assert [met for met, _ in org.faults.completed] == [operation]


def test_a_request_can_be_carried_out_and_answered_503(api: Api, org: Org) -> None:
    """By a gateway's page: the row is there all the same."""
    org.faults.add("collections", Fault.html_after(503))

    answer = upsert(api)

    assert (answer.status_code, answer.text) == (503, "<html><body><h1>Error 503</h1></body></html>")
    assert changes(org) == [("create", "Ada")]
    assert org.faults.completed == [("collections", Fault.html_after(503))]


def test_a_lost_request_can_be_carried_out_after_a_newer_one(api: Api, org: Org) -> None:
    """The old value wins: it is applied just before the second later request, which finds it."""
    org.faults.add("collections", Fault.carried_out_late(after=2))

    with pytest.raises(requests.ConnectionError):
        upsert(api, LastName="old")
    upsert(api, LastName="new")
    before = [row["LastName"] for row in org.rows("Contact")]
    api("GET", "limits")

    assert before == ["new"]
    assert changes(org) == [("create", "new"), ("update", "old")]
    assert len(org.faults.completed) == 1


def test_a_lost_close_can_be_carried_out_by_a_control_call(api: Api, org: Org) -> None:
    """Until then the job is open; then it runs."""
    org.faults.add("ingest.close", Fault.carried_out_late())
    job = api.ingest_job("Account", "insert")
    api.upload(job, ROWS)

    with pytest.raises(requests.ConnectionError):
        api.close(job)
    before = api("GET", f"jobs/ingest/{job}").json()["state"]
    api("POST", "/_simulator/late")

    assert before == "Open"
    assert api("GET", f"jobs/ingest/{job}").json()["state"] == "JobComplete"
    assert len(org.rows("Account")) == 3


def test_an_abort_can_lose_against_a_close(api: Api, org: Org) -> None:
    """It is refused, and the job loads its rows."""
    org.progression = Progression.looks(1)
    org.faults.add("ingest.abort", Fault.close_wins())
    job = api.ingest_job("Account", "insert")
    api.upload(job, ROWS)

    answer = api("PATCH", f"jobs/ingest/{job}", json={"state": "Aborted"})
    states = [api("GET", f"jobs/ingest/{job}").json()["state"] for _ in range(3)]

    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "INVALIDJOBSTATE")
    assert states == ["UploadComplete", "InProgress", "JobComplete"]
    assert len(org.rows("Account")) == 3
    assert org.faults.completed == [("ingest.abort", Fault.close_wins())]


# --- result files that say nothing ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("has_counts", "counts"), [(True, (2, 0)), (False, (None, None))], ids=["with counts", "without"]
)
def test_a_job_can_fail_midway_and_be_silent_about_the_rest(
    api: Api, org: Org, *, has_counts: bool, counts: tuple[int | None, int | None]
) -> None:
    """Two rows are loaded; the unprocessed file is only a header."""
    fault = Fault.job_fails("Timeout : …", after_rows=2, lists_unprocessed=False, has_counts=has_counts)
    org.faults.add("ingest.close", fault)

    info = api.load("Account", "insert", ROWS)

    assert (info["state"], info["errorMessage"]) == ("Failed", "Timeout : …")
    assert (info.get("numberRecordsProcessed"), info.get("numberRecordsFailed")) == counts
    assert len(info["successfulResults"]) == 3
    assert info["unprocessedrecords"] == ["Name"]
    assert [row["Name"] for row in org.rows("Account")] == ["Ada", "Bob"]
    assert org.faults.completed == [("ingest.close", fault)]


def test_a_job_can_fail_midway_and_list_the_rest(api: Api, org: Org) -> None:
    """As Salesforce does it in order."""
    org.faults.add("ingest.close", Fault.job_fails(after_rows=1))

    info = api.load("Account", "insert", ROWS)

    assert info["state"] == "Failed"
    assert info["successfulResults"][1].endswith('"Ada"')
    assert info["unprocessedrecords"] == ["Name", '"Bob"', '"Cyd"']


@pytest.mark.parametrize(
    ("file", "has_counts", "counts", "lines"),
    [
        ("successful", True, (4, 2), (2, 3)),
        ("successful", False, (3, 2), (2, 3)),
        ("failed", True, (4, 2), (3, 2)),
        ("failed", False, (3, 1), (3, 2)),
    ],
)
def test_a_result_file_can_lack_rows(
    api: Api, org: Org, file: str, *, has_counts: bool, counts: tuple[int, int], lines: tuple[int, int]
) -> None:
    """The job completes; its counts include the lost row or leave it out, too."""
    fault = Fault.results_lost(file, has_counts=has_counts)
    org.faults.add("ingest.close", fault)

    info = api.load("Account", "insert", 'Name\nAda\nBob\n""\n""\n')

    assert info["state"] == "JobComplete"
    assert (info["numberRecordsProcessed"], info["numberRecordsFailed"]) == counts
    assert (len(info["successfulResults"]), len(info["failedResults"])) == lines
    assert len(org.rows("Account")) == 2
    assert org.faults.completed == [("ingest.close", fault)]


def test_a_lost_result_without_such_rows_is_not_met(api: Api, org: Org) -> None:
    """No row fails, so none can be missing in the failed file."""
    org.faults.add("ingest.close", Fault.results_lost("failed"))

    api.load("Account", "insert", ROWS)

    assert org.faults.completed == []


# --- the org's own record ---------------------------------------------------------------------------------------------


def test_the_history_has_each_change_with_what_made_it(api: Api, org: Org) -> None:
    """Object, id, external ids, written values; a job's id, a request, or nothing for the test itself."""
    (bob,) = org.insert("Contact", [{"LastName": "Bob", "Email": "bob@example.com"}])
    info = api.load("Contact", "upsert", "Email,LastName\nbob@example.com,Bo\n", externalIdFieldName="Email")
    upsert(api)
    api("DELETE", "composite/sobjects", params={"ids": bob})

    history = [(change.kind, change.sobject, change.keys["Email"], change.origin) for change in org.history]

    collections = f"{api.base}/composite/sobjects"
    assert history == [
        ("create", "Contact", "bob@example.com", ""),
        ("update", "Contact", "bob@example.com", info["id"]),
        ("create", "Contact", "ada@example.com", f"PATCH {collections}/Contact/Email"),
        ("delete", "Contact", "bob@example.com", f"DELETE {collections}"),
    ]
    assert [change.id for change in org.history if change.id == bob] == [bob] * 3
    assert org.history[1].values == {"LastName": "Bo"}


def test_what_is_rolled_back_has_no_history(api: Api, org: Org) -> None:
    """``allOrNone`` with one bad record."""
    bad = {"attributes": {"type": "Contact"}, "Email": "bob@example.com"}

    api("POST", "composite/sobjects", json={"allOrNone": True, "records": [ADA, bad]})

    assert org.history == []


def test_history_is_kept_on_demand() -> None:
    """It would grow with the rows."""
    org = Org()

    org.insert("Account", [{"Name": "Ada"}])

    assert org.history == []


def test_an_open_job_with_data_is_distinguished_from_an_empty_one(api: Api, org: Org) -> None:
    """The API gives no record count for either."""
    api.ingest_job("Account", "insert")
    full, closed, aborted = (api.ingest_job("Account", "insert") for _ in range(3))
    for job in (full, closed, aborted):
        api.upload(job, ROWS)
    api.close(closed)
    api("PATCH", f"jobs/ingest/{aborted}", json={"state": "Aborted"})

    assert org.open_jobs_with_data == [full]
