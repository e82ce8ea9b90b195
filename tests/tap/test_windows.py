"""Long reads are cut: into windows that were asked for, and into halves where a job takes too long."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from salesforce_bulk_simulator import Fault, Org, Progression

from .conftest import TapRunner

DAY = 86_400


@pytest.fixture
def a_year(org: Org) -> list[str]:
    """Twelve accounts, one each thirty days, the last of them today; their Ids."""
    org.clock.advance(-11 * 30 * DAY)
    ids = []
    for month in range(12):
        ids += org.insert("Account", [{"Name": f"month {month:02}"}])
        org.clock.advance(30 * DAY)
    org.clock.advance(-30 * DAY)
    return ids


def names() -> list[str]:
    return [f"month {month:02}" for month in range(12)]


def test_each_window_has_its_job(org: Org, tap: TapRunner, a_year: list[str], queries: Callable[[], list[str]]) -> None:
    """Together they are what one job would have read."""
    run = tap.run("Account", window_days=100)

    assert run.error is None
    assert run.column("Account", "Name") == names()
    assert len(org.jobs) == 4
    bounds = [re.findall(r"[<>]=? ([-:T.\d]+Z)", query) for query in queries()]
    assert all(one[-1] == other[0] for one, other in pairwise(bounds))


def test_the_bookmark_moves_window_by_window(org: Org, tap: TapRunner, a_year: list[str]) -> None:
    """It is the greatest cursor seen, and no window's end."""
    run = tap.run("Account", window_days=100, page_size=2)

    bookmarks = [state["bookmarks"]["Account"].get("replication_key_value") for state in run.states]
    stamps = {str(row["SystemModstamp"]) for row in org.rows("Account")}
    assert set(bookmarks) - {None} <= stamps
    assert bookmarks == sorted(bookmarks, key=lambda each: each or "")
    assert len(set(bookmarks) - {None}) == 4
    assert run.state["bookmarks"]["Account"] == {
        "replication_key": "SystemModstamp",
        "replication_key_value": max(stamps),
    }


@pytest.mark.parametrize("crash_after", range(12))
@pytest.mark.parametrize("max_jobs", [1, 3])
def test_windows_go_on_after_a_crash(
    org: Org, tap: TapRunner, a_year: list[str], crash_after: int, max_jobs: int
) -> None:
    """With the jobs that were created ahead, and no page twice beyond the last STATE."""
    settings: dict[str, Any] = {"window_days": 100, "page_size": 1, "lookback_window": 0}
    settings["max_concurrent_jobs"] = max_jobs
    crashed = tap.run("Account", **settings, crash_after_records=crash_after)

    resumed = tap.run("Account", **settings, state=crashed.state)

    assert resumed.error is None
    assert crashed.column("Account", "Name") + resumed.column("Account", "Name") != []
    together = crashed.records["Account"] + resumed.records["Account"]
    assert sorted(record["Name"] for record in together) == names()
    assert len(org.jobs) == 4
    assert resumed.state["bookmarks"]["Account"].keys() == {"replication_key", "replication_key_value"}


def test_windows_begin_with_the_first_row_also_if_it_is_deleted(org: Org, tap: TapRunner) -> None:
    """Nobody would learn of its deletion otherwise."""
    org.clock.advance(-200 * DAY)
    org.delete("Account", org.insert("Account", [{"Name": "deleted at once"}]))
    org.clock.advance(100 * DAY)
    org.insert("Account", [{"Name": "new"}])

    run = tap.run("Account", window_days=30)

    assert run.column("Account", "Name") == ["deleted at once", "new"]


def test_a_later_run_goes_on_from_the_bookmark(org: Org, tap: TapRunner, a_year: list[str]) -> None:
    """What is new since is one window again."""
    state = tap.run("Account", window_days=100).state
    org.insert("Account", [{"Name": "new"}])

    run = tap.run("Account", window_days=100, state=state)

    assert run.column("Account", "Name") == ["month 11", "new"]
    assert len(org.jobs) == 5


