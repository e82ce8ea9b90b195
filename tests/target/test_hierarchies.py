"""Rows that point to rows of the same load: all are loaded in one run, in whatever order they come."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from salesforce_bulk_client import ConfigError
from salesforce_bulk_simulator import Fault, Org, Progression
from target_salesforce_bulk.errors import RecordsDoubtful, RecordsOutstanding, RecordsUnprocessed

from tests.target.conftest import Message, Run, TargetRunner, lines, records, schema, state
from tests.target.crashing import run_and_kill

CODE = "string(30) externalId unique"
TEAM = {
    "name": "Team__c",
    "fields": {
        "Code__c": CODE,
        "Lead__c": "reference(Person__c)",
        "First_Lead__c": "reference(Person__c) createonly",
    },
}
CLUB = {"name": "Club__c", "fields": {"Code__c": CODE, "Lead__c": "reference(Person__c) required"}}
PERSON = {
    "name": "Person__c",
    "fields": {"Code__c": CODE, "Team__c": "reference(Team__c) createonly", "Club__c": "reference(Club__c) createonly"},
}
NODE = {"name": "Node__c", "fields": {"Code__c": CODE, "Alias__c": CODE, "Parent__c": "reference(Node__c)"}}


@pytest.fixture
def org() -> Org:
    """An org with two objects that can be each other's parents, and one that can be its own."""
    return Org(progression=Progression.immediate(), objects=[TEAM, CLUB, PERSON, NODE])


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
    """However many later rows of their keys come before the parent: all wait, and are loaded one after another."""
    changes = [
        message
        for number in range(12)
        for message in records("units", {"code": "child", "parent": "late", "name": str(number)})
    ]

    run = load(target, changes, units(("late", None)), state(1), batch_size_rows=1, max_concurrent_jobs=1)

    assert run.error is None
    assert run.statuses == [*["created"], *["updated"] * 11, "created"]
    assert run.states == [1]
    assert [row["Name"] for row in org.rows("Account") if row["External_Id__c"] == "child"] == ["11"]


def test_a_parent_behind_a_row_that_is_refused_is_still_waited_for(target: TargetRunner, org: Org) -> None:
    """Only the row that a later one of its key waits for is refused, not all those that wait at that time."""
    first, second, third = (
        [("a", "nobody"), ("x", None)],
        [("child", "late"), ("y", None)],
        [("late", None), ("a", None)],
    )

    run = load(target, units(*first, *second, *third), state(1), batch_size_rows=2, small_batch_rows=0)

    assert "1 of 6 records failed" in str(run.error)
    assert parents(org) == {"a": None, "x": None, "child": "late", "y": None, "late": None}
    assert len(run.outcomes) == 6
    assert run.states == [1]


def test_a_parent_in_one_batch_with_a_later_row_of_a_waiting_key_is_loaded(target: TargetRunner, org: Org) -> None:
    """Only the later row waits, not the rest of its batch."""
    first = records("units", {"code": "a", "parent": "late", "name": "old"})
    last = records("units", {"code": "a", "parent": "late", "name": "new"})

    run = load(
        target,
        [*first, *units(("child", "late")), *units(("late", None)), *last],
        state(1),
        batch_size_rows=2,
        small_batch_rows=0,
    )

    assert run.error is None
    assert parents(org) == {"a": "late", "child": "late", "late": None}
    assert [row["Name"] for row in org.rows("Account") if row["External_Id__c"] == "a"] == ["new"]
    assert sorted(run.statuses) == ["created", "created", "created", "updated"]
    assert run.states == [1]


@ROADS
def test_a_deep_tree_is_sent_twice_whatever_its_depth(target: TargetRunner, org: Org, small_batch_rows: int) -> None:
    """Each row again when its parent is loaded, and not before."""
    chain: list[tuple[str, str | None]] = [("0", None), *((str(n), str(n - 1)) for n in range(1, 40))]

    run = load(target, units(*reversed(chain)), state(1), small_batch_rows=small_batch_rows, batch_size_rows=30)

    assert run.error is None
    assert parents(org) == dict(chain)
    assert len(run.outcomes) == 40
    assert run.states == [1]
    if small_batch_rows == 0:
        assert sum(job["rows"] for job in run.summary["jobs"]) < 2 * 40


