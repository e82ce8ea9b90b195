"""A range that takes too long is cut where its rows are: by time or by Id, deleted rows included."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from salesforce_bulk_client import Field, SalesforceClient
from salesforce_bulk_simulator import Org
from tap_salesforce_bulk.halving import earliest_cursor, halves
from tap_salesforce_bulk.parts import Part
from tap_salesforce_bulk.soql import Query

STAMP = Field.from_json({"name": "SystemModstamp", "type": "datetime", "nillable": False})
QUERY = Query(sobject="Account", columns=("Id",), include_deleted=True, cursor=STAMP)
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
    first, second = halves(client, QUERY, Part(upper=UNTIL), prefer_id=False) or (None, None)

    assert first
    assert second
    assert (first.lower, first.upper, second.upper) == (None, second.lower, UNTIL)
    assert {first.id_lower, first.id_upper, second.id_lower, second.id_upper} == {None}


@pytest.mark.parametrize("bound", ["id_lower", "id_upper"])
def test_a_range_of_ids_is_split_by_id_again(client: SalesforceClient, ids: list[str], bound: str) -> None:
    """Halves in time of a range of Ids would let the bookmark pass rows of the other Ids."""
    part = Part(upper=UNTIL, **{bound: ids[50][:15]})

    first, second = halves(client, QUERY, part, prefer_id=False) or (None, None)

    assert first
    assert second
    assert (first.lower, first.upper) == (second.lower, second.upper) == (None, UNTIL)
    assert first.id_upper == second.id_lower
    assert (first.id_lower, second.id_upper) == (part.id_lower, part.id_upper)
    middle = str(first.id_upper)
    assert (middle > ids[50][:15]) if bound == "id_lower" else (middle < ids[50][:15])


def test_a_range_that_holds_only_deleted_rows_is_split(org: Org, client: SalesforceClient, ids: list[str]) -> None:
    """They are read, so they count."""
    org.delete("Account", ids)

    assert halves(client, QUERY, Part(upper=UNTIL), prefer_id=True)


def test_rows_without_a_key_are_split_by_id(client: SalesforceClient, ids: list[str]) -> None:
    """They have no time."""
    first, second = halves(client, QUERY, Part(is_without_key=True), prefer_id=False) or (None, None)

    assert first
    assert second
    assert first.is_without_key
    assert second.is_without_key
    assert first.id_upper == second.id_lower


def test_the_first_rows_date_is_that_of_a_deleted_row_too(org: Org, client: SalesforceClient) -> None:
    """Windows that began after it would leave it out."""
    org.clock.advance(-200 * 86_400)
    ids = org.insert("Account", [{"Name": "deleted at once"}])
    org.delete("Account", ids)
    org.clock.advance(100 * 86_400)
    org.insert("Account", [{"Name": "new"}])
    stamps = sorted(str(row["SystemModstamp"]) for row in org.rows("Account", include_deleted=True))

    found = earliest_cursor(client, QUERY)

    assert len(stamps) == 2
    assert found == datetime.fromisoformat(stamps[0])
