"""SIGTERM and Ctrl-C end a run in order, with their exit code, and the next run goes on with it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from salesforce_bulk_simulator import Org, Progression

from tests.target.conftest import TargetRunner, lines, records, schema, state

PEOPLE = schema("Contact", LastName="string")
MESSAGES = [PEOPLE, records("Contact", {"LastName": "Ada"}, {"LastName": "Bob"}), state({"n": 2})]

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def org() -> Org:
    """An org whose jobs take an hour."""
    return Org(progression=Progression.seconds(3600))


@pytest.fixture
def start(target: TargetRunner, tmp_path: Path) -> Iterator[Start]:
    """Starts the command with the messages as its input, which stays open."""
    config = tmp_path / "config.json"
    started: list[subprocess.Popen[bytes]] = []

    def run(*, until: str) -> subprocess.Popen[bytes]:
        config.write_text(json.dumps(target.config(operation="insert")))
        process = subprocess.Popen(
            [Path(sys.executable).with_name("target-salesforce-bulk"), "--config", config],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "LOGLEVEL": "DEBUG"},
        )
        started.append(process)
        assert process.stdin
        process.stdin.write(lines(MESSAGES))
        process.stdin.flush()
        if until == "PATCH":
            process.stdin.close()
        read_until(process, until)
        return process

    yield run
    for process in started:
        with process:  # closes its pipes
            process.kill()


def read_until(process: subprocess.Popen[bytes], word: str) -> None:
    """Read the log until a line has this word."""
    assert process.stderr
    for line in process.stderr:
        if word in line.decode():
            return
    raise AssertionError(f"no line with {word}")


def ended(process: subprocess.Popen[bytes]) -> tuple[int, bytes, str]:
    """Exit code, standard output, and what is left of the log."""
    assert process.stdout
    assert process.stderr
    log = process.stderr.read().decode()
    return process.wait(), process.stdout.read(), log


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_reading(org: Org, start: Start, signal_number: int) -> None:
    """What was not sent is given up: no job, no STATE, a word in the log, and not exit code 0."""
    process = start(until="describe answered 200")

    process.send_signal(signal_number)

    code, stdout, log = ended(process)
    assert code == 128 + signal_number
    assert stdout == b""
    assert f"stopped by {signal.Signals(signal_number).name}" in log
    assert "Traceback" not in log
    assert org.jobs == []


def test_a_signal_while_a_job_runs(org: Org, start: Start, target: TargetRunner) -> None:
    """The job is left running, and found again by the next run, which loads nothing twice."""
    process = start(until="PATCH")

    process.send_signal(signal.SIGTERM)
    read_until(process, "waiting up to")
    process.send_signal(signal.SIGTERM)

    code, stdout, log = ended(process)
    assert code == 143
    assert stdout == b""
    assert "Traceback" not in log
    assert [job["state"] for job in org.jobs] != ["Open"]

    org.progression = Progression.immediate()
    run = target.run(*MESSAGES, operation="insert")

    assert run.error is None
    assert run.states == [{"n": 2}]
    assert sorted(row["LastName"] for row in org.rows("Contact")) == ["Ada", "Bob"]
    assert run.statuses == ["created", "created"]
    assert len(org.jobs) == 1
