"""Every awkwardness has a switch."""

from __future__ import annotations

import json
import time
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from salesforce_bulk_simulator import Clock, Fault, Limit, Org, Progression, running
from salesforce_bulk_simulator.cli import main
from salesforce_bulk_simulator.switches import Switches

from .api import Api


def test_every_switch_is_an_option_of_the_program() -> None:
    """By its name with hyphens, and with help."""
    text = " ".join(CliRunner().invoke(main, ["--help"]).output.split())

    for switch in fields(Switches):
        assert f"--{switch.name.replace('_', '-')}" in text
        assert switch.metadata["help"].split()[0] in text


def test_an_unknown_switch_is_refused() -> None:
    """A misspelt switch is refused."""
    with pytest.raises(TypeError, match="colour"):
        Org(colour=False)


def test_line_ends_inside_quotes_can_trip_the_check(api: Api, org: Org) -> None:
    """As reported from the field; a job that is otherwise valid fails."""
    data = 'Name\n"A\r\nda"\n'
    good = api.load("Account", "insert", data)
    org.line_ends_in_quotes = True

    failed = api.load("Account", "insert", data)

    assert good["state"] == "JobComplete"
    assert failed["state"] == "Failed"
    assert failed["errorMessage"].startswith("ClientInputError : LineEnding is invalid on user data.")


def test_stamps_can_be_older_than_what_can_be_seen() -> None:
    """A row that appears now carries a stamp from before, as after a long transaction."""
    org = Org(clock=Clock(), stamp_delay_s=300)
    before = org.clock.now()

    org.insert("Account", [{"Name": "Ada"}])

    (row,) = org.rows("Account")
    assert 290 <= before.timestamp() - datetime.fromisoformat(row["SystemModstamp"]).timestamp() <= 310


def test_header_names_can_be_in_lower_case(api: Api, org: Org) -> None:
    """As behind proxies."""
    usual = api("GET", "limits").headers
    org.lower_case_headers = True

    assert "Sforce-Limit-Info" in list(usual)
    assert "sforce-limit-info" in list(api("GET", "limits").headers)


def test_accounts_can_be_persons() -> None:
    """LastName instead of Name makes one."""
    org = Org(person_accounts=True)
    ada, firm = org.insert("Account", [{"FirstName": "Ada", "LastName": "Byron"}, {"Name": "Firm"}])
    org.update("Account", [{"Id": ada, "LastName": "Lovelace"}])

    rows = {row["Id"]: (row["Name"], row["IsPersonAccount"]) for row in org.rows("Account")}
    name = org.sobject("Account").fields["name"].describe

    assert rows == {ada: ("Ada Lovelace", True), firm: ("Firm", False)}
    assert (name["compoundFieldName"], name["extraTypeInfo"]) == ("Name", "switchablepersonname")


def test_an_org_takes_describes_of_a_real_one(tmp_path: Path) -> None:
    """They are answered as they were recorded, and their rules are kept."""
    with running(Org()) as url:
        api = Api(url)
        describe: dict[str, Any] = api("GET", "sobjects/Contact/describe").json()
        api.session.close()
    describe |= {"label": "Person", "name": "Person__c", "keyPrefix": "a9Z"}
    describe["fields"] = [field for field in describe["fields"] if field["name"] in ("Id", "LastName", "IsDeleted")]
    (tmp_path / "Person.json").write_text(json.dumps(describe))
    (tmp_path / "Global.json").write_text('{"sobjects": []}')

    org = Org(describes=tmp_path)
    with running(org) as url:
        api = Api(url)
        answer = api("GET", "sobjects/Person__c/describe").json()
        info = api.load("Person__c", "insert", 'LastName\nAda\n""\n')
        api.session.close()

    assert answer["label"] == "Person"
    assert [field["name"] for field in answer["fields"]] == ["Id", "IsDeleted", "LastName"]
    assert (info["numberRecordsProcessed"], info["numberRecordsFailed"]) == (2, 1)
    assert org.rows("Person__c")[0]["Id"].startswith("a9Z")


def test_a_folder_without_describes_is_refused(tmp_path: Path) -> None:
    """With what was expected."""
    with pytest.raises(ValueError, match="contains no describe responses"):
        Org(describes=tmp_path)


