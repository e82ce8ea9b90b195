"""Settings from files and from environment variables mean the same."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from salesforce_bulk_simulator import Org, Progression

from tests.end_to_end.conftest import BIN, WriteJson

READING = {"streams_to_discover": ["Account"], "page_size": 2, "lookback_window": 1.5}
LOADING = {"operation": "insert", "small_batch_rows": 0}
PATIENCE = {"poll_min_s": 0.01, "poll_max_s": 0.02, "job_timeout_s": 9.5, "retry_total_s": 9.5}
RECORDS = [
    {"type": "SCHEMA", "stream": "Account", "schema": {"properties": {"Name": {}}}, "key_properties": []},
    {"type": "RECORD", "stream": "Account", "record": {"Name": "Ada"}},
]


@pytest.fixture(params=["file", "variables"])
def run(request: pytest.FixtureRequest, settings: dict[str, Any], write_json: WriteJson, tmp_path: Path) -> Any:
    """Runs a command with settings given in the one way or the other, and gives what it printed."""

    def run(command: str, own: dict[str, Any], lines: str = "") -> str:
        config = {**settings, **PATIENCE, **own}
        prefix = command.upper().replace("-", "_")
        variables = {
            f"{prefix}_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
            for name, value in config.items()
        }
        if request.param == "file":
            arguments, env = ["--config", str(write_json("config.json", config))], dict(os.environ)
        else:
            arguments, env = ["--config=ENV"], {**os.environ, **variables}
        done = subprocess.run(
            [BIN / command, *arguments], input=lines, capture_output=True, text=True, cwd=tmp_path, env=env, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_the_tap_takes_fractions_and_lists(org: Org, run: Any) -> None:
    """A job that has to be looked at more than once waits by the given times."""
    org.progression = Progression.looks(2)
    org.insert("Account", [{"Name": name} for name in ("Ada", "Bob", "Cyd")])

    messages = [json.loads(line) for line in run("tap-salesforce-bulk", READING).splitlines()]

    names = [message["record"]["Name"] for message in messages if message["type"] == "RECORD"]
    assert sorted(names) == ["Ada", "Bob", "Cyd"]


def test_the_target_takes_fractions(org: Org, run: Any) -> None:
    """A job that has to be looked at more than once waits by the given times."""
    org.progression = Progression.looks(2)

    run("target-salesforce-bulk", LOADING, "".join(json.dumps(line) + "\n" for line in RECORDS))

    assert [row["Name"] for row in org.rows("Account")] == ["Ada"]
