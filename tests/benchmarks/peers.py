"""The connectors that people use today, each in an environment of its own.

airbyte-source-salesforce comes from PyPI. MeltanoLabs' tap-salesforce and dan-ladd's target-salesforce are in no
registry: they are measured when a checkout of them is named.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.benchmarks.measuring import CREDENTIALS, Command, Failed, Site
from tests.simulator.peers.installed import python_with

AIRBYTE = "airbyte-source-salesforce==2.10.3"

LOGIN = {name: CREDENTIALS[name] for name in ("client_id", "client_secret", "refresh_token")}


def airbyte(site: Site, folder: Path) -> Callable[[str], Command]:
    """Return how Airbyte's source reads an object, whole and by Bulk.

    Raises: CannotInstall, Failed.
    """
    program = str(python_with(AIRBYTE, python=sys.executable).with_name("source-salesforce"))
    # The rows are yesterday's: from there on they lie in one of the slices that it reads one after another.
    start = (datetime.now(UTC) - timedelta(days=2)).strftime("%Y-%m-%dT00:00:00Z")
    _write(folder / "airbyte.json", {**LOGIN, "start_date": start, "force_use_bulk_api": True})
    found = _output([program, "discover", "--config", "airbyte.json"], site, folder)
    (catalog,) = [message["catalog"] for message in found if message["type"] == "CATALOG"]
    streams = {stream["name"]: stream for stream in catalog["streams"]}

    def reads(sobject: str) -> Command:
        configured = {
            "stream": streams[sobject],
            "sync_mode": "incremental",
            "destination_sync_mode": "append",
            "cursor_field": ["SystemModstamp"],
        }
        _write(folder / f"airbyte-{sobject}.json", {"streams": [configured]})
        words = [program, "read", "--config", "airbyte.json", "--catalog", f"airbyte-{sobject}.json"]
        return Command(name=AIRBYTE, words=words, environment=site.environment, folder=folder)

    return reads


def meltanolabs_tap(checkout: Path, site: Site, folder: Path) -> Callable[[str], Command]:
    """Return how MeltanoLabs' tap reads an object in its BULK2 mode.

    Raises: CannotInstall, Failed.
    """
    program = str(python_with(str(checkout), python=sys.executable).with_name("tap-salesforce"))
    config = {**LOGIN, "start_date": "2000-01-01T00:00:00Z", "api_type": "BULK2", "select_fields_by_default": True}
    _write(folder / "meltanolabs.json", config)
    (catalog,) = _output([program, "--config", "meltanolabs.json", "--discover"], site, folder, is_lines=False)
    streams = {stream["tap_stream_id"]: stream for stream in catalog["streams"]}

    def reads(sobject: str) -> Command:
        stream = streams[sobject]
        for entry in stream["metadata"]:
            if not entry["breadcrumb"]:
                entry["metadata"]["selected"] = True
        _write(folder / f"meltanolabs-{sobject}.json", {"streams": [stream]})
        words = [program, "--config", "meltanolabs.json", "--catalog", f"meltanolabs-{sobject}.json"]
        return Command(name="tap-salesforce", words=words, environment=site.environment, folder=folder)

    return reads


def salesforce_target(checkout: Path, site: Site, folder: Path) -> Callable[[Path], Command]:
    """Return how dan-ladd's target, the Hub's, inserts a file of lines; by Bulk API 1.0, the only one that it knows.

    Raises: CannotInstall.
    """
    # It asks for a Python below 3.11, and runs on newer ones.
    python = python_with("--ignore-requires-python", "setuptools<80", str(checkout), python=sys.executable)
    _write(folder / "target.json", {**LOGIN, "domain": "login", "action": "insert"})
    words = [str(python.with_name("target-salesforce")), "--config", "target.json"]

    def loads(lines: Path) -> Command:
        return Command(
            name="target-salesforce", words=words, environment=site.bulk_1_environment, stdin=lines, folder=folder
        )

    return loads


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content))


def _output(words: list[str], site: Site, folder: Path, *, is_lines: bool = True) -> list[Any]:
    done = subprocess.run(words, env=site.environment, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"{words[0]} ended with {done.returncode}: {(done.stderr or done.stdout)[-1500:]}")
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")] if is_lines else [done.stdout]
    return [json.loads(line) for line in lines]
