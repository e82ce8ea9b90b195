"""Outstanding records: what could not be loaded is listed until it is, and runs of its stream fail meanwhile."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from salesforce_bulk_simulator import Fault, Org, Progression
from target_salesforce_bulk import outstanding
from target_salesforce_bulk.errors import (
    RecordsDoubtful,
    RecordsFailed,
    RecordsOutstanding,
    RecordsUnprocessed,
    StoppedAtFailure,
)
from target_salesforce_bulk.journal import Journal

from tests.target.conftest import Command, Message, TargetRunner, records, schema, state
from tests.target.crashing import run_and_kill

TEXT = ["string", "null"]
PARENT = {"mappings": {"*": {"fields": {"parent": "Parent.External_Id__c"}}}, "small_batch_rows": 0}
"""A row is refused as long as its parent is not in the org."""
UNITS = schema("Account", key=["External_Id__c"], External_Id__c="string", Name=TEXT, parent=TEXT)
INSERT = {"operation": "insert", **PARENT}
EVENTS = schema("Account", Name=TEXT, parent=TEXT)


def units(*rows: dict[str, Any]) -> list[Message]:
    return records("Account", *rows)


C_5 = {"External_Id__c": "C-5", "Name": "Monday", "parent": "P"}
C_6 = {"External_Id__c": "C-6", "Name": "Six"}


def keys(results_dir: Path) -> list[str]:
    """The keys of the list, the oldest first."""
    with closing(Journal(results_dir / "journal.sqlite", org="")) as journal, journal.outstanding_records() as db:
        return [record.key for record in outstanding.page_of_records(db, after=0)]


def names(org: Org) -> list[str]:
    return sorted(row["Name"] for row in org.rows("Account"))


# A refused record stays in sight


def test_a_refused_record_is_in_sight_until_it_is_loaded(command: Command, org: Org) -> None:
    """Monday it is refused, Tuesday other rows are loaded: exit code 1, and the last line names the way out."""
    monday = command(UNITS, units(C_5, C_6), state(1), **PARENT)
    tuesday = command(UNITS, units({**C_6, "Name": "newer"}), state(2), **PARENT)

    assert (monday.returncode, tuesday.returncode) == (1, 1)
    assert (monday.stdout, tuesday.stdout) == ("1\n", "2\n")
    for run in (monday, tuesday):
        last_line = run.stderr.splitlines()[-1]
        assert "still not in Salesforce: 1 record since 20" in last_line
        assert "salesforce-bulk retry " in last_line

    org.insert("Account", [{"Name": "parent", "External_Id__c": "P"}])
    wednesday = command(UNITS, units(C_5), **PARENT)
    thursday = command(UNITS, units(C_6), **PARENT)

    assert (wednesday.returncode, thursday.returncode) == (0, 0)


@pytest.mark.parametrize("small", [0, 200], ids=["job", "request"])
def test_a_newer_row_of_its_key_takes_a_record_off_the_list(target: TargetRunner, org: Org, small: int) -> None:
    """Also one that is spelled otherwise: keys are compared as Salesforce compares them."""
    chosen = {**PARENT, "small_batch_rows": small}
    first = target.run(UNITS, units(C_5), **chosen)
    assert keys(target.results_dir) == ["C-5"]

    second = target.run(UNITS, units({"External_Id__c": "c-5", "Name": "Tuesday"}), **chosen)

    assert isinstance(first.error, RecordsFailed)
    assert second.error is None
    assert keys(target.results_dir) == []


def test_a_stream_of_another_name_takes_a_record_off_the_list(target: TargetRunner, org: Org) -> None:
    """What counts is the record in Salesforce: its object and its key."""
    target.run(UNITS, units(C_5), **PARENT)
    other = schema("other", key=["External_Id__c"], External_Id__c="string", Name=TEXT)

    target.run(other, records("other", {"External_Id__c": "C-5", "Name": "x"}), object="Account", small_batch_rows=0)

    assert keys(target.results_dir) == []


def test_a_record_that_is_deleted_is_off_the_list(target: TargetRunner, org: Org) -> None:
    """An update that is refused is outstanding; once the record is deleted there is nothing to load."""
    [record_id] = org.insert("Account", [{"Name": "old"}])
    by_id = schema("Account", key=["Id"], Id="string", parent=TEXT)
    target.run(by_id, units({"Id": record_id, "parent": "P"}), operation="update", **PARENT)
    assert keys(target.results_dir) == [record_id]

    run = target.run(by_id, units({"Id": record_id[:15]}), operation="delete", **PARENT)

    assert run.error is None
    assert keys(target.results_dir) == []


def test_a_record_that_is_refused_again_is_listed_once_with_its_newest_values(target: TargetRunner, org: Org) -> None:
    """It is outstanding since it was refused first."""
    target.run(UNITS, units(C_5), **PARENT)
    with closing(sqlite3.connect(target.results_dir / "journal.sqlite")) as db, db:
        db.execute("UPDATE outstanding SET since = '2026-01-02T03:04:05+00:00'")

    run = target.run(UNITS, units({**C_5, "Name": "Tuesday"}), **PARENT)

    assert isinstance(run.error, RecordsFailed)
    assert "1 record since 2026-01-02" in str(run.error)
    with closing(sqlite3.connect(target.results_dir / "journal.sqlite")) as db:
        [(record,)] = db.execute("SELECT record FROM outstanding").fetchall()
    assert b"Tuesday" in record


def test_a_record_that_never_became_a_row_is_known_by_its_key(target: TargetRunner, org: Org) -> None:
    """It is refused before it is sent; the corrected one takes it off the list."""
    long = {"External_Id__c": "C-5", "Name": "x" * 300}
    assert isinstance(target.run(UNITS, units(long), **PARENT).error, RecordsFailed)
    assert keys(target.results_dir) == ["C-5"]

    run = target.run(UNITS, units({"External_Id__c": "C-5", "Name": "short"}), **PARENT)

    assert run.error is None
    assert org.jobs[0]["numberRecordsProcessed"] == 1


@pytest.mark.parametrize("is_last", [True, False], ids=["good, then refused", "refused, then good"])
def test_the_last_row_of_a_key_decides(target: TargetRunner, org: Org, *, is_last: bool) -> None:
    """One input has a key twice, one of its rows cannot be sent."""
    good, bad = {"External_Id__c": "C-5", "Name": "good"}, {"External_Id__c": "C-5", "Name": "x" * 300}

    run = target.run(UNITS, units(good, bad) if is_last else units(bad, good), **PARENT)

    assert isinstance(run.error, RecordsFailed)
    assert keys(target.results_dir) == (["C-5"] if is_last else [])


# Records without a key


def test_an_equal_record_takes_one_without_a_key_off_the_list(target: TargetRunner, org: Org) -> None:
    """Two equal ones are refused; each that is loaded later counts for one."""
    target.run(EVENTS, units({"Name": "x", "parent": "P"}, {"Name": "x", "parent": "P"}), **INSERT)
    assert keys(target.results_dir) == ["", ""]
    org.insert("Account", [{"Name": "parent", "External_Id__c": "P"}])

    left = []
    for _ in range(2):
        target.run(EVENTS, units({"Name": "x", "parent": "P"}), **INSERT)
        left.append(len(keys(target.results_dir)))

    assert left == [1, 0]


def test_one_without_a_key_that_is_refused_again_is_listed_once(target: TargetRunner, org: Org) -> None:
    """As when its failed file is loaded again too early."""
    first = target.run(EVENTS, units({"Name": "x", "parent": "P"}), **INSERT)

    target.run(first.failed_file, **INSERT)

    assert len(keys(target.results_dir)) == 1


def test_an_insert_is_known_by_its_key_properties(target: TargetRunner, org: Org) -> None:
    """The corrected record is another one, of the same key: nothing is left."""
    keyed = schema("Account", key=["n"], n="integer", Name=TEXT, parent=TEXT)
    chosen = {**INSERT, "unknown_fields": "drop"}
    target.run(keyed, units({"n": 7, "Name": "x", "parent": "P"}), **chosen)
    assert keys(target.results_dir) == ["7"]

    run = target.run(keyed, units({"n": 7, "Name": "corrected", "parent": None}), **chosen)

    assert run.error is None
    assert names(org) == ["corrected"]


# An unfinished run, and then another input


STOPPED: dict[str, Any] = {"batch_size_rows": 1, "max_concurrent_jobs": 1}
LONG = {"External_Id__c": "C-5", "Name": "x" * 300}
SHORT = {**LONG, "Name": "newer"}


@pytest.mark.parametrize("same_beginning", [False, True], ids=["another input", "a row is there before it"])
@pytest.mark.parametrize("is_good", [True, False], ids=["loaded", "refused again"])
def test_a_newer_row_counts_at_whatever_place_it_comes_after_an_unfinished_run(
    target: TargetRunner, org: Org, *, same_beginning: bool, is_good: bool
) -> None:
    """Its place in another input says nothing: only a row that comes again can be older than one that was refused."""
    org.faults.add("ingest.create", Fault.request_limit_total(), after=3)
    others = [{"External_Id__c": f"C-{n}", "Name": "x"} for n in range(3)]
    target.run(UNITS, units(*others, LONG, C_6), **PARENT, **STOPPED)
    assert keys(target.results_dir) == ["C-5"]
    newer = SHORT if is_good else {**LONG, "Name": "newer" * 60}

    target.run(UNITS, units(*others[:same_beginning], newer), **PARENT, **STOPPED)

    assert org.faults.completed
    if is_good:
        assert keys(target.results_dir) == []
    else:
        with closing(sqlite3.connect(target.results_dir / "journal.sqlite")) as db:
            [(record,)] = db.execute("SELECT record FROM outstanding").fetchall()
        assert b"newer" in record


@pytest.mark.parametrize("key", [[], ["External_Id__c"]], ids=["by its content", "by its key properties"])
def test_an_insert_is_recognized_at_whatever_place_it_comes_after_a_run_that_stopped(
    target: TargetRunner, org: Org, key: list[str]
) -> None:
    """It was refused and is loaded now, behind a row that was not there before: nothing is left."""
    events = schema("Account", key=key, External_Id__c="string", Name=TEXT, parent=TEXT)
    chosen = {**INSERT, **STOPPED, "on_record_failure": "fail_fast"}
    target.run(events, units(C_5, C_6), **chosen)
    org.insert("Account", [{"Name": "parent", "External_Id__c": "P"}])

    run = target.run(events, units({"Name": "new", "External_Id__c": "N"}, C_5, C_6), **chosen)

    assert run.error is None
    assert keys(target.results_dir) == []
    assert names(org) == ["Monday", "Six", "new", "parent"]


def test_a_corrected_insert_counts_at_whatever_place_it_comes_after_an_unfinished_run(
    target: TargetRunner, org: Org
) -> None:
    """It is known by its key properties, and its input is not that of the unfinished run."""
    events = schema("Account", key=["External_Id__c"], External_Id__c="string", Name=TEXT)
    org.faults.add("ingest.create", Fault.request_limit_total(), after=1)
    target.run(events, units(C_6, LONG, {"Name": "x", "External_Id__c": "X"}), operation="insert", **STOPPED)
    assert keys(target.results_dir) == ["C-5"]

    target.run(events, units(SHORT), operation="insert", **STOPPED)

    assert keys(target.results_dir) == []
    assert org.faults.completed


@pytest.mark.parametrize("is_last", [True, False], ids=["good, then refused", "refused, then good"])
def test_the_last_insert_of_a_key_decides(target: TargetRunner, org: Org, *, is_last: bool) -> None:
    """Both are rows of one job."""
    events = schema("Account", key=["External_Id__c"], External_Id__c="string", Name=TEXT)
    run = target.run(events, units(SHORT, LONG) if is_last else units(LONG, SHORT), operation="insert")

    assert isinstance(run.error, RecordsFailed)
    assert keys(target.results_dir) == (["C-5"] if is_last else [])


# Duplicates


def test_a_duplicate_stays_listed_and_is_said_to_be_there_perhaps(target: TargetRunner, org: Org) -> None:
    """The same input again is refused for values that are there; nothing tells if it is the same record or another."""
    events = schema("Account", External_Id__c="string", Name=TEXT)
    assert target.run(events, units(C_6), operation="insert").error is None

    again = target.run(events, units(C_6), operation="insert")
    other = target.run(events, operation="insert")

    assert str(again.error).startswith("1 of 1 record failed, see ")
    assert "everything else" not in str(again.error)
    assert again.error_codes.count("DUPLICATE_VALUE") == 1
    assert isinstance(other.error, RecordsOutstanding)
    for run in (again, other):
        assert "(1 is a duplicate for Salesforce, and may be there already)" in str(run.error)


# Whose records they are


def test_a_pipeline_is_not_held_up_by_another_one(target: TargetRunner, org: Org) -> None:
    """Two pipelines in one folder: each answers for its own streams."""
    people = schema("Contact", key=["Email"], Email="string", LastName="string")
    target.run(UNITS, units(C_5), **PARENT)

    run = target.run(people, records("Contact", {"Email": "a@example.com", "LastName": "Ada"}))

    assert run.error is None
    assert isinstance(target.run(UNITS, **PARENT).error, RecordsOutstanding)


@pytest.mark.parametrize(
    ("chosen", "exits_well"),
    [
        ({}, False),
        ({"fail_on_outstanding": False}, True),
        ({"on_record_failure": "ignore"}, True),
        ({"on_record_failure": "ignore", "fail_on_outstanding": True}, False),
    ],
    ids=["default", "not wanted", "ignore", "ignore, but wanted"],
)
def test_outstanding_records_fail_a_run_where_that_is_wanted(
    target: TargetRunner, org: Org, chosen: dict[str, Any], *, exits_well: bool
) -> None:
    """They are listed in any case."""
    target.run(UNITS, units(C_5), **PARENT, **chosen)

    run = target.run(UNITS, units(C_6), **PARENT, **chosen)

    assert keys(target.results_dir) == ["C-5"]
    assert (run.error is None) is exits_well
    assert exits_well or isinstance(run.error, RecordsOutstanding)


def test_what_comes_again_by_itself_is_not_outstanding(target: TargetRunner, org: Org) -> None:
    """Unprocessed rows hold STATE back."""
    org.faults.add("ingest.close", Fault.job_fails("InvalidBatch : something"))

    run = target.run(UNITS, units(C_6), state(1), **PARENT)

    assert isinstance(run.error, RecordsUnprocessed)
    assert run.states == []
    assert keys(target.results_dir) == []


def test_a_run_that_is_stopped_by_its_first_failure_lists_it_once(target: TargetRunner, org: Org) -> None:
    """The same input sends it again."""
    chosen = {**INSERT, "on_record_failure": "fail_fast"}
    event = units({"Name": "x", "parent": "P"})
    for _ in range(2):
        assert isinstance(target.run(EVENTS, event, **chosen).error, StoppedAtFailure)

    assert len(keys(target.results_dir)) == 1


def test_a_doubtful_record_is_in_one_list_only(target: TargetRunner, org: Org) -> None:
    """It was refused before; now its batch waits for a decision, and the record with it."""
    target.run(UNITS, units(C_5), **PARENT)
    org.faults.add("ingest.successful", Fault.status(403, json=[{"errorCode": "INSUFFICIENT_ACCESS", "message": "no"}]))

    run = target.run(UNITS, units({**C_5, "parent": None}), **PARENT)

    assert isinstance(run.error, RecordsDoubtful)
    assert "retry" not in str(run.error)
    assert keys(target.results_dir) == []


def test_without_a_journal_nothing_is_listed(target: TargetRunner, org: Org) -> None:
    """And no run fails for what an earlier one could not load."""
    first = target.run(UNITS, units(C_5), **PARENT, journal=False)
    second = target.run(UNITS, units(C_6), **PARENT, journal=False)

    assert isinstance(first.error, RecordsFailed)
    assert "retry" not in str(first.error)
    assert second.error is None


# The list itself


def test_a_full_list_is_said_and_the_rest_is_counted(
    target: TargetRunner, org: Org, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is dropped in silence."""
    monkeypatch.setattr(outstanding, "MAX_RECORDS", 2)

    run = target.run(UNITS, units(*({**C_5, "External_Id__c": str(n)} for n in range(5))), **PARENT)

    assert keys(target.results_dir) == ["0", "1"]
    assert "5 records since" in str(run.error)
    assert "(3 of them only in failed-*.singer.jsonl: the list is full)" in str(run.error)


