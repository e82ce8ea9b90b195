"""The project's meltano.yml: it fits the plugins, and it takes real data to Salesforce and back."""

from __future__ import annotations

import json
import os
import re
import subprocess
from contextlib import nullcontext
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from filelock import FileLock
from salesforce_bulk_simulator import Org

from examples.nycflights13.changes import change_salesforce, change_warehouse
from examples.nycflights13.rounds import Rows, run_round
from examples.nycflights13.sandbox import PROJECT, running_sandbox
from examples.nycflights13.verdict import Verdict
from examples.nycflights13.warehouse import fill_warehouse
from hub.definitions import PLUGINS, Plugin, definition, settings_in_project, settings_of_companion
from tests.end_to_end.conftest import BIN, Project, install_plugins
from tests.end_to_end.pages import Example, examples

PAGE = PROJECT / "docs" / "meltano.md"
WRITE_AGAIN = "meltano.yml is written anew by python -m hub.definitions"
SECRETS = {"client_secret", "refresh_token", "password", "security_token", "private_key", "access_token"}


def no_step(_what: str, _rows: Rows | None) -> nullcontext[None]:
    """Shows nothing."""
    return nullcontext()


def plugin_of(kind: str, name: str) -> dict[str, Any]:
    """A plugin's definition in meltano.yml."""
    project = yaml.safe_load((PROJECT / "meltano.yml").read_text(encoding="utf-8"))
    (found,) = (each for each in project["plugins"][kind] if each["name"] == name)
    return dict(found)


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: plugin.name)
def test_every_setting_of_a_plugin_is_known_to_meltano(plugin: Plugin) -> None:
    """With its kind, default and meaning, and whether it is secret; one that is missing could not be a variable."""
    in_hub = definition(plugin.about())
    in_project = plugin_of(plugin.type, plugin.name)

    assert in_project["settings"] == settings_in_project(in_hub), WRITE_AGAIN
    assert in_project["settings_group_validation"] == in_hub["settings_group_validation"]
    assert set(in_project["capabilities"]) == set(in_hub["capabilities"])
    assert {each["name"] for each in in_project["settings"] if each.get("sensitive")} == SECRETS


def test_the_companion_is_known_to_meltano() -> None:
    """Its settings are the connection's, handed over in the plugins' own variables; its commands are those it has."""
    companion = plugin_of("utilities", "salesforce-bulk")
    help_text = subprocess.check_output([BIN / "salesforce-bulk", "--help"], text=True)

    assert companion["settings"] == settings_of_companion(), WRITE_AGAIN
    assert {each["name"] for each in companion["settings"] if each.get("sensitive")} == SECRETS
    assert set(companion["commands"]) == set(re.findall(r"^  ([a-z]+)  ", help_text, re.MULTILINE))


def test_meltano_finds_no_fault_in_the_project(tmp_path: Path) -> None:
    """Meltano's own linter has nothing to say; it would name the place as ``file::$.path``."""
    command = [BIN / "meltano", "compile", "--lint", "--directory", tmp_path]
    own_database = {"MELTANO_DATABASE_URI": f"sqlite:///{tmp_path}/meltano.db"}  # others make the project's

    done = subprocess.run(
        command, cwd=PROJECT, env=os.environ | own_database, capture_output=True, text=True, check=False
    )
    report = done.stdout + done.stderr

    assert done.returncode == 0, report
    assert "meltano-manifest.dev.json" in report
    assert "::$" not in report


def test_the_companion_asks_the_server_that_the_tap_asks(project: Project, url: str) -> None:
    """A variable that leads the tap elsewhere than ``meltano.yml`` leads the companion there, too."""
    printed = project.run(Example(language="console", text="$ meltano invoke salesforce-bulk:check\n"))

    assert re.search(rf"Instance +{url}\n", printed)


