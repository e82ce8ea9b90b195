"""The mutants themselves: a tiny package with a good and a bad test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mutants.__main__ import main
from tests.mutants.mutations import sample
from tests.mutants.trials import HERE, Project

SUMS = '''"""Sums."""

import logging

logger = logging.getLogger(__name__)
PATIENCE_S = 60 + 1


def tested(a: int | None, b: int) -> int:
    """Add, as a test holds."""
    return (a or 0) + b


def untested(a: int, b: int) -> int:
    """Subtract, which no test asserts."""
    logger.info("subtract", extra={"a": a + 1})
    return a - b


def nothing() -> None:
    """Return what a function returns by itself."""
    return None
'''

TESTS = """
import subprocess, sys
import tiny_sums

def test_that_can_fail():
    assert tiny_sums.tested(1, 2) == 3
    assert tiny_sums.tested(None, 2) == 2

def test_that_cannot_fail():
    tiny_sums.untested(1, 2)

def test_in_a_process_of_its_own():
    subprocess.run([sys.executable, "-c", "from tiny_sums import tested; assert tested(1, 2) == 3"], check=True)
"""


TOTAL = "all              2/3 killed, 67 %"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """One module, whose source stands in a hyphenated folder."""
    for file, text in {"tiny-sums/tiny_sums.py": SUMS, "checks/test_sums.py": TESTS}.items():
        (tmp_path / file).parent.mkdir()
        (tmp_path / file).write_text(text)
    before = signal.getsignal(signal.SIGTERM)
    yield Project(
        root=tmp_path, package_folders=("tiny-sums",), modules={"sums": ("tiny-sums/tiny_sums.py", "checks/test_*.py")}
    )
    signal.signal(signal.SIGTERM, before)


def changes(project: Project, **options: object) -> set[tuple[str, str]]:
    settings = {"size": 100, "seed": 1, "equivalent": set(), **options}
    return {mutant.change for mutant in sample(project.root, "tiny-sums/tiny_sums.py", **settings)}  # type: ignore[arg-type]


def test_only_what_behaves_is_changed(project: Project) -> None:
    """Annotations, docstrings, log lines and constants stay; so does what compiles to the same, or is listed."""
    listed = ("return a - b", "pass")

    found = changes(project) | changes(project, seed=2) | changes(project, seed=3)

    lines = {"return (a or 0) + b", "return a - b"}
    assert {line for line, _ in found} == lines
    assert listed in found
    assert listed not in changes(project, equivalent={listed})


def test_a_sample_is_the_same_again(project: Project) -> None:
    """A seed makes one sample, of the size asked for."""
    assert len(changes(project, size=2)) == 2
    assert changes(project, size=2) == changes(project, size=2)


def test_survivors_are_shown_and_the_source_is_not_touched(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """A change that a test sees is killed, one that none sees is shown as a diff; a run that was cut off resumes."""
    state = project.root / ".mutants.jsonl"
    assert main(["--sample=3", "--jobs=2"], project=project) == 0
    first = capsys.readouterr().out
    results = state.read_text().splitlines(keepends=True)
    state.write_text("".join(results[:-1]))
    assert main(["--sample=3"], project=project) == 0
    resumed = capsys.readouterr().out
    assert main(["--sample=3"], project=project) == 0
    last = capsys.readouterr().out

    assert "-    return a - b\n" in first
    assert "-    return (a or 0) + b\n" not in first
    assert "sums: 1 to try" in resumed
    assert "to try" not in last
    assert sorted(state.read_text().splitlines(keepends=True)) == sorted(results)
    assert first.splitlines()[-1] == resumed.splitlines()[-1] == last.splitlines()[-1] == TOTAL
    assert (project.root / "tiny-sums/tiny_sums.py").read_text() == SUMS


def test_tests_that_fail_by_themselves_stop_it(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is said of mutants then."""
    (project.root / "checks/test_more.py").write_text("def test_broken():\n    assert False\n")

    assert main([], project=project) == 1
    assert "sums: its tests fail without a mutant" in capsys.readouterr().err


def test_tests_that_do_not_see_the_copy_stop_it(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """Else each mutant would survive."""
    (project.root / "checks/test_sums.py").write_text("def test_nothing():\n    pass\n")

    assert main([], project=project) == 1
    assert "do not see the mutants" in capsys.readouterr().err


def test_what_was_started_ends_with_the_run(project: Project) -> None:
    """SIGTERM stops the tests that run, and their processes."""
    mark = project.root / "mark"
    (project.root / "checks/test_sums.py").write_text(
        "import os, pathlib, time\nimport tiny_sums\n\ndef test_hangs():\n"
        f"    pathlib.Path({str(mark)!r}).write_text(str(os.getpid()))\n    time.sleep(600)\n"
    )
    arguments = f"root=pathlib.Path({str(project.root)!r}), package_folders=('tiny-sums',), modules={project.modules!r}"
    code = (
        "import pathlib; from tests.mutants.__main__ import main; from tests.mutants.trials import Project\n"
        f"main([], project=Project({arguments}))"
    )
    driver = subprocess.Popen([sys.executable, "-c", code], cwd=HERE)
    while not mark.exists() or not mark.read_text():
        time.sleep(0.02)

    driver.send_signal(signal.SIGTERM)

    assert driver.wait(20) == 143
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)
