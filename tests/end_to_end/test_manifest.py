"""Each plugin's manifest.yaml says what the plugin says of itself."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest
import yaml

from examples.nycflights13.sandbox import PROJECT
from hub.definitions import PLUGINS, Plugin, ways_to_log_in

PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(params=PLUGINS, ids=lambda plugin: plugin.name)
def plugin(request: pytest.FixtureRequest) -> Plugin:
    """The tap, then the target."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def manifest(plugin: Plugin) -> dict[str, Any]:
    """Its manifest."""
    content: dict[str, Any] = yaml.safe_load((PROJECT / plugin.name / "manifest.yaml").read_text(encoding="utf-8"))
    return content


def test_its_id_is_its_taxonomy(manifest: dict[str, Any]) -> None:
    """Five layers, in order; both plugins are of one system, and tell their kinds of jobs apart."""
    assert list(manifest["taxonomy"]) == ["origin", "source", "provider", "product", "method"]
    assert manifest["id"] == "::".join(["conn", *manifest["taxonomy"].values()])
    assert (
        manifest["id"]
        == "conn::enterprise-connectors::crm::salesforce::cloud::"
        + {
            "tap": "bulk",
            "target": "bulk_ingest",
        }[manifest["kind"]]
    )


def test_it_tells_how_to_start_the_plugin(manifest: dict[str, Any], plugin: Plugin) -> None:
    """Package, version, Python and command are those of pyproject.toml."""
    runtime = manifest["runtime"]

    assert manifest["version"] == PYPROJECT["version"]
    assert runtime["dependencies"] == [f"{PYPROJECT['name']}=={PYPROJECT['version']}"]
    assert runtime["python"] == PYPROJECT["requires-python"]
    assert runtime["executable"] == plugin.name
    assert runtime["executable"] in PYPROJECT["scripts"]


def test_it_agrees_with_about(manifest: dict[str, Any], plugin: Plugin) -> None:
    """Description, capabilities, secrets, ways to log in, and the defaults that bound a run."""
    about = plugin.about()
    settings = about["settings"]["properties"]
    defaults = {name: schema.get("default") for name, schema in settings.items()}

    assert manifest["description"] == about["description"]
    assert manifest["runtime"]["capabilities"] == sorted(about["capabilities"])
    assert manifest["runtime"]["max_parallelism"] == defaults["max_concurrent_jobs"]
    assert manifest["runtime"]["timeout"] == defaults["job_timeout_s"] * (1 + defaults.get("job_retries", 0))
    assert manifest["settings"]["secret"] == [name for name, schema in settings.items() if schema.get("writeOnly")]
    assert manifest["settings"]["one_of"] == ways_to_log_in()
    assert manifest["streams"]["selection"] in settings
    assert set(manifest["state"]["keep_between_runs"]) < set(settings)


def test_its_exit_codes_are_the_readmes(manifest: dict[str, Any], plugin: Plugin) -> None:
    """All of them, and no others."""
    readme = (PROJECT / plugin.name / "README.md").read_text(encoding="utf-8").partition("## Exit codes")[2]
    rows = re.findall(r"^\| ([\d, ]+) \|", readme, re.MULTILINE)

    assert set(manifest["runtime"]["exit_codes"]) == {int(code) for row in rows for code in row.split(",")}