def test_a_later_row_of_a_key_waits_only_for_rows_of_its_key(target: TargetRunner, org: Org) -> None:
    """A row that is loaded already keeps no later batch back, though other rows of its batch wait for their parents."""
    run = load(
        target,
        units(("child", "late"), ("a", None), ("late", None), ("a", None)),
        state(1),
        batch_size_rows=2,
        small_batch_rows=0,
    )

    assert run.error is None
    assert parents(org) == {"child": "late", "a": None, "late": None}
    assert len(run.outcomes) == 4
    assert run.states == [1]


@pytest.mark.parametrize("seed", range(12))
def test_rows_of_any_order_are_loaded_if_their_parents_come(target: TargetRunner, org: Org, seed: int) -> None:
    """With keys that come several times, cycles and parents that never come: one outcome each, the last value wins."""
    chance = random.Random(seed)
    codes = [f"unit {number}" for number in range(chance.randint(3, 8))]
    rows = [
        {"code": chance.choice(codes), "parent": chance.choice([*codes, *codes, None, "nobody"]), "name": str(number)}
        for number in range(14)
    ]

    run = load(
        target,
        records("units", *rows),
        state(1),
        batch_size_rows=chance.choice([1, 2, 3]),
        max_concurrent_jobs=chance.choice([1, 2]),
        small_batch_rows=chance.choice([0, 200]),
    )

    loaded = parents(org)
    good = {row["code"]: row for row in rows if row["parent"] in {None, *loaded}}
    assert Counter(outcome["key"]["code"] for outcome in run.outcomes) == Counter(row["code"] for row in rows)
    assert run.statuses.count("failed") == sum(row["parent"] not in {None, *loaded} for row in rows)
    assert loaded == {code: row["parent"] for code, row in good.items()}
    assert {row["External_Id__c"]: row["Name"] for row in org.rows("Account")} == {
        code: row["name"] for code, row in good.items()
    }
    assert run.states == [1]


# Rows that point to themselves or to each other: the parent cannot come first.

OPERATIONS = pytest.mark.parametrize("operation", ["upsert", "insert"])

SELF = [("a", "a")]
TWO = [("a", "b"), ("b", "a")]
THREE = [("a", "b"), ("b", "c"), ("c", "a")]


@ROADS
@OPERATIONS
@pytest.mark.parametrize("cycle", [SELF, TWO, THREE], ids=["itself", "two", "three"])
def test_rows_that_point_to_each_other_are_loaded(
    target: TargetRunner, org: Org, cycle: list[tuple[str, str | None]], operation: str, small_batch_rows: int
) -> None:
    """One of them is created without its lookup, which is filled later: two passes, one outcome."""
    run = load(target, units(*cycle), state(1), operation=operation, small_batch_rows=small_batch_rows)

    assert run.error is None
    assert parents(org) == dict(cycle)
    assert run.statuses == ["created"] * len(cycle)
    assert {outcome["key"]["code"]: outcome["id"] for outcome in run.outcomes} == {
        row["External_Id__c"]: row["Id"] for row in org.rows("Account")
    }
    assert run.states == [1]
    assert run.summary["records"]["created"] == len(cycle)
    assert updated_rows(run) == ([1] if small_batch_rows == 0 else [])


def updated_rows(run: Run) -> list[int]:
    """How many rows each job has updated."""
    return [job["rows"] for job in run.summary["jobs"] if job["operation"] == "update"]


@OPERATIONS
def test_rows_that_hang_on_a_cycle_need_no_second_pass(target: TargetRunner, org: Org, operation: str) -> None:
    """They are loaded after it, whatever the depth; so is another cycle that points to the first."""
    pairs = [("leaf", "twig"), ("twig", "a"), *THREE, ("x", "y"), ("y", "x"), ("child", "y"), ("own", "own")]

    run = load(target, units(*pairs), state(1), operation=operation, small_batch_rows=0)

    assert run.error is None
    assert parents(org) == dict(pairs)
    assert sum(updated_rows(run)) == 3
    assert run.states == [1]


def test_a_cycle_in_batches_of_one_row(target: TargetRunner, org: Org) -> None:
    """STATE waits for all of its rows, and for the second pass of the first."""
    messages = [message for number, pair in enumerate(THREE) for message in [*units(pair), state(number)]]

    run = load(target, *messages, batch_size_rows=1, small_batch_rows=0)

    assert run.error is None
    assert parents(org) == dict(THREE)
    assert run.states[-1] == 2
    assert len(run.outcomes) == 3


