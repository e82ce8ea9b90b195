"""Try the target against random inputs, faults, crashes and reruns.

One seed is one life of a results folder: an input of up to three streams, a few runs of the target that meet faults of
the org and crashes of their own, reruns with the same input or from the last STATE, another pipeline in between, and
last a run without any fault. Records may point to rows of the same load, there or not, before or after them. Everything
is decided by the seed (model.py), but for the timing of threads and processes.
What must hold afterwards (invariants.py) is checked against the simulated org's own record of what was done to it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path

import click

from tests.campaign.model import FIRST_SEED_WITH_PARENTS as FIRST
from tests.campaign.trial import Result, try_seed


def main() -> int:
    """Run the seeds that are asked for and not finished yet; return the exit code."""
    arguments = _arguments()
    wanted = range(arguments.start, arguments.start + arguments.seeds)
    results = {result.seed: result for result in _remembered(arguments.state) if result.seed in wanted}
    for result in results.values():
        _report(result)
    for result in _results([seed for seed in wanted if seed not in results], jobs=arguments.jobs):
        results[result.seed] = result
        _report(result)
        if arguments.seeds == 1:
            click.echo("\n".join([result.log, *result.violations]))
        if arguments.state:
            with arguments.state.open("a") as file:
                file.write(json.dumps({**asdict(result), "log": ""}) + "\n")
    violated = sum(bool(result.violations) for result in results.values())
    met = sum((Counter(result.met) for result in results.values()), Counter[str]())
    runs = sum(result.runs for result in results.values())
    click.echo(f"{len(results)} seeds, {violated} violated; {runs} runs; {met.total()} faults and crashes met:")
    click.echo(", ".join(f"{number} {name}" for name, number in met.most_common()))
    return 1 if violated else 0


def _report(result: Result) -> None:
    """Print a line for a seed after which something did not hold."""
    if result.violations:
        more = f" (and {len(result.violations) - 1} more)" if len(result.violations) > 1 else ""
        again = f"scripts/campaign --seeds 1 --from {result.seed}"
        click.echo(f"seed {result.seed}: {result.violations[0]}{more}; run it alone: {again}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/campaign", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=40, help="how many seeds (default 40); one alone shows its log")
    first = f"the first seed (default {FIRST}); those before {FIRST} have no hierarchies"
    parser.add_argument("--from", type=int, default=FIRST, dest="start", metavar="SEED", help=first)
    parser.add_argument("--jobs", type=int, default=1, help="how many at a time (default 1)")
    parser.add_argument("--state", type=Path, metavar="FILE", help="remember finished seeds here, and leave them out")
    return parser.parse_args()


def _remembered(state: Path | None) -> list[Result]:
    if state is None or not state.exists():
        return []
    return [Result(**json.loads(line)) for line in state.read_text().splitlines(keepends=True) if line.endswith("\n")]


def _results(seeds: list[int], *, jobs: int) -> Iterator[Result]:
    if not seeds:
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for future in as_completed([pool.submit(try_seed, seed) for seed in seeds]):
            yield future.result()


if __name__ == "__main__":
    sys.exit(main())
