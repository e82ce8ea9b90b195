"""SIGTERM and Ctrl-C end a run in order, with their exit code, and the next run goes on with it."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from salesforce_bulk_client import IngestJob, PollPolicy
from salesforce_bulk_simulator import Fault, Org, Progression
from target_salesforce_bulk.errors import Interrupted
from target_salesforce_bulk.stopping import Stopping
from target_salesforce_bulk.target import TargetSalesforceBulk

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


# At a step of a batch


@pytest.fixture
def stop_after(monkeypatch: pytest.MonkeyPatch, target: TargetRunner) -> Iterator[Callable[..., None]]:
    """Runs the target here, with SIGTERM as soon as a step of its first job is done, so many times."""
    ask = Stopping.ask
    asked = threading.Event()

    def ask_and_note(self: Stopping, signal_number: int) -> None:
        try:
            ask(self, signal_number)
        finally:
            asked.set()

    monkeypatch.setattr(Stopping, "ask", ask_and_note)

    def run(step: str, *, of: type = IngestJob, times: int = 1) -> None:
        plain = getattr(of, step)

        def step_and_signal(*args: Any, **kwargs: Any) -> Any:
            done = plain(*args, **kwargs)
            for _ in range(times):
                asked.clear()
                os.kill(os.getpid(), signal.SIGTERM)
                assert asked.wait(30)
            return done

        with monkeypatch.context() as patch:
            patch.setattr(of, step, step_and_signal)
            patient = {"poll_min_s": 60, "poll_max_s": 60}  # a wait that a signal does not end would be noticed
            program = TargetSalesforceBulk(config=target.config(operation="insert", small_batch_rows=0, **patient))
            with pytest.raises(Interrupted, match="stopped by SIGTERM"):
                program.listen(io.BytesIO(lines(MESSAGES)))

    handler = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    yield run
    signal.signal(signal.SIGTERM, handler[0])
    signal.signal(signal.SIGINT, handler[1])


def check_that_the_next_run_resumes(target: TargetRunner, org: Org) -> None:
    """Each record is loaded once, and has one outcome."""
    org.progression = Progression.immediate()

    run = target.run(*MESSAGES, operation="insert", small_batch_rows=0)

    assert run.error is None
    assert run.states == [{"n": 2}]
    assert sorted(row["LastName"] for row in org.rows("Contact")) == ["Ada", "Bob"]
    assert run.statuses == ["created", "created"]


def test_a_signal_before_the_close_aborts_the_job(org: Org, stop_after: Any, target: TargetRunner) -> None:
    """Its data has come, but nothing of it is loaded: the records come again."""
    stop_after("upload")

    assert [job["state"] for job in org.jobs] == ["Aborted"]
    check_that_the_next_run_resumes(target, org)


def test_a_signal_keeps_rows_from_being_sent_again(org: Org, stop_after: Any, target: TargetRunner) -> None:
    """A row was locked: its outcome is that of the next run, which needs no second job of this one."""
    org.progression = Progression.immediate()
    org.faults.add("ingest.close", Fault.lock_rows(1))

    stop_after("wait_until_final")

    assert [job["state"] for job in org.jobs] == ["JobComplete"]
    assert org.faults.completed
    check_that_the_next_run_resumes(target, org)


@pytest.mark.parametrize(("step", "of"), [("close", IngestJob), ("delay", PollPolicy)], ids=["before", "between polls"])
def test_a_second_signal_ends_the_wait_for_jobs(
    org: Org, stop_after: Any, target: TargetRunner, step: str, of: type
) -> None:
    """At once, and nothing asks for them any more when the run is over: the next one finds them."""
    stop_after(step, of=of, times=2)

    for thread in threading.enumerate():
        if re.match(r"\d{8}T\d{6}Z-", thread.name):
            thread.join(10)
            assert not thread.is_alive()
    assert [job["state"] for job in org.jobs] == ["UploadComplete"]
    check_that_the_next_run_resumes(target, org)
    assert len(org.jobs) == 1