def test_second_passes_of_a_batch_wait_for_parents_in_several(target: TargetRunner, org: Org) -> None:
    """One that is there already does not make the others fail."""
    again = schema("units", key=["code"], code="string", parent="string", name="string")  # closes the batch before it
    first, second = [("a", "c"), ("b", "a"), ("c", "b")], [("x", "z"), ("y", "x"), ("z", "w"), ("w", "y")]
    batches = [first[:1], second[:1], [first[1], second[1]], first[2:], second[2:3], second[3:]]
    messages = [[again if number % 2 else UNITS, *units(*pairs)] for number, pairs in enumerate(batches)]

    run = load(target, *messages, max_concurrent_jobs=1, small_batch_rows=0)

    assert run.error is None
    assert parents(org) == dict([*first, *second])
    assert updated_rows(run)[0] == 2


def test_an_update_that_gives_rows_their_keys_can_point_to_them(target: TargetRunner, org: Org) -> None:
    """By Id, with an external id that the same rows set."""
    ids = org.insert("Account", [{"Name": "One"}, {"Name": "Two"}])
    stream = schema("units", key=["Id"], Id="string", code="string", parent="string")
    rows = records("units", {"Id": ids[0], "code": "a", "parent": "b"}, {"Id": ids[1], "code": "b", "parent": "a"})
    mapping = {"object": "Account", "operation": "update", "fields": FIELDS}

    run = target.run(stream, rows, mappings={"units": mapping})

    assert run.error is None
    assert parents(org) == dict(TWO)
    assert run.statuses == ["updated", "updated"]


@ROADS
def test_a_cycle_across_objects(target: TargetRunner, org: Org, small_batch_rows: int) -> None:
    """A team that names its lead, who names the team; only one of the two lookups can be filled later."""
    run = load_teams(target, team="Team", lead="Lead__r.Code__c", small_batch_rows=small_batch_rows)

    [team], [person] = org.rows("Team__c"), org.rows("Person__c")
    assert run.error is None
    assert (team["Lead__c"], person["Team__c"]) == (person["Id"], team["Id"])
    assert run.statuses == ["created", "created"]
    assert run.states == [1]


@ROADS
@pytest.mark.parametrize(
    ("team", "lead"),
    [("Team", "First_Lead__r.Code__c"), ("Club", "Lead__r.Code__c")],
    ids=["not updateable", "required"],
)
def test_rows_whose_lookups_cannot_be_filled_later_are_refused(
    target: TargetRunner, org: Org, caplog: pytest.LogCaptureFixture, team: str, lead: str, small_batch_rows: int
) -> None:
    """Nothing is created, and the log says why."""
    run = load_teams(target, team=team, lead=lead, small_batch_rows=small_batch_rows)

    assert "2 of 2 records failed" in str(run.error)
    assert (org.rows(f"{team}__c"), org.rows("Person__c")) == ([], [])
    assert run.error_codes == ["INVALID_FIELD", "INVALID_FIELD"]
    assert f"stream teams: rows point to each other, or to themselves, by {lead}" in caplog.text
    assert run.states == [1]


def load_teams(target: TargetRunner, *, team: str, lead: str, **more: Any) -> Run:
    """Load a team and its lead, who is in that team."""
    return target.run(
        schema("teams", key=["code"], code="string", lead="string"),
        records("teams", {"code": "a", "lead": "1"}),
        schema("people", key=["code"], code="string", team="string"),
        records("people", {"code": "1", "team": "a"}),
        state(1),
        mappings={
            "teams": {"object": f"{team}__c", "fields": {"code": "Code__c", "lead": lead}},
            "people": {"object": "Person__c", "fields": {"code": "Code__c", "team": f"{team}__r.Code__c"}},
        },
        **more,
    )


# A second pass that is refused

LOCK = Fault.lock_rows(where=lambda row: "Id" in row)
LOCKED: dict[str, Any] = {"record_retries": 0, "small_batch_rows": 0}


