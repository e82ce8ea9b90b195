"""What is logged of a failed request: what was asked and the code that came back, never what was in it."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable

import pytest
from salesforce_bulk_client import (
    IngestJob,
    IngestSpec,
    Operation,
    PollPolicy,
    QueryJob,
    SalesforceClient,
    query_records,
)
from salesforce_bulk_client.sobject_collections import update_records
from salesforce_bulk_simulator import Fault, Org

ACCOUNTS = IngestSpec(object="Account", operation=Operation.INSERT)
SECRET = "1985-04-12"
"""A value that was sent, and that Salesforce quotes."""
SOQL = f"SELECT Id FROM Account WHERE Name = '{SECRET}'"


def upload(client: SalesforceClient) -> None:
    """Send a job's data."""
    IngestJob.create(client, ACCOUNTS).upload(lambda: io.BytesIO(f'"Name"\n"{SECRET}"\n'.encode()))


CALLS: dict[str, Callable[[SalesforceClient], object]] = {
    "ingest.upload": upload,
    "collections": lambda client: update_records(
        client, "Account", records=[{"Id": "001000000000001AAA", "Name": SECRET}], is_repeatable=True
    ),
    "rest.query": lambda client: list(query_records(client, SOQL, include_deleted=False)),
    "query.create": lambda client: QueryJob.create(client, SOQL, include_deleted=False),
}


@pytest.mark.parametrize(("operation", "call"), CALLS.items(), ids=CALLS)
@pytest.mark.parametrize(("status", "code"), [(500, "UNKNOWN_EXCEPTION"), (400, "UNABLE_TO_LOCK_ROW")])
def test_a_failed_try_is_logged_without_the_values_that_salesforce_quotes(
    org: Org,
    client: SalesforceClient,
    caplog: pytest.LogCaptureFixture,
    operation: str,
    call: Callable[[SalesforceClient], object],
    status: int,
    code: str,
) -> None:
    """Method, path, status and code are enough to find out why."""
    org.faults.add(operation, Fault.status(status, json=[{"errorCode": code, "message": f"at '{SECRET}': unexpected"}]))

    with caplog.at_level(logging.DEBUG, logger="salesforce_bulk_client"):
        call(client)

    assert len(org.faults.completed) == 1
    assert f"answered {status} {code}; trying again in " in caplog.text
    assert SECRET not in caplog.text


def test_each_line_about_a_job_names_it(client: SalesforceClient, caplog: pytest.LogCaptureFixture) -> None:
    """As fields, beside those of whoever uses the job."""
    with caplog.at_level(logging.INFO, logger="salesforce_bulk_client"):
        job = IngestJob.create(client, ACCOUNTS, log_fields={"stream": "accounts"})
        job.upload(lambda: io.BytesIO(b'"Name"\n"Ada"\n""\n'))
        job.close()
        job.wait_until_final(PollPolicy(min_s=0.01))

    begun, ended = (record.__dict__ for record in caplog.records if "ingest job" in record.getMessage())
    common = {
        "job_id": job.id,
        "sobject": "Account",
        "operation": "insert",
        "job_kind": "ingest",
        "stream": "accounts",
    }
    assert begun.items() >= {**common, "job_state": "Open"}.items()
    assert ended.items() >= {**common, "job_state": "JobComplete", "records": 2, "records_failed": 1}.items()
