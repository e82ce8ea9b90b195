"""Rows that point to rows of the same load: all are loaded in one run, in whatever order they come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from salesforce_bulk_simulator import Org

from tests.target.conftest import Message, Run, TargetRunner, records, schema, state

UNITS = schema("units", key=["code"], code="string", parent=["string", "null"], name="string")

FIELDS = {"code": "External_Id__c", "parent": "Parent.External_Id__c", "name": "Name"}


def units(*pairs: tuple[str, str | None]) -> list[Message]:
    """Records of a stream of units: each one's code and its parent's."""
    return records("units", *({"code": code, "parent": parent, "name": code} for code, parent in pairs))


def load(target: TargetRunner, *messages: Any, operation: str = "upsert", **more: Any) -> Run:
    mapping = {"object": "Account", "operation": operation, "fields": FIELDS}
    return target.run(UNITS, *messages, mappings={"units": mapping}, **more)


def parents(org: Org) -> dict[str, str | None]:
    """The code of each account's parent, by the account's own code."""
    rows = org.rows("Account")
    code_of = {row["Id"]: row["External_Id__c"] for row in rows}
    return {row["External_Id__c"]: code_of.get(row["ParentId"]) for row in rows}


ROADS = pytest.mark.parametrize("small_batch_rows", [0, 200], ids=["by jobs", "by Collections"])


@ROADS
@pytest.mark.parametrize("operation", ["upsert", "insert"])
def test_a_child_before_its_parent_is_loaded_in_the_same_run(
    target: TargetRunner, org: Org, operation: str, small_batch_rows: int
) -> None:
    """Whatever the depth: a row whose parent is missing is sent again when the parent is there."""
    pairs = [("leaf", "branch"), ("branch", "root"), ("root", None)]

    run = load(target, units(*pairs), state(1), operation=operation, small_batch_rows=small_batch_rows)

    assert run.error is None
    assert parents(org) == dict(pairs)
    assert run.statuses == ["created"] * 3
    assert run.states == [1]


def test_a_parent_that_comes_batches_later_is_waited_for(target: TargetRunner, org: Org) -> None:
    """The rows wait on disk, and STATE with them."""
    pairs: Sequence[tuple[str, str | None]] = [
        ("child", "root"),
        *((f"other{n}", None) for n in range(5)),
        ("root", None),
    ]
    messages = [message for n, pair in enumerate(pairs) for message in [*units(pair), state(n)]]

    run = load(target, *messages, batch_size_rows=1, max_concurrent_jobs=1, small_batch_rows=0)

    assert run.error is None
    assert parents(org) == dict(pairs)
    assert run.statuses == ["created"] * len(pairs)
    assert run.states == [6]


def test_a_parent_that_never_comes_is_a_failed_row(target: TargetRunner, org: Org) -> None:
    """With its error and one outcome; its own children fail as well, and nobody else does."""
    pairs = [("grandchild", "child"), ("child", "nobody"), ("root", None), ("other", "root")]

    run = load(target, units(*pairs), state(1))

    assert "2 of 4 records failed" in str(run.error)
    assert parents(org) == {"root": None, "other": "root"}
    assert {o["key"]["code"]: o["status"] for o in run.outcomes} == {
        "grandchild": "failed",
        "child": "failed",
        "root": "created",
        "other": "created",
    }
    assert len(run.outcomes) == 4
    assert run.states == [1]


def test_children_of_rows_that_wait_are_loaded_after_them(target: TargetRunner, org: Org) -> None:
    """Contacts of accounts that wait for their own parents."""
    people = schema("people", key=["no"], no="string", unit="string", LastName="string")
    fields = {"no": "External_Id__c", "unit": "Account.External_Id__c"}
    mappings = {
        "units": {"object": "Account", "fields": FIELDS},
        "people": {"object": "Contact", "fields": fields},
    }

    run = target.run(
        UNITS,
        units(("child", "root")),
        people,
        records("people", {"no": "1", "unit": "child", "LastName": "Ada"}),
        units(("root", None)),
        mappings=mappings,
        batch_size_rows=1,
    )

    assert run.error is None
    assert parents(org) == {"child": "root", "root": None}
    accounts = {row["Id"]: row["External_Id__c"] for row in org.rows("Account")}
    assert [accounts[row["AccountId"]] for row in org.rows("Contact")] == ["child"]


def test_a_later_row_of_the_same_key_never_overtakes_one_that_waits(target: TargetRunner, org: Org) -> None:
    """The last value of the input wins."""
    first = records("units", {"code": "child", "parent": "root", "name": "old"})
    second = records("units", {"code": "child", "parent": "root", "name": "new"})

    run = load(target, first, second, units(("root", None)), batch_size_rows=1)

    assert run.error is None
    assert parents(org) == {"child": "root", "root": None}
    assert [row["Name"] for row in org.rows("Account") if row["External_Id__c"] == "child"] == ["new"]
    assert len(run.outcomes) == 3


def test_rows_that_wait_never_stop_the_run(target: TargetRunner, org: Org) -> None:
    """Where more batches than may lie ready wait for them, they are sent once more, and refused at last."""
    changes = [
        message
        for number in range(12)
        for message in records("units", {"code": "child", "parent": "late", "name": str(number)})
    ]

    run = load(target, changes, units(("late", None)), state(1), batch_size_rows=1, max_concurrent_jobs=1)

    assert len(run.outcomes) == 13
    assert run.states == [1]
    assert [row["Name"] for row in org.rows("Account") if row["External_Id__c"] == "child"] in ([], ["11"])