@OPERATIONS
def test_a_refused_second_pass_is_one_failed_outcome(target: TargetRunner, org: Org, operation: str) -> None:
    """With the record's Id and the second error; the failed file has the update, and fed back it does just that."""
    org.faults.add("ingest.close", LOCK, after=3)

    run = load(target, units(*TWO), state(1), operation=operation, **LOCKED)

    [failed] = [outcome for outcome in run.outcomes if outcome["status"] == "failed"]
    [incomplete] = [row for row in org.rows("Account") if row["ParentId"] is None]
    assert org.faults.completed
    assert "1 of 2 records failed" in str(run.error)
    assert (failed["id"], failed["error_code"]) == (incomplete["Id"], "UNABLE_TO_LOCK_ROW")
    assert failed["key"] == {"code": incomplete["External_Id__c"]}
    assert len(run.outcomes) == 2
    assert run.states == [1]

    repaired = load(target, run.failed_file, operation=operation)

    assert repaired.error is None
    assert parents(org) == dict(TWO)
    assert repaired.summary["records"]["updated"] == 1
    assert len(org.rows("Account")) == 2


def test_state_does_not_pass_a_second_pass_in_doubt(target: TargetRunner, org: Org) -> None:
    """Its job cannot be read: the record is doubtful, though the batch that loaded it is not."""
    refused = Fault.status(403, json=[{"errorCode": "INSUFFICIENT_ACCESS", "message": "no"}])
    org.faults.add("ingest.info", refused, after=3, times=2)

    run = load(target, units(*TWO), state(1), **LOCKED)

    assert org.faults.completed
    assert isinstance(run.error, RecordsDoubtful)
    assert sorted(run.statuses) == ["created", "doubtful"]
    assert run.states == []


@OPERATIONS
def test_a_lookup_of_a_record_whose_id_is_not_known_is_a_failed_outcome(
    target: TargetRunner, org: Org, operation: str
) -> None:
    """Results name no Id: an insert is not sent again by anything, an upsert is outstanding and its lookup filled."""
    without_id = '"sf__Id","sf__Created",External_Id__c,Parent.External_Id__c,Name\n"","true","a","","a"\n'
    headers = {"Content-Type": "text/csv; charset=UTF-8"}
    org.faults.add("ingest.successful", Fault.status(200, body=without_id, headers=headers), after=1)

    run = load(target, units(*SELF), state(1), operation=operation, **LOCKED)

    assert org.faults.completed
    assert "1 of 1 record failed" in str(run.error)
    assert run.error_codes == ["LOOKUP_NOT_FILLED"]
    assert run.outcomes[0]["error_fields"] == ["Parent.External_Id__c"]
    assert parents(org) == {"a": None}
    assert run.states == [1]
    has_failed_file = bool(list(target.results_dir.glob("failed-*")))
    later = load(target, operation=operation)
    assert has_failed_file is isinstance(later.error, RecordsOutstanding) is (operation == "upsert")
    if operation == "upsert":
        assert load(target, run.failed_file).error is None
        assert parents(org) == dict(SELF)
        assert len(org.rows("Account")) == 1


@pytest.mark.parametrize(
    "mark",
    ["update", {}, None, {"operation": "update"}, {"object": 1, "operation": "update"}, {"object": "Account"}]
    + [{"object": "Account", "operation": operation} for operation in ("insert", "delete", None)]
    + [{"object": "Account", "operation": "update", "external_id_field": "x"}],
    ids=range(10),
)
def test_a_schema_whose_mark_is_not_that_of_a_failed_file_is_a_wrong_setting(
    target: TargetRunner, org: Org, mark: Any
) -> None:
    """The error names the mark and what it must have; nothing is sent."""
    stream = schema("Account", key=["Id"], Id="string", Name="string")
    stream["schema"]["x-salesforce-bulk"] = mark
    [record_id] = org.insert("Account", [{"Name": "old"}])

    run = target.run(stream, records("Account", {"Id": record_id, "Name": "new"}), state(1), operation="update")

    assert isinstance(run.error, ConfigError)
    assert 'x-salesforce-bulk in a schema must have an "object", and "update" as its "operation"' in str(run.error)
    assert run.states == []
    assert [row["Name"] for row in org.rows("Account")] == ["old"]


