"""Incremental reading: from the bookmark less the lookback to the server's clock."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from salesforce_bulk_simulator import Fault, Org, Progression
from tap_salesforce_bulk.output.chunks import CHUNK_ROWS

from .conftest import BOTH_PATHS, TapRunner

pytestmark = BOTH_PATHS


@pytest.fixture
def where(queries: Callable[[], list[str]]) -> Callable[[], str]:
    """Gives the conditions of the last query."""
    return lambda: queries()[-1].partition(" WHERE ")[2]


def state_of(bookmark: object, *, key: str = "SystemModstamp") -> dict[str, object]:
    return {"bookmarks": {"Account": {"replication_key": key, "replication_key_value": bookmark}}}


def test_the_bookmark_is_the_greatest_cursor_seen(org: Org, tap: TapRunner, accounts: list[str]) -> None:
    """Rows come in no order, so neither the last row nor the last chunk or page means anything."""
    org.insert("Account", [{"Name": f"Account {number}"} for number in range(CHUNK_ROWS)])
    org.shuffle = False
    org.clock.advance(3600)
    org.update("Account", [{"Id": accounts[0], "Name": "Ann"}])
    stamps = {row["Name"]: str(row["SystemModstamp"]) for row in org.rows("Account")}

    runs = [tap.run("Account", page_size=size) for size in (50_000, 100)]

    assert stamps["Ann"] > stamps["Bob"]
    for run in runs:
        assert run.records["Account"][0]["Name"] == "Ann"
        assert run.state["bookmarks"]["Account"] == {
            "replication_key": "SystemModstamp",
            "replication_key_value": stamps["Ann"],
        }


def test_the_greatest_cursor_is_the_latest_instant_in_whatever_zone_it_comes(
    org: Org, tap: TapRunner, accounts: list[str]
) -> None:
    """10:30 five hours east of London is before 6:00 there."""
    page = (
        '"Id","SystemModstamp"\n'
        '"001000000000001AAA","2024-01-15T10:30:00.000+0500"\n'
        '"001000000000002AAA","2024-01-15T06:00:00.000Z"\n'
        '"001000000000003AAA","2024-01-15T05:59:59.999+0000"\n'
    )
    headers = {"Content-Type": "text/csv", "Sforce-Locator": "null", "Sforce-NumberOfRecords": "3"}
    org.faults.add("query.results", Fault.status(200, body=page, headers=headers))

    run = tap.run(catalog=tap.catalog(Account=[]))

    assert org.faults.completed
    assert run.state["bookmarks"]["Account"]["replication_key_value"] == "2024-01-15T06:00:00.000Z"


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


@pytest.mark.parametrize("beginning", ["0001-01-01T00:00:00Z", "0001-01-01", "1699-12-31T23:59:59Z"])
def test_a_time_before_all_of_salesforces_reads_everything(
    org: Org, tap: TapRunner, accounts: list[str], where: Callable[[], str], beginning: str
) -> None:
    """Other programs write year 1 where they have no bookmark."""
    runs = [tap.run("Account", state=state_of(beginning)), tap.run("Account", start_date=beginning)]

    assert [run.error for run in runs] == [None, None]
    assert [run.column("Account", "Name") for run in runs] == [["Ada", "Bob", "Cyd"]] * 2
    assert where().startswith("SystemModstamp < ")


NULLABLE = {
    "objects": [{"name": "Visit__c", "prefix": "a0V", "fields": {"Seen__c": "datetime", "Day__c": "date"}}],
}


class TestNullableKey:
    """A replication key that may be null: rows without it are within no bounds, and are read all the same."""

    @pytest.fixture
    def org(self) -> Org:
        """An org with visits, half of them never seen."""
        org = Org(objects=[NULLABLE], progression=Progression.immediate())
        for month in (1, 3, 5):
            seen = f"2024-0{month}-15T10:30:00.000Z"
            org.insert("Visit__c", [{"Seen__c": seen, "Day__c": seen[:10]}, {"Seen__c": None, "Day__c": None}])
        return org

    @pytest.fixture(params=["Seen__c", "Day__c"])
    def catalog(self, tap: TapRunner, request: pytest.FixtureRequest) -> dict[str, Any]:
        """A catalog that reads visits by such a key."""
        catalog = tap.catalog(Visit__c=[request.param])
        for stream in catalog["streams"]:
            if stream["tap_stream_id"] == "Visit__c":
                stream["replication_key"] = request.param
        return catalog

    @pytest.mark.parametrize("days", [None, 30])
    def test_rows_without_the_key_are_read(
        self, org: Org, tap: TapRunner, catalog: dict[str, Any], days: float | None
    ) -> None:
        """By each run; the bookmark is the greatest key of the others."""
        windows = {"window_days": days} if days else {}
        first = tap.run(catalog=catalog, **windows)
        second = tap.run(catalog=catalog, state=first.state, **windows)

        ids = sorted(row["Id"] for row in org.rows("Visit__c"))
        never_seen = [row["Id"] for row in org.rows("Visit__c") if row["Seen__c"] is None]
        assert first.error is None
        assert first.column("Visit__c", "Id") == ids
        assert first.state["bookmarks"]["Visit__c"]["replication_key_value"].startswith("2024-05-15")
        assert set(never_seen) <= set(second.column("Visit__c", "Id"))
        assert len(second.records["Visit__c"]) == 4
        assert second.state == first.state

    @pytest.mark.parametrize("crash_after", range(6))
    def test_they_are_read_after_a_crash(
        self, org: Org, tap: TapRunner, catalog: dict[str, Any], crash_after: int
    ) -> None:
        """Their job is in the state like the others."""
        settings: dict[str, Any] = {"window_days": 60, "page_size": 1, "lookback_window": 0}
        crashed = tap.run(catalog=catalog, crash_after_records=crash_after, **settings)

        resumed = tap.run(catalog=catalog, state=crashed.state, **settings)

        together = {each["Id"] for each in crashed.records["Visit__c"] + resumed.records["Visit__c"]}
        assert resumed.error is None
        assert together == {row["Id"] for row in org.rows("Visit__c")}

    def test_they_are_read_by_rest(self, org: Org, tap: TapRunner, catalog: dict[str, Any]) -> None:
        """By a query of their own."""
        refused = Fault.status(400, json=[{"errorCode": "INVALIDENTITY", "message": "not supported by the Bulk API"}])
        org.faults.add("query.create", refused, times=2)

        run = tap.run(catalog=catalog, max_concurrent_jobs=1)

        assert run.error is None
        assert org.faults.completed
        assert run.column("Visit__c", "Id") == sorted(row["Id"] for row in org.rows("Visit__c"))


@pytest.mark.parametrize(
    ("bookmark", "message"),
    [
        ("soon", "the state has the bookmark 'soon', which is not a date-time"),
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
