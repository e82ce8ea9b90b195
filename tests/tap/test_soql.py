"""The text of queries, and what makes two of them the same."""

from __future__ import annotations

import doctest
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from salesforce_bulk_client import Field
from tap_salesforce_bulk.query import soql
from tap_salesforce_bulk.query.ranges import QueryRange
from tap_salesforce_bulk.query.soql import Query

STAMP = Field.from_json({"name": "SystemModstamp", "type": "datetime", "filterable": True})
DAY = Field.from_json({"name": "CloseDate", "type": "date", "filterable": True})
QUERY = Query(sobject="Account", columns=("Id", "SystemModstamp"), include_deleted=True, replication_key=STAMP)
LOWER = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
UPPER = datetime(2024, 2, 1, 0, 0, 0, 500_000, tzinfo=UTC)


def test_the_examples_in_the_docstrings_hold() -> None:
    """Each example in the module's docstrings gives what it says."""
    assert doctest.testmod(soql).failed == 0


def test_a_full_read_has_no_conditions() -> None:
    """No ORDER BY and no LIMIT either: both switch off Salesforce's chunking."""
    assert replace(QUERY, replication_key=None).soql(QueryRange()) == "SELECT Id, SystemModstamp FROM Account"


def test_an_incremental_read_has_both_bounds() -> None:
    """The lower bound is read again, the upper is left to the next run; literals are unquoted and in UTC."""
    assert QUERY.soql(QueryRange(lower=LOWER, upper=UPPER)) == (
        "SELECT Id, SystemModstamp FROM Account"
        " WHERE SystemModstamp >= 2024-01-15T10:30:00.000Z AND SystemModstamp < 2024-02-01T00:00:00.500Z"
    )


def test_a_first_read_has_only_the_upper_bound() -> None:
    """Without a bookmark and a start date everything is read."""
    assert QUERY.soql(QueryRange(upper=UPPER)) == (
        "SELECT Id, SystemModstamp FROM Account WHERE SystemModstamp < 2024-02-01T00:00:00.500Z"
    )


@pytest.mark.parametrize(
    ("upper", "condition"),
    [
        (UPPER, "CloseDate >= 2024-01-15 AND CloseDate <= 2024-02-01"),
        (datetime(2024, 2, 1, tzinfo=UTC), "CloseDate >= 2024-01-15 AND CloseDate < 2024-02-01"),
    ],
)
def test_a_date_cursor_reads_whole_days(upper: datetime, condition: str) -> None:
    """A date literal has no time, so a day that has begun belongs to the part, and one that has not does not."""
    assert replace(QUERY, replication_key=DAY).soql(QueryRange(lower=LOWER, upper=upper)).endswith(f"WHERE {condition}")


def test_a_part_may_be_one_of_ids() -> None:
    """The second way of cutting a job in two."""
    part = QueryRange(upper=UPPER, id_lower="001000000000001", id_upper="001000000000009")

    assert QUERY.soql(part).endswith(" AND Id >= '001000000000001' AND Id < '001000000000009'")


def test_the_users_condition_cannot_undo_ours() -> None:
    """An OR in it stays within its brackets."""
    query = replace(QUERY, condition="Industry = 'Energy' OR Name = 'O\\'Neil'")

    assert query.soql(QueryRange(upper=UPPER)).endswith(
        "WHERE SystemModstamp < 2024-02-01T00:00:00.500Z AND (Industry = 'Energy' OR Name = 'O\\'Neil')"
    )


@pytest.mark.parametrize(
    "other",
    [
        replace(QUERY, sobject="Lead"),
        replace(QUERY, columns=("Id", "Name", "SystemModstamp")),
        replace(QUERY, include_deleted=False),
        replace(QUERY, condition="Name != null"),
        replace(QUERY, replication_key=None),
        replace(QUERY, limit=2),
    ],
)
def test_whatever_decides_the_rows_makes_another_query(other: Query) -> None:
    """A job of it cannot be continued by this one."""
    assert other.fingerprint(page_size=5) != QUERY.fingerprint(page_size=5)


def test_so_does_the_way_of_reading() -> None:
    """A locator names a page of one size, and a job belongs to one API version; another bookmark means other rows."""
    assert QUERY.fingerprint(page_size=6) != QUERY.fingerprint(page_size=5)
    assert QUERY.fingerprint(begin="2024-01-15T10:30:00.000Z") != QUERY.fingerprint(begin=None)
