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
from meltano.core.plugin.base import StandalonePlugin
from salesforce_bulk_simulator import Org

from examples.nycflights13.changes import change_salesforce, change_warehouse
from examples.nycflights13.rounds import Rows, run_round
from examples.nycflights13.sandbox import PROJECT, running_sandbox
from examples.nycflights13.verdict import Verdict
from examples.nycflights13.warehouse import fill_warehouse
from hub.definitions import COMPANION, DEFINED, Plugin
from tests.end_to_end.conftest import BIN, MELTANO_FILES, Project, install_plugins
from tests.end_to_end.pages import Example, examples

PAGE = PROJECT / "docs" / "meltano.md"
SECRETS = {"client_secret", "refresh_token", "password", "security_token", "private_key", "access_token"}


def no_step(_what: str, _rows: Rows | None) -> nullcontext[None]:
    """Shows nothing."""
    return nullcontext()


@pytest.mark.parametrize("plugin", DEFINED, ids=lambda plugin: plugin.name)
def test_the_definitions_are_those_of_the_installed_plugins(plugin: Plugin) -> None:
    """In the Hub's form and as Meltano's lock file: each setting's kind, default, meaning, and whether it is secret."""
    texts = plugin.texts()

    assert {path: path.read_text(encoding="utf-8") for path in texts} == texts, "run python -m hub.definitions"
    assert {each["name"] for each in plugin.definition()["settings"] if each.get("sensitive")} == SECRETS


def test_meltano_reads_a_lock_file_as_it_would_have_written_it() -> None:
    """Nothing in it is unknown to Meltano, and nothing is read as something else."""
    for plugin in DEFINED:
        locked = json.loads(plugin.lock_file.read_text(encoding="utf-8"))
        read = StandalonePlugin.parse(locked).canonical()

        assert json.loads(json.dumps(read)) == locked


def test_the_companion_has_the_commands_that_meltano_knows() -> None:
    """And no others."""
    (companion,) = (plugin.definition() for plugin in DEFINED if plugin.name == COMPANION)
    help_text = subprocess.check_output([BIN / COMPANION, "--help"], text=True)

    assert set(companion["commands"]) == set(re.findall(r"^  ([a-z]+)  ", help_text, re.MULTILINE))


def test_the_project_is_in_the_files_that_are_copied() -> None:
    """What meltano.yml includes, and a lock file for each of our plugins."""
    project = yaml.safe_load((PROJECT / "meltano.yml").read_text(encoding="utf-8"))
    needed = [*project["include_paths"], *(str(plugin.lock_file.relative_to(PROJECT)) for plugin in DEFINED)]

    assert all(any(path == each or path.startswith(f"{each}/") for each in MELTANO_FILES) for path in needed)
    assert all((PROJECT / path).is_file() for path in needed)


def test_what_meltano_writes_goes_to_the_files_that_people_edit(project: Project) -> None:
    """Each to its own: no lock file changes, no entry moves from one file to another, and Meltano still takes them."""
    before = contents(project.folder)
    commands = (
        "$ meltano config set tap-salesforce-bulk page_size 7\n"
        "$ meltano --environment=dev config set target-salesforce-bulk batch_size_rows 8\n"
        "$ meltano schedule add nightly --job deletes-to-salesforce --interval '0 3 * * *'\n"
        "$ meltano add tap-postgres-more --inherit-from tap-postgres --no-install\n"
        "$ meltano --environment=dev config print target-salesforce-bulk\n"
        '  "batch_size_rows": 8,\n'
        "$ meltano --environment=postgres config print tap-salesforce-bulk\n"
        '  "page_size": 7,\n'
        "$ meltano compile --lint\n"
    )

    printed = project.run(Example(language="console", text=commands))
    after = contents(project.folder)
    main, dev = before["meltano.yml"], before["examples/nycflights13/dev.meltano.yml"]
    main["plugins"]["extractors"][0]["config"] = {"page_size": 7}
    main["plugins"]["extractors"].append({"name": "tap-postgres-more", "inherit_from": "tap-postgres"})
    main["schedules"].append({"name": "nightly", "interval": "0 3 * * *", "job": "deletes-to-salesforce"})
    dev["environments"][0]["config"]["plugins"]["loaders"][0]["config"]["batch_size_rows"] = 8

    assert (
        after.pop("plugins/extractors/tap-postgres.lock")["name"] == "tap-postgres"
    )  # Meltano's, of what is inherited
    assert after == before
    assert "::$" not in printed


def contents(folder: Path) -> dict[str, Any]:
    """What the files of the Meltano project in a folder say."""
    paths = [*folder.glob("*.yml"), *folder.glob("plugins/**/*.*"), *folder.glob("examples/**/*.yml")]
    return {str(path.relative_to(folder)): yaml.safe_load(path.read_text(encoding="utf-8")) for path in paths}


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
