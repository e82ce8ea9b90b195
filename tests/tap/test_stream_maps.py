"""A stream map is a program of the user's: its errors are its own stream's, and hold no record's values."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from salesforce_bulk_simulator import Org

from .conftest import TapRunner

pytestmark = pytest.mark.usefixtures("accounts", "leads")

MAPS = {
    "a map of a value": ({"rank": "int(Name)"}, "rank in stream_maps failed on a record (ValueError)"),
    "a filter": ({"__filter__": "int(Name) > 3"}, "__filter__ in stream_maps failed on a record (ValueError)"),
    "a name": ({"rank": "Nothing__c + 1"}, "rank in stream_maps failed on a record (NameNotDefined)"),
    "a null": ({"rank": "Industry.upper()"}, "rank in stream_maps failed on a record ("),
    "syntax": ({"rank": "int("}, "rank in stream_maps is invalid (SyntaxError)"),
    "a filter's syntax": ({"__filter__": "Name =="}, "__filter__ in stream_maps is invalid (SyntaxError)"),
    "nothing": ({"rank": ""}, "rank in stream_maps is invalid (IndexError)"),
    "a key": ({"Id": None}, "Id in stream_maps is invalid (Removing key property 'Id' is not permitted"),
}


@pytest.fixture
def leads(org: Org) -> None:
    """One lead, of another stream than the one that fails."""
    org.insert("Lead", [{"LastName": "Eve", "Company": "E"}])


@pytest.fixture(params=["records", "jsonl", "parquet"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """Settings of a way out."""
    if request.param == "records":
        return {}
    return {"batch_config": {"encoding": {"format": request.param}, "storage": {"root": tmp_path.as_uri()}}}


@pytest.mark.parametrize("wrong", MAPS)
def test_a_failing_map_fails_its_own_stream_only(
    tap: TapRunner, path: dict[str, Any], wrong: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is named without a value, its bookmark stays, and the other stream is read."""
    caplog.set_level(logging.INFO)
    map_, problem = MAPS[wrong]

    run = tap.run("Account", "Lead", stream_maps={"Account": map_}, **path)

    assert str(run.error).startswith(f"1 of 2 streams failed: Account: {problem}")
    assert "Traceback" not in caplog.text
    assert not [name for name in ("Ada", "Bob", "Cyd") if name in caplog.text + str(run.error)]
    assert "replication_key_value" in run.state["bookmarks"]["Lead"]
    assert "replication_key_value" not in run.state["bookmarks"].get("Account", {})
    assert [each["stream"] for each in run.messages if each["type"] in {"RECORD", "BATCH"}] == ["Lead"]


def test_a_map_that_gives_a_date_is_written_in_batches_as_in_records(tap: TapRunner, tmp_path: Path) -> None:
    """What JSON has no type for becomes a text."""
    jsonl = {"encoding": {"format": "jsonl"}, "storage": {"root": tmp_path.as_uri()}}

    run = tap.run("Lead", stream_maps={"Lead": {"day": "datetime.date(2024, 1, 15)"}}, batch_config=jsonl)

    (file,) = tmp_path.iterdir()
    assert run.error is None
    assert json.loads(file.read_text())["day"] == "2024-01-15"


def test_what_a_filter_gives_is_not_logged(tap: TapRunner, caplog: pytest.LogCaptureFixture) -> None:
    """The SDK would log it at DEBUG: here that is a record's value."""
    caplog.set_level(logging.DEBUG)

    run = tap.run("Account", stream_maps={"Account": {"__filter__": "Name"}})

    assert run.column("Account", "Name") == ["Ada", "Bob", "Cyd"]
    assert not [name for name in ("Ada", "Bob", "Cyd") if name in caplog.text]


def test_a_failing_map_is_one_line_without_values(tap: TapRunner, tmp_path: Path) -> None:
    """The real command ends with 1, and says nothing of the record, not even at DEBUG."""
    settings = tap.config(streams_to_discover=["Account", "Lead"], stream_maps={"Account": {"__filter__": "int(Name)"}})
    (tmp_path / "config").write_text(json.dumps(settings))

    done = subprocess.run(
        [sys.executable, "-m", "tap_salesforce_bulk", "--config", str(tmp_path / "config")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LOGLEVEL": "DEBUG"},
    )

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert not [name for name in ("Ada", "Bob", "Cyd") if name in done.stderr]
    (line,) = [line for line in done.stderr.splitlines() if " | ERROR " in line]
    assert "1 of 2 streams failed: Account: __filter__ in stream_maps failed on a record (ValueError)" in line
    assert '"LastName":"Eve"' in done.stdout
