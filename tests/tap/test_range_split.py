"""A range that takes too long is cut where its rows are: by time or by Id, deleted rows included."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from salesforce_bulk_client import Field, QuotaExceeded, SalesforceClient
from salesforce_bulk_simulator import Fault, Org
from tap_salesforce_bulk.query.range_split import earliest_key_value, split_range
from tap_salesforce_bulk.query.ranges import QueryRange
from tap_salesforce_bulk.query.soql import Query

STAMP = Field.from_json({"name": "SystemModstamp", "type": "datetime", "nillable": False})
QUERY = Query(sobject="Account", columns=("Id",), include_deleted=True, replication_key=STAMP)
UNTIL = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture
def ids(org: Org) -> list[str]:
    """A hundred accounts, of two moments that are a hundred days apart."""
    org.clock.advance(-200 * 86_400)
    ids = org.insert("Account", [{"Name": "old"} for _ in range(50)])
    org.clock.advance(100 * 86_400)
    return [*ids, *org.insert("Account", [{"Name": "new"} for _ in range(50)])]


def test_a_range_is_split_by_time(client: SalesforceClient, ids: list[str]) -> None:
    """Its halves can move the bookmark one after the other."""
    first, second = split_range(client, QUERY, QueryRange(upper=UNTIL), prefer_id=False) or (None, None)

    assert first
    assert second
    assert (first.lower, first.upper, second.upper) == (None, second.lower, UNTIL)
    assert {first.id_lower, first.id_upper, second.id_lower, second.id_upper} == {None}


def test_two_seconds_are_split(client: SalesforceClient) -> None:
    """Salesforce's stamps have no smaller part than one."""
    query_range = QueryRange(lower=UNTIL - timedelta(seconds=2), upper=UNTIL)

    first, second = split_range(client, QUERY, query_range, prefer_id=False) or (None, None)

    assert first
    assert second
    assert first.upper == second.lower == UNTIL - timedelta(seconds=1)


@pytest.mark.parametrize("bound", ["id_lower", "id_upper"])
def test_a_range_of_ids_is_split_by_id_again(client: SalesforceClient, ids: list[str], bound: str) -> None:
    """Halves in time of a range of Ids would let the bookmark pass rows of the other Ids."""
    query_range = QueryRange(upper=UNTIL, **{bound: ids[50][:15]})

    first, second = split_range(client, QUERY, query_range, prefer_id=False) or (None, None)

    assert first
    assert second
    assert (first.lower, first.upper) == (second.lower, second.upper) == (None, UNTIL)
    assert first.id_upper == second.id_lower
    assert (first.id_lower, second.id_upper) == (query_range.id_lower, query_range.id_upper)
    middle = str(first.id_upper)
    assert (middle > ids[50][:15]) if bound == "id_lower" else (middle < ids[50][:15])


def test_a_range_may_be_split_by_id_first(client: SalesforceClient, ids: list[str]) -> None:
    """Its rows may all be of one moment, so that a half in time would hold as many as before."""
    first, second = split_range(client, QUERY, QueryRange(upper=UNTIL), prefer_id=True) or (None, None)

    assert first
    assert second
    assert (first.lower, first.upper) == (second.lower, second.upper) == (None, UNTIL)
    assert first.id_upper == second.id_lower
    assert ids[0] < str(first.id_upper) < ids[-1]


def test_a_row_that_has_no_neighbour_in_its_range_is_split_from_it_by_time(org: Org, client: SalesforceClient) -> None:
    """There is no Id between."""
    org.insert("Account", [{"Name": "only"}])

    first, second = split_range(client, QUERY, QueryRange(upper=UNTIL), prefer_id=True) or (None, None)

    assert first
    assert second
    assert first.upper == second.lower


def test_a_range_too_short_to_be_split_by_time_is_split_by_id(client: SalesforceClient, ids: list[str]) -> None:
    """Many rows may have been loaded in one moment."""
    query_range = QueryRange(lower=UNTIL - timedelta(seconds=1), upper=UNTIL)

    first, second = split_range(client, QUERY, query_range, prefer_id=False) or (None, None)

    assert first
    assert second
    assert first.id_upper == second.id_lower