def test_a_journal_without_the_list_keeps_what_it_knows(target: TargetRunner, org: Org) -> None:
    """Its unfinished run is resumed, and from now on it lists what is outstanding."""
    org.faults.add("ingest.create", Fault.request_limit_total(), after=1)
    chosen = {**INSERT, "batch_size_rows": 1, "max_concurrent_jobs": 1}
    rows = units({"Name": "a"}, {"Name": "b", "parent": "P"})
    target.run(EVENTS, rows, **chosen)
    with closing(sqlite3.connect(target.results_dir / "journal.sqlite")) as db:
        tables = db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'outstanding%'")
        drops = "".join(f"DROP TABLE {name};" for (name,) in tables.fetchall())
        db.executescript(drops)

    run = target.run(EVENTS, rows, **chosen)

    assert isinstance(run.error, RecordsFailed)
    assert names(org) == ["a"]
    assert len(keys(target.results_dir)) == 1
    assert org.faults.completed


def test_the_list_is_for_its_owner_only(target: TargetRunner, org: Org) -> None:
    """It holds the records."""
    target.run(UNITS, units(C_5), **PARENT)

    assert (target.results_dir / "journal.sqlite").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("operation", ["upsert", "insert"])
def test_killed_at_any_step_no_record_is_lost_from_the_list_or_listed_twice(
    target: TargetRunner, org: Org, tmp_path: Path, operation: str
) -> None:
    """However far it came, the next run with the same input lists each refused record once, and no other."""
    org.progression = Progression.immediate()
    chosen = {**PARENT, "operation": operation, "batch_size_rows": 2, "max_concurrent_jobs": 1}
    unit = UNITS if operation == "upsert" else schema("Account", External_Id__c="string", Name=TEXT, parent=TEXT)
    rows = [{"External_Id__c": f"{n}", "Name": "x", "parent": "P" if n % 2 else None} for n in range(4)]
    data = b"".join(target_lines(unit, units(*rows), state(4)))

    at = 0
    while True:
        results_dir = tmp_path / f"at-{at}"
        here = TargetRunner(settings=target.settings, results_dir=results_dir, capsys=target.capsys)
        was_killed = run_and_kill(at=at, config=here.config(**chosen), data=data, stdout=tmp_path / "stdout")
        if was_killed:
            here.run(data, **chosen)
        assert len(keys(results_dir)) == 2, at
        assert len(org.rows("Account")) == 2, at
        org.delete("Account", [row["Id"] for row in org.rows("Account")])
        if not was_killed:
            break
        at += 4
    assert at > 16


