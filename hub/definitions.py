"""Write what Meltano has to know about each plugin, from the plugin's own ``--about``: ``python -m hub.definitions``.

Each definition is written twice: in this folder in the form of the MeltanoHub repository (``_data/meltano``), and in
``plugins/`` as the lock file that Meltano would make of it, from which the project's meltano.yml takes it. What
``--about`` does not know is said here.
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
from salesforce_bulk_companion.command import COMMANDS
from salesforce_bulk_companion.command import main as companion

PROJECT = Path(__file__).resolve().parents[1]
VARIANT = "singer-salesforce-bulk"
Setting = dict[str, Any]
"""A setting as Meltano and the Hub write it."""

COMPANION = "salesforce-bulk"

SPECIAL_KINDS = {
    "start_date": "date_iso8601",
    "private_key_file": "file",
    "token_file": "file",
    "schema_registry": "file",
    "results_dir": "file",
}
"""Kinds that a JSON schema does not know."""

KINDS = {"number": "string"}
"""JSON schema's types that Meltano calls otherwise. Of a `decimal` in a variable Meltano 4.4 makes what JSON cannot say
("Decimal is not JSON serializable"); the plugins also take numbers that are texts."""

UNKNOWN_TO_MELTANO = {"validate-records", "target-schema"}
"""Capabilities that the Hub knows, and Meltano's schema of meltano.yml does not."""

FOR_THE_HUB_ALONE = {"domain_url", "keywords", "maintenance_status", "quality"}
"""What the Hub shows of a plugin, and Meltano's schema of a project does not know."""

WORDS = {"id": "ID", "url": "URL", "api": "API", "soql": "SOQL", "rest": "REST", "s": "(seconds)"}


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """One of our plugins."""

    name: str
    type: str
    """Meltano's word, in the plural: the Hub has a folder of that name."""

    @property
    def file(self) -> Path:
        """Path of the definition in the Hub's form."""
        return PROJECT / "hub" / self.type / self.name / f"{VARIANT}.yml"

    @property
    def lock_file(self) -> Path:
        """Path of Meltano's lock file."""
        return PROJECT / "plugins" / self.type / f"{self.name}--{VARIANT}.lock"

    def definition(self) -> dict[str, Any]:
        """Return the definition in the Hub's form."""
        return definition_of_companion() if self.name == COMPANION else definition(self.about())

    def texts(self) -> dict[Path, str]:
        """Return the contents of both files."""
        written = self.definition()
        locked = {key: value for key, value in written.items() if key not in FOR_THE_HUB_ALONE}
        return {self.file: as_yaml(written), self.lock_file: as_lock({"plugin_type": self.type, **locked})}

    def about(self) -> dict[str, Any]:
        """Return what the installed plugin prints for ``--about``; the companion has no such option."""
        command = [str(Path(sys.executable).parent / self.name), "--about", "--format=json"]
        about: dict[str, Any] = json.loads(subprocess.check_output(command))  # noqa: S603  our own command
        return about


PLUGINS = (
    Plugin(name="tap-salesforce-bulk", type="extractors"),
    Plugin(name="target-salesforce-bulk", type="loaders"),
)
DEFINED = (*PLUGINS, Plugin(name=COMPANION, type="utilities"))


def definition(about: dict[str, Any]) -> dict[str, Any]:
    """Return the definition of the tap or the target."""
    name = about["name"]
    return {
        **described(name, description=about["description"]),
        "capabilities": sorted(set(about["capabilities"]) - UNKNOWN_TO_MELTANO),
        "keywords": ["bulk_api", "crm", "meltano_sdk"],
        "namespace": name.replace("-", "_"),
        "pip_url": "singer-salesforce-bulk",
        "settings": [setting(name, schema) for name, schema in about["settings"]["properties"].items()],
        "settings_group_validation": ways_to_log_in(),
    }


def definition_of_companion() -> dict[str, Any]:
    """Return the definition of the utility salesforce-bulk, which reads its settings from the plugins' variables."""
    return {
        **described(COMPANION, description=str(companion.help).partition("\n")[0]),
        "commands": {name: {"args": name, "description": text} for name, text in COMMANDS.items()},
        "keywords": ["bulk_api", "crm"],
        "namespace": "tap_salesforce_bulk",  # so that the tap's variables win here as they do for the tap
        "pip_url": "singer-salesforce-bulk[simulator]",
        "settings": settings_of_companion(),
    }


def described(name: str, *, description: str) -> dict[str, Any]:
    """Return what all definitions have."""
    return {
        "description": description,
        "domain_url": "https://www.salesforce.com/",
        "executable": name,
        "label": "Salesforce (Bulk API 2.0)",
        "maintenance_status": "beta",
        "name": name,
        "quality": "unknown",  # the Hub rates it
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


def settings_of_companion() -> list[Setting]:
    """Return the connection's settings and the target's folder of results, without defaults: those are the plugins'."""
    of_connection = [
        {**setting(name, schema), "env": f"TAP_SALESFORCE_BULK_{name.upper()}"}
        for name, schema in CONNECTION_PROPERTIES.items()
    ]
    results_dir = {
        "name": "results_dir",
        "label": "Results dir",
        "kind": "file",
        "description": "The target's folder of results",
        "env": "TARGET_SALESFORCE_BULK_RESULTS_DIR",
    }
    return [{key: each[key] for key in each if key != "value"} for each in (*of_connection, results_dir)]


def as_yaml(written: dict[str, Any]) -> str:
    """Return a definition as the Hub's linter wants it: keys in order, braces only when empty."""
    return yaml.safe_dump(written, sort_keys=True, allow_unicode=True, width=120)


def as_lock(written: dict[str, Any]) -> str:
    """Return a definition as Meltano writes a lock file."""
    return json.dumps(written, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write all of it."""
    for plugin in DEFINED:
        for path, text in plugin.texts().items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
