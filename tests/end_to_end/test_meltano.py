"""The project's meltano.yml: it fits the plugins, and it takes real data to Salesforce and back."""

from __future__ import annotations

import json
import subprocess
from contextlib import nullcontext
from datetime import date
from pathlib import Path

import pytest
import yaml
from filelock import FileLock

from examples.nycflights13.changes import change_salesforce, change_warehouse
from examples.nycflights13.processes import CommandFailed
from examples.nycflights13.rounds import run_round
from examples.nycflights13.sandbox import PLUGINS, PROJECT, running_sandbox
from examples.nycflights13.verdict import Verdict
from examples.nycflights13.warehouse import fill_warehouse
from tests.end_to_end.conftest import BIN

COMMANDS = {"extractors": "tap-salesforce-bulk", "loaders": "target-salesforce-bulk"}


@pytest.mark.parametrize("kind", COMMANDS)
def test_every_setting_of_a_plugin_is_known_to_meltano(kind: str) -> None:
    """A setting that meltano.yml does not name could not be set by an environment variable."""
    project = yaml.safe_load((PROJECT / "meltano.yml").read_text())
    (plugin,) = (plugin for plugin in project["plugins"][kind] if plugin["name"] == COMMANDS[kind])
    about = json.loads(subprocess.check_output([BIN / COMMANDS[kind], "--about", "--format=json"]))

    properties = about["settings"]["properties"]
    in_meltano = {setting["name"]: setting for setting in plugin["settings"]}
    assert set(in_meltano) == set(properties)
    assert {name for name, setting in in_meltano.items() if setting.get("sensitive")} == {
        name for name, schema in properties.items() if schema.get("writeOnly")
    }


def test_meltano_finds_no_fault_in_the_project(tmp_path: Path) -> None:
    """Meltano's own linter has nothing to say; it would name the place as ``file::$.path``."""
    command = [BIN / "meltano", "compile", "--lint", "--directory", tmp_path]

    report = subprocess.check_output(command, cwd=PROJECT, stderr=subprocess.STDOUT, text=True)

    assert "meltano-manifest.dev.json" in report
    assert "::$" not in report


def test_a_warehouse_goes_to_salesforce_and_back(tmp_path: Path) -> None:
    """A day of flights, twice: all rows, then only those that changed; each is back and equal, or refused."""
    # Meltano itself keeps two runs of one project apart no better than by failing.
    with FileLock(PROJECT / ".demo.lock", timeout=600), running_sandbox(tmp_path / "sandbox") as sandbox:
        fill_warehouse(sandbox.database_url, last_day=date(2013, 1, 1))
        try:
            sandbox.meltano("install", *PLUGINS, log="install.log")
        except CommandFailed as error:
            # See run_uv in conftest.py.
            if "error sending request" in str(error):
                pytest.skip(f"the package registry cannot be reached: {error}")
            raise
        first = run_round(sandbox, number=1, step=nullcontext)
        flights, to_san_juan = change_warehouse(sandbox.database_url)
        with sandbox.salesforce() as client:
            change_salesforce(client, flights=flights)
        second = run_round(sandbox, number=2, step=nullcontext)

    assert {table: dict(counts) for table, counts in first.outcomes.counts.items()} == {
        "airlines": {"created": 16},
        "airports": {"created": 1458},
        "planes": {"created": 3322},
        "flights": {"created": 676, "failed": 166},
    }
    assert first.verdicts[3] == Verdict(
        table="flights", in_warehouse=842, refused=166, back=676, deleted=0, equal=676, different=0, lost=0
    )
    assert to_san_juan == 20
    # The last row of each table comes again, because its own moment is the bookmark.
    assert {table: dict(counts) for table, counts in second.outcomes.counts.items()} == {
        "airlines": {"updated": 1},
        "airports": {"created": 1, "updated": 1},
        "planes": {"updated": 1},
        "flights": {"created": 15, "updated": 2, "failed": 5},
    }
    assert second.verdicts == [
        Verdict(table="airlines", in_warehouse=16, refused=0, back=16, deleted=0, equal=15, different=1, lost=0),
        Verdict(table="airports", in_warehouse=1459, refused=0, back=1459, deleted=0, equal=1459, different=0, lost=0),
        Verdict(table="planes", in_warehouse=3322, refused=0, back=3322, deleted=0, equal=3322, different=0, lost=0),
        Verdict(table="flights", in_warehouse=842, refused=151, back=690, deleted=1, equal=690, different=0, lost=0),
    ]
