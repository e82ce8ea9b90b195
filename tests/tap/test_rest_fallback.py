"""What Bulk refuses is read by REST query: the same rows, the same values, the same bookmark."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote_plus

import pytest
from salesforce_bulk_client import ConfigError, ConnectionConfig, Field, QuotaReached, SalesforceClient
from salesforce_bulk_simulator import Fault, Org, running
from tap_salesforce_bulk.query import rest_fallback
from tap_salesforce_bulk.query.ranges import QueryRange
from tap_salesforce_bulk.query.rest_fallback import queries_that_fit
from tap_salesforce_bulk.query.soql import Query

from .conftest import TapRunner

REFUSED = Fault.status(
    400, json=[{"errorCode": "INVALIDENTITY", "message": "Entity 'Account' is not supported by the Bulk API."}]
)
ROWS = [
    {
        "Name": "0012",
        "Description": 'line one\r\nline "two", NA \u2028',
        "AnnualRevenue": 912260031.5,
        "NumberOfEmployees": 7,
    },
    {"Name": "Bob", "AnnualRevenue": 0.1},
    {"Name": "Cyd", "NumberOfEmployees": 0},
]


def rest_queries(org: Org) -> list[str]:
    return [path for _, path in org.requests if "/query" in path and "/jobs/" not in path]


def by_id(records: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {record["Id"]: record for record in records}


def test_a_known_object_is_not_tried_by_bulk(org: Org, tap: TapRunner) -> None:
    """CaseStatus is in every connector's list."""
    org.insert("CaseStatus", [{"MasterLabel": "New", "SortOrder": 1, "IsClosed": False}])

    run = tap.run("CaseStatus")

    assert run.error is None
    assert run.column("CaseStatus", "MasterLabel") == ["New"]
    assert not any("/jobs/" in path for _, path in org.requests)
    assert run.state["bookmarks"]["CaseStatus"].keys() == {"replication_key", "replication_key_value"}


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (400, "INVALIDENTITY", "Entity 'Account' is not supported by the Bulk API."),
        (400, "API_ERROR", "Entity 'Account' is not supported by the Bulk API."),
        (400, "INVALID_TYPE_FOR_OPERATION", "entity type Account does not support query"),
    ],
)
def test_a_refusal_is_recognised_in_every_form(
    org: Org, tap: TapRunner, accounts: list[str], status: int, code: str, message: str
) -> None:
    """An object that is in no list is read all the same."""
    org.faults.add("query.create", Fault.status(status, json=[{"errorCode": code, "message": message}]))

    run = tap.run("Account")

    assert run.error is None
    assert run.column("Account", "Name") == ["Ada", "Bob", "Cyd"]
    assert org.jobs == []
    assert org.faults.completed


def test_a_job_that_cannot_write_a_value_is_read_by_rest(org: Org, tap: TapRunner, accounts: list[str]) -> None:
    """That comes out only when the job runs."""
    message = "FeatureNotEnabled : Cannot serialize value for 'Name' in CSV format"
    org.faults.add("query.create", Fault.job_fails(message))

    run = tap.run("Account", job_retries=0)

    assert run.error is None
    assert run.column("Account", "Name") == ["Ada", "Bob", "Cyd"]
    assert org.faults.completed


def test_it_can_be_switched_off(org: Org, tap: TapRunner) -> None:
    """Then the stream fails with Salesforce's words."""
    run = tap.run("CaseStatus", rest_fallback=False)

    assert "Entity 'CaseStatus' is not supported by the Bulk API." in str(run.error)


def test_the_values_are_those_of_bulk(org: Org, tap: TapRunner) -> None:
    """Dates with +0000, numbers, nulls and texts come out in one form; deleted rows come too."""
    ids = org.insert("Account", ROWS)
    org.delete("Account", ids[1:2])
    by_bulk = tap.run("Account")
    org.faults.add("query.create", REFUSED)

    by_rest = tap.run("Account")

    assert by_id(by_rest.records["Account"]) == by_id(by_bulk.records["Account"])
    assert by_rest.state == by_bulk.state
    assert len(by_rest.records["Account"]) == 3
    assert org.faults.completed


def test_a_second_run_reads_what_has_changed(org: Org, tap: TapRunner) -> None:
    """The bookmark and the lookback are those of Bulk."""
    org.clock.advance(-7200)
    old = org.insert("CaseStatus", [{"MasterLabel": "Old"}, {"MasterLabel": "Older"}])
    org.clock.advance(3600)
    state = tap.run("CaseStatus").state
    org.clock.advance(3600)
    org.update("CaseStatus", [{"Id": old[0], "MasterLabel": "Renewed"}])

    run = tap.run("CaseStatus", state=state, lookback_window=0)

    assert set(run.column("CaseStatus", "MasterLabel")) == {"Renewed", "Older"}
    again = tap.run("CaseStatus", state=run.state, lookback_window=0)
    assert again.column("CaseStatus", "MasterLabel") == ["Renewed"]


