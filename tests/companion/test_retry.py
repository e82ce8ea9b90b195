"""`salesforce-bulk retry`: what runs could not load is loaded again, listed or forgotten, and nothing newer is lost."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from salesforce_bulk_companion.retry.loading import _lines
from salesforce_bulk_simulator import Fault, Org, running
from target_salesforce_bulk import outstanding
from target_salesforce_bulk.journal import Journal
from target_salesforce_bulk.run import lock

from tests.companion.conftest import Run as Companion
from tests.target.conftest import Message, TargetRunner, records, schema, state
from tests.target.crashing import run_and_kill

TEXT = ["string", "null"]
UPSERT: dict[str, Any] = {
    "mappings": {"Account": {"fields": {"parent": "Parent.External_Id__c"}}},
    "small_batch_rows": 0,
}
"""A row is refused as long as its parent is not in the org."""
INSERT: dict[str, Any] = {**UPSERT, "operation": "insert"}
UNITS = schema("Account", key=["External_Id__c"], External_Id__c="string", Name=TEXT, parent=TEXT)
EVENTS = schema("Account", Name=TEXT, parent=TEXT)
C_5 = {"External_Id__c": "C-5", "Name": "five", "parent": "P"}
C_6 = {"External_Id__c": "C-6", "Name": "six", "parent": "P"}


def units(*rows: dict[str, Any]) -> list[Message]:
    return records("Account", *rows)


@pytest.fixture
def target(settings: dict[str, Any], folder: Path, capsys: pytest.CaptureFixture[str]) -> TargetRunner:
    """The target, with the folder of results that the commands take by themselves."""
    return TargetRunner(settings=settings, results_dir=folder / "salesforce/logs", capsys=capsys)


@pytest.fixture
def add_parent(org: Org) -> Any:
    """Puts the parent into the org, so that nothing is refused any more."""
    return lambda: org.insert("Account", [{"Name": "parent", "External_Id__c": "P"}])


def lines_of_retry(results_dir: Path) -> bytes:
    """What the command feeds to the target."""
    with closing(Journal(results_dir / "journal.sqlite", org="")) as journal:
        with journal.outstanding_records() as db:
            [org], last = outstanding.orgs(db), outstanding.newest_id(db)
        return b"".join(_lines(journal, org=org, last=last))


def names(org: Org) -> list[str]:
    return sorted(row["Name"] for row in org.rows("Account") if row["Name"] != "parent")


def listed(bare: Companion) -> list[dict[str, Any]]:
    done = bare("retry", "--list", "--format", "json")
    told = json.loads(done.stdout)
    assert done.exit_code == (1 if told["left"]["number"] else 0)
    found: list[dict[str, Any]] = told["records"]
    return found


# Loading again


def test_what_was_refused_is_loaded_when_nothing_stands_against_it_any_more(
    companion: Companion, target: TargetRunner, org: Org, add_parent: Any
) -> None:
    """Exit code 1 while it is refused again, 0 once all is loaded; STATE is not touched."""
    target.run(UNITS, units(C_5, C_6), state(1), **UPSERT)

    too_early = companion("retry", **UPSERT)
    add_parent()
    done = companion("retry", **UPSERT)

    assert (too_early.exit_code, done.exit_code) == (1, 0)
    assert too_early.stdout.splitlines()[0] == "2 records retried: 0 loaded"
    assert too_early.stdout.splitlines()[1].startswith("still not in Salesforce: 2 records since 20")
    assert done.stdout.splitlines() == ["2 records retried: 2 loaded", "no record is outstanding"]
    assert names(org) == ["five", "six"]
    assert target.run(UNITS, **UPSERT).error is None


def test_a_record_whose_key_was_loaded_later_is_left_out(
    companion: Companion, target: TargetRunner, org: Org, add_parent: Any
) -> None:
    """Nothing newer is overwritten."""
    target.run(UNITS, units(C_5, C_6), **UPSERT)
    target.run(UNITS, units({"External_Id__c": "C-5", "Name": "newer"}), **UPSERT)
    add_parent()

    done = companion("retry", "--format", "json", **UPSERT)

    assert done.exit_code == 0
    told = json.loads(done.stdout)
    assert (told["retried"], told["loaded"], told["left_out"]) == (1, 1, 1)
    assert names(org) == ["newer", "six"]


def test_records_of_several_streams_are_loaded_in_their_order(
    companion: Companion, target: TargetRunner, org: Org, add_parent: Any
) -> None:
    """A child that was refused for its parent finds it."""
    people = schema("Contact", key=["Email"], Email="string", LastName="string", account="string")
    ada = records("Contact", {"Email": "a@example.com", "LastName": "Ada", "account": "C-5"})
    chosen = {
        **UPSERT,
        "mappings": {**UPSERT["mappings"], "Contact": {"fields": {"account": "Account.External_Id__c"}}},
    }
    target.run(UNITS, people, units(C_5), ada, units(C_6), **chosen)
    add_parent()

    done = companion("retry", **chosen)

    assert done.exit_code == 0
    [contact] = org.rows("Contact")
    assert contact["AccountId"] == next(row["Id"] for row in org.rows("Account") if row["Name"] == "five")


def test_records_without_a_key_are_loaded_as_often_as_they_came(
    companion: Companion, target: TargetRunner, org: Org, add_parent: Any
) -> None:
    """Equal ones are several; they are loaded also when the settings make something else of them by now."""
    target.run(EVENTS, units(*[{"Name": "x", "parent": "P"}] * 3), **INSERT)
    add_parent()

    done = companion("retry", **INSERT, null_policy="ignore", stream_maps={"Account": {"Name": "Name + '!'"}})

    assert done.exit_code == 0
    assert names(org) == ["x!", "x!", "x!"]
    assert companion("retry", **INSERT).stdout == "no record is outstanding\n"


def test_stream_maps_are_applied_once(companion: Companion, target: TargetRunner, org: Org, add_parent: Any) -> None:
    """Also where several streams are made of one source, whose records are kept as they were mapped."""
    maps = {
        "units": {"Name": "Name + '!'", "parent": "parent", "External_Id__c": "External_Id__c"},
        "others": {"__source__": "units", "__filter__": "False"},
    }
    chosen = {**UPSERT, "mappings": {"*": UPSERT["mappings"]["Account"]}, "object": "Account", "stream_maps": maps}
    unit = {**UNITS, "stream": "units"}
    target.run(unit, records("units", C_5), **chosen)
    assert names(org) == []
    add_parent()

    done = companion("retry", **chosen)

    assert done.exit_code == 0
    assert names(org) == ["five!"]


@pytest.mark.parametrize("operation", ["insert", "upsert"])
def test_killed_at_any_step_the_same_command_again_loads_each_record_once(
    companion: Companion, target: TargetRunner, org: Org, add_parent: Any, tmp_path: Path, operation: str
) -> None:
    """The list knows what is loaded: it changes in the same moment as the outcomes."""
    keyless = schema("Account", External_Id__c="string", Name=TEXT, parent=TEXT)
    chosen = {**UPSERT, "operation": operation, "batch_size_rows": 2, "max_concurrent_jobs": 1}
    rows = [{**C_5, "External_Id__c": str(n), "Name": str(n)} for n in range(3)]
    at = 0
    while True:
        here = TargetRunner(settings=target.settings, results_dir=tmp_path / f"at-{at}", capsys=target.capsys)
        here.run(UNITS if operation == "upsert" else keyless, units(*rows), **chosen)
        add_parent()
        with (
            closing(Journal(here.results_dir / "journal.sqlite", org="")) as journal,
            journal.outstanding_records() as db,
        ):
            data = b"".join(_lines(journal, org=outstanding.orgs(db)[0], last=outstanding.newest_id(db)))

        was_killed = run_and_kill(at=at, config=here.config(**chosen), data=data, stdout=tmp_path / "stdout")
        done = companion("retry", str(here.results_dir), **chosen)

        assert done.exit_code == 0, at
        assert names(org) == ["0", "1", "2"], at
        org.delete("Account", [row["Id"] for row in org.rows("Account")])
        if not was_killed:
            break
        at += 4
    assert at > 20


def test_a_run_of_the_stream_finishes_what_a_killed_retry_has_sent(
    companion: Companion, target: TargetRunner, org: Org, add_parent: Any, tmp_path: Path
) -> None:
    """Its job is found, and what it has loaded is off the list, though the settings have changed meanwhile."""
    target.run(EVENTS, units({"Name": "x", "parent": "P"}), **INSERT)
    add_parent()
    with (
        closing(Journal(target.results_dir / "journal.sqlite", org="")) as journal,
        journal.outstanding_records() as db,
    ):
        data = b"".join(_lines(journal, org=outstanding.orgs(db)[0], last=outstanding.newest_id(db)))
    at, before = 0, len(org.jobs)
    while not [job for job in org.jobs[before:] if job["state"] == "JobComplete"]:
        run_and_kill(at=at, config=target.config(**INSERT), data=data, stdout=tmp_path / "stdout")
        at += 1

    run = target.run(EVENTS, units({"Name": "new"}), **INSERT, null_policy="ignore")

    assert run.error is None
    assert names(org) == ["new", "x"]


def test_an_unfinished_run_of_the_stream_is_not_mistaken_for_a_retry(
    companion: Companion, target: TargetRunner, org: Org, add_parent: Any
) -> None:
    """It stopped in the middle; a retry loads what was refused, then its own input loads the rest, each once."""
    chosen = {**INSERT, "batch_size_rows": 1, "max_concurrent_jobs": 1}
    rows = units({"Name": "a"}, {"Name": "b", "parent": "P"}, {"Name": "c"})
    org.faults.add("ingest.create", Fault.request_limit_total(), after=2)
    target.run(EVENTS, rows, state(3), **chosen)
    add_parent()

    retried = companion("retry", **chosen)
    run = target.run(EVENTS, rows, state(3), **chosen)

    assert retried.exit_code == 0
    assert run.states == [3]
    assert names(org) == ["a", "b", "c"]
    assert org.faults.completed


def test_a_quota_ends_a_retry_with_its_exit_code(
    companion: Companion, target: TargetRunner, org: Org, add_parent: Any
) -> None:
    """The rest stays on the list."""
    target.run(UNITS, units(C_5), **UPSERT)
    add_parent()
    org.faults.add("ingest.create", Fault.request_limit_total())

    first, second = companion("retry", **UPSERT), companion("retry", **UPSERT)

    assert (first.exit_code, second.exit_code) == (75, 0)
    assert org.faults.completed


def test_records_of_another_org_are_not_loaded_here(
    companion: Companion, bare: Companion, target: TargetRunner, org: Org, add_parent: Any
) -> None:
    """Two orgs share a folder: each has its own list."""
    target.run(UNITS, units(C_5), **UPSERT)
    other = Org()
    other.org_id = other.sessions.org_id = "00D000000000002EAA"
    with running(other) as address:
        target.run(UNITS, units(C_6), **UPSERT, login_url=address)
        add_parent()
        other.insert("Account", [{"Name": "parent", "External_Id__c": "P"}])

        done = companion("retry", **UPSERT)

        assert done.exit_code == 0
        assert (names(org), names(other)) == (["five"], [])
        assert [record["key"] for record in listed(bare)] == ["C-6"]


def test_a_retry_waits_for_no_run(companion: Companion, target: TargetRunner, org: Org, add_parent: Any) -> None:
    """A folder that is in use is an error, and the list stays as it is."""
    target.run(UNITS, units(C_5), **UPSERT)
    add_parent()

    with lock(target.results_dir):
        done = companion("retry", **UPSERT)

    assert done.exit_code == 1
    assert names(org) == []


def test_without_a_journal_there_is_no_retry(companion: Companion, target: TargetRunner, org: Org) -> None:
    """It could not note what it has loaded."""
    target.run(UNITS, units(C_5), **UPSERT)

    done = companion("retry", **UPSERT, journal=False)

    assert done.exit_code == 2
    assert "journal is false" in done.stderr


# Lookups of records that are in Salesforce


CODES = schema("codes", key=["code"], code="string", parent=TEXT)
PAIR = records("codes", {"code": "a", "parent": "b"}, {"code": "b", "parent": "a"})


def of_codes(operation: str) -> dict[str, Any]:
    fields = {"code": "External_Id__c", "parent": "Parent.External_Id__c"}
    maps = {"code": "code", "parent": "parent", "Name": "code"}  # which have nothing to do with Ids
    mapping = {"object": "Account", "operation": operation, "fields": fields}
    return {"mappings": {"codes": mapping}, "stream_maps": {"codes": maps}, "small_batch_rows": 0, "record_retries": 0}


def load_without_a_lookup(target: TargetRunner, org: Org, operation: str = "upsert") -> str:
    """Load two records that are each other's parents; the second pass is refused. Return the Id that lacks a lookup."""
    org.faults.add("ingest.close", Fault.lock_rows(where=lambda row: "Id" in row), after=3)
    target.run(CODES, PAIR, **of_codes(operation))
    assert org.faults.completed
    [incomplete] = [row["Id"] for row in org.rows("Account") if row["ParentId"] is None]
    return str(incomplete)


