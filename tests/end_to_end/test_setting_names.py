"""Names of settings are checked alike by the tap, the target and the companion, before anything is sent."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from salesforce_bulk_plugin.settings import SETTING_NAMES
from salesforce_bulk_simulator import Org
from singer_sdk import Tap, Target
from tap_salesforce_bulk.tap import TapSalesforceBulk
from target_salesforce_bulk.target import TargetSalesforceBulk

from tests.end_to_end.conftest import BIN, WriteJson

TAP = ("tap-salesforce-bulk", "--discover")
TARGET = ("target-salesforce-bulk",)
CHECK = ("salesforce-bulk", "check")
COMMANDS = [TAP, TARGET, CHECK]
RECORDS: list[dict[str, Any]] = [
    {"type": "SCHEMA", "stream": "Account", "schema": {"properties": {"Name": {}}}, "key_properties": []},
    {"type": "RECORD", "stream": "Account", "record": {"Name": "Ada"}},
]


class Runner:
    """Runs a command with settings in a file, in variables, or both."""

    def __init__(self, settings: dict[str, Any], write_json: WriteJson, folder: Path) -> None:
        self._settings = {**settings, "streams_to_discover": ["Account"], "operation": "insert"}
        self._write_json = write_json
        self._folder = folder

    def __call__(
        self, command: tuple[str, ...], variables: dict[str, str] | None = None, **more: Any
    ) -> subprocess.CompletedProcess[str]:
        config = self._write_json("config.json", {**self._settings, **more})
        prefix = "TARGET_SALESFORCE_BULK_" if command is TARGET else "TAP_SALESFORCE_BULK_"
        env = {prefix + name: value for name, value in (variables or {}).items()}
        return subprocess.run(
            [BIN / command[0], *command[1:], "--config", config, *(["--config=ENV"] if env else [])],
            input="".join(json.dumps(message) + "\n" for message in RECORDS) if command is TARGET else "",
            capture_output=True,
            text=True,
            cwd=self._folder,
            env={**os.environ, **env},
            check=False,
        )


@pytest.fixture
def run(settings: dict[str, Any], write_json: WriteJson, tmp_path: Path) -> Runner:
    """Runs one of the commands."""
    return Runner(settings, write_json, tmp_path)


def test_the_list_of_names_is_complete() -> None:
    """It has the settings of both plugins, and those that the SDK gives to any tap or target; nothing else."""
    known: set[str] = set()
    for plugin in (Tap, Target, TapSalesforceBulk, TargetSalesforceBulk):
        schema: dict[str, Any] = {"properties": dict(plugin.config_jsonschema["properties"])}
        plugin.append_builtin_config(schema)
        known |= schema["properties"].keys()

    assert known == SETTING_NAMES


MISSPELT = {
    "dryrun": "dry_run",
    "DRY_RUN": "dry_run",
    "stream_to_discover": "streams_to_discover",
    "mapping": "mappings",
}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_misspelt_setting_stops_the_run(org: Org, run: Runner, command: tuple[str, ...]) -> None:
    """Before anything is sent, with the name that is meant, and never with the value."""
    done = run(command, **dict.fromkeys(MISSPELT, "8765432109"))

    assert done.returncode == 1
    for wrong, meant in MISSPELT.items():
        assert f"there is no setting {wrong!r}: did you mean {meant!r}?" in done.stderr
    assert "8765432109" not in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert org.requests == []


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_misspelt_variable_stops_the_run(org: Org, run: Runner, command: tuple[str, ...]) -> None:
    """Where variables are read: their names are checked like those in a file."""
    done = run(command, variables={"DRYRUN": "true"})

    assert done.returncode == 1
    assert "there is no setting 'dryrun': did you mean 'dry_run'?" in done.stderr
    assert org.requests == []


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_strange_setting_is_one_warning(run: Runner, command: tuple[str, ...]) -> None:
    """The file may hold what somebody else reads; variables of Meltano's and the SDK's own are no settings."""
    done = run(
        command, variables={"PORT": "tcp://x", "LOGLEVEL": "INFO", "_SELECT": "[]"}, warehouse="x", cost_centre=5
    )

    assert done.returncode == 0, done.stderr
    assert done.stderr.count("settings that do not exist are ignored: 'cost_centre', 'port', 'warehouse'") == 1


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_one_file_may_hold_the_settings_of_all(run: Runner, command: tuple[str, ...]) -> None:
    """Those of the other plugin and of the SDK are passed over without a word."""
    others = {"page_size": 2000, "null_policy": "ignore", "stream_map_config": {}, "load_method": "append-only"}

    done = run(command, **others)

    assert done.returncode == 0, done.stderr
    assert "do not exist" not in done.stderr


STATUS = {"object": "A", "external_id_field": "B", "fields": {}}


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (
            {"mappings": {"c": {"null_polcy": "ignore"}, "*": {"nulls": "ignore"}}},
            [
                "mappings.c has no setting 'null_polcy': did you mean 'null_policy'?",
                "mappings.* has no setting 'nulls': it takes object, operation, external_id_field, fields",
            ],
        ),
        (
            {"status_tracking": {**STATUS, "external_reff": "x", "fields": {"records": "C__c"}}},
            [
                "status_tracking has no setting 'external_reff': did you mean 'external_ref'?",
                "status_tracking.fields has no setting 'records': it takes status, records_loaded, records_failed",
            ],
        ),
    ],
    ids=["mappings", "status_tracking"],
)
def test_a_strange_name_inside_a_setting_stops_the_target(
    org: Org, run: Runner, more: dict[str, Any], told: list[str]
) -> None:
    """Nobody else reads what stands there; in a variable as in a file."""
    in_file = run(TARGET, **more)
    in_variable = run(TARGET, variables={name.upper(): json.dumps(value) for name, value in more.items()})

    for done in (in_file, in_variable):
        assert done.returncode == 1
        assert [each for each in told if each not in done.stderr] == []
    assert org.requests == []


def test_what_the_sdk_reads_is_the_sdks_business(run: Runner) -> None:
    """Its objects are checked by its own schemas."""
    done = run(TARGET, stream_maps={"Account": {"Name": "Name", "__filter__": None}}, stream_map_config={"any": 1})

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("mappings", "level", "told"),
    [
        ({"Accnt": {"object": "Lead"}}, "WARNING", "this input: 'Accnt'; streams without an entry: 'Account'"),
        ({"Acc*": {}, "leads-*": {"object": "Lead"}}, "INFO", "match no stream of this input: 'leads-*'"),
    ],
)
def test_a_mapping_that_matches_no_stream_is_named(run: Runner, mappings: Any, level: str, told: str) -> None:
    """A warning where a stream has no entry; otherwise the entries may be for other pipelines."""
    done = run(TARGET, mappings=mappings)

    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if "mappings has entries that match no stream" in line]
    assert level in line
    assert told in line
