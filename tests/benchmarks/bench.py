"""What all benchmarks share: how much is read, where files go, and the answers that they give."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from tests.benchmarks.measuring import CREDENTIALS, Command, Median, in_turn, run

T = TypeVar("T")

FEW = 100
"""Records of a run that shows what a process costs besides its records."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much is measured."""

    rounds: int
    records: int
    objects: int
    """That discovery finds."""
    pages: int
    job_s: float
    overlap_records: int
    memory_records: tuple[int, int]


QUICK = Size(
    rounds=1, records=20_000, objects=200, pages=24, job_s=2, overlap_records=25_000, memory_records=(10_000, 40_000)
)
FULL = Size(
    rounds=3,
    records=100_000,
    objects=1000,
    pages=60,
    job_s=10,
    overlap_records=500_000,
    memory_records=(100_000, 1_000_000),
)


@dataclass(frozen=True, kw_only=True)
class Run:
    """One contestant's line in the table: a whole process, and what each of its records cost beyond its start."""

    what: str
    who: str
    records: int
    whole: Median
    few: Median

    @property
    def per_record_us(self) -> float:
        """CPU microseconds of each record, less those of a run with few."""
        return (self.whole.cpu_s - self.few.cpu_s) / (self.records - FEW) * 1e6

    @property
    def per_cpu_second(self) -> float:
        """Records per CPU-second of the whole process."""
        return self.records / self.whole.cpu_s


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What was to be reached, and what was."""

    what: str
    goal: str
    measured: str
    is_met: bool


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one benchmark found."""

    runs: list[Run] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """One run of the benchmarks."""

    size: Size
    folder: Path
    tell: Callable[[str], None]
    has_peers: bool = False
    tap_checkout: Path | None = None
    target_checkout: Path | None = None

    def config(self, name: str, **settings: Any) -> str:
        """Write a plugin's config, and return its path."""
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps({**CREDENTIALS, "quota_percent_per_run": 100, **settings}))
        return str(path)

    def tap(self, name: str, environment: Mapping[str, str], *options: str, **settings: Any) -> Command:
        """Return the command that runs our tap with these settings."""
        words = [program("tap-salesforce-bulk"), "--config", self.config(name, **settings), *options]
        return Command(name=name, words=words, environment=environment)

    def target(self, name: str, environment: Mapping[str, str], *, lines: Path, **settings: Any) -> Command:
        """Return the command that runs our target on these lines, with files and a journal of its own."""
        results_dir = self.folder / f"results-{name}"
        config = self.config(name, results_dir=str(results_dir), **settings)
        return Command(
            name=name,
            words=[program("target-salesforce-bulk"), "--config", config],
            environment=environment,
            stdin=lines,
            before=lambda: shutil.rmtree(results_dir, ignore_errors=True),
        )

    def race(self, what: str, contestants: Mapping[str, Callable[[T], Command]], *, few: T, many: T) -> dict[str, Run]:
        """Run all contestants in turn, each with few records and then with many; return their lines of the table."""
        commands = [
            replace(make(each), name=f"{who}, {number:,} records")
            for who, make in contestants.items()
            for each, number in ((few, FEW), (many, self.size.records))
        ]
        for few_of_each in commands[::2]:
            self.tell(f"once before: {few_of_each.name}")  # what is installed anew has no .pyc files yet
            run(few_of_each)
        found = iter(in_turn(commands, rounds=self.size.rounds, tell=self.tell).values())
        return {
            who: Run(what=what, who=who, records=self.size.records, few=next(found), whole=next(found))
            for who in contestants
        }


def program(name: str) -> str:
    """Return the path of a program that is installed beside this Python."""
    return str(Path(sys.executable).with_name(name))


def floor(module: str, *arguments: str) -> list[str]:
    """Return the words that run one of the floors, a module of this folder."""
    return [sys.executable, "-m", f"tests.benchmarks.{module}", *arguments]
