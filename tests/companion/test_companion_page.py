"""docs/companion.md and the commands say the same."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import click
import pytest
import salesforce_bulk_companion
from salesforce_bulk_companion.command import main

PAGE = (Path(__file__).parents[2] / "docs/companion.md").read_text(encoding="utf-8")


def section(name: str) -> str:
    return PAGE.partition(f"\n## {name}\n")[2].partition("\n## ")[0]


def commands_of(name: str) -> list[click.Command]:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    return list(command.commands.values()) if isinstance(command, click.Group) else [command]


@pytest.mark.parametrize("name", ["check", "jobs", "report", "retry"])
def test_every_option_is_on_the_page_and_the_page_has_no_others(name: str) -> None:
    """In the table of the command's section; each has help, too."""
    options = [each for command in commands_of(name) for each in command.params if isinstance(each, click.Option)]
    in_code = {option.opts[-1] for option in options if option.opts[-1].startswith("--")}
    rows = [line.split("|")[1] for line in section(name).splitlines() if line.startswith("| `--")]
    on_page = {each for row in rows for each in re.findall(r"`(--[a-z-]+)`", row)}

    assert on_page == in_code
    assert [option.name for option in options if not option.help and not isinstance(option.type, click.Choice)] == []


@pytest.mark.parametrize("name", ["check", "jobs", "report", "retry", "simulate"])
def test_the_commands_on_the_page_are_ones_that_there_are(name: str) -> None:
    """Each line that a reader would type is understood."""
    lines = re.findall(r"^\$ salesforce-bulk (.+)$", section(name), re.MULTILINE)

    assert lines
    for line in lines:
        command, rest = main, line.split()
        while isinstance(command, click.Group):
            found = command.get_command(click.Context(command), rest.pop(0))
            assert found is not None, line
            command = found
        command.make_context(line, rest, resilient_parsing=True)


def test_the_examples_in_docstrings_are_true() -> None:
    """Every example of every module."""
    found = pkgutil.walk_packages(salesforce_bulk_companion.__path__, "salesforce_bulk_companion.")
    results = [doctest.testmod(importlib.import_module(module.name)) for module in found]

    assert sum(result.failed for result in results) == 0
    assert sum(result.attempted for result in results) > 3
