"""Measures the tap and the target against the least that their work takes, and against the connectors used today.

``scripts/bench --quick`` ends within two minutes; all of it takes about half an hour.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.benchmarks import footprint, loading, reading, report
from tests.benchmarks.bench import FULL, QUICK, Answer, Bench
from tests.benchmarks.measuring import Failed

QUESTIONS: dict[str, Callable[[Bench], Answer]] = {
    "tap": reading.records,
    "target": loading.records,
    "discovery": reading.discovery,
    "jobs": reading.ten_objects,
    "pages": reading.slow_pages,
    "overlap": loading.overlap,
    "memory": footprint.memory,
    "start-up": footprint.start_up,
}


def main() -> int:
    """Run the benchmarks that were asked for, and print their tables."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("questions", nargs="*", metavar="QUESTION", help=f"of {', '.join(QUESTIONS)}; all by default")
    parser.add_argument("--quick", action="store_true", help="little data, one round, no peers")
    parser.add_argument("--rounds", type=int, help="how often each contestant runs")
    parser.add_argument("--records", type=int, help="how many records are read, and loaded")
    parser.add_argument("--no-peers", action="store_true", help="leave out what others wrote")
    parser.add_argument("--tap-salesforce", type=Path, metavar="CHECKOUT", help="of MeltanoLabs' tap-salesforce")
    parser.add_argument("--target-salesforce", type=Path, metavar="CHECKOUT", help="of dan-ladd's target-salesforce")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/contributing/performance.md")
    arguments = parser.parse_args()
    if strangers := set(arguments.questions) - QUESTIONS.keys():
        parser.error(f"no question {', '.join(sorted(strangers))}; there are {', '.join(QUESTIONS)}")
    size = QUICK if arguments.quick else FULL
    size = replace(size, rounds=arguments.rounds or size.rounds, records=arguments.records or size.records)
    with tempfile.TemporaryDirectory(prefix="salesforce-bulk-bench-") as folder:
        bench = Bench(
            size=size,
            folder=Path(folder),
            tell=_tell,
            has_peers=not (arguments.quick or arguments.no_peers),
            tap_checkout=arguments.tap_salesforce and arguments.tap_salesforce.resolve(),
            target_checkout=arguments.target_salesforce and arguments.target_salesforce.resolve(),
        )
        answers = []
        for name in arguments.questions or QUESTIONS:
            try:
                answers.append(QUESTIONS[name](bench))
            except Failed as error:
                _tell(f"{name}: {error}")
            else:
                _tell(f"\n{report.tables(answers[-1:])}")
    sys.stdout.write(f"\n{report.where_and_when(size)}\n\n{report.tables(answers)}")
    if arguments.write:
        report.write(answers, size=size)
    return 0 if len(answers) == len(arguments.questions or QUESTIONS) else 1


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
