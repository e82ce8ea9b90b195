"""JSON of another form than expected: a broken answer, asked for again, and never a traceback."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from salesforce_bulk_client import (
    BrokenAnswer,
    ConnectionConfig,
    ConnectionFailed,
    IngestJob,
    IngestSpec,
    Operation,
    QueryJob,
    SalesforceClient,
    describe,
    describe_global,
    list_jobs,
    query_records,
)
from salesforce_bulk_client.sobject_collections import delete_records
from salesforce_bulk_simulator import Fault, Org

ACCOUNTS = IngestSpec(object="Account", operation=Operation.INSERT)
SOQL = "SELECT Name FROM Account"

ODD: list[Any] = [{"ok": True}, [], ["odd"], "odd", 5]
"""Forms that no answer has."""

Call = Callable[[SalesforceClient], object]
CALLS: dict[str, tuple[str, Call, str]] = {
    "login": ("login", lambda client: client.instance_url, "the login at .* answered without an access token"),
    "limits": ("limits", lambda client: client.limits(), "GET /services/data/v66.0/limits answered 200 with JSON"),
    "describe": ("describe", lambda client: describe(client, "Account"), "GET .*/sobjects/Account/describe answered"),
    "describe global": ("describe_global", describe_global, "GET .*/sobjects answered 200 with JSON of another"),
    "a new query job": (
        "query.create",
        lambda client: QueryJob.create(client, SOQL, include_deleted=False),
        "POST .*/jobs/query answered 200 with JSON of another form",
    ),
    "a new ingest job": (
        "ingest.create",
        lambda client: IngestJob.create(client, ACCOUNTS),
        "POST .*/jobs/ingest answered 200 with JSON of another form",
    ),
    "a job": (
        "ingest.info",
        lambda client: IngestJob.create(client, ACCOUNTS).refresh(),
        "GET .*/jobs/ingest/750.* answered 200 with JSON of another form",
    ),
    "a list of jobs": (
        "ingest.list",
        lambda client: list(list_jobs(client, "ingest")),
        "GET .*/jobs/ingest answered 200 with JSON of another form",
    ),
    "a REST query": (
        "rest.query",
        lambda client: list(query_records(client, SOQL, include_deleted=False)),
        "GET .*/query answered 200 with JSON of another form",
    ),
    "results of a collection": (
        "collections",
        lambda client: delete_records(client, ids=["001000000000001AAA"], is_repeatable=True),
        "composite/sobjects did not answer with one result|DELETE .*/composite/sobjects answered 200 with JSON",
    ),
}
EACH_CALL = pytest.mark.parametrize(("operation", "call", "message"), CALLS.values(), ids=CALLS)


@pytest.fixture
def settings(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings with little patience."""
    return {**settings, "retry_total_s": 0.05}


@EACH_CALL
@pytest.mark.parametrize("odd", [*ODD, {"records": [5], "done": True}, {"sobjects": [{}], "fields": [{}]}], ids=repr)
def test_json_of_another_form_is_a_broken_answer(
    org: Org, client: SalesforceClient, operation: str, call: Call, message: str, odd: Any
) -> None:
    """The error names the request."""
    org.faults.add(operation, Fault.status(200, json=odd), times=9)

    with pytest.raises(BrokenAnswer, match=message):
        call(client)
    assert org.faults.completed


@EACH_CALL
def test_json_of_another_form_is_asked_for_again(
    org: Org, settings: dict[str, Any], operation: str, call: Call, message: str
) -> None:
    """It is a proxy's, for instance, and passes."""
    org.faults.add(operation, Fault.status(200, json=["odd"]))

    with SalesforceClient(ConnectionConfig.from_settings({**settings, "retry_total_s": 20})) as client:
        call(client)
    assert len(org.faults.completed) == 1


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"id": "750000000000001AAA"},
        {"id": "750000000000001AAA", "state": "Open", "totalProcessingTime": "long"},
        {"id": "750000000000001AAA", "state": "Open", "apiVersion": "newest"},
        {"id": "750000000000001AAA", "state": "Open", "numberRecordsProcessed": [1]},
    ],
)
@pytest.mark.parametrize("operation", ["ingest.info", "ingest.list"])
def test_a_job_with_odd_values_is_a_broken_answer(
    org: Org, client: SalesforceClient, operation: str, entry: dict[str, Any]
) -> None:
    """Alone and in a list."""
    body = entry if operation == "ingest.info" else {"records": [entry], "done": True}
    org.faults.add(operation, Fault.status(200, json=body), times=9)
    call: Call = CALLS["a job" if operation == "ingest.info" else "a list of jobs"][1]

    with pytest.raises(BrokenAnswer, match="answered 200 with JSON of another form"):
        call(client)
    assert org.faults.completed


@pytest.mark.parametrize(
    "body",
    [
        {"records": {}, "done": True},
        {"records": [{"Name": "a"}], "done": True},
        {"records": [], "done": False},
        {"records": [], "done": False, "nextRecordsUrl": 5},
        {"records": []},
    ],
    ids=str,
)
def test_an_odd_batch_of_records_is_not_an_empty_one(org: Org, client: SalesforceClient, body: dict[str, Any]) -> None:
    """A query never ends early with success."""
    org.faults.add("rest.query", Fault.status(200, json=body), times=9)

    with pytest.raises(BrokenAnswer, match=r"GET .*/query answered 200 with JSON of another form"):
        list(query_records(client, SOQL, include_deleted=False))
    assert org.faults.completed


def test_a_batch_may_say_that_there_is_no_next_one(org: Org, client: SalesforceClient) -> None:
    """By an address that is null, for instance."""
    body = {"records": [], "done": True, "nextRecordsUrl": None}
    org.faults.add("rest.query", Fault.status(200, json=body))

    assert list(query_records(client, SOQL, include_deleted=False)) == [[]]
    assert org.faults.completed


def test_results_without_a_success_flag_may_have_worked(org: Org, client: SalesforceClient) -> None:
    """Whoever sent them has to know that nothing is known; they are not sent again from here."""
    org.faults.add("collections", Fault.status(200, json=[{"id": "001000000000001AAA"}]))

    with pytest.raises(ConnectionFailed) as caught:
        delete_records(client, ids=["001000000000001AAA"])

    assert caught.value.may_have_worked
    assert len(org.faults.completed) == 1