def test_a_failed_file_has_updates_and_records_of_one_stream(target: TargetRunner, org: Org) -> None:
    """The lookups of a row whose parent was refused for another reason, and that parent; stream maps are left out."""
    renamed = {"stream_maps": {"units": {"name": "name.upper() if name else None"}}}
    rows = records("units", {"code": "b", "parent": "a", "name": None}, {"code": "a", "parent": "b", "name": "A"})
    stream = schema("units", key=["code"], code="string", parent="string", name=["string", "null"])
    mapping = {"object": "Account", "fields": FIELDS}

    run = target.run(stream, rows, mappings={"units": mapping}, **renamed)

    assert "2 of 2 records failed" in str(run.error)
    assert run.error_codes == ["INVALID_FIELD", "REQUIRED_FIELD_MISSING"]
    assert [row["External_Id__c"] for row in org.rows("Account")] == ["a"]

    org.insert("Account", [{"Name": "B", "External_Id__c": "b"}])
    repaired = target.run(run.failed_file, mappings={"units": mapping}, **renamed)

    assert repaired.error is None
    assert parents(org) == dict(TWO)


@ROADS
def test_rows_of_another_operation_follow_a_second_pass(target: TargetRunner, org: Org, small_batch_rows: int) -> None:
    """They may be the same records, whatever their keys; they come after it, and the run ends."""
    people = schema("people", key=["code"], code="string", name="string")
    insert = {"object": "Account", "operation": "insert", "fields": {"code": "External_Id__c", "name": "Name"}}
    upsert = {"object": "Account", "operation": "upsert", "fields": FIELDS}

    run = target.run(
        UNITS,
        people,
        units(("a", "a"), ("b", None)),
        records("people", {"code": "c", "name": "c"}),
        state(1),
        mappings={"units": upsert, "people": insert},
        small_batch_rows=small_batch_rows,
    )

    assert run.error is None
    assert parents(org) == {"a": "a", "b": None, "c": None}
    assert run.statuses == ["created"] * 3
    assert run.states == [1]


@ROADS
def test_a_row_that_points_to_itself_is_loaded_though_an_earlier_one_of_its_key_is_refused(
    target: TargetRunner, org: Org, small_batch_rows: int
) -> None:
    """The earlier row would have been its parent; it is refused only after its own parent has come."""
    org.insert("Node__c", [{"Code__c": "taken", "Alias__c": "taken"}])
    nodes = schema("nodes", key=["n"], n="string", code="string", parent=["string", "null"], alias="string")
    fields = {"n": None, "code": "Code__c", "parent": "Parent__r.Code__c", "alias": "Alias__c"}
    rows = [("a", "late", "taken"), ("a", "a", "free"), ("late", None, "late")]

    run = target.run(
        nodes,
        records("nodes", *({"n": str(n), "code": c, "parent": p, "alias": a} for n, (c, p, a) in enumerate(rows))),
        state(1),
        mappings={"nodes": {"object": "Node__c", "external_id_field": "Code__c", "fields": fields}},
        small_batch_rows=small_batch_rows,
    )

    assert [o["error_code"] for o in run.outcomes if o["status"] == "failed"] == ["DUPLICATE_VALUE"]
    loaded = {row["Code__c"]: row for row in org.rows("Node__c")}
    assert loaded["a"]["Parent__c"] == loaded["a"]["Id"]
    assert loaded.keys() == {"taken", "a", "late"}
    assert run.states == [1]


def test_later_rows_of_a_key_wait_for_its_second_pass(target: TargetRunner, org: Org) -> None:
    """The last value of the input wins, though the first is written in two passes."""
    changes = [*units(*TWO), *units(("root", None)), *units(("a", "root"), ("b", None))]

    run = load(target, changes, batch_size_rows=2, small_batch_rows=0)

    assert run.error is None
    assert parents(org) == {"root": None, "a": "root", "b": None}
    assert len(run.outcomes) == 5


# kill -9

BY_JOBS: dict[str, Any] = {"small_batch_rows": 0}


CYCLE = [("leaf", "a"), *TWO]
LATER_ROW: list[tuple[str, str | None]] = [
    ("a", "late"),
    ("child", "late"),
    ("late", "root"),
    ("a", "root"),
    ("root", None),
]


