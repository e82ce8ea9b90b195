"""The last lines of a run: what was loaded, what was refused and why, and where to read more."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from salesforce_bulk_simulator import Org
from target_salesforce_bulk.outcomes import RecordError
from target_salesforce_bulk.results.causes import Cause, Causes, cause_of

from tests.target.conftest import Command, TargetRunner, lines, records, schema, state
from tests.target.crashing import KILLED_AT_THE_SECOND_JOB

PEOPLE = schema(
    "people", key=["n"], n="integer", LastName=["string", "null"], Email="string", employer=["string", "null"]
)
MAPPING = {
    "people": {
        "object": "Contact",
        "operation": "insert",
        "fields": {"n": None, "employer": "Account.External_Id__c"},
    }
}


def told(done: CompletedProcess[str]) -> list[str]:
    """The messages of the log, without times, levels and loggers."""
    return [line.split(" | ")[-1] for line in done.stderr.splitlines()]


def people(number: int, **more: Any) -> list[dict[str, Any]]:
    """RECORD messages of so many people."""
    return records("people", *({"n": n, "LastName": f"Secret {n}", **more} for n in range(number)))


def test_the_last_lines_say_what_was_refused_and_why(org: Org, command: Command, target: TargetRunner) -> None:
    """Per stream each error code with its count, fields and cause; then the files and the command that shows more."""
    accounts = schema("Account", key=["External_Id__c"], External_Id__c="string", Name=["string", "null"])
    done = command(
        accounts,
        records("Account", {"External_Id__c": "a", "Name": None}),
        PEOPLE,
        people(15, Email="Secret at example"),
        people(10, employer="Secret Ltd"),
        people(2),
        state(1),
        mappings=MAPPING,
        unknown_fields="drop",
    )

    today = datetime.now(UTC).date()
    parents = "10 INVALID_FIELD (Account.External_Id__c: no Account has this External_Id__c)"
    retry = f"salesforce-bulk retry {target.results_dir} loads them again"
    outstanding = f"still not in Salesforce: 16 records since {today}: {retry}"
    (outcomes,) = target.results_dir.glob("outcomes-*.jsonl")
    (failed,) = target.results_dir.glob("failed-*.singer.jsonl")
    assert done.returncode == 1
    end = told(done)[-9:]
    assert re.fullmatch(r"28 records read in \d+\.\d s \(\d+/s\)", end[0])
    assert sorted(end[1:5]) == [
        "Account: 1 failed",
        "Account: failed: 1 REQUIRED_FIELD_MISSING (Name: no value)",
        "people: 2 created, 25 failed",
        "people: failed: 15 INVALID_EMAIL_ADDRESS (Email), " + parents,
    ]
    assert end[5:] == [
        f"outcome of each record, with reasons: {outcomes}",
        f"records that were not loaded, to load again: {failed}",
        f"to see the report: salesforce-bulk report {target.results_dir}",
        f"26 of 28 records failed, see {failed}; everything else is loaded; {outstanding}",
    ]
    assert "Secret" not in done.stderr


def test_the_last_lines_of_a_good_run_are_its_result(org: Org, command: Command, target: TargetRunner) -> None:
    """METRIC lines come before, and the time of handing rows on, which says nothing, is not among them."""
    done = command(PEOPLE, people(3), state(1), mappings=MAPPING)

    (outcomes,) = target.results_dir.glob("outcomes-*.jsonl")
    log = told(done)
    assert done.returncode == 0
    assert log[-3:] == [
        "people: 3 created",
        f"outcome of each record, with reasons: {outcomes}",
        f"to see the report: salesforce-bulk report {target.results_dir}",
    ]
    assert any(line.startswith("METRIC: ") and "salesforce.bulk.records.processed" in line for line in log)
    assert not any("batch_processing_time" in line for line in log)


def test_a_run_that_is_stopped_by_an_error_ends_with_its_result_too(org: Org, command: Command) -> None:
    """What was loaded until then, and last of all the error."""
    done = command(PEOPLE, people(3), b"no Singer message\n", mappings=MAPPING, batch_size_rows=1)

    log = told(done)
    assert done.returncode == 1
    assert any(re.fullmatch(r"people: \d created", line) for line in log[-5:])
    assert log[-1].startswith("line 5 of the input is broken")


def test_after_a_crash_the_numbers_add_up(org: Org, target: TargetRunner, command: Command, tmp_path: Path) -> None:
    """What is read is what an earlier run had loaded, what this one found in jobs left behind, and what is new."""
    chosen = {"mappings": MAPPING, "batch_size_rows": 3, "small_batch_rows": 0, "max_concurrent_jobs": 1}
    messages = [PEOPLE, people(8), state(1)]
    data = lines(messages)
    config = tmp_path / "first.json"
    config.write_text(json.dumps(target.config(**chosen)))
    program = [sys.executable, "-c", KILLED_AT_THE_SECOND_JOB, "--config", config]
    killed = subprocess.run(program, input=data, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    (earlier,) = (path.name[9:-6] for path in target.results_dir.glob("outcomes-*"))

    done = command(data, **chosen)

    assert done.returncode == 0
    assert (
        f"of the 8 records read, 3 skipped, loaded by run {earlier}; 3 skipped, loaded by this run from jobs"
        f" that run {earlier} had left; 2 new"
    ) in told(done)
    assert f"5 outcomes of this run: 3 from jobs that run {earlier} had left, 2 from new records" in told(done)
    assert "people: 5 created" in told(done)


def test_only_names_are_taken_from_an_error() -> None:
    """What stands in the place of a code or a field, and cannot be one, may be a record's value."""
    assert cause_of(RecordError("Ada Lovelace", "no", ())) == Cause("UNKNOWN", (), "")
    assert cause_of(RecordError("NEW_CODE", "Ada", ("Ada Lovelace", "Name", "Account.No__c"))) == Cause(
        "NEW_CODE", ("Name", "Account.No__c"), ""
    )


def test_many_causes_are_cut_to_the_most_frequent() -> None:
    """The line stays readable, and its numbers still add up."""
    causes = Causes()
    for number in range(1, 14):
        causes.add(Cause(f"CODE_{number}", tuple(f"F{n}__c" for n in range(number)), ""), number)

    told = str(causes)
    assert told.startswith("13 CODE_13 (F0__c, F1__c, F2__c, F3__c, F4__c, …), 12 CODE_12 (")
    assert told.endswith(", 4 CODE_4 (F0__c, F1__c, F2__c, F3__c), 6 with 3 other causes")
