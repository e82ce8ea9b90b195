"""`try_seed`: one seed's scenario, carried out and checked."""

from __future__ import annotations

import signal
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.campaign.invariants import violations
from tests.campaign.model import make_scenario
from tests.campaign.world import Run, living

MEMORY = Path("/dev/shm")
"""Where it exists, syncing a file costs no time."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one seed showed."""

    seed: int
    violations: list[str]
    met: dict[str, int]
    """How often each fault and crash was really met."""
    runs: int
    log: str


def try_seed(seed: int) -> Result:
    """Carry out one seed's scenario and check what must hold after it."""
    parent = MEMORY if MEMORY.is_dir() else None
    with (
        tempfile.TemporaryDirectory(prefix="campaign-", dir=parent) as folder,
        living(make_scenario(seed), Path(folder)) as world,
    ):
        found = list(dict.fromkeys(violations(world)))
        met = Counter(f"{operation} {fault.kind}" for operation, fault in world.org.faults.completed)
        met += Counter(crash for run in world.runs if (crash := _crash_of(run)))
        log = "\n".join(_log_of(run) for run in world.runs)
    return Result(seed=seed, violations=found, met=dict(met), runs=len(world.runs), log=log)


def _crash_of(run: Run) -> str:
    if run.exit_code in (-signal.SIGKILL, -signal.SIGTERM, 128 + signal.SIGTERM):
        return "SIGKILL" if run.exit_code == -signal.SIGKILL else "SIGTERM"
    return "disk full" if "File too large" in run.stderr or "disk is full" in run.stderr else ""


def _log_of(run: Run) -> str:
    streams = ", ".join(stream.name for stream in run.pipeline.streams)
    return f"--- {streams} after {run.starts_after}: exit code {run.exit_code}, STATE {run.states}\n{run.stderr}"