def test_a_range_of_dates_is_split_between_two_days(client: SalesforceClient) -> None:
    """A bound on such a key is a day: halves that met within one would both hold that day's rows, or neither."""
    query = replace(QUERY, replication_key=Field.from_json({"name": "LastActivityDate", "type": "date"}))
    query_range = QueryRange(lower=UNTIL - timedelta(days=5), upper=UNTIL)

    first, second = split_range(client, query, query_range, prefer_id=False) or (None, None)

    assert first
    assert second
    assert first.upper == second.lower == UNTIL - timedelta(days=3)
    assert split_range(client, query, QueryRange(lower=UNTIL - timedelta(days=1), upper=UNTIL), prefer_id=False) is None


def test_a_stream_without_a_key_is_split_by_id(client: SalesforceClient, ids: list[str]) -> None:
    """It has no time."""
    query = replace(QUERY, replication_key=None)

    first, second = split_range(client, query, QueryRange(), prefer_id=False) or (None, None)

    assert first
    assert second
    assert first.id_upper == second.id_lower
    assert earliest_key_value(client, query) is None


def test_an_object_without_rows_is_not_split(client: SalesforceClient) -> None:
    """It has no edges; why its job took so long is another matter."""
    assert split_range(client, QUERY, QueryRange(upper=UNTIL), prefer_id=False) is None


def test_a_range_whose_edges_cannot_be_asked_for_is_not_split(
    org: Org, client: SalesforceClient, ids: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """The whole range is read again; one line says why."""
    refused = Fault.status(400, json=[{"errorCode": "INVALID_TYPE", "message": "no REST query of Account"}])
    org.faults.add("rest.query", refused)

    with caplog.at_level(logging.INFO):
        assert split_range(client, QUERY, QueryRange(upper=UNTIL), prefer_id=False) is None
    assert org.faults.completed
    assert "Account is not read in halves, since their bounds cannot be queried" in caplog.text


def test_a_used_up_quota_is_not_a_range_that_cannot_be_split(
    org: Org, client: SalesforceClient, ids: list[str]
) -> None:
    """The whole range would be read once more, with requests that are not there."""
    org.faults.add("rest.query", Fault.request_limit_total())

    with pytest.raises(QuotaExceeded):
        split_range(client, QUERY, QueryRange(upper=UNTIL), prefer_id=False)
    assert org.faults.completed


def test_a_range_that_holds_only_deleted_rows_is_split(org: Org, client: SalesforceClient, ids: list[str]) -> None:
    """They are read, so they count."""
    org.delete("Account", ids)

    assert split_range(client, QUERY, QueryRange(upper=UNTIL), prefer_id=True)


def test_rows_without_a_key_are_split_by_id(client: SalesforceClient, ids: list[str]) -> None:
    """They have no time."""
    first, second = split_range(client, QUERY, QueryRange(is_without_key=True), prefer_id=False) or (None, None)

    assert first
    assert second
    assert first.is_without_key
    assert second.is_without_key
    assert ids[0] < str(first.id_upper) < ids[-1]
    assert first.id_upper == second.id_lower


def test_the_first_rows_date_is_that_of_a_deleted_row_too(org: Org, client: SalesforceClient) -> None:
    """Windows that began after it would leave it out."""
    org.clock.advance(-200 * 86_400)
    ids = org.insert("Account", [{"Name": "deleted at once"}])
    org.delete("Account", ids)
    org.clock.advance(100 * 86_400)
    org.insert("Account", [{"Name": "new"}])
    stamps = sorted(str(row["SystemModstamp"]) for row in org.rows("Account", include_deleted=True))

    found = earliest_key_value(client, QUERY)

    assert len(stamps) == 2
    assert found == datetime.fromisoformat(stamps[0])
