"""Runs the target's command in a process of its own, which meets its crash at a chosen step.

Steps are what a run does to the world outside of it: requests, files written, synced, moved or removed, statements of
the journal, lines on stdout. They are counted where the standard library does them, so that nothing here depends on
how the target is built.
"""

from __future__ import annotations

import functools
import gc
import io
import itertools
import os
import resource
import signal
import sqlite3
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import requests
from salesforce_bulk_client.retries import RetryPolicy
from target_salesforce_bulk.target import TargetSalesforceBulk

from tests.campaign.model import Crash

gc.freeze()  # what is here now is shared by all children

_FILE_EVENTS = frozenset({"os.remove", "os.truncate", "os.rename", "os.mkdir"})


def run_target(*, config: Path, messages: Path, crash: Crash | None, stdout: Connection, stderr: Connection) -> None:
    """Run the command with a config file and an input file, and end with its exit code."""
    os.dup2(stdout.fileno(), 1)
    os.dup2(stderr.fileno(), 2)
    stdout.close()
    stderr.close()
    sys.stdin = messages.open(encoding="utf-8")
    steps = _Steps(crash)
    sys.stdout = _SteppedText(steps, io.FileIO(1, "w", closefd=False))
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    defaults = RetryPolicy.__init__.__kwdefaults__
    assert defaults
    assert defaults["first_wait_s"] == 0.5  # for people
    defaults["first_wait_s"] = 0.01
    _count_steps(steps)
    TargetSalesforceBulk.cli(["--config", str(config)])


class _Steps:
    """Counts steps, and lets the crash happen at its own."""

    def __init__(self, crash: Crash | None) -> None:
        self._crash = crash
        self._counter = itertools.count()
        self.have_begun = False
        """Whether a request was sent; what a run does before that nobody can notice."""

    def __call__(self) -> None:
        crash = self._crash
        if crash is None or not self.have_begun:
            return
        number = next(self._counter)
        if crash.kind == "disk full":
            if number in (crash.at_step, crash.at_step + crash.lasts):
                size = 0 if number == crash.at_step else resource.RLIM_INFINITY
                resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        elif number == crash.at_step:
            os.kill(os.getpid(), signal.SIGKILL if crash.kind == "kill" else signal.SIGTERM)


class _SteppedText(io.TextIOWrapper):
    def __init__(self, steps: Callable[[], None], raw: io.RawIOBase) -> None:
        super().__init__(io.BufferedWriter(raw), encoding="utf-8")
        self._steps = steps

    def write(self, text: str) -> int:
        self._steps()
        return super().write(text)

    def flush(self) -> None:
        super().flush()
        self._steps()


def _count_steps(steps: _Steps) -> None:
    def around(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def stepped(*args: Any, **kwargs: Any) -> Any:
            steps()
            result = function(*args, **kwargs)
            steps()
            return result

        return stepped

    class SteppedConnection(sqlite3.Connection):
        execute = around(sqlite3.Connection.execute)
        executemany = around(sqlite3.Connection.executemany)
        commit = around(sqlite3.Connection.commit)
        __exit__ = around(sqlite3.Connection.__exit__)

    def audit(event: str, args: tuple[Any, ...]) -> None:
        if event in _FILE_EVENTS or (event == "open" and isinstance(args[2], int) and args[2] & os.O_CREAT):
            steps()

    def first(*args: Any, **kwargs: Any) -> Any:
        steps.have_begun = True
        return send(*args, **kwargs)

    send = around(requests.adapters.HTTPAdapter.send)
    requests.adapters.HTTPAdapter.send = first  # type: ignore[method-assign]
    os.fsync = around(os.fsync)
    sqlite3.connect = functools.partial(sqlite3.connect, factory=SteppedConnection)  # type: ignore[assignment]
    sys.addaudithook(audit)
