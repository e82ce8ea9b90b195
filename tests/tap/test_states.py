"""States of other forms: used where that is safe; else the stream is named, once, and read from its start."""

from __future__ import annotations

import doctest
import json
from collections.abc import Callable
from typing import Any

import pytest
from tap_salesforce_bulk import input_files

from .conftest import TapRunner

pytestmark = pytest.mark.usefixtures("accounts")

BOOKMARK = {"replication_key": "SystemModstamp", "replication_key_value": "2024-01-15T10:30:00.000Z"}
STATE = {"bookmarks": {"Account": BOOKMARK}}


@pytest.fixture
def where(queries: Callable[[], list[str]]) -> Callable[[], str]:
    """Gives the conditions of the last query."""
    return lambda: queries()[-1].partition(" WHERE ")[2]


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """Gives the warnings so far."""
    return lambda: [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]


@pytest.mark.parametrize(
    "state",
    [
        STATE,
        {"singer_state": STATE},
        {"completed": {"singer_state": STATE}, "singer_state": STATE},
        {"type": "STATE", "value": STATE},
        {"singer_state": {"type": "STATE", "value": STATE}},
        {**STATE, "currently_syncing": "Account"},
    ],
    ids=json.dumps,
)
def test_a_state_is_used_whatever_it_is_kept_in(
    tap: TapRunner, where: Callable[[], str], warnings: Callable[[], list[str]], state: dict[str, Any]
) -> None:
    """As Meltano prints it, or as the message that it came in."""
    run = tap.run("Account", state=state)

    assert run.error is None
    assert where().startswith("SystemModstamp >= 2024-01-15T10:20:00.000Z AND ")
    assert run.state["bookmarks"]["Account"].keys() == BOOKMARK.keys()
    assert warnings() == []


UNUSED: dict[str, tuple[dict[str, Any], str]] = {
    "streams without bookmarks": ({"Account": BOOKMARK}, "the state has no bookmarks, but Account: nothing of it"),
    "dates by stream": ({"Account": "2024-01-15", "Lead": "2024-01-15"}, "the state has no bookmarks, but Account, Le"),
    "Airbyte": ({"streams": [{"stream_state": {}}]}, "the state has no bookmarks, but streams: nothing of it is used"),
    "a date": (
        {"bookmarks": {"Account": "2024-01-15T10:30:00Z"}},
        "the state of Account is not an object with replication_key and replication_key_value, so it is not used",
    ),
    "a list": ({"bookmarks": {"Account": ["2024-01-15T10:30:00Z"]}}, "the state of Account is not an object with"),
    "another key": (
        {"bookmarks": {"Account": {**BOOKMARK, "replication_key": "LastModifiedDate"}}},
        "the state of Account is a bookmark by LastModifiedDate, but the stream is read by SystemModstamp",
    ),
    "singer-io": (
        {"bookmarks": {"Account": {"SystemModstamp": "2024-01-15T10:30:00Z", "version": 1}}},
        "the state of Account has SystemModstamp without a replication_key, as other taps write it, so it is not used",
    ),
    "a value without its key": (
        {"bookmarks": {"Account": {"replication_key_value": "2024-01-15T10:30:00Z"}}},
        "the state of Account has replication_key_value, but no bookmark, so it is not used",
    ),
    "a cursor": ({"bookmarks": {"Account": {"cursor": "x"}}}, "the state of Account has cursor, but no bookmark, so"),
    "partitions": ({"bookmarks": {"Account": {"partitions": []}}}, "the state of Account has partitions, but no boo"),
}


@pytest.mark.parametrize(("state", "warning"), UNUSED.values(), ids=UNUSED)
def test_a_state_that_has_no_use_is_named(
    tap: TapRunner,
    where: Callable[[], str],
    warnings: Callable[[], list[str]],
    state: dict[str, Any],
    warning: str,
) -> None:
    """Once; everything is read, and the next state has a bookmark."""
    first = tap.run("Account", state=state)
    first_where = where()
    warned = warnings()
    second = tap.run("Account", state=first.state)

    assert (first.error, second.error) == (None, None)
    assert first_where.startswith("SystemModstamp < ")
    assert first.column("Account", "Name") == ["Ada", "Bob", "Cyd"]
    assert [each[: len(warning)] for each in warned] == [warning]
    assert "from the" in warned[0] or "from its start" in warned[0]
    assert where().startswith("SystemModstamp >= ")
    assert not [each for each in warnings()[1:] if "Account" in each]


@pytest.mark.parametrize(
    "state", [{}, {"bookmarks": {}}, {"bookmarks": {"Account": {}}}, {"bookmarks": {"Account": None}}], ids=json.dumps
)
def test_a_state_that_is_empty_is_none(
    tap: TapRunner, warnings: Callable[[], list[str]], state: dict[str, Any]
) -> None:
    """Nothing is said about it."""
    run = tap.run("Account", state=state)

    assert run.error is None
    assert warnings() == []


def test_a_stream_that_is_read_in_full_needs_no_bookmark(tap: TapRunner, warnings: Callable[[], list[str]]) -> None:
    """So nothing is said about one of another key."""
    catalog = tap.catalog(root={"replication-method": "FULL_TABLE"}, Account=["Name"])
    state = {"bookmarks": {"Account": {**BOOKMARK, "replication_key": "LastModifiedDate"}}}

    run = tap.run(catalog=catalog, state=state)

    assert run.error is None
    assert warnings() == []


def test_the_examples_in_the_docstrings_hold() -> None:
    """Each example in the module's docstrings gives what it says."""
    assert doctest.testmod(input_files).failed == 0
