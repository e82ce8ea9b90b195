"""The edges of a run: its signals, its locale, its clock, its very end, and what it must never say."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from salesforce_bulk_simulator import Fault, Org, Progression
from target_salesforce_bulk.messages.state_gate import StateGate

from tests.target.conftest import Command, TargetRunner, lines, records, schema, state

ACCOUNT = schema("Account", key=["External_Id__c"], External_Id__c="string", Name=["string", "null"])
STALL_S = 60
PROMPT_S = 30
"""Less than any of the waits, and more than a slow machine needs."""


def accounts(*keys: str) -> list[dict[str, Any]]:
    return records("Account", *({"External_Id__c": key, "Name": key} for key in keys))


def errors(log: str) -> list[str]:
    """The lines that are neither information nor warnings."""
    return [line for line in log.splitlines() if " INFO " not in line and " WARNING " not in line]


# Signals

TRACKING = {
    "object": "Account",
    "external_id_field": "External_Id__c",
    "external_ref": "status",
    "fields": {"status": "Name"},
}


@pytest.fixture
def met(org: Org, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Is set when a fault is met."""
    event = threading.Event()
    complete = org.faults.complete

    def complete_and_set(operation: str, fault: Fault) -> None:
        complete(operation, fault)
        event.set()

    monkeypatch.setattr(org.faults, "complete", complete_and_set)
    return event