@pytest.mark.parametrize("operation", ["upsert", "insert"])
def test_a_lookup_is_filled_and_its_record_is_not_loaded_again(
    companion: Companion, bare: Companion, target: TargetRunner, org: Org, operation: str
) -> None:
    """The retry sends the update by Id, whatever stream maps the stream has; while it is refused it stays listed."""
    record_id = load_without_a_lookup(target, org, operation)
    assert [(each["key"], each["operation"], each["error_code"]) for each in listed(bare)] == [
        (record_id, "update", "UNABLE_TO_LOCK_ROW")
    ]
    org.faults.add("ingest.close", Fault.lock_rows(1))

    too_early = companion("retry", **of_codes(operation))
    assert len(listed(bare)) == 1
    done = companion("retry", **of_codes(operation))

    assert org.faults.completed
    assert too_early.stdout.splitlines()[0] == "1 record retried: 0 loaded"
    assert "(1 is there without a lookup)" in too_early.stdout
    assert (too_early.exit_code, done.exit_code) == (1, 0)
    assert done.stdout.splitlines()[0] == "1 record retried: 1 loaded"
    assert len(org.rows("Account")) == 2
    assert all(row["ParentId"] for row in org.rows("Account"))
    assert target.run(CODES, **of_codes(operation)).error is None


