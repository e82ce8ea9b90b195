"""Benchmarks of the target."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.benchmarks import peers
from tests.benchmarks.bench import FEW, Answer, Bench, Goal, Run, floor
from tests.benchmarks.measuring import ROOT, Command, Failed, Site, run, simulator
from tests.benchmarks.rows import write_input
from tests.simulator.peers.installed import CannotInstall

Maker = Callable[[int], Command]
"""Makes the command that loads so many records."""

# Upserts go into an object of their own: what was inserted again and again has each key many times.
OPERATIONS = {
    "insert": {"operation": "insert", "object": "Load__c"},
    "upsert": {"operation": "upsert", "object": "Upsert__c", "external_id_field": "Key__c"},
}
"""Settings of each operation that is measured."""

UPLOADED = "until uploaded"

JOBS = 5
"""Of the benchmark of overlap."""


def records(bench: Bench) -> Answer:
    """RECORD lines to uploaded job data, and on to an outcome for each, beside the floor and the peer."""
    inputs = {count: write_lines(bench, count) for count in (FEW, bench.size.records)}
    with simulator(bench.folder) as site, simulator(bench.folder, "--job-seconds", "3600") as endless:
        makers: dict[str, Maker] = {
            "floor": lambda count: Command(
                name="floor",
                words=floor("floor_of_target", str(bench.folder)),
                stdin=inputs[count],
                folder=ROOT,
            ),
            **{f"ours, {each}, {UPLOADED}": _uploads(bench, endless, inputs, each) for each in OPERATIONS},
            **{f"ours, {each}": _ours(bench, site, inputs, each) for each in OPERATIONS},
            **dict(_peers(bench, site)),
        }
        runs = bench.race("target", makers, few=FEW, many=bench.size.records)
    return Answer(runs=list(runs.values()), goals=list(_goals(runs)))


def _goals(runs: dict[str, Run]) -> Iterator[Goal]:
    lowest, ours = runs["floor"], runs["ours, insert"]
    shares = {key: lowest.per_record_us / run.per_record_us for key, run in runs.items()}
    insert, upsert = (shares[f"ours, {each}, {UPLOADED}"] for each in OPERATIONS)
    yield Goal(
        what="target, RECORD lines to uploaded job data",
        goal="≥ 0.5 of the floor",
        measured=f"{insert:.2f} for insert, {upsert:.2f} for upsert; with an outcome for each record"
        f" {shares['ours, insert']:.2f} and {shares['ours, upsert']:.2f}",
        is_met=min(insert, upsert) >= 0.5,
    )
    for key, peer in runs.items():
        if key.startswith("target-salesforce"):
            uploaded = runs[f"ours, insert, {UPLOADED}"].per_cpu_second / peer.per_cpu_second
            yield Goal(
                what="target, RECORD lines to uploaded job data",
                goal=f"≥ 5 times {key}, per CPU-second",
                measured=f"{uploaded:.1f} times; with an outcome for each record"
                f" {ours.per_cpu_second / peer.per_cpu_second:.1f}",
                is_met=uploaded >= 5,
            )


def _ours(bench: Bench, site: Site, inputs: dict[int, Path], operation: str, **settings: Any) -> Maker:
    settings |= OPERATIONS[operation]
    return lambda count: bench.target(
        f"{operation}-{count}-{len(settings)}", site.environment, lines=inputs[count], **settings
    )


def _uploads(bench: Bench, endless: Site, inputs: dict[int, Path], operation: str) -> Maker:
    """Return how job data comes to a server whose jobs never end, which the target leaves there after half a second."""
    settings = {"small_batch_rows": 0, "job_timeout_s": 0.5, "poll_min_s": 0.5}
    ours = _ours(bench, endless, inputs, operation, **settings)
    return lambda count: replace(ours(count), exit_code=1, last_words="is still UploadComplete")


def _peers(bench: Bench, site: Site) -> Iterator[tuple[str, Maker]]:
    if not bench.has_peers or bench.target_checkout is None:
        return
    try:
        loads = peers.salesforce_target(bench.target_checkout, site, bench.folder)
    except (CannotInstall, Failed) as error:
        bench.tell(f"a peer cannot be measured: {error}")
        return
    inputs = {count: write_lines(bench, count, is_plain=True) for count in (FEW, bench.size.records)}
    yield "target-salesforce, insert", lambda count: loads(inputs[count])


def write_lines(bench: Bench, count: int, *, is_plain: bool = False) -> Path:
    """Return a file of so many records; see `write_input`."""
    path = bench.folder / f"{'plain' if is_plain else 'lines'}-{count}.jsonl"
    if not path.exists():
        bench.tell(f"writing {count:,} lines")
        write_input(path, count=count, is_plain=is_plain)
    return path


def overlap(bench: Bench) -> Answer:
    """Uploading while the server works on what it has."""
    count, job_s = bench.size.overlap_records, bench.size.job_s / 2
    settings = {"operation": "insert", "batch_size_rows": count // JOBS}
    lines = write_lines(bench, count)
    walls = {}
    for seconds in (0.0, job_s):
        bench.tell(f"{JOBS} ingest jobs of {seconds:g} s")
        with simulator(bench.folder, "--job-seconds", str(seconds)) as site:
            walls[seconds] = run(bench.target(f"overlap-{seconds}", site.environment, lines=lines, **settings)).wall_s
    slower = max(walls[0.0], job_s)
    goal = Goal(
        what=f"target, {count:,} records in {JOBS} jobs of {job_s:g} s",
        goal="≤ 1.3 times the slower of upload and processing alone",
        measured=f"{walls[job_s] / slower:.2f} times ({walls[job_s]:.1f} s; jobs that take no time {walls[0.0]:.1f} s)",
        is_met=walls[job_s] <= 1.3 * slower,
    )
    return Answer(goals=[goal])
