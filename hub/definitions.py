"""Tell Meltano what each plugin is and takes, from the plugin's own ``--about``: ``python -m hub.definitions``.

It writes the definitions in this folder, in the form of the MeltanoHub repository (``_data/meltano``), and the
``settings`` of our plugins in meltano.yml. What ``--about`` does not know is said here.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from salesforce_bulk_client import CONNECTION_PROPERTIES
from salesforce_bulk_client.config import NEEDED

PROJECT = Path(__file__).resolve().parents[1]
VARIANT = "singer-salesforce-bulk"
Setting = dict[str, Any]
"""A setting as Meltano and the Hub write it."""

SPECIAL_KINDS = {
    "start_date": "date_iso8601",
    "private_key_file": "file",
    "token_file": "file",
    "schema_registry": "file",
    "results_dir": "file",
}
"""Kinds that no JSON schema tells."""

KINDS = {"number": "string"}
"""JSON schema's types that Meltano calls otherwise. Of a `decimal` in a variable Meltano 4.4 makes what JSON cannot say
("Decimal is not JSON serializable"); the plugins also take numbers that are texts."""

UNKNOWN_TO_MELTANO = {"validate-records", "target-schema"}
"""Capabilities that the Hub knows, and Meltano's schema of meltano.yml does not."""

WORDS = {"id": "ID", "url": "URL", "api": "API", "soql": "SOQL", "rest": "REST", "s": "(seconds)"}


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """One of our plugins."""

    name: str
    type: str
    """Meltano's word, in the plural: the Hub has a folder of that name."""

    @property
    def file(self) -> Path:
        """Where the definition lies."""
        return PROJECT / "hub" / self.type / self.name / f"{VARIANT}.yml"

    def about(self) -> dict[str, Any]:
        """Return what the installed plugin says of itself."""
        command = [str(Path(sys.executable).parent / self.name), "--about", "--format=json"]
        about: dict[str, Any] = json.loads(subprocess.check_output(command))  # noqa: S603  our own command
        return about


PLUGINS = (
    Plugin(name="tap-salesforce-bulk", type="extractors"),
    Plugin(name="target-salesforce-bulk", type="loaders"),
)


def definition(about: dict[str, Any]) -> dict[str, Any]:
    """Return a plugin's definition in the Hub's form."""
    name = about["name"]
    return {
        "capabilities": sorted(set(about["capabilities"]) - UNKNOWN_TO_MELTANO),
        "description": about["description"],
        "domain_url": "https://www.salesforce.com/",
        "executable": name,
        "keywords": ["bulk_api", "crm", "meltano_sdk"],
        "label": "Salesforce (Bulk API 2.0)",
        "maintenance_status": "beta",
        "name": name,
        "namespace": name.replace("-", "_"),
        "pip_url": "singer-salesforce-bulk",
        "quality": "unknown",  # the Hub rates it
        "settings": [setting(name, schema) for name, schema in about["settings"]["properties"].items()],
        "settings_group_validation": ways_to_log_in(),
        "variant": VARIANT,
    }


def setting(name: str, schema: dict[str, Any]) -> Setting:
    """Return a setting in the Hub's form.

    >>> setting("page_size", {"type": ["integer", "null"], "default": 5, "description": "Most rows"})
    {'name': 'page_size', 'label': 'Page size', 'kind': 'integer', 'value': 5, 'description': 'Most rows'}
    """
    made = {"name": name, "label": schema.get("title") or label(name), "kind": kind(name, schema)}
    if schema.get("writeOnly"):
        made["sensitive"] = True
    if "enum" in schema:
        made["options"] = [{"label": value, "value": value} for value in schema["enum"] if value is not None]
    if "default" in schema:
        made["value"] = schema["default"]
    return {**made, "description": schema["description"]}


def kind(name: str, schema: dict[str, Any]) -> str:
    """Return Meltano's word for a setting's type.

    >>> kind("lookback_window", {"type": ["number", "null"]}), kind("token_file", {"type": ["string", "null"]})
    ('string', 'file')
    """
    if "enum" in schema:
        return "options"
    json_type = schema["type"][0]
    return SPECIAL_KINDS.get(name) or KINDS.get(json_type, json_type)


def label(name: str) -> str:
    """Return a name in words.

    >>> label("retry_total_s"), label("client_id")
    ('Retry total (seconds)', 'Client ID')
    """
    text = " ".join(WORDS.get(word, word) for word in name.split("_"))
    return text[0].upper() + text[1:]


def ways_to_log_in() -> list[list[str]]:
    """Return the settings that belong together, by login flow; a private key can also be given as a file."""
    groups = [sorted(names) for names in NEEDED.values()]
    with_file = [sorted({*names, "private_key_file"} - {"private_key"}) for names in groups if "private_key" in names]
    return groups + with_file


def settings_in_project(plugin: dict[str, Any]) -> list[Setting]:
    """Return a definition's settings for meltano.yml: without labels, one line each."""
    return [{key: value for key, value in each.items() if key != "label"} for each in plugin["settings"]]


def settings_of_companion() -> list[Setting]:
    """Return the settings of the utility salesforce-bulk, which it reads from the plugins' variables."""
    made: list[Setting] = []
    for name, schema in CONNECTION_PROPERTIES.items():
        described = setting(name, schema)
        kept: Setting = {key: described[key] for key in ("name", "kind", "sensitive", "options") if key in described}
        made.append({**kept, "env": f"TAP_SALESFORCE_BULK_{name.upper()}"})
    return [*made, {"name": "results_dir", "kind": "file", "env": "TARGET_SALESFORCE_BULK_RESULTS_DIR"}]


def with_settings(project: str, *, plugin: str, settings: list[Setting]) -> str:
    """Return the text of meltano.yml with other settings of a plugin."""
    start = project.index(f"  - name: {plugin}\n    namespace:")
    before = project.index("\n", project.index("    settings:", start)) + 1
    after = before
    while project.startswith("    - ", after):
        after = project.index("\n", after) + 1
    return project[:before] + "".join(f"    - {in_one_line(each)}" for each in settings) + project[after:]


def in_one_line(made: Setting) -> str:
    return yaml.safe_dump(made, default_flow_style=True, sort_keys=False, allow_unicode=True, width=sys.maxsize)


def main() -> None:
    """Write all of it."""
    project = PROJECT / "meltano.yml"
    text = project.read_text(encoding="utf-8")
    for plugin in PLUGINS:
        made = definition(plugin.about())
        plugin.file.parent.mkdir(parents=True, exist_ok=True)
        plugin.file.write_text(as_yaml(made), encoding="utf-8")
        text = with_settings(text, plugin=plugin.name, settings=settings_in_project(made))
    text = with_settings(text, plugin="salesforce-bulk", settings=settings_of_companion())
    project.write_text(text, encoding="utf-8")


def as_yaml(definition: dict[str, Any]) -> str:
    """Return a definition as the Hub's linter wants it: keys in order, braces only when empty."""
    return yaml.safe_dump(definition, sort_keys=True, allow_unicode=True, width=120)


if __name__ == "__main__":
    main()
