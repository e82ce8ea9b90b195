"""Changes one thing at a time in the modules where a mistake costs records, and shows which changes no test notices.

Each mutant is recorded as soon as it is tried; the same command resumes. Changes that alter nothing for anybody are
listed in tests/mutants/equivalent.toml, and what is tried in tests/mutants/modules.py.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import tomllib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tests.mutants.modules import PROJECT
from tests.mutants.mutations import Mutant, sample
from tests.mutants.trials import Project, Trial, run_all


class TestsFail(Exception):
    """The tests say nothing of mutants."""


class Session:
    """What is known of mutants, in a file of one JSON object a line; the last line for a mutant counts."""

    def __init__(self, file: Path) -> None:
        self._file = file
        lines = file.read_text("utf-8").splitlines() if file.exists() else []
        self.survived: dict[str, bool] = {e["key"]: e["survived"] for e in map(json.loads, lines)}

    def add(self, mutant: Mutant, *, survived: bool) -> None:
        """Record one at once."""
        self.survived[mutant.key] = survived
        with self._file.open("a", encoding="utf-8") as file:
            file.write(
                json.dumps({"key": mutant.key, "path": mutant.path, "survived": survived, "diff": mutant.diff}) + "\n"
            )


def try_mutants(project: Project, module: str, mutants: list[Mutant], *, jobs: int, session: Session) -> None:
    """Try each mutant, once the tests are known to pass without it and to fail on a broken copy."""
    with tempfile.TemporaryDirectory() as folder:
        trial = partial(Trial, project, module, durations=Path(folder) / "durations.json")
        original = (project.root / project.modules[module][0]).read_text("utf-8")
        passed, seconds, output = _run_one(partial(trial, original, timeout_s=600))
        if not passed:
            raise TestsFail(f"{module}: its tests fail without a mutant:\n{output}")
        if _run_one(partial(trial, "raise SystemExit('broken')\n", timeout_s=600))[0]:
            raise TestsFail(
                f"{module}: its tests pass on a file that cannot be imported, so they do not see the mutants"
            )
        _say(f"{module}: {len(mutants)} to try, the tests take {seconds:.1f} s")

        def record(index: int, passed: bool, seconds: float, output: str) -> None:  # noqa: FBT001
            session.add(mutants[index], survived=passed)
            word = "survived" if passed else "killed"
            _say(f"  {word:8} {seconds:5.1f} s  {' -> '.join(mutants[index].change)}")

        begin = [partial(trial, mutant.source, timeout_s=max(10, 5 * seconds)) for mutant in mutants]
        run_all(begin, jobs=jobs, when_over=record)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _run_one(begin: Callable[[], Trial]) -> tuple[bool, float, str]:
    results: list[tuple[bool, float, str]] = []
    run_all([begin], jobs=1, when_over=lambda _, passed, seconds, output: results.append((passed, seconds, output)))
    return results[0]


def main(words: list[str] | None = None, *, project: Project = PROJECT) -> int:
    """Try the mutants that were asked for, and print the survivors."""
    parser = argparse.ArgumentParser(prog="scripts/mutants", description=__doc__)
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=f"of {', '.join(project.modules)}; all by default")
    parser.add_argument("--sample", type=int, default=25, help="how many mutants of each module (25)")
    parser.add_argument("--seed", type=int, default=1, help="another seed makes another sample (1)")
    parser.add_argument("--jobs", type=int, default=1, help="how many are tried at once (1)")
    parser.add_argument(
        "--state", type=Path, default=project.root / ".mutants.jsonl", help="where results are kept (.mutants.jsonl)"
    )
    parser.add_argument("--fresh", action="store_true", help="forget all results in that file")
    parser.add_argument("--again", action="store_true", help="try survivors again, as after adding a test")
    arguments = parser.parse_args(words)
    if unknown := set(arguments.modules) - set(project.modules):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; tests/mutants/modules.py lists the modules")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if arguments.fresh:
        arguments.state.unlink(missing_ok=True)
    session = Session(arguments.state)
    samples = {}
    try:
        for module in arguments.modules or project.modules:
            path = project.modules[module][0]
            mutants = sample(
                project.root, path, size=arguments.sample, seed=arguments.seed, equivalent=equivalent(module)
            )
            left = [
                m
                for m in mutants
                if session.survived.get(m.key, True) and (arguments.again or m.key not in session.survived)
            ]
            if left:
                try_mutants(project, module, left, jobs=arguments.jobs, session=session)
            samples[module] = mutants
    except (TestsFail, FileNotFoundError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    report(samples, session)
    return 0


def equivalent(module: str) -> set[tuple[str, str]]:
    """The changes of a module that alter nothing."""
    listed: list[dict[str, Any]] = tomllib.loads(Path(__file__).with_name("equivalent.toml").read_text("utf-8")).get(
        "mutant", []
    )
    return {(entry["line"], entry["becomes"]) for entry in listed if entry["module"] == module}


def report(samples: dict[str, list[Mutant]], session: Session) -> None:
    """Print killed/made of each module, and the diffs of the survivors."""
    survivors = {module: [m for m in mutants if session.survived[m.key]] for module, mutants in samples.items()}
    for module in samples:
        for mutant in survivors[module]:
            _say(f"\n{module}: survived\n{mutant.diff}")
    for module, mutants in samples.items():
        _say(f"{module:16} {len(mutants) - len(survivors[module])}/{len(mutants)}")
    made, alive = (sum(map(len, group.values())) for group in (samples, survivors))
    _say(f"{'all':16} {made - alive}/{made} killed, {100 * (made - alive) / max(made, 1):.0f} %")


if __name__ == "__main__":
    sys.exit(main())