def test_all_batches_are_read(org: Org, tap: TapRunner) -> None:
    """Salesforce answers up to 2000 records at a time."""
    org.insert("CaseStatus", [{"MasterLabel": f"{number:04}"} for number in range(4500)])

    run = tap.run("CaseStatus")

    assert run.column("CaseStatus", "MasterLabel") == [f"{number:04}" for number in range(4500)]
    assert len(rest_queries(org)) == 3


@pytest.fixture
def wide() -> Iterator[tuple[Org, str]]:
    """An org with an object of 500 long-named fields that Bulk refuses, and its address."""
    fields = {f"{'Very' * 5}_Long_{number:03}__c": "string(20)" for number in range(500)}
    org = Org(objects=[{"objects": [{"name": "Wide__c", "prefix": "a0W", "bulk": False, "fields": fields}]}])
    with running(org) as url:
        yield org, url


@pytest.fixture
def wide_tap(wide: tuple[Org, str], settings: dict[str, Any]) -> TapRunner:
    """The tap, logging in to that org."""
    return TapRunner(settings={**settings, "login_url": wide[1]})


def test_deleted_rows_are_read_by_several_queries_too(wide: tuple[Org, str], wide_tap: TapRunner) -> None:
    """Each of them asks for all rows; without it no target would learn of the deletion."""
    org, _ = wide
    name = f"{'Very' * 5}_Long_000__c"
    ids = org.insert("Wide__c", [{name: "kept"}, {name: "deleted"}])
    org.delete("Wide__c", ids[1:])

    run = wide_tap.run("Wide__c")
    without = wide_tap.run("Wide__c", include_deleted=False)

    assert len(rest_queries(org)) == 4
    assert {record[name]: record["IsDeleted"] for record in run.records["Wide__c"]} == {"kept": False, "deleted": True}
    assert [record[name] for record in without.records["Wide__c"]] == ["kept"]


def test_many_fields_are_read_in_several_queries(wide: tuple[Org, str], wide_tap: TapRunner) -> None:
    """An address holds 16 KB; the rows are put together by Id."""
    org, _ = wide
    names = [f"{'Very' * 5}_Long_{number:03}__c" for number in range(500)]
    org.insert("Wide__c", [{name: f"{row}-{name[-6:-3]}" for name in names} for row in range(30)])

    run = wide_tap.run("Wide__c")

    assert run.error is None
    assert len(run.records["Wide__c"]) == 30
    assert len(rest_queries(org)) == 2
    for record in run.records["Wide__c"]:
        row = record[names[0]].partition("-")[0]
        assert [record[name] for name in names] == [f"{row}-{name[-6:-3]}" for name in names]


def test_rows_that_change_between_two_queries_are_left_to_the_next_run() -> None:
    """Half of the old row and half of the new one would be a row that never was."""
    cursor = Field.from_json({"name": "SystemModstamp", "type": "datetime"})
    query = Query(sobject="X", columns=("Id", "SystemModstamp", "A", "B"), include_deleted=True, replication_key=cursor)

    def row(id_: str, stamp: int, **more: int) -> dict[str, Any]:
        return {"Id": id_, "SystemModstamp": stamp, **more}

    first = iter([[row("1", 1, A=1), row("2", 1, A=2)], [row("3", 1, A=3), row("4", 1, A=4)]])
    second = iter([[row("2", 2, B=2), row("3", 1, B=3)], [row("1", 1, B=1), row("5", 1, B=5)]])

    joined = [record for batch in rest_fallback._joined([first, second], query) for record in batch]

    assert joined == [row("3", 1, A=3, B=3), row("1", 1, A=1, B=1)]


def test_rows_are_put_together_however_the_queries_are_divided_into_batches() -> None:
    """One query may need more batches than another, its rows being longer."""
    query = Query(sobject="X", columns=("Id", "A", "B"), include_deleted=True)
    first = iter([[{"Id": "1", "A": 1}], [{"Id": "2", "A": 2}], [{"Id": "3", "A": 3}]])
    second = iter([[{"Id": "2", "B": 2}, {"Id": "3", "B": 3}, {"Id": "1", "B": 1}]])

    joined = [record for batch in rest_fallback._joined([first, second], query) for record in batch]

    assert joined == [{"Id": each, "A": int(each), "B": int(each)} for each in "123"]


