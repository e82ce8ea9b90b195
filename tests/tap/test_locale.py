"""Whatever the locale, files and pipes are UTF-8: a scheduler may start the tap in the C locale."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from salesforce_bulk_simulator import Org

from .conftest import TapRunner

PLAIN = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
NAME = "Zoë Müller 東京 \U0001f600"


@pytest.fixture
def command(tap: TapRunner, tmp_path: Path) -> Any:
    """Runs ``tap-salesforce-bulk`` in the C locale, with files in UTF-8."""

    def run(*arguments: str, **files: Any) -> list[dict[str, Any]]:
        words = [sys.executable, "-m", "tap_salesforce_bulk", *arguments]
        for name, content in files.items():
            (tmp_path / name).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
            words += [f"--{name}", str(tmp_path / name)]
        done = subprocess.run(words, capture_output=True, check=False, cwd=tmp_path, env={**os.environ, **PLAIN})
        assert done.returncode == 0, done.stderr.decode()
        return [json.loads(line) for line in done.stdout.decode("utf-8").splitlines()] if not arguments else []

    return run


def test_names_of_all_languages_go_through_in_the_c_locale(
    org: Org, tap: TapRunner, command: Any, tmp_path: Path
) -> None:
    """In records, the configuration, the catalog, the state and the schema registry, by file name too."""
    org.insert("Account", [{"Name": NAME}, {"Name": "Bob"}])
    catalog = tap.catalog(Account=["Name"])
    for stream in catalog["streams"]:
        stream["schema"]["description"] = NAME
        if stream["tap_stream_id"] == "Account":
            stream["schema"]["properties"]["Name"]["description"] = NAME
    registry = tmp_path / "schémas"
    registry.mkdir()
    config = tap.config(soql_filters={"Account": f"Name = '{NAME}'"}, schema_registry=str(registry))
    state = {"bookmarks": {"Zoë": {"note": NAME}}}
    again = {"config": config, "catalog": catalog, "state": state}

    command(**again)
    messages = command(**again)

    assert [each["record"]["Name"] for each in messages if each["type"] == "RECORD"] == [NAME]
    assert messages[-1]["value"]["bookmarks"]["Zoë"] == {"note": NAME}
    (schema,) = [each["schema"] for each in messages if each["type"] == "SCHEMA"]
    assert schema["properties"]["Name"]["description"] == NAME
    assert json.loads((registry / "Account.json").read_text(encoding="utf-8"))["stream"] == "Account"


def test_batch_files_have_any_name_in_the_c_locale(org: Org, tap: TapRunner, command: Any, tmp_path: Path) -> None:
    """Their folder stands in the configuration; what the message says is the file's address."""
    org.insert("Account", [{"Name": NAME}])
    storage = {"root": f"file://{tmp_path}/dépôt"}
    batch_config = {"encoding": {"format": "jsonl", "compression": "gzip"}, "storage": storage}

    messages = command(config=tap.config(streams_to_discover=["Account"], batch_config=batch_config))

    (file,) = (tmp_path / "dépôt").iterdir()
    assert json.loads(gzip.decompress(file.read_bytes()))["Name"] == NAME
    assert [each["manifest"] for each in messages if each["type"] == "BATCH"] == [[f"file://{file}"]]


def test_variables_are_utf_8_in_the_c_locale(org: Org, tap: TapRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python itself takes them for ASCII there."""
    org.insert("Account", [{"Name": NAME}, {"Name": "Bob"}])
    config = tap.config(streams_to_discover=["Account"], soql_filters={"Account": f"Name = '{NAME}'"})
    for name, value in config.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        monkeypatch.setenv(f"TAP_SALESFORCE_BULK_{name.upper()}", text)

    done = subprocess.run(
        [sys.executable, "-m", "tap_salesforce_bulk", "--config=ENV"],
        capture_output=True,
        check=False,
        env={**os.environ, **PLAIN},
    )

    messages = [json.loads(line) for line in done.stdout.decode("utf-8").splitlines()]
    assert [each["record"]["Name"] for each in messages if each["type"] == "RECORD"] == [NAME]
    assert done.returncode == 0