def test_an_empty_object_needs_no_windows(org: Org, tap: TapRunner) -> None:
    """There is no first row to begin with."""
    run = tap.run("Account", window_days=1)

    assert run.error is None
    assert len(org.jobs) == 1


HASTY = {"job_timeout_s": 0.001, "max_concurrent_jobs": 1, "job_retries": 8}
"""Jobs that are not complete at the first look have timed out."""


def let_time_out(org: Org, jobs: int) -> None:
    """Show the next jobs as still in progress, and as aborted when they are given up."""
    answer = {"id": "750", "operation": "query", "object": "Account", "apiVersion": 66.0}
    org.faults.add("query.info", Fault.status(200, json={**answer, "state": "InProgress"}), times=jobs)
    org.faults.add("query.abort", Fault.status(200, json={**answer, "state": "Aborted"}), times=jobs)


def test_a_job_that_times_out_again_is_cut_in_halves(
    org: Org, tap: TapRunner, a_year: list[str], queries: Callable[[], list[str]]
) -> None:
    """By time; only the half that takes too long is cut again, and nothing is read twice."""
    let_time_out(org, jobs=3)

    run = tap.run("Account", **HASTY)

    assert run.error is None
    assert run.column("Account", "Name") == names()
    assert len(org.faults.completed) == 6
    whole, again, first_half, *quarters, second_half = queries()
    assert whole == again
    assert len(quarters) == 2
    assert len({whole, first_half, *quarters, second_half}) == 5
    assert run.state["bookmarks"]["Account"].keys() == {"replication_key", "replication_key_value"}


def test_what_was_loaded_in_one_moment_is_cut_by_id(org: Org, tap: TapRunner, queries: Callable[[], list[str]]) -> None:
    """A half in time may hold all rows; a half by Id does not."""
    org.insert("Account", [{"Name": name} for name in names()])
    let_time_out(org, jobs=4)

    run = tap.run("Account", **HASTY)

    assert run.error is None
    assert any(" AND Id >= " in query for query in queries())
    assert run.column("Account", "Name") == names()
    assert run.state["bookmarks"]["Account"].keys() == {"replication_key", "replication_key_value"}


def test_a_full_table_is_cut_by_id(org: Org, tap: TapRunner) -> None:
    """It has no cursor."""
    org.insert("CronJobDetail", [{"Name": name} for name in names()])
    let_time_out(org, jobs=4)

    run = tap.run("CronJobDetail", **HASTY)

    assert run.error is None
    assert len(org.jobs) > 5
    assert run.column("CronJobDetail", "Name") == names()
    assert run.state == {"bookmarks": {"CronJobDetail": {}}}


@pytest.mark.parametrize("crash_after", [0, 3, 5, 7, 11])
def test_halves_go_on_after_a_crash(org: Org, tap: TapRunner, crash_after: int) -> None:
    """The state names those that are still to be read; the bookmark waits for all of them."""
    org.insert("Account", [{"Name": name} for name in names()])
    let_time_out(org, jobs=4)
    crashed = tap.run("Account", **HASTY, page_size=1, crash_after_records=crash_after)
    assert "replication_key_value" not in crashed.state["bookmarks"]["Account"]

    resumed = tap.run("Account", **HASTY, page_size=1, state=crashed.state)

    together = crashed.records["Account"] + resumed.records["Account"]
    assert resumed.error is None
    assert sorted(record["Name"] for record in together) == names()


def test_a_job_that_times_out_for_ever_is_given_up(org: Org, tap: TapRunner, a_year: list[str]) -> None:
    """`job_retries` bounds how often a part is tried, halves and all; none is left running."""
    org.progression = Progression.looks(1_000)

    run = tap.run("Account", job_timeout_s=0.03, job_retries=3, max_concurrent_jobs=1)

    assert "had not ended after 0.03 s (job_timeout_s), and was aborted" in str(run.error)
    assert [job["state"] for job in org.jobs] == ["Aborted"] * 4