def test_a_lookup_is_forgotten_by_the_id_of_its_record(bare: Companion, target: TargetRunner, org: Org) -> None:
    """The record stays as it is."""
    record_id = load_without_a_lookup(target, org)

    assert bare("retry", "--forget", record_id).exit_code == 0
    assert listed(bare) == []


def test_a_retried_record_whose_second_pass_is_refused_is_listed_without_its_lookup(
    companion: Companion, bare: Companion, target: TargetRunner, org: Org
) -> None:
    """It was refused first, and is in Salesforce by now: only the lookup is left, and a later row takes that off."""
    org.faults.add("ingest.close", Fault.lock_rows(2), times=2)
    chosen = of_codes("upsert")
    target.run(CODES, PAIR, **chosen)
    assert {each["key"] for each in listed(bare)} == {"a", "b"}
    org.faults.clear()
    org.faults.add("ingest.close", Fault.lock_rows(where=lambda row: "Id" in row), times=9)

    done = companion("retry", **chosen)

    [incomplete] = [row for row in org.rows("Account") if row["ParentId"] is None]
    assert done.exit_code == 1
    assert done.stdout.splitlines()[0] == "2 records retried: 2 loaded"
    assert [each["key"] for each in listed(bare)] == [incomplete["Id"]]
    org.faults.clear()
    again = records("codes", {"code": incomplete["External_Id__c"], "parent": None})
    assert target.run(CODES, again, **chosen).error is None