@pytest.mark.parametrize(("spare_bytes", "fits"), [(0, True), (-1, False)])
def test_a_query_may_have_12000_bytes_and_no_more(spare_bytes: int, *, fits: bool) -> None:
    """As it is in an address, with what orders its rows."""
    query = Query(sobject="X", columns=("Id",), include_deleted=False, condition="")
    size = len(quote_plus(replace(query, condition="x").soql(QueryRange(), order_by="Id")))
    query = replace(query, condition="x" * (12_000 - size + 1 - spare_bytes))

    if fits:
        assert queries_that_fit(query, QueryRange()) == [query]
    else:
        with pytest.raises(ConfigError, match="too long for an address"):
            queries_that_fit(query, QueryRange())


def test_fields_without_the_id_have_to_fit_into_one_query() -> None:
    """By what else could rows be put together?"""
    names = tuple(f"Field_{number}__c" for number in range(2000))
    query = Query(sobject="X", columns=names, include_deleted=False)

    with pytest.raises(
        ConfigError, match="X has no Id by which the rows of several queries could be joined: select fewer fields"
    ):
        queries_that_fit(query, QueryRange())
    few = replace(query, columns=names[:50])
    assert queries_that_fit(few, QueryRange()) == [few]


def test_no_query_is_sent_past_the_quota(org: Org, settings: dict[str, Any]) -> None:
    """Other users need the rest of the day."""
    with SalesforceClient(ConnectionConfig.from_settings({**settings, "quota_percent_total": 0.000001})) as client:
        client.limits()
        org.requests.clear()

        with pytest.raises(QuotaReached):
            next(
                rest_fallback.rest_pages(
                    client, Query(sobject="Account", columns=("Id",), include_deleted=False), QueryRange()
                )
            )
    assert org.requests == []


def test_what_came_before_the_quota_was_reached_is_emitted(org: Org, tap: TapRunner) -> None:
    """The last batch is read, though its request is the one that reaches the quota."""
    org.insert("CaseStatus", [{"MasterLabel": "New"}])
    api = org.limits["DailyApiRequests"]
    api.max, api.used = 1000, 0
    tap.run("CaseStatus")
    needed = api.used
    api.used = 800 - needed

    run = tap.run("CaseStatus")

    assert run.error is None
    assert run.column("CaseStatus", "MasterLabel") == ["New"]
    assert api.used == 800


@pytest.mark.parametrize("columns", [1, 2, 50, 2000])
def test_the_queries_hold_every_column_once(columns: int) -> None:
    """And each the Id, and each fits."""
    names = tuple(f"Field_{number}__c" for number in range(columns))
    query = Query(sobject="X", columns=("Id", *names), include_deleted=False, condition="Name != 'é'")

    queries = queries_that_fit(query, QueryRange())

    assert [name for each in queries for name in each.columns if name != "Id"] == list(names)
    assert all("Id" in each.columns for each in queries)
    assert all(len(each.soql(QueryRange())) < 12_000 for each in queries)


def test_a_condition_that_fits_into_no_address_is_an_error(tap: TapRunner) -> None:
    """It is an error before anything is sent."""
    run = tap.run("CaseStatus", soql_filters={"CaseStatus": "MasterLabel != '" + "x" * 20_000 + "'"})

    assert "the condition for CaseStatus in soql_filters is too long for an address" in str(run.error)


@pytest.mark.parametrize(
    "fault",
    [
        Fault.cut_after(bytes=100),
        Fault.reset_before(),
        Fault.reset_after(),
        Fault.html(503),
        Fault.unauthorized(),
        Fault.wrong_length(),
        Fault.request_limit_concurrent(),
    ],
)
def test_a_passing_fault_costs_no_record(org: Org, tap: TapRunner, fault: Fault) -> None:
    """A batch is whole, or asked for again."""
    org.insert("CaseStatus", [{"MasterLabel": f"{number:04}"} for number in range(2500)])
    org.faults.add("rest.query", fault, after=1)

    run = tap.run("CaseStatus")

    assert run.error is None
    assert run.column("CaseStatus", "MasterLabel") == [f"{number:04}" for number in range(2500)]
    assert org.faults.completed


def test_nuls_are_removed_and_counted() -> None:
    """As they are from Bulk's pages."""
    page = rest_fallback.RestPage([{"Id": "1", "Name": "a\0b\0"}], columns=["Id", "Name"])

    assert list(page.rows()) == [["1", "ab"]]
    assert page.nul_count == 2