# --- quotas -----------------------------------------------------------------------------------------------------------


def test_rows_beyond_the_days_batches_stay_unprocessed(api: Api, org: Org, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job fails, what was loaded stays, the rest is in unprocessedrecords."""
    monkeypatch.setattr("salesforce_bulk_simulator.jobs.registry.MAX_WAIT_S", 60)  # however busy the machine is
    org.limits["DailyBulkApiBatches"] = Limit(1)
    data = "Name\n" + "".join(f"A{number}\n" for number in range(10_001))

    info = api.load("Account", "insert", data)

    assert info["state"] == "Failed"
    assert info["errorMessage"].startswith("ExceededQuota : ")
    assert len(info["successfulResults"]) == 10_001
    assert info["unprocessedrecords"] == ["Name", '"A10000"']
    assert len(org.rows("Account")) == 10_000


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("DailyBulkV2QueryJobs", "Max bulk v2 query jobs (10000) per 24 hrs has been reached"),
        (
            "DailyBulkV2QueryFileStorageMB",
            "Max bulk v2 query result size stored (1000000000) kb per 24 hrs has been exceeded",
        ),
    ],
)
def test_the_days_query_quotas_have_their_texts(api: Api, org: Org, name: str, message: str) -> None:
    """LIMIT_EXCEEDED; REST still works."""
    org.limits[name].used = org.limits[name].max

    answer = api("POST", "jobs/query", json={"operation": "query", "query": "SELECT Id FROM Account"})

    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "LIMIT_EXCEEDED")
    assert answer.json()[0]["message"] == message
    assert api("GET", "limits").json()[name]["Remaining"] == 0


# --- work behind the requests -----------------------------------------------------------------------------------------


def test_jobs_go_on_without_being_looked_at(api: Api, org: Org) -> None:
    """A job that moves by seconds loads its rows though nobody asks for it."""
    org.progression = Progression.seconds(0.01)
    job = api.ingest_job("Account", "insert")
    api.upload(job, "Name\nAda\n")
    api.close(job)

    while org.jobs[0]["state"] != "JobComplete":
        pass

    assert [row["Name"] for row in org.rows("Account")] == ["Ada"]


def test_a_large_job_does_not_hold_up_requests(api: Api, org: Org) -> None:
    """Its work continues in the background, and its counts grow by batches of 10,000."""
    org.progression = Progression.seconds(0.001)
    job = api.ingest_job("Account", "insert")
    api.upload(job, "Name\n" + "".join(f"A{number}\n" for number in range(40_000)))
    api.close(job)
    counts, waits = [], []
    while not counts or counts[-1][0] != "JobComplete":
        start = time.monotonic()
        info = api("GET", f"jobs/ingest/{job}").json()
        waits.append(time.monotonic() - start)
        counts.append((info["state"], info["numberRecordsProcessed"]))

    assert counts[-1] == ("JobComplete", 40_000)
    assert {count % 10_000 for _, count in counts} == {0}
    assert len(counts) > 2
    assert min(waits) < 0.5


def test_the_soql_of_jobs_can_be_seen(api: Api, org: Org) -> None:
    """For tests of what a client asks."""
    api.query_job("SELECT Id FROM Account")
    api.query_job("SELECT Name FROM Account LIMIT 1", operation="queryAll")

    assert org.queries == ["SELECT Id FROM Account", "SELECT Name FROM Account LIMIT 1"]


def test_faults_are_queued_over_http(api: Api, org: Org) -> None:
    """For the program; an unknown fault is reported."""
    queued = api("POST", "/_simulator/faults", json={"operation": "limits", "fault": "html", "status": 503})
    unknown = api("POST", "/_simulator/faults", json={"fault": "explode"})
    met = api("GET", "limits")
    state = api("GET", "/_simulator").json()

    assert queued.json()["faults"]["pending"] == ["limits: answer"]
    assert (unknown.status_code, unknown.json()[0]["errorCode"]) == (400, "INVALID_FAULT")
    assert met.status_code == 503
    assert state["faults"]["completed"] == ["limits: answer"]
    assert [fault.kind for _, fault in org.faults.completed] == [Fault.html(503).kind]
