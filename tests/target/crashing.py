"""Runs the target in a process of its own that is killed, as by ``kill -9``, at a chosen step."""

from __future__ import annotations

import functools
import io
import itertools
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from salesforce_bulk_client import IngestJob
from salesforce_bulk_companion.command import main
from target_salesforce_bulk.batches.job_data_files import JobDataFiles
from target_salesforce_bulk.errors import Interrupted
from target_salesforce_bulk.journal import Journal
from target_salesforce_bulk.messages.state_gate import StateGate
from target_salesforce_bulk.results.outcome_log import OutcomeLog
from target_salesforce_bulk.target import TargetSalesforceBulk

STEPS: list[tuple[type, list[str]]] = [
    (Journal, ["begin_run", "note_reading", "add_batch", "set_state", "replace_batch", "drop_batch", "commit"]),
    (Journal, ["note_state"]),
    (IngestJob, ["create", "upload", "close", "wait_until_final", "download", "abort"]),
    (OutcomeLog, ["write", "sync"]),
    (JobDataFiles, ["close", "only", "discard"]),
    (StateGate, ["release"]),
]
"""What a run does that another run can notice; it is killed just before or just after one call of these."""

KILLED_AT_THE_SECOND_JOB = """
import os, signal, sys
from salesforce_bulk_client import IngestJob
from target_salesforce_bulk.target import TargetSalesforceBulk

close, closed = IngestJob.close, []
def close_and_die(self):
    closed.append(close(self))
    if len(closed) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return closed[-1]
IngestJob.close = close_and_die
TargetSalesforceBulk.cli(sys.argv[1:3])
"""
"""A program: the target, killed when Salesforce has begun its second job; the first has its outcomes."""

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.target.crashing", "salesforce_bulk_companion.batches.acting"])


def run_and_kill(*, at: int, config: dict[str, Any], data: bytes, stdout: Path) -> bool:
    """Run the target until step ``at`` (from 0), and return whether it came so far."""
    process = _context.Process(target=_run, args=(at, config, data, stdout))
    process.start()
    process.join()
    return process.exitcode == -signal.SIGKILL


def run_command_and_kill(*, at: int, arguments: list[str]) -> bool:
    """Run ``salesforce-bulk`` in this folder until step ``at`` (from 0), and return whether it came so far."""
    process = _context.Process(target=_run_command, args=(at, arguments, Path.cwd()))
    process.start()
    process.join()
    return process.exitcode == -signal.SIGKILL


def run_and_kill_after(seconds: float, *, config: dict[str, Any], data: bytes) -> bool:
    """Run the target for so many seconds, and return whether it was killed before it had ended."""
    process = _context.Process(target=_run_for, args=(seconds, config, data))
    process.start()
    process.join()
    return process.exitcode == -signal.SIGKILL


def _run_for(seconds: float, config: dict[str, Any], data: bytes) -> None:
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGKILL))

    def stop_timer() -> None:
        timer.cancel()
        timer.join()

    _surround(Journal, "end_run", stop_timer, lambda: None)  # after it the run has ended well, and is not killed
    timer.start()
    with Path(os.devnull).open("w") as sys.stdout:
        TargetSalesforceBulk(config=config).listen(io.BytesIO(data))


def run_and_stop(*, at_outcome: int, config: dict[str, Any], data: bytes, stdout: Path) -> int | None:
    """Run the target until it hangs in writing this outcome (from 0), send SIGTERM twice, and return the exit code."""
    process = _context.Process(target=_run_and_hang, args=(at_outcome, config, data, stdout))
    process.start()
    process.join()
    return process.exitcode


def _run_and_hang(at: int, config: dict[str, Any], data: bytes, stdout: Path) -> None:
    counter = itertools.count()

    def hang() -> None:
        if next(counter) == at:
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGTERM)
            threading.Event().wait()

    _surround(OutcomeLog, "write", hang, lambda: None)
    with stdout.open("w") as sys.stdout:
        try:
            TargetSalesforceBulk(config=config).listen(io.BytesIO(data))
        except Interrupted as interrupted:
            os._exit(128 + interrupted.signal_number)


def _run(at: int, config: dict[str, Any], data: bytes, stdout: Path) -> None:
    _kill_at(at)
    with stdout.open("w") as sys.stdout:
        TargetSalesforceBulk(config=config).listen(io.BytesIO(data))


def _run_command(at: int, arguments: list[str], folder: Path) -> None:
    os.chdir(folder)
    _kill_at(at)
    with Path(os.devnull).open("w") as sys.stdout:
        main(arguments)


def _kill_at(at: int) -> None:
    """Let this process be killed at a step."""
    counter = itertools.count()

    def step() -> None:
        if next(counter) == at:
            os.kill(os.getpid(), signal.SIGKILL)

    for owner, names in STEPS:
        for name in names:
            _surround(owner, name, step, step)
    _surround(Journal, "end_run", step, lambda: None)  # after it the run has ended well


def _surround(owner: type, name: str, before: Callable[[], None], after: Callable[[], None]) -> None:
    """Do something before and after each call of a method."""
    plain = owner.__dict__.get(name) or getattr(owner, name)
    function = plain.__func__ if isinstance(plain, classmethod) else plain

    @functools.wraps(function)
    def surrounded(*args: Any, **kwargs: Any) -> Any:
        before()
        result = function(*args, **kwargs)
        after()
        return result

    setattr(owner, name, classmethod(surrounded) if isinstance(plain, classmethod) else surrounded)
