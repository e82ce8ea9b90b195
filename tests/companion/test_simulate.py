"""``salesforce-bulk simulate``: the simulator's own program under another name."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from .conftest import Run


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


def test_without_the_extra_it_is_named() -> None:
    """Where the simulator's own dependencies are not installed."""
    program = "import sys; sys.modules['starlette'] = None; from salesforce_bulk_companion.command import main; main()"

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)

    started, about = run("simulate", "--rows", "Account=3"), run("simulate", "--help")

    assert started.returncode == 1
    assert 'Error: the simulator is an extra: pip install "singer-salesforce-bulk[simulator]"' in started.stderr
    assert about.returncode == 0
    assert "pip install" in about.stdout