def target_lines(*messages: Message | list[Message]) -> list[bytes]:
    from tests.target.conftest import lines

    return [lines([message]) for message in messages]


# Lookups of records that are in Salesforce


CODES = schema("codes", key=["code"], code="string", parent=TEXT, name=TEXT)
FIELDS = {"code": "External_Id__c", "parent": "Parent.External_Id__c", "name": "Name"}
LOCK = Fault.lock_rows(where=lambda row: "Id" in row)
PAIR = [{"code": "a", "parent": "b", "name": "A"}, {"code": "b", "parent": "a", "name": "B"}]


def of_codes(operation: str = "upsert", **more: Any) -> dict[str, Any]:
    mapping = {"object": "Account", "operation": operation, "fields": FIELDS}
    return {"mappings": {"codes": mapping}, "small_batch_rows": 0, "record_retries": 0, **more}


def codes(*rows: dict[str, Any]) -> list[Message]:
    return records("codes", *rows)


def load_without_a_lookup(target: TargetRunner, org: Org, operation: str = "upsert") -> str:
    """Load two records that are each other's parents; the second pass is refused. Return the Id that lacks a lookup."""
    org.faults.add("ingest.close", LOCK, after=3)
    run = target.run(CODES, codes(*PAIR), **of_codes(operation))
    assert isinstance(run.error, RecordsFailed)
    assert org.faults.completed
    [incomplete] = [row["Id"] for row in org.rows("Account") if row["ParentId"] is None]
    return str(incomplete)


