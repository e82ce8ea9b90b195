"""A stream's state entry: the bookmark moves only when a job has ended well, and never back."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from salesforce_bulk_client import ConfigError, Locator
from tap_salesforce_bulk.query.ranges import QueryRange
from tap_salesforce_bulk.query.stream_state import Checkpoint, finish_job, load_bookmark, load_checkpoint

JOB = Checkpoint(
    job_id="750000000000001AAA",
    fingerprint="abc",
    instance_url="https://acme.my.salesforce.com",
    locator=Locator("MQ"),
    records=2,
    greatest_key_value="2024-01-15T10:30:00.000Z",
    query_range=QueryRange(lower=datetime(2024, 1, 1, tzinfo=UTC), id_upper="001000000000004"),
    next=[
        (QueryRange(id_lower="001000000000004"), "750000000000002AAA"),
        (QueryRange(upper=datetime(2024, 3, 1, tzinfo=UTC)), None),
    ],
    until=datetime(2024, 4, 1, 10, 30, tzinfo=UTC),
)
OLDER = {
    "job_id": "750000000000001AAA",
    "fingerprint": "abc",
    "instance_url": "https://acme.my.salesforce.com",
    "locator": "MQ",
    "records": 2,
    "greatest_cursor": "2024-01-15T10:30:00.000Z",
}
"""As the first version of this tap wrote it."""


def test_a_job_under_way_comes_back_from_the_state() -> None:
    """What is saved is found again, and the bookmark is left alone."""
    state: dict[str, Any] = {"replication_key": "SystemModstamp", "replication_key_value": "2023-01-01T00:00:00.000Z"}

    JOB.save(state)

    assert load_checkpoint(json.loads(json.dumps(state))) == JOB
    assert state["replication_key_value"] == "2023-01-01T00:00:00.000Z"


@pytest.mark.parametrize("entry", [None, "750", [], {}, {"job_id": "750"}, {"id": "750", "page": 3}, OLDER])
def test_a_job_written_by_something_else_is_none(entry: object) -> None:
    """State of an older version, or by hand, costs a new job and no error."""
    assert load_checkpoint({"job": entry}) is None


@pytest.mark.parametrize(("name", "value"), [("records", "2"), ("records", None), ("greatest_cursor", "zz")])
def test_a_job_with_a_wrong_value_is_none(name: str, value: object) -> None:
    """A value that is not a date must never become the bookmark."""
    state: dict[str, Any] = {}
    JOB.save(state)
    state["job"][name] = value

    assert load_checkpoint(state) is None


def test_the_bookmark_moves_when_the_job_ends() -> None:
    """Then the job is forgotten."""
    state: dict[str, Any] = {"replication_key": "SystemModstamp", "replication_key_value": "2024-01-15T10:29:59+00:00"}
    JOB.save(state)

    finish_job(state, replication_key="SystemModstamp", greatest_key_value="2024-01-15T10:30:00.000Z")

    assert state == {"replication_key": "SystemModstamp", "replication_key_value": "2024-01-15T10:30:00.000Z"}


@pytest.mark.parametrize(
    ("bookmark", "greatest"),
    [
        ("2024-01-15T10:30:00Z", None),
        ("2024-01-15T12:30:00+02:00", "2024-01-15T10:30:00.000Z"),
        ("2024-01-15T10:30:00-05:00", "2024-01-15T12:00:00.000Z"),  # 15:30 in UTC, and yet the lesser text
        ("2024-01-15T10:30:00.5Z", "2024-01-15T10:30:00.499Z"),
    ],
)
def test_the_bookmark_never_moves_back(bookmark: str, greatest: str | None) -> None:
    """Instants are compared, not texts: 10:30 in New York is later than noon in London."""
    state: dict[str, Any] = {"replication_key": "SystemModstamp", "replication_key_value": bookmark}

    finish_job(state, replication_key="SystemModstamp", greatest_key_value=greatest)

    assert state["replication_key_value"] == bookmark


@pytest.mark.parametrize(
    ("bookmark", "greatest"),
    [
        ("2024-01-15T10:30:00+02:00", "2024-01-15T09:00:00.000Z"),  # 08:30 in UTC, and yet the greater text
        ("2024-01-15T10:30:00Z", "2024-01-15T10:30:00.500Z"),  # "Z" is greater than "."
    ],
)
def test_the_bookmark_moves_on_by_time_not_by_text(bookmark: str, greatest: str) -> None:
    """Another tap may have written it in another zone, or without fractions."""
    state: dict[str, Any] = {"replication_key": "SystemModstamp", "replication_key_value": bookmark}

    finish_job(state, replication_key="SystemModstamp", greatest_key_value=greatest)

    assert state["replication_key_value"] == greatest


def test_a_bookmark_of_another_cursor_does_not_count() -> None:
    """The instant of a creation says nothing of changes."""
    state = {"replication_key": "CreatedDate", "replication_key_value": "2024-01-15T10:30:00Z"}

    assert load_bookmark(state, replication_key="SystemModstamp") is None
    assert load_bookmark(state, replication_key="CreatedDate") == datetime(2024, 1, 15, 10, 30, tzinfo=UTC)


@pytest.mark.parametrize("written", ["soon", 1705314600, ["2024"]])
def test_a_bookmark_that_is_no_date_is_told(written: object) -> None:
    """It is not taken for the beginning of time."""
    with pytest.raises(ConfigError, match="is not a date-time: correct it, or remove the stream"):
        load_bookmark(
            {"replication_key": "SystemModstamp", "replication_key_value": written}, replication_key="SystemModstamp"
        )
