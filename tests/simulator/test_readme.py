"""The README is held to the code."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from salesforce_bulk_simulator import Fault
from salesforce_bulk_simulator.cli import main
from salesforce_bulk_simulator.controls import FAULTS
from salesforce_bulk_simulator.http.fault_queue import OPERATIONS
from salesforce_bulk_simulator.switches import Switches

README = Path(__file__).parents[2] / "salesforce-bulk" / "README.md"


@pytest.mark.parametrize("switch", fields(Switches), ids=lambda switch: switch.name)
def test_every_switch_is_documented(switch: object) -> None:
    """With its default and its meaning."""
    name, default, metadata = (getattr(switch, key) for key in ("name", "default", "metadata"))

    assert f"| `{name}` | {default!r} | {metadata['help']} |" in README.read_text(encoding="utf-8")


def test_every_option_fault_and_operation_is_documented() -> None:
    """By name."""
    text = README.read_text(encoding="utf-8")
    switches = {switch.name for switch in fields(Switches)}

    for option in main.params:
        assert option.name in switches or f"`{option.opts[0]}" in text
    for fault in FAULTS:
        assert hasattr(Fault, fault)
        assert f".{fault}(" in text
    for operation in OPERATIONS:
        assert f"`{operation}`" in text


def test_the_pytest_recipe_works(tmp_path: Path) -> None:
    """Copied into a project of its own."""
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    (fixtures,) = [block for block in blocks if "@pytest.fixture" in block]
    (test,) = [block for block in blocks if "def test_" in block]
    (tmp_path / "conftest.py").write_text(fixtures)
    (tmp_path / "test_recipe.py").write_text(test)

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_the_notes_name_what_is_in_the_code() -> None:
    """Every file, every name in it, and every switch."""
    text = (README.parents[1] / "docs" / "contributing" / "salesforce-notes.md").read_text(encoding="utf-8")
    package = README.parent / "salesforce_bulk_simulator"
    named = re.findall(r"`([\w/]+\.py)` ((?:`\w+`(?:, )?)+)", text)
    switches = re.findall(r"switch `(\w+)`", text)

    assert len(named) > 50
    for path, names in named:
        for name in re.findall(r"\w+", names):
            assert re.search(rf"\b{name}\b", (package / path).read_text(encoding="utf-8")), (path, name)
    assert set(switches) <= {switch.name for switch in fields(Switches)}