@pytest.mark.parametrize("operation", ["upsert", "insert"])
def test_a_lookup_that_a_second_pass_could_not_fill_is_outstanding(
    target: TargetRunner, org: Org, operation: str
) -> None:
    """As the update by Id that the failed file has; each run of the stream fails until it is filled."""
    record_id = load_without_a_lookup(target, org, operation)
    failed_file = target.run(CODES, **of_codes(operation)).failed_file

    run = target.run(CODES, **of_codes(operation))

    assert isinstance(run.error, RecordsOutstanding)
    assert "1 record since" in str(run.error)
    assert "(1 is there without a lookup)" in str(run.error)
    assert keys(target.results_dir) == [record_id]

    assert target.run(failed_file, **of_codes(operation)).error is None
    assert keys(target.results_dir) == []
    assert len(org.rows("Account")) == 2
    assert all(row["ParentId"] for row in org.rows("Account"))


def test_a_lookup_that_is_refused_again_is_listed_once(target: TargetRunner, org: Org) -> None:
    """Its failed file was loaded too early."""
    record_id = load_without_a_lookup(target, org)
    org.faults.add("ingest.close", LOCK)

    run = target.run(target.run(CODES, **of_codes()).failed_file, **of_codes())

    assert isinstance(run.error, RecordsFailed)
    assert keys(target.results_dir) == [record_id]


