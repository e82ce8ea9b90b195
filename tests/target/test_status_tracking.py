"""A record in the org tells how the run goes."""

from __future__ import annotations

from typing import Any

import pytest
from salesforce_bulk_client import ConfigError
from salesforce_bulk_simulator import Fault, Org, Progression
from target_salesforce_bulk.errors import RecordsFailed

from tests.target.conftest import TargetRunner, records, schema, state

FILE = {
    "name": "Sales_File__c",
    "fields": {
        "Ref__c": "string(40) externalId unique",
        "Status__c": "picklist(running,succeeded,failed) restricted",
        "Loaded__c": "double(18,0)",
        "Failed__c": "string(18)",
        "Message__c": "string(40)",
        "Formula__c": "string(10) readonly",
    },
}
TRACKING = {
    "object": "Sales_File__c",
    "external_id_field": "Ref__c",
    "external_ref": "sales-1",
    "fields": {
        "status": "Status__c",
        "records_loaded": "Loaded__c",
        "records_failed": "Failed__c",
        "message": "Message__c",
    },
}
ACCOUNT = schema("Account", Name=["string", "null"])


@pytest.fixture
def org() -> Org:
    """An org with an object for the status of loads."""
    return Org(progression=Progression.immediate(), objects=[FILE])


def told(org: Org) -> tuple[Any, ...]:
    """What the record says."""
    (row,) = org.rows("Sales_File__c")
    return tuple(row[name] for name in ("Ref__c", "Status__c", "Loaded__c", "Failed__c", "Message__c"))


def test_a_good_run_has_succeeded(org: Org, target: TargetRunner) -> None:
    """Told at the start, for each of two jobs, and at the end: four requests for one record."""
    rows = records("Account", {"Name": "Ada"}, {"Name": "Bob"})
    run = target.run(ACCOUNT, rows, operation="insert", batch_size_rows=1, status_tracking=TRACKING)

    assert run.error is None
    assert told(org) == ("sales-1", "succeeded", 2.0, "0", None)
    assert len([path for _, path in org.requests if "composite" in path]) == 4


def test_a_run_with_refused_records_has_failed(org: Org, target: TargetRunner) -> None:
    """The counts say how much; the message is cut to what its field takes."""
    rows = records("Account", {"Name": "Ada"}, {"Name": None})
    run = target.run(ACCOUNT, rows, operation="insert", status_tracking=TRACKING)

    assert isinstance(run.error, RecordsFailed)
    assert told(org) == ("sales-1", "failed", 1.0, "1", str(run.error)[:40])


def test_a_run_that_is_stopped_has_failed(org: Org, target: TargetRunner) -> None:
    """Whatever ended it."""
    org.faults.add("ingest.create", Fault.request_limit_total())
    run = target.run(ACCOUNT, records("Account", {"Name": "Ada"}), operation="insert", status_tracking=TRACKING)

    assert told(org)[:4] == ("sales-1", "failed", 0.0, "0")
    assert str(run.error).startswith(told(org)[4])
    assert org.faults.completed


def test_while_it_runs_it_is_running(org: Org, target: TargetRunner) -> None:
    """Also after a run that was killed: nothing else was written."""
    org.progression = Progression.seconds(3600)
    org.faults.add("collections", Fault.status(400, json=[{"errorCode": "X", "message": "no"}]), after=1)
    target.run(
        ACCOUNT,
        records("Account", {"Name": "Ada"}),
        operation="insert",
        status_tracking={**TRACKING, "external_ref": None},
        job_timeout_s=0.05,
    )

    assert told(org)[1:4] == ("running", 0.0, "0")
    assert told(org)[0].startswith("20")


def test_a_status_that_cannot_be_written_fails_no_load(
    org: Org, target: TargetRunner, caplog: pytest.LogCaptureFixture
) -> None:
    """It is a warning."""
    org.faults.add("collections", Fault.status(400, json=[{"errorCode": "X", "message": "no"}]), after=1)
    run = target.run(
        ACCOUNT, records("Account", {"Name": "Ada"}), state({"n": 1}), operation="insert", status_tracking=TRACKING
    )

    assert run.error is None
    assert run.states == [{"n": 1}]
    assert any("status_tracking: the record sales-1 could not be written" in line for line in caplog.messages)
    assert org.faults.completed


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"object": "Nothing__c"}, "Salesforce has no object 'Nothing__c'"),
        ({"external_id_field": "Status__c"}, "'Status__c' is not an external ID field of Sales_File__c"),
        ({"fields": {"status": "Colour__c"}}, "Sales_File__c has no field 'Colour__c' that can be written"),
        ({"fields": {"status": "Formula__c"}}, "Sales_File__c has no field 'Formula__c' that can be written"),
        ({"fields": {"status": "Status__c", "message": "status__c"}}, "Status__c can hold only one of external_ref"),
        ({"fields": {"status": TRACKING["external_id_field"]}}, "can hold only one of external_ref, status, records"),
    ],
)
def test_wrong_settings_are_told_before_anything_is_sent(
    org: Org, target: TargetRunner, wrong: dict[str, Any], message: str
) -> None:
    """By describe."""
    run = target.run(
        ACCOUNT, records("Account", {"Name": "Ada"}), operation="insert", status_tracking={**TRACKING, **wrong}
    )

    assert isinstance(run.error, ConfigError)
    assert message in str(run.error)
    assert org.rows("Account") == []


def test_a_status_that_the_org_refuses_is_told_at_the_start(org: Org, target: TargetRunner) -> None:
    """Before anything is loaded."""
    fields = {"status": "Loaded__c"}
    run = target.run(
        ACCOUNT,
        records("Account", {"Name": "Ada"}),
        operation="insert",
        status_tracking={**TRACKING, "fields": fields, "external_ref": "x" * 41},
    )

    assert isinstance(run.error, ConfigError)
    assert "status_tracking: Salesforce refuses the record: " in str(run.error)
    assert org.rows("Account") == []
