"""A dry run tells what would happen, and does nothing."""

from __future__ import annotations

import logging

import pytest
from salesforce_bulk_client import ConfigError
from salesforce_bulk_simulator import Org
from target_salesforce_bulk.errors import RecordsFailed

from tests.target.conftest import TargetRunner, records, schema, state

ACCOUNT = schema("Account", key=["External_Id__c"], External_Id__c="string", Name=["string", "null"])


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The lines of the plan."""
    return [record.getMessage() for record in caplog.records if record.name.endswith("dry_run")]


def test_the_plan_tells_rows_jobs_bytes_requests_and_problems(
    org: Org, target: TargetRunner, caplog: pytest.LogCaptureFixture
) -> None:
    """The header takes 24 bytes and each row 12: five rows in jobs of three, and two that could not be sent."""
    caplog.set_level(logging.INFO)
    rows = [{"External_Id__c": f"{n}", "Name": f"Ada {n}"} for n in range(5)]
    refused = [{"External_Id__c": "6", "Name": "x" * 256}, {"External_Id__c": "7", "Name": 5}]
    run = target.run(
        ACCOUNT,
        records("Account", *rows, *refused),
        state({"n": 1}),
        schema("Contact", LastName="string"),
        records("Contact", {"LastName": "Bob"}),
        batch_size_rows=3,
        dry_run=True,
        mappings={"Contact": {"operation": "insert"}},
    )

    assert isinstance(run.error, RecordsFailed)
    assert str(run.error) == "dry run: 2 of 8 records would be refused before they are sent"
    assert told(caplog)[:-1] == [
        "dry run: nothing is sent, and no STATE is emitted",
        "Account: upsert Account by External_Id__c: 5 rows, 108 bytes of job data, 2 jobs, 0 small requests",
        "Account: 1 records refused, STRING_TOO_LONG: Name, for example: 'Name': the text has 256 characters, the field takes 255",  # noqa: E501
        "Account: 1 records refused, INVALID_RECORD: data.Name must be string or null",
        "Contact: insert Contact: 1 rows, 17 bytes of job data, 1 jobs, 0 small requests",
    ]
    assert told(caplog)[-1].startswith(
        "in all: 3 jobs, 3 batches, 21 API requests and one for each further poll of a job; the org has 999"
    )
    assert " of 15000 batches left" in told(caplog)[-1]
    assert run.states == []
    assert not run.results_dir.exists()
    assert {method for method, path in org.requests if "/services/data/" in path} == {"GET"}


def test_small_loads_are_planned_as_such(org: Org, target: TargetRunner, caplog: pytest.LogCaptureFixture) -> None:
    """One request, no job; nothing is wrong, so nothing is said to be."""
    caplog.set_level(logging.INFO)
    run = target.run(ACCOUNT, records("Account", {"External_Id__c": "a", "Name": "Ada"}), dry_run=True)

    assert run.error is None
    assert told(caplog)[1].endswith("1 rows, 34 bytes of job data, 0 jobs, 1 small request")
    assert org.rows("Account") == []


def test_a_mapping_that_does_not_fit_is_told(org: Org, target: TargetRunner) -> None:
    """As in a real run."""
    run = target.run(schema("Account", key=["Id"], Id="string", Shoe="string"), dry_run=True)

    assert isinstance(run.error, ConfigError)
    assert "Account has no field 'Shoe'" in str(run.error)