# The list


def test_the_list_needs_no_settings(bare: Companion, target: TargetRunner, org: Org) -> None:
    """It names each record by its key, or by a number; no other value is shown."""
    target.run(UNITS, units(C_5), **UPSERT)
    target.run(EVENTS, units({"Name": "x", "parent": "P"}), **INSERT)
    number_of_requests = len(org.requests)

    done = bare("retry", "--list")

    assert done.exit_code == 1
    rows = [line.split() for line in done.stdout.splitlines()[1:3]]
    assert [row[:5] for row in rows] == [
        ["C-5", "Account", "upsert", "Account", "INVALID_FIELD"],
        ["#2", "Account", "insert", "Account", "INVALID_FIELD"],
    ]
    assert "five" not in done.stdout
    assert done.stdout.splitlines()[-1].startswith("still not in Salesforce: 2 records since 20")
    assert len(org.requests) == number_of_requests


def test_a_folder_without_a_journal_has_nothing_outstanding(bare: Companion, folder: Path) -> None:
    """And stays as it is."""
    (folder / "logs").mkdir()

    done = bare("retry", "logs", "--list")

    assert (done.exit_code, done.stdout) == (0, "no record is outstanding\n")
    assert list((folder / "logs").iterdir()) == []


@pytest.mark.parametrize("name", ["C-5", "#1"])
def test_a_record_is_forgotten_by_its_key_or_number(bare: Companion, target: TargetRunner, org: Org, name: str) -> None:
    """The others stay; runs of the stream end well when none is left."""
    target.run(UNITS, units(C_5, C_6), **UPSERT)

    done = bare("retry", "--forget", name)

    assert done.exit_code == 1
    assert done.stdout.splitlines()[0] == "1 record forgotten"
    assert [record["key"] for record in listed(bare)] == ["C-6"]
    assert bare("retry", "--forget", "C-6").exit_code == 0
    assert target.run(UNITS, **UPSERT).error is None


def test_all_are_forgotten_only_by_a_decision(bare: Companion, target: TargetRunner, org: Org) -> None:
    """Without a terminal to ask at it takes --yes."""
    target.run(UNITS, units(C_5, C_6), **UPSERT)

    asked = bare("retry", "--forget-all")
    assert asked.exit_code == 2
    assert len(listed(bare)) == 2

    done = bare("retry", "--forget-all", "--yes", "--format", "json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["forgotten"] == 2
    assert listed(bare) == []


@pytest.mark.parametrize(
    "arguments", [["--list", "--forget-all"], ["--forget", "nobody"]], ids=["two at once", "unknown key"]
)
def test_mistakes_of_the_command_line(bare: Companion, target: TargetRunner, org: Org, arguments: list[str]) -> None:
    """Exit code 2, and nothing is changed."""
    target.run(UNITS, units(C_5), **UPSERT)

    assert bare("retry", *arguments).exit_code == 2
    assert len(listed(bare)) == 1