@pytest.mark.parametrize(
    ("later", "is_left"),
    [
        ({"parent": "root"}, False),
        ({"parent": None}, False),
        ({"name": "newer"}, True),
        ({"parent": "nobody"}, True),
    ],
    ids=["fills it", "clears it", "says nothing of it", "is refused"],
)
@pytest.mark.parametrize("small", [0, 200], ids=["job", "request"])
def test_a_later_row_that_fills_a_lookup_takes_it_off_the_list(
    target: TargetRunner, org: Org, later: dict[str, Any], small: int, *, is_left: bool
) -> None:
    """Known by the Id that Salesforce gives for the row, whatever its key is. A retry would overwrite a newer one."""
    record_id = load_without_a_lookup(target, org)
    org.insert("Account", [{"Name": "root", "External_Id__c": "root"}])
    [code] = [row["External_Id__c"] for row in org.rows("Account") if row["Id"] == record_id]

    target.run(CODES, codes({"code": code, **later}), **of_codes(small_batch_rows=small))

    assert (record_id in keys(target.results_dir)) is is_left


@pytest.mark.parametrize("operation", ["update", "delete"])
def test_a_row_by_id_takes_a_lookup_off_the_list(target: TargetRunner, org: Org, operation: str) -> None:
    """An update that fills it by the parent's Id, or a delete of the record."""
    record_id = load_without_a_lookup(target, org)
    [other] = [row["Id"] for row in org.rows("Account") if row["Id"] != record_id]
    by_id = schema("others", key=["Id"], Id="string", **({"ParentId": "string"} if operation == "update" else {}))
    row = {"Id": record_id, "ParentId": other} if operation == "update" else {"Id": record_id}

    run = target.run(by_id, records("others", row), object="Account", operation=operation, small_batch_rows=0)

    assert run.error is None
    assert keys(target.results_dir) == []


