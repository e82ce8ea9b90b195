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

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/companion.md").read_text(encoding="utf-8")
USER_PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")), *sorted(ROOT.glob("*-*/README.md"))]


def section(name: str) -> str:
    return PAGE.partition(f"\n## {name}\n")[2].partition("\n## ")[0]


def commands_of(name: str) -> list[click.Command]:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    return list(command.commands.values()) if isinstance(command, click.Group) else [command]


def test_every_command_has_its_section_and_every_option_its_help() -> None:
    """The page leaves the options to ``--help``, so that has to say what each does."""
    names = main.list_commands(click.Context(main))
    options = [
        each
        for name in names
        for command in commands_of(name)
        for each in command.params
        if isinstance(each, click.Option) and not isinstance(each.type, click.Choice)
    ]

    assert re.findall(r"^\| \[`(\w+)`\]", PAGE, re.MULTILINE) == re.findall(r"^## (\w+)$", PAGE, re.MULTILINE)
    assert sorted(names) == sorted(re.findall(r"^## (\w+)$", PAGE, re.MULTILINE))
    assert [option.name for option in options if not option.help] == []


def test_every_option_on_the_page_is_one_that_there_is() -> None:
    """In the text as well as in the examples."""
    commands = [command for name in main.list_commands(click.Context(main)) for command in commands_of(name)]
    in_code = {name for command in commands for option in command.params for name in option.opts} | {"--help"}

    assert set(re.findall(r"`(--[a-z-]+)", PAGE)) - in_code == set()


@pytest.mark.parametrize("page", USER_PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_in_the_text_of_a_page_are_understood(page: Path) -> None:
    """Each `salesforce-bulk …` between backticks, whatever the page."""
    for line in re.findall(r"`salesforce-bulk ((?:batches|check|jobs|report|retry|simulate)[^`]*)`", page.read_text()):
        understand(line)


def understand(line: str) -> None:
    """Parse a command line as the program would, without running it."""
    command, rest = main, line.split("#", maxsplit=1)[0].split()
    while isinstance(command, click.Group) and rest:
        found = command.get_command(click.Context(command), rest.pop(0))
        assert found is not None, line
        command = found
    if not isinstance(command, click.Group):
        unknown = {word for word in rest if word.startswith("--")} - {
            name for option in command.params for name in option.opts
        }
        assert unknown == set(), line
        command.make_context(line, rest, resilient_parsing=True)


@pytest.mark.parametrize("name", ["batches", "check", "jobs", "report", "retry", "simulate"])
def test_the_commands_on_the_page_are_ones_that_there_are(name: str) -> None:
    """Each line that a reader would type is understood."""
    lines = re.findall(r"^\$ salesforce-bulk (.+)$", section(name), re.MULTILINE)

    assert lines
    for line in lines:
        understand(line)


def test_the_examples_in_docstrings_are_true() -> None:
    """Every example of every module."""
    found = pkgutil.walk_packages(salesforce_bulk_companion.__path__, "salesforce_bulk_companion.")
    results = [doctest.testmod(importlib.import_module(module.name)) for module in found]

    assert sum(result.failed for result in results) == 0
    assert sum(result.attempted for result in results) >= 3
