"""The text of queries, and what makes two of them the same."""

from __future__ import annotations

import doctest
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from salesforce_bulk_client import Field
from tap_salesforce_bulk import soql
from tap_salesforce_bulk.soql import CursorRange, Query

STAMP = Field.from_json({"name": "SystemModstamp", "type": "datetime", "filterable": True})
DAY = Field.from_json({"name": "CloseDate", "type": "date", "filterable": True})
RANGE = CursorRange(
    field=STAMP,
    lower=datetime(2024, 1, 15, 10, 30, tzinfo=UTC),
    upper=datetime(2024, 2, 1, 0, 0, 0, 500_000, tzinfo=UTC),
)
QUERY = Query(sobject="Account", columns=("Id", "SystemModstamp"), include_deleted=True, range=RANGE)


def test_the_examples_in_the_docstrings_hold() -> None:
    """Each example in the module's docstrings gives what it says."""
    assert doctest.testmod(soql).failed == 0


def test_a_full_read_has_no_conditions() -> None:
    """No ORDER BY and no LIMIT either: both switch off Salesforce's chunking."""
    assert replace(QUERY, range=None).soql == "SELECT Id, SystemModstamp FROM Account"


def test_an_incremental_read_has_both_bounds() -> None:
    """The lower bound is read again, the upper is left to the next run; literals are unquoted and in UTC."""
    assert QUERY.soql == (
        "SELECT Id, SystemModstamp FROM Account"
        " WHERE SystemModstamp >= 2024-01-15T10:30:00.000Z AND SystemModstamp < 2024-02-01T00:00:00.500Z"
    )


def test_a_first_read_has_only_the_upper_bound() -> None:
    """Without a bookmark and a start date everything is read."""
    query = replace(QUERY, range=replace(RANGE, lower=None))

    assert query.soql == ("SELECT Id, SystemModstamp FROM Account WHERE SystemModstamp < 2024-02-01T00:00:00.500Z")


def test_a_date_cursor_reads_whole_days() -> None:
    """A date literal has no time, so today belongs to the range."""
    query = replace(QUERY, range=replace(RANGE, field=DAY))

    assert query.soql.endswith("WHERE CloseDate >= 2024-01-15 AND CloseDate <= 2024-02-01")


def test_the_users_condition_cannot_undo_ours() -> None:
    """An OR in it stays within its brackets."""
    query = replace(QUERY, range=replace(RANGE, lower=None), condition="Industry = 'Energy' OR Name = 'O\\'Neil'")

    assert query.soql.endswith(
        "WHERE SystemModstamp < 2024-02-01T00:00:00.500Z AND (Industry = 'Energy' OR Name = 'O\\'Neil')"
    )


def test_the_upper_bound_does_not_make_another_query() -> None:
    """An unfinished job is continued although the clock went on."""
    later = replace(QUERY, range=replace(RANGE, upper=datetime(2025, 1, 1, tzinfo=UTC)))

    assert later.fingerprint(page_size=5) == QUERY.fingerprint(page_size=5)


@pytest.mark.parametrize(
    "other",
    [
        replace(QUERY, sobject="Lead"),
        replace(QUERY, columns=("Id", "Name", "SystemModstamp")),
        replace(QUERY, include_deleted=False),
        replace(QUERY, condition="Name != null"),
        replace(QUERY, range=None),
        replace(QUERY, range=replace(RANGE, lower=None)),
    ],
)
def test_all_else_does(other: Query) -> None:
    """Whatever decides the rows or their columns makes another query."""
    assert other.fingerprint(page_size=5) != QUERY.fingerprint(page_size=5)


def test_so_does_the_way_of_reading() -> None:
    """A locator names a page of one size, and a job belongs to one API version."""
    assert QUERY.fingerprint(page_size=6) != QUERY.fingerprint(page_size=5)
