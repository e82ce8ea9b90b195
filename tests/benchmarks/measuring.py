"""Whole processes, measured from outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]

CREDENTIALS = {
    "login_url": "https://login.salesforce.com",
    "client_id": "sim-client",
    "client_secret": "sim-secret",
    "refresh_token": "sim-refresh",
}


class Failed(Exception):
    """A process ended badly; the text says which, and its last words."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one process took."""

    wall_s: float
    cpu_s: float
    """User and system, of the process and of those that it waited for."""
    peak_mb: float
    """The most memory that it held at once."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """What is measured."""

    name: str
    words: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    stdin: Path | None = None
    folder: Path | None = None
    """Where it runs."""
    before: Callable[[], None] = lambda: None
    """Called before each run, unmeasured."""
    exit_code: int = 0
    """With which it has to end."""
    last_words: str = ""
    """That its log then has to have."""


def run(command: Command, *, stdout: Path | None = None) -> Cost:
    """Run a command to its end; without ``stdout`` its output goes nowhere.

    Raises: Failed.
    """
    command.before()
    with (
        tempfile.TemporaryFile() as errors,
        Path(command.stdin or os.devnull).open("rb") as source,
        Path(stdout or os.devnull).open("wb") as sink,
    ):
        began_at = time.monotonic()
        process = subprocess.Popen(
            command.words,
            env=command.environment or plain_environment(),
            cwd=command.folder,
            stdin=source,
            stdout=sink,
            stderr=errors,
        )
        # Linux counts the peak from the fork on, so this process must stay smaller than what it measures.
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.monotonic() - began_at
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        last = errors.read().decode(errors="replace").strip()[-1500:]
        if process.returncode != command.exit_code or command.last_words not in last:
            raise Failed(f"{command.name} ended with {process.returncode}: {last}")
    peak_bytes = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Cost(wall_s=wall_s, cpu_s=usage.ru_utime + usage.ru_stime, peak_mb=peak_bytes / 1e6)


@dataclass(frozen=True, kw_only=True)
class Median:
    """The middle of several runs."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    spread: float
    """From the least CPU time to the greatest, as a share of the middle."""

    @classmethod
    def of(cls, costs: Sequence[Cost]) -> Median:
        """Return the middle of each number."""
        cpu = [cost.cpu_s for cost in costs]
        return cls(
            wall_s=median(cost.wall_s for cost in costs),
            cpu_s=median(cpu),
            peak_mb=median(cost.peak_mb for cost in costs),
            spread=(max(cpu) - min(cpu)) / median(cpu),
        )


def in_turn(commands: Sequence[Command], *, rounds: int, tell: Callable[[str], None]) -> dict[str, Median]:
    """Run all commands one after another, ``rounds`` times, and return the middle of each by its name.

    So a machine that is busy for a while is busy for all of them.

    Raises: Failed.
    """
    costs: dict[str, list[Cost]] = {command.name: [] for command in commands}
    for number in range(rounds):
        for command in commands:
            tell(f"round {number + 1} of {rounds}: {command.name}")
            costs[command.name].append(run(command))
    return {name: Median.of(its) for name, its in costs.items()}


@dataclass(frozen=True, kw_only=True)
class Site:
    """A simulator, and the environments in which clients meet it at Salesforce's host names."""

    url: str
    """Where it is to be met by plain HTTP, without the proxy."""
    environment: Mapping[str, str]
    bulk_1_environment: Mapping[str, str]
    """There it also knows the old Bulk API 1.0."""


@contextmanager
def simulator(folder: Path, *options: str) -> Iterator[Site]:
    """Run a simulator in a process of its own; ``options`` are those of `tests.benchmarks.server`.

    Raises: Failed.
    """
    command = [sys.executable, "-m", "tests.benchmarks.server", str(folder), *options]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            if not line:
                raise Failed("the simulator did not start")
            site = json.loads(line)
            common = {**plain_environment(), **site["trust"]}
            yield Site(
                url=site["url"],
                environment={**common, **_through(site["proxy"])},
                bulk_1_environment={**common, **_through(site["bulk_1_proxy"])},
            )
        finally:
            process.stdin.close()


def plain_environment() -> dict[str, str]:
    """Return this process's environment, without what changes how Python runs: unbuffered, or without .pyc files."""
    return {
        name: value
        for name, value in os.environ.items()
        if "proxy" not in name.lower() and not name.startswith("PYTHON")
    }


def _through(proxy: str) -> dict[str, str]:
    return {"HTTPS_PROXY": proxy, "https_proxy": proxy}
