"""docs/meltano.md, followed word for word, and the definitions in hub/ with which it begins."""

from __future__ import annotations

import doctest
import json
import os
import re
import subprocess
from pathlib import Path

import requests
import yaml
from salesforce_bulk_simulator import Org

from examples.nycflights13.sandbox import PROJECT
from hub import definitions
from hub.definitions import PLUGINS
from tests.end_to_end.conftest import BIN, Project
from tests.end_to_end.pages import Example, examples, run

PAGE = PROJECT / "docs" / "meltano.md"


def test_the_examples_in_the_docstrings_hold() -> None:
    """Each example of the script that writes the definitions gives what it says."""
    assert doctest.testmod(definitions).failed == 0


def test_a_project_of_ones_own_is_set_up(org: Org, url: str, tmp_path: Path) -> None:
    """Meltano takes both definitions, finds no fault, installs the plugins, and keeps settings and selection."""
    (tmp_path / "singer-salesforce-bulk").symlink_to(PROJECT)
    env = {
        **os.environ,
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "NO_COLOR": "1",
        "UV_SYSTEM_CERTS": os.environ.get("UV_SYSTEM_CERTS", "1"),  # as scripts/install does
        "TAP_SALESFORCE_BULK_LOGIN_URL": url,
        "TAP_SALESFORCE_BULK_CLIENT_ID": "sim-client",
        "TAP_SALESFORCE_BULK_CLIENT_SECRET": "sim-secret",
        "TAP_SALESFORCE_BULK_REFRESH_TOKEN": "sim-refresh",
        "TAP_SALESFORCE_BULK_STREAMS_TO_DISCOVER": '["Account"]',
    }
    add, install = examples(PAGE, section="In a project of your own")
    (settings,) = examples(PAGE, section="Settings")
    (selection,) = examples(PAGE, section="Which fields")
    lint = Example(language="console", text="$ meltano compile --lint\n")

    shop = tmp_path / "shop"
    project = shop / "meltano.yml"
    run(add, cwd=tmp_path, env=env)
    faults = run(lint, cwd=shop, env=env)
    by_name, by_path = "pip_url: singer-salesforce-bulk", "pip_url: -e ../singer-salesforce-bulk"
    project.write_text(project.read_text().replace(by_name, by_path))
    for example in (install, settings, selection):
        run(example, cwd=shop, env=env)

    assert "Compiled" in faults
    assert "::$" not in faults  # it would name the place as file::$.path
    for plugin in PLUGINS:
        command = shop / ".meltano" / plugin.type / plugin.name / "venv" / "bin" / plugin.name
        about = json.loads(subprocess.check_output([command, "--about", "--format=json"]))
        assert about["name"] == plugin.name
    tap = yaml.safe_load(project.read_text())["plugins"]["extractors"][0]
    assert tap["use_cached_catalog"] is False
    assert tap["config"] == {"start_date": "30 days ago", "soql_filters": {"Account": "Industry = 'Banking'"}}
    assert tap["select"] == ["Account.*", "!Account.Billing*"]
    assert tap["metadata"] == {"Account": {"replication-method": "FULL_TABLE"}}
    assert "4F1CE7D0" in (shop / ".env").read_text()
    assert "4F1CE7D0" not in project.read_text()


def test_schedules(project: Project) -> None:
    """A job gets a second schedule; Meltano tells what a scheduler has to run."""
    (schedules,) = examples(PAGE, section="Schedules")

    project.run(schedules)

    schedule = yaml.safe_load((project.folder / "meltano.yml").read_text())["schedules"][-1]
    assert schedule == {"name": "nightly-deletes", "interval": "0 3 * * *", "job": "deletes-to-salesforce"}


def test_the_environment_org_is_set_up_by_a_copy_of_env_example(org: Org, url: str, project: Project) -> None:
    """With the lines of one way to log in filled in, and the others left empty; for the plugins and the companion."""
    login = {"grant_type": "refresh_token", "client_id": "sim-client", "refresh_token": "sim-refresh"}
    token = requests.post(f"{url}/services/oauth2/token", data=login, timeout=10).json()["access_token"]
    example = (PROJECT / ".env.example").read_text(encoding="utf-8")
    filled_in = example.replace("_ACCESS_TOKEN=", f"_ACCESS_TOKEN={token}").replace(
        "_INSTANCE_URL=", f"_INSTANCE_URL={url}"
    )
    (project.folder / ".env").write_text(filled_in)
    (check,) = examples(PAGE, section="Your own org")

    project.run(check)

    files = ("meltano.yml", "plugins/postgres.meltano.yml")
    variables = re.findall(r"\$(\w+)", "".join((PROJECT / name).read_text(encoding="utf-8") for name in files))
    assert set(re.findall(r"^(\w+)=", example, re.MULTILINE)) == set(variables)