def test_a_later_second_pass_takes_a_lookup_off_the_list(target: TargetRunner, org: Org) -> None:
    """Updates that give records the keys by which they point to each other: the second time both passes are good."""
    one, two = org.insert("Account", [{"Name": "One"}, {"Name": "Two"}])
    by_id = schema("codes", key=["Id"], Id="string", code="string", parent="string")
    org.faults.add("ingest.close", Fault.lock_rows(where=lambda row: "External_Id__c" not in row), times=9)

    def load(first: str, second: str) -> Any:
        pair = [{"Id": one, "code": first, "parent": second}, {"Id": two, "code": second, "parent": first}]
        return target.run(by_id, codes(*pair), **of_codes("update"))

    refused = load("a", "b")
    assert isinstance(refused.error, RecordsFailed)
    assert len(keys(target.results_dir)) == 1
    org.faults.clear()

    assert load("c", "d").error is None
    assert keys(target.results_dir) == []


def test_of_two_lookups_the_one_that_is_filled_is_taken_off(target: TargetRunner, org: Org) -> None:
    """The other stays listed; what is refused later is added to it."""
    from target_salesforce_bulk.batches.outstanding_lookups import OutstandingLookups
    from target_salesforce_bulk.mapping.plan import Destination

    destination = Destination(
        stream="s",
        object="Account",
        operation="update",  # type: ignore[arg-type]
        external_id_field=None,
        assignment_rule_id=None,
        columns=(),
        key_column="Id",
        parents=(),
        key_properties=("Id",),
        stream_schema={},
        source_stream="s",
    )
    target.results_dir.mkdir()
    with (
        closing(Journal(target.results_dir / "journal.sqlite", org="")) as journal,
        journal.outstanding_records() as db,
    ):
        lookups = OutstandingLookups(db, org="o", destination=destination)
        both = b'{"Id":"001000000000001AAA","Parent.Code__c":"old","Lead__r.Code__c":"x"}'
        lookups.add(both, error_code="A", since="1")
        lookups.add(b'{"Id":"001000000000001","Parent.Other__c":"new"}', error_code="B", since="2")
        is_gone = lookups.fill("001000000000001AAA", {"lead__c", "name"})

        rows = db.execute("SELECT record, since, error_code FROM outstanding").fetchall()

    assert is_gone is False
    assert rows == [(b'{"Id":"001000000000001","Parent.Other__c":"new"}', "1", "B")]