def test_a_load_is_silent_and_its_report_names_meltanos_command(org: Org, project: Project) -> None:
    """The columns that go nowhere are no warning; the command that the report names loads what was refused."""
    columns = ["id", "name", "industry", "employees", "website", "updated_at"]
    schema = {"properties": {name: {"type": ["string", "null"]} for name in columns}}
    record = dict.fromkeys(columns) | {"id": "A-1"}
    messages: list[dict[str, Any]] = [
        {"type": "SCHEMA", "stream": "warehouse-accounts", "key_properties": ["id"], "schema": schema},
        {"type": "RECORD", "stream": "warehouse-accounts", "record": record},
    ]
    (project.folder / "one.singer.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in messages))
    settings = {"MELTANO_ENVIRONMENT": "postgres", "NO_COLOR": "1"}
    project = replace(project, variables={**project.variables, **settings})
    text = (
        "$ meltano invoke target-salesforce-bulk --input one.singer.jsonl || true\n"
        "$ meltano invoke salesforce-bulk:report --format text\n"
    )

    printed = project.run(Example(language="console", text=text))
    (command,) = re.findall(r"^ +(meltano .*)$", printed, re.MULTILINE)
    (failed,) = (project.folder / "salesforce" / "logs").glob("failed-*")
    failed.write_text(re.sub(r'"name": ?null', '"name": "Ada"', failed.read_text()))
    project.run(Example(language="console", text=f"$ {command}\n"))

    assert "1 failed" in printed
    assert "warn" not in printed.lower()
    assert command == f"meltano --environment=postgres invoke target-salesforce-bulk --input {failed}"
    assert [row["Name"] for row in org.rows("Account")] == ["Ada"]


def test_refused_records_are_listed_and_loaded_again_as_the_page_says(org: Org, project: Project) -> None:
    """The list needs no settings; ``retry`` takes the target's, as Meltano writes them."""
    schema = {"properties": {name: {"type": ["string", "null"]} for name in ("id", "name")}}
    messages: list[dict[str, Any]] = [
        {"type": "SCHEMA", "stream": "warehouse-accounts", "key_properties": ["id"], "schema": schema},
        {"type": "RECORD", "stream": "warehouse-accounts", "record": {"id": "A-1", "name": None}},
    ]
    (project.folder / "one.singer.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in messages))
    settings = {"MELTANO_ENVIRONMENT": "postgres", "NO_COLOR": "1"}
    project = replace(project, variables={**project.variables, **settings})
    listing, again = examples(PAGE, section="Refused records")
    load = "$ meltano invoke target-salesforce-bulk --input one.singer.jsonl || true\n"
    project.run(Example(language="console", text=load))

    project.run(replace(listing, text=listing.text.replace("--list", "--list || true")))
    org.insert("Account", [{"Name": "Ada", "External_Id__c": "A-1"}])  # now an update, to which no name is nothing new
    project.run(again)

    assert not (project.folder / "target.json").exists()
    left = project.run(Example(language="console", text="$ meltano invoke salesforce-bulk:retry --list\n"))
    assert "no record is outstanding" in left


def test_a_warehouse_goes_to_salesforce_and_back(tmp_path: Path) -> None:
    """A day of flights, twice: all rows, then only those that changed; each is back and equal, or refused."""
    # Meltano itself keeps two runs of one project apart no better than by failing.
    with FileLock(PROJECT / ".demo.lock", timeout=600), running_sandbox(tmp_path / "sandbox") as sandbox:
        fill_warehouse(sandbox.database_url, last_day=date(2013, 1, 1))
        install_plugins()
        first = run_round(sandbox, number=1, step=no_step)
        flights, to_san_juan = change_warehouse(sandbox.database_url)
        with sandbox.salesforce() as client:
            change_salesforce(client, flights=flights)
        second = run_round(sandbox, number=2, step=no_step)
        log = "".join(path.read_text() for path in sandbox.logs.glob("2-*.log"))

    assert "Run completed" in log
    assert "[warning" not in log
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