@pytest.mark.parametrize(
    ("pairs", "operation", "how"),
    [
        (CYCLE, "insert", BY_JOBS),
        (CYCLE, "upsert", BY_JOBS),
        (CYCLE, "upsert", {}),
        (LATER_ROW, "upsert", {**BY_JOBS, "batch_size_rows": 2}),
    ],
    ids=["inserts by jobs", "upserts by jobs", "upserts by requests", "a later row of a key"],
)
def test_a_load_of_rows_that_wait_killed_at_any_step_is_finished_by_the_next_run(
    target: TargetRunner,
    org: Org,
    tmp_path: Path,
    pairs: list[tuple[str, str | None]],
    operation: str,
    how: dict[str, Any],
) -> None:
    """No row twice, each lookup filled, one outcome each, the last value of each record, and STATE only after all."""
    messages = [UNITS, *units(*pairs[:1]), state(1), *units(*pairs[1:]), state(2)]
    chosen: dict[str, Any] = {
        "mappings": {"units": {"object": "Account", "operation": operation, "fields": FIELDS}},
        "max_concurrent_jobs": 1,
        **how,
    }
    steps = 0
    while True:
        logs = tmp_path / str(steps)
        org.delete("Account", [row["Id"] for row in org.rows("Account")])
        config = target.config(**chosen, results_dir=str(logs))
        if not run_and_kill(at=steps, config=config, data=lines(messages), stdout=tmp_path / "stdout"):
            break

        run = target.run(*messages, **chosen, results_dir=str(logs))

        here = f"killed at step {steps}"
        outcomes = [json.loads(line) for path in logs.glob("outcomes-*") for line in path.read_text().splitlines()]
        assert run.error is None, here
        assert run.states[-1] == 2, here
        assert parents(org) == dict(pairs), here
        assert len(org.rows("Account")) == len(dict(pairs)), here
        assert Counter(outcome["key"]["code"] for outcome in outcomes) == Counter(code for code, _ in pairs), here
        assert {outcome["status"] for outcome in outcomes} <= {"created", "updated"}, here
        assert list((logs / "pending").iterdir()) == [], here
        steps += 1

    assert steps > 50


@pytest.mark.parametrize("operation", ["insert", "upsert"])
def test_a_deep_tree_that_meets_the_quota_is_finished_by_the_next_run(
    target: TargetRunner, org: Org, operation: str
) -> None:
    """In the middle of its rounds: what is loaded is not sent again."""
    chain: list[tuple[str, str | None]] = [("0", None), *((str(n), str(n - 1)) for n in range(1, 9))]
    org.faults.add("ingest.create", Fault.request_limit_total(), after=4)
    more: dict[str, Any] = {"operation": operation, "small_batch_rows": 0, "max_concurrent_jobs": 1}

    stopped = load(target, units(*reversed(chain)), state(1), **more)
    loaded = len(org.rows("Account"))
    again = load(target, units(*reversed(chain)), state(1), **more)

    assert org.faults.completed
    assert (stopped.states, loaded) == ([], 4)
    assert (again.error, again.states) == (None, [1])
    assert parents(org) == dict(chain)
    assert again.statuses == ["created"] * 9


def test_rows_that_wait_for_a_parent_that_was_not_processed_are_not_sent(target: TargetRunner, org: Org) -> None:
    """The job of the parent fails when it is sent again: its child is unprocessed too, and comes again."""
    people = schema("people", key=["no"], no="string", unit="string", LastName="string")
    mappings = {
        "units": {"object": "Account", "operation": "insert", "fields": FIELDS},
        "people": {"object": "Contact", "fields": {"no": "External_Id__c", "unit": "Account.External_Id__c"}},
    }
    person = records("people", {"no": "1", "unit": "child", "LastName": "Ada"})
    messages = [UNITS, *units(("child", "root")), people, *person, *units(("root", None)), state(1)]
    more: dict[str, Any] = {"batch_size_rows": 1, "max_concurrent_jobs": 1, "small_batch_rows": 0}
    org.faults.add("ingest.close", Fault.job_fails("InvalidBatch : x"), after=3)

    run = target.run(*messages, mappings=mappings, **more)
    first = sorted(run.statuses)
    again = target.run(*messages, mappings=mappings, **more)

    assert org.faults.completed
    assert isinstance(run.error, RecordsUnprocessed)
    assert first == ["created", "unprocessed", "unprocessed"]
    assert run.states == []
    assert (again.error, again.states) == (None, [1])
    assert parents(org) == {"child": "root", "root": None}
    assert [row["AccountId"] is not None for row in org.rows("Contact")] == [True]
