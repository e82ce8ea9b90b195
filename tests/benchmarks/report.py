"""The tables: on the terminal, and in docs/contributing/performance.md."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from tests.benchmarks.bench import Answer, Goal, Run, Size
from tests.benchmarks.measuring import ROOT

PAGE = ROOT / "docs" / "contributing" / "performance.md"
MARK = "<!-- scripts/bench --write puts its tables below this line, the newest first -->\n"

PACKAGES = ("singer-sdk", "msgspec", "requests")
NOISY = 0.15


def tables(answers: Sequence[Answer]) -> str:
    """Return all that was found, as Markdown."""
    runs = [run for answer in answers for run in answer.runs]
    goals = [goal for answer in answers for goal in answer.goals]
    parts = [_runs_table(runs)] if runs else []
    return "\n\n".join([*parts, _goals_table(goals)]) + "\n"


def _runs_table(runs: Sequence[Run]) -> str:
    floors = {run.what: run for run in runs if run.who == "floor"}
    rows = []
    for run in runs:
        share = floors[run.what].per_record_us / run.per_record_us
        noise = " (noisy)" if run.whole.spread > NOISY else ""
        rows.append(
            [
                run.what,
                run.who,
                f"{run.records:,}",
                f"{run.whole.wall_s:.1f}",
                f"{run.whole.cpu_s:.2f} ± {run.whole.spread / 2:.0%}{noise}",
                f"{run.few.cpu_s:.2f}",
                f"{run.per_cpu_second:,.0f}",
                f"{run.per_record_us:.1f}",
                f"{share:.2f}",
                f"{run.whole.peak_mb:.0f}",
            ]
        )
    head = ["what", "who", "records", "wall s", "CPU s", "of it start", "records per CPU-second"]
    return _table([*head, "CPU µs a record, without start", "of the floor", "peak MB"], rows)


def _goals_table(goals: Sequence[Goal]) -> str:
    rows = [[goal.what, goal.goal, goal.measured, "yes" if goal.is_met else "**no**"] for goal in goals]
    return _table(["what", "goal", "measured", "met"], rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"

    return "\n".join([line(head), line(["-" * width for width in widths]), *map(line, rows)])


def where_and_when(size: Size) -> str:
    """Return the date, the machine, and the versions."""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores ({_processor()}), {memory_gb:.0f} GB;"
        f" Python {platform.python_version()}, {packages}; commit {_commit()}."
        f" Medians of {size.rounds} rounds, ± half the distance from the least CPU time to the greatest."
    )


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def write(answers: Sequence[Answer], *, size: Size) -> None:
    """Put the tables into docs/contributing/performance.md, before those of earlier days."""
    before, mark, after = PAGE.read_text().partition(MARK)
    if not mark:
        raise ValueError(f"{PAGE} has lost its line {MARK!r}")
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    entry = f"\n### {today}\n\n{where_and_when(size)}\n\n{tables(answers)}"
    PAGE.write_text(f"{before}{mark}{entry}{after}")
