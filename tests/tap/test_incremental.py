"""Incremental reading: from the bookmark less the lookback to the server's clock."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from salesforce_bulk_simulator import Org

from .conftest import BOTH_ROADS, TapRunner

pytestmark = BOTH_ROADS


@pytest.fixture
def where(queries: Callable[[], list[str]]) -> Callable[[], str]:
    """Gives the conditions of the last query."""
    return lambda: queries()[-1].partition(" WHERE ")[2]


def state_of(bookmark: object, *, key: str = "SystemModstamp") -> dict[str, object]:
    return {"bookmarks": {"Account": {"replication_key": key, "replication_key_value": bookmark}}}


def test_the_bookmark_is_the_greatest_cursor_seen(org: Org, tap: TapRunner, accounts: list[str]) -> None:
    """Rows come in no order, so the last one means nothing."""
    org.update("Account", [{"Id": accounts[0], "Name": "Ann"}])

    run = tap.run("Account")

    assert run.state["bookmarks"]["Account"] == {
        "replication_key": "SystemModstamp",
        "replication_key_value": max(str(row["SystemModstamp"]) for row in org.rows("Account")),
    }


def test_a_second_run_reads_what_has_changed(org: Org, tap: TapRunner, accounts: list[str]) -> None:
    """Changed and new rows, and again those at the bookmark itself: others of that second may have come later."""
    org.clock.advance(-7200)
    old = org.insert("Account", [{"Name": "Old"}, {"Name": "Older"}])
    org.clock.advance(7200)
    org.delete("Account", accounts)
    state = tap.run("Account").state
    org.clock.advance(60)
    org.update("Account", [{"Id": old[0], "Name": "Renewed"}])
    org.insert("Account", [{"Name": "New"}])

    run = tap.run("Account", state=state, lookback_window=0)

    live = [record["Name"] for record in run.records["Account"] if not record["IsDeleted"]]
    assert sorted(live) == ["New", "Renewed"]
    assert sorted(record["Id"] for record in run.records["Account"] if record["IsDeleted"]) == sorted(accounts)


def test_the_query_has_both_bounds(org: Org, tap: TapRunner, where: Callable[[], str]) -> None:
    """The lower is the bookmark less the lookback, the upper the server's clock."""
    tap.run("Account", state=state_of("2024-01-15T10:30:00+00:00"))

    assert re.fullmatch(
        r"SystemModstamp >= 2024-01-15T10:20:00\.000Z AND SystemModstamp < \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z",
        where(),
    )


def test_the_upper_bound_is_the_servers_clock(org: Org, tap: TapRunner) -> None:
    """A row is stamped by the server; this machine's clock may be wrong."""
    org.clock.advance(86_400 * 365)
    ids = org.insert("Account", [{"Name": "Ada"}])

    run = tap.run("Account")

    assert run.column("Account", "Id") == ids


def test_a_row_committed_late_is_read_by_the_next_run(org: Org, tap: TapRunner, accounts: list[str]) -> None:
    """It is stamped before the bookmark and becomes visible after it: the lookback finds it."""
    state = tap.run("Account").state
    org.clock.advance(-300)
    org.insert("Account", [{"Name": "Late"}])
    org.clock.advance(300)

    run = tap.run("Account", state=state)

    assert "Late" in run.column("Account", "Name")


def test_the_bookmark_stays_when_nothing_is_new(org: Org, tap: TapRunner, accounts: list[str]) -> None:
    """A later run begins where this one did."""
    state = tap.run("Account").state
    org.clock.advance(86_400)

    run = tap.run("Account", state=state, lookback_window=0, soql_filters={"Account": "Name = 'Nobody'"})

    assert run.records["Account"] == []
    assert run.state == state


@pytest.mark.parametrize("start", ["2024-01-31", "2024-01-31T00:00:00Z", "2024-01-31T01:00:00+01:00"])
def test_a_first_run_begins_at_the_start_date(org: Org, tap: TapRunner, start: str, where: Callable[[], str]) -> None:
    """A bare date is midnight UTC; the lookback is for bookmarks."""
    tap.run("Account", start_date=start)

    assert where().startswith("SystemModstamp >= 2024-01-31T00:00:00.000Z AND ")


def test_without_a_start_date_everything_is_read(org: Org, tap: TapRunner, where: Callable[[], str]) -> None:
    """There is only the upper bound."""
    tap.run("Account")

    assert where().startswith("SystemModstamp < ")


def test_a_bookmark_goes_before_the_start_date(org: Org, tap: TapRunner, where: Callable[[], str]) -> None:
    """Else rows between the two would be lost when somebody moves the start date."""
    tap.run("Account", state=state_of("2024-01-15T10:30:00Z"), start_date="2024-06-01")

    assert where().startswith("SystemModstamp >= 2024-01-15T10:20:00.000Z AND ")


def test_a_bookmark_of_another_cursor_is_no_bookmark(org: Org, tap: TapRunner, where: Callable[[], str]) -> None:
    """The stream is read from its beginning."""
    tap.run("Account", state=state_of("2024-01-15T10:30:00Z", key="CreatedDate"))

    assert where().startswith("SystemModstamp < ")


def test_the_catalog_can_name_another_cursor(
    org: Org, tap: TapRunner, accounts: list[str], where: Callable[[], str]
) -> None:
    """Any date or date-time that may be filtered by."""
    catalog = tap.catalog(Account=["Name"])
    for stream in catalog["streams"]:
        stream["replication_key"] = "CreatedDate"

    run = tap.run(catalog=catalog)

    assert run.error is None
    assert where().startswith("CreatedDate < ")
    assert run.state["bookmarks"]["Account"]["replication_key"] == "CreatedDate"


@pytest.mark.parametrize(
    ("bookmark", "message"),
    [
        ("soon", "the state has the bookmark 'soon', which is no date-time"),
        ("2999-01-01T00:00:00Z", "the bookmark in the state, 2999-01-01T00:00:00.000Z, lies in the future"),
    ],
)
def test_a_bookmark_that_cannot_be_is_an_error(org: Org, tap: TapRunner, bookmark: str, message: str) -> None:
    """Nothing is read by it, and the state stays as it is."""
    state = state_of(bookmark)

    run = tap.run("Account", state=state)

    assert message in str(run.error)
    assert run.state["bookmarks"]["Account"]["replication_key_value"] == bookmark
    assert org.jobs == []
