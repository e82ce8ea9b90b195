"""``salesforce-bulk simulate``: the simulator's own program under another name."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from .conftest import Run

PROJECT = Path(__file__).parents[2]


def test_it_starts_a_simulator_with_a_config_that_fits(folder: Path) -> None:
    """What it prints is a config with which check finds the rows that were asked for."""
    program = Path(sys.executable).parent / "salesforce-bulk"
    command = [program, "simulate", "--port", "0", "--rows", "Contact=3"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as simulator:
        assert simulator.stdout is not None
        simulator.stdout.readline()
        (folder / "config.json").write_text(simulator.stdout.readline())
        check = [program, "check", "--config", "config.json", "--stream", "Contact", "--format", "json"]
        done = subprocess.run(check, capture_output=True, text=True, check=True)
        simulator.terminate()

    assert simulator.returncode == 0
    assert json.loads(done.stdout)["streams"][0]["records"] == 3


def test_its_help_is_the_simulators(bare: Run) -> None:
    """With all its options."""
    done = bare("simulate", "--help")

    assert done.exit_code == 0
    assert "--rows OBJECT=COUNT" in done.stdout
    assert "--token-life-s" in done.stdout


@pytest.mark.parametrize(
    ("script", "arguments"), [("salesforce-bulk", ["simulate"]), ("salesforce-bulk-simulator", [])]
)
def test_without_the_extra_it_is_named(script: str, arguments: list[str]) -> None:
    """Where the simulator's own dependencies are not installed: one line, by either name."""
    scripts = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["scripts"]
    module, _, function = scripts[script].partition(":")
    program = f"import sys; sys.modules['starlette'] = None; from {module} import {function}; {function}()"

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", program, *arguments, *more]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    started, about = run("--rows", "Account=3"), run("--help")

    assert started.returncode == 1
    (line,) = started.stderr.splitlines()
    assert line.startswith('Error: the simulator is an extra: install "singer-salesforce-bulk[simulator]"')
    assert about.returncode == 0
    assert "Not installed" in about.stdout