def start(target: TargetRunner, tmp_path: Path, **chosen: Any) -> subprocess.Popen[bytes]:
    """Start the command; its input stays open."""
    config = tmp_path / "config.json"
    config.write_text(json.dumps(target.config(operation="insert", small_batch_rows=0, **chosen)))
    return subprocess.Popen(
        [Path(sys.executable).with_name("target-salesforce-bulk"), "--config", config],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_a_signal_after_a_broken_line_while_a_job_runs(
    target: TargetRunner, org: Org, tmp_path: Path, met: threading.Event
) -> None:
    """The run waits for a job of an hour, and says so; a second signal ends that, and the job is found again."""
    org.progression = Progression.seconds(3600)
    org.faults.add("ingest.info", Fault.stall(0))
    with start(target, tmp_path, batch_size_rows=2) as process:
        assert process.stdin
        assert process.stderr
        guard = threading.Timer(STALL_S, process.kill)
        guard.start()
        process.stdin.write(lines([ACCOUNT, accounts("a", "b", "c"), state(3)]) + b"{broken\n")
        process.stdin.flush()
        assert met.wait(STALL_S)
        for words in (b"waiting for the 1 batches", b"waiting up to"):
            assert any(words in line for line in process.stderr)
            process.send_signal(signal.SIGTERM)
        try:
            stdout, log = process.communicate(timeout=PROMPT_S)
        finally:
            guard.cancel()
            process.kill()

    assert process.returncode == 1
    assert stdout == b""
    assert b"line 6 of the input is broken" in log
    assert b"Traceback" not in log
    assert [job["state"] for job in org.jobs] == ["UploadComplete"]
    org.progression = Progression.immediate()
    run = target.run(ACCOUNT, accounts("a", "b", "c"), state(3), operation="insert", small_batch_rows=0)
    assert run.error is None
    assert run.states == [3]
    assert sorted(row["Name"] for row in org.rows("Account")) == ["a", "b", "c"]
    assert run.statuses == ["created"] * 3
    assert len(org.jobs) == 2


def test_a_signal_during_the_last_status(target: TargetRunner, org: Org, tmp_path: Path, met: threading.Event) -> None:
    """Everything is loaded and STATE has passed; the status record hangs, and is given up."""
    org.faults.add("collections", Fault.stall(STALL_S), after=2)
    with start(target, tmp_path, status_tracking=TRACKING) as process:
        assert process.stdin
        process.stdin.write(lines([ACCOUNT, accounts("a"), state(1)]))
        process.stdin.close()
        process.stdin = None
        assert met.wait(STALL_S)
        process.send_signal(signal.SIGTERM)
        try:
            stdout, log = process.communicate(timeout=PROMPT_S)
        finally:
            process.kill()

    assert stdout == b"1\n"
    assert process.returncode in {0, 143}
    assert b"Traceback" not in log
    assert org.faults.completed


# The locale

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.parametrize("small_batch_rows", [200, 0], ids=["in a request", "by a job"])
def test_any_text_is_loaded_in_a_locale_without_it(
    target: TargetRunner,
    org: Org,
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    small_batch_rows: int,
) -> None:
    """In a value, a key, a message of Salesforce's, STATE, and the settings, the folder among them."""
    for name, value in ASCII.items():
        monkeypatch.setenv(name, value)
    rows = records("Kunden", {"Schlüssel": "ü", "Name": "Müller 漢"}, {"Schlüssel": "ö", "Name": None})
    chosen: dict[str, Any] = {
        "results_dir": str(tmp_path / "Größe"),
        "object": "Account",
        "external_id_field": "External_Id__c",
        "mappings": {"Kunden": {"fields": {"Schlüssel": "External_Id__c"}}},
        "small_batch_rows": small_batch_rows,
    }
    stream = schema("Kunden", key=["Schlüssel"], Schlüssel="string", Name=["string", "null"])

    done = command(stream, rows, state({"é": "é"}), **chosen)

    assert "Traceback" not in done.stderr
    assert done.stdout == '{"é":"é"}\n'
    assert done.returncode == 1
    assert len(errors(done.stderr)) == 1
    assert [(row["External_Id__c"], row["Name"]) for row in org.rows("Account")] == [("ü", "Müller 漢")]
    (path,) = (tmp_path / "Größe").glob("outcomes-*.jsonl")
    outcomes = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert {outcome["key"]["Schlüssel"]: outcome["status"] for outcome in outcomes} == {"ü": "created", "ö": "failed"}


# The clock


def test_records_wait_no_longer_than_allowed_where_only_records_come(target: TargetRunner, org: Org) -> None:
    """A tap that never stops sending: what is old enough goes, without a STATE or the input's end to cause it."""
    run = target.run(
        ACCOUNT,
        accounts(*"abcde"),
        state(5),
        operation="insert",
        small_batch_rows=0,
        batch_wait_limit_seconds=0,
    )

    assert run.error is None
    assert len(org.jobs) > 2
    assert len(org.rows("Account")) == 5
    assert run.states == [5]


def test_the_state_gate_stays_linear_behind_a_batch_that_never_ends() -> None:
    """20,000 batches come and go behind one that was not processed; each costs the same."""
    compared = 0

    class Work:
        def __hash__(self) -> int:
            nonlocal compared
            compared += 1
            return id(self)

    steps = 0

    def count(frame: FrameType, event: str, argument: Any) -> Callable[..., Any]:
        nonlocal steps
        steps += 1
        return count

    passed: list[str] = []
    gate = StateGate(passed.append)
    gate.begin(Work())
    before = sys.gettrace()
    sys.settrace(count)
    try:
        for number in range(20_000):
            work = Work()
            gate.begin(work)
            gate.hold(number)
            gate.release(work)
    finally:
        sys.settrace(before)

    assert passed == []
    assert steps < 20_000 * 60
    assert compared < 20_000 * 10


# The very end

AT_THE_END = """
import os, signal, sys
from target_salesforce_bulk.journal import Journal
from target_salesforce_bulk.target import TargetSalesforceBulk

end_run = Journal.end_run
def killed(self, **how):
    if sys.argv.pop() == "after":
        end_run(self, **how)
    os.kill(os.getpid(), signal.SIGKILL)
Journal.end_run = killed
TargetSalesforceBulk.cli(sys.argv[1:3])
"""


@pytest.mark.parametrize(("when", "rows"), [("before", 2), ("after", 4)])
def test_forgetting_is_the_last_step_of_a_run(
    target: TargetRunner, org: Org, tmp_path: Path, when: str, rows: int
) -> None:
    """Killed before, the run has crashed, and its records are known; killed after, it has ended, and they are new.

    Either way everything else is done by then: STATE, the summary, the log to its last line.
    """
    config = tmp_path / "config.json"
    config.write_text(json.dumps(target.config(operation="insert")))
    messages = [schema("Account", Name="string"), records("Account", {"Name": "a"}, {"Name": "b"}), state(1)]

    first = subprocess.run(
        [sys.executable, "-c", AT_THE_END, "--config", config, when],
        input=lines(messages),
        capture_output=True,
        check=False,
    )

    assert first.returncode == -signal.SIGKILL, first.stderr
    assert first.stdout == b"1\n"
    assert b"to see the report: salesforce-bulk report" in first.stderr.splitlines()[-1]
    run = target.run(*messages, operation="insert")
    assert run.error is None
    assert len(org.rows("Account")) == rows
    assert len(run.outcomes) == rows


# What is never said


def test_a_secret_that_is_no_text_is_not_in_an_error(command: Command) -> None:
    """YAML makes a number of a password of digits."""
    done = command(ACCOUNT, accounts("a"), password=8765432109, refresh_token=None)

    assert done.returncode == 1
    assert len(errors(done.stderr)) == 1
    assert "password" in errors(done.stderr)[0]
    assert "8765432109" not in done.stdout + done.stderr


@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
def test_what_salesforce_says_of_a_whole_request_is_not_logged(
    org: Org, command: Command, monkeypatch: pytest.MonkeyPatch, level: str
) -> None:
    """Its words hold values of records; the job that is created instead says which row is meant."""
    message = "Cannot deserialize instance of double from VALUE_STRING value hush-hush"
    org.faults.add("collections", Fault.status(400, json=[{"errorCode": "JSON_PARSER_ERROR", "message": message}]))
    monkeypatch.setenv("LOGLEVEL", level)

    done = command(ACCOUNT, accounts("a"), state(1))

    assert (done.returncode, done.stdout) == (0, "1\n")
    assert "JSON_PARSER_ERROR" in done.stderr
    assert "hush" not in done.stderr
    assert org.faults.completed


def test_a_stream_map_that_fails_shows_no_value(org: Org, command: Command) -> None:
    """The record is refused, by the name of the error; the others are loaded."""
    done = command(
        ACCOUNT,
        records("Account", {"External_Id__c": "a", "Name": "hush-hush"}, {"External_Id__c": "b", "Name": "12"}),
        state(2),
        stream_maps={"Account": {"Name": "str(int(Name))"}},
    )

    assert (done.returncode, done.stdout) == (1, "2\n")
    assert "hush" not in done.stderr
    assert "Traceback" not in done.stderr
    assert [row["Name"] for row in org.rows("Account")] == ["12"]


@pytest.mark.parametrize(
    "line",
    [
        b'{"type": "RECORD", "stream": "Account", "record": {"Name": "hush-hush"\n',
        b'{"type": "RECORD", "stream": "Account", "record": ["hush-hush"]}\n',
        b'{"type": "RECORD", "stream": "Account", "record": {"Name": "hush-hush", "External_Id__c": NaN}}\n',
        b'{"type": "RECORD", "stream": "hush", "record": {"Name": "hush-hush \\ud800"}}\n',
        b"hush-hush\n",
        b'"hush-hush"\n',
        b'{"type": "RECORD", "hush": "hush-hush"}\n',
    ],
)
def test_a_broken_line_is_not_shown(command: Command, line: bytes) -> None:
    """Its number is enough to find it."""
    done = command(ACCOUNT, line, state(1))

    assert (done.returncode, done.stdout) == (1, "")
    assert len(errors(done.stderr)) == 1
    assert "hush-hush" not in done.stderr
    assert "Traceback" not in done.stderr
