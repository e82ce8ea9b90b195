"""What the documentation says is true: settings, commands, links, and the examples in docstrings."""

from __future__ import annotations

import doctest
import importlib
import json
import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from singer_sdk.plugin_base import PluginBase
from tap_salesforce_bulk.tap import TapSalesforceBulk
from target_salesforce_bulk.target import TargetSalesforceBulk

ROOT = Path(__file__).parent.parent
README_OF: dict[type[PluginBase], Path] = {
    TapSalesforceBulk: ROOT / "tap-salesforce-bulk/README.md",
    TargetSalesforceBulk: ROOT / "target-salesforce-bulk/README.md",
}
PAGES = sorted(
    path
    for path in [
        *ROOT.glob("*.md"),
        *ROOT.glob("*/README.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("examples/**/*.md"),
    ]
    if ".venv" not in path.parts
)
SDK_SETTINGS = re.compile("stream_map|faker_config|flattening_|validate_records|add_record_metadata|batch_config")
SETTING_ROW = re.compile(r"^\| `(?P<name>\w+)` \| (?:`(?P<default>[^`]*)`)? ?\| (?P<meaning>.+) \|$", re.MULTILINE)


def as_written(default: Any) -> str | None:
    """A default as the table shows it."""
    return default if default is None or isinstance(default, str) else json.dumps(default)


@pytest.mark.parametrize("plugin", README_OF, ids=lambda plugin: plugin.name)
def test_every_setting_is_in_the_readme_with_its_default_and_meaning(plugin: type[PluginBase]) -> None:
    """The table and ``--about`` say the same, word for word, of all settings but the SDK's own."""
    text = README_OF[plugin].read_text(encoding="utf-8")
    table = text.partition("## Settings")[2].partition("\n## ")[0]
    in_readme = {row["name"]: (row["default"], row["meaning"]) for row in SETTING_ROW.finditer(table)}
    plugin.append_builtin_config(plugin.config_jsonschema)
    in_code = plugin.config_jsonschema["properties"]
    own = {name: schema for name, schema in in_code.items() if not SDK_SETTINGS.match(name)}

    assert in_readme == {
        name: (as_written(schema.get("default")), schema["description"]) for name, schema in own.items()
    }
    assert [name for name in in_code.keys() - own.keys() if f"`{name}`" not in table] == []


def test_every_command_is_in_the_readme_and_tells_its_version_or_help() -> None:
    """What pip installs is named on the first page, and starts."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]

    assert [name for name in commands if f"`{name}`" not in readme] == []
    for name in commands:
        answer = subprocess.run(
            [Path(sys.executable).parent / name, "--help"], capture_output=True, text=True, check=True
        )
        assert name in answer.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    """Links to files of this project name files that exist, and headings that are there."""
    text = page.read_text(encoding="utf-8")
    broken = []
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text):
        name, _, heading = target.partition("#")
        file = (page.parent / name) if name else page
        headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE) if file.is_file() else []
        anchors = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}
        if not file.exists() or (heading and heading not in anchors):
            broken.append(target)

    assert broken == []


@pytest.mark.parametrize(
    "package",
    ["salesforce_bulk_client", "salesforce_bulk_simulator", "tap_salesforce_bulk", "target_salesforce_bulk"],
)
def test_the_examples_in_docstrings_are_true(package: str) -> None:
    """Every example of every module."""
    found = pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}.")
    modules = [importlib.import_module(module.name) for module in found if not module.name.endswith("__main__")]
    results = [doctest.testmod(module) for module in modules]

    assert sum(result.failed for result in results) == 0
    assert sum(result.attempted for result in results) > 3
