"""Benchmarks of memory and of starting up."""

from __future__ import annotations

from tests.benchmarks.bench import Answer, Bench, Goal, program
from tests.benchmarks.loading import OPERATIONS, write_lines
from tests.benchmarks.measuring import Command, in_turn, run, simulator

MOST_MB = 250
MOST_GROWTH = 1.25
"""What counts as flat."""


def memory(bench: Bench) -> Answer:
    """The most memory held at once, for some records and for ten times as many."""
    small, large = bench.size.memory_records
    rows = [f"Copy0000__c={small}", f"Bench__c={large}"]
    peaks = {}
    with simulator(bench.folder, "--copies", "1", "--rows", *rows) as site:
        for name, sobject in (("tap small", "Copy0000__c"), ("tap large", "Bench__c")):
            bench.tell(f"memory: {name}")
            peaks[name] = run(bench.tap(name, site.environment, streams_to_discover=[sobject])).peak_mb
    for operation, settings in OPERATIONS.items():
        for name, count in ((f"{operation} small", small), (f"{operation} large", large)):
            lines = write_lines(bench, count)
            with simulator(bench.folder) as site:
                bench.tell(f"memory: {name}")
                peaks[name] = run(bench.target(name, site.environment, lines=lines, **settings)).peak_mb
    goals = []
    for who, what in {"tap": "tap", **{operation: f"target, {operation}" for operation in OPERATIONS}}.items():
        little, much = peaks[f"{who} small"], peaks[f"{who} large"]
        goals.append(
            Goal(
                what=f"{what}, peak memory at {large:,} records",
                goal=f"< {MOST_MB} MB, flat from {small:,} on",
                measured=f"{much:.0f} MB; at {small:,} records {little:.0f} MB",
                is_met=much < MOST_MB and much < MOST_GROWTH * little,
            )
        )
    return Answer(goals=goals)


def start_up(bench: Bench) -> Answer:
    """``--version`` and ``--about``, once the .pyc files are there."""
    plugins = [program("tap-salesforce-bulk"), program("target-salesforce-bulk")]
    commands = [
        Command(name=f"{plugin.rpartition('/')[2]} {option}", words=[plugin, option])
        for plugin in plugins
        for option in ("--version", "--about")
    ]
    in_turn(commands, rounds=1, tell=bench.tell)
    found = in_turn(commands, rounds=bench.size.rounds + 2, tell=bench.tell)
    goals = [
        Goal(
            what=name,
            goal="< 1.0 s",
            measured=f"{each.wall_s:.2f} s (CPU {each.cpu_s:.2f} s)",
            is_met=each.wall_s < 1,
        )
        for name, each in found.items()
    ]
    return Answer(goals=goals)
