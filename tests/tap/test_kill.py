"""Killed at any moment, over and over: what was emitted is whole, and nothing that a STATE confirms comes twice."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from salesforce_bulk_simulator import Org

from .conftest import THE_SDKS_PATH, TapRunner

DAY = 86_400


def command(tmp_path: Path, config: dict[str, Any], state: dict[str, Any] | None = None) -> list[str]:
    """The words of a run of the tap as its own process."""
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "state.json").write_text(json.dumps(state or {}))
    files = ["--config", str(tmp_path / "config.json"), "--state", str(tmp_path / "state.json")]
    return [sys.executable, "-m", "tap_salesforce_bulk", *files]


def messages_until_killed(words: list[str], *, chance: random.Random) -> tuple[list[dict[str, Any]], int]:
    """Run the tap, kill it after some lines or some time, and return its whole lines and its exit code."""
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout
        lines = [process.stdout.readline() for _ in range(chance.randrange(1, 250))]
        time.sleep(chance.choice([0, 0, 0.002, 0.02]))
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
    return [json.loads(line) for line in lines if line.endswith(b"\n")], process.returncode


@pytest.mark.parametrize("seed", range(3))
def test_a_run_that_is_killed_resumes(org: Org, tap: TapRunner, tmp_path: Path, seed: int) -> None:
    """The records before each run's last STATE are, all runs together, each row once."""
    org.clock.advance(-20 * DAY)
    for number in range(20):
        org.insert("Account", [{"Name": f"Account {number:02}-{row:02}"} for row in range(40)])
        org.insert("Lead", [{"LastName": f"Lead {number:02}-{row:02}", "Company": "x"} for row in range(15)])
        org.clock.advance(DAY)
    chance = random.Random(seed)
    path = THE_SDKS_PATH if seed == 2 else {}
    config = tap.config(
        streams_to_discover=["Account", "Lead", "Contact"],
        page_size=7,
        window_days=6,
        lookback_window=0,
        max_concurrent_downloads=1 + seed % 2,
        **path,
    )
    confirmed: Counter[str] = Counter()
    state: dict[str, Any] | None = None
    kills = 0
    for _ in range(60):
        messages, code = messages_until_killed(command(tmp_path, config, state), chance=chance)
        waiting: list[str] = []
        for message in messages:
            if message["type"] == "RECORD":
                waiting.append(message["record"]["Id"])
            elif message["type"] == "STATE":
                state = message["value"]
                confirmed.update(waiting)
                waiting = []
        kills += code == -signal.SIGKILL
        if code == 0:
            break

    rows = [row for name in ("Account", "Lead") for row in org.rows(name)]
    newest = max(str(row["SystemModstamp"]) for row in rows)
    assert code == 0
    assert kills >= 3
    assert waiting == []
    assert confirmed.keys() == {row["Id"] for row in rows}
    # A run that begins after the end of a stream reads from its bookmark on: those of that second come again.
    assert {confirmed[row["Id"]] for row in rows if row["SystemModstamp"] != newest} == {1}
    assert state
    assert all("job" not in entry for entry in state["bookmarks"].values())


WITH_PEAK = """
import atexit, runpy, sys
def tell():
    with open("/proc/self/status") as status, open(sys.argv[0] + ".peak", "w") as out:
        out.write(next(line.split()[1] for line in status if line.startswith("VmHWM")))
atexit.register(tell)
sys.argv[0] = sys.argv.pop(1)
runpy.run_module("tap_salesforce_bulk")
"""
"""What the operating system reports of an ended process includes the process that started it; this is its own."""


def peak_memory_kb(tmp_path: Path, config: dict[str, Any]) -> int:
    """Run the tap to its end, and return the most memory that it had."""
    words = command(tmp_path, config)
    words[1:3] = ["-c", WITH_PEAK, str(tmp_path / "tap")]
    with (tmp_path / "out").open("wb") as out:
        subprocess.run(words, stdout=out, stderr=subprocess.DEVNULL, check=True)
    return int((tmp_path / "tap.peak").read_text())


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux shows the peak there")
def test_memory_does_not_grow_with_the_rows(org: Org, tap: TapRunner, tmp_path: Path) -> None:
    """Twenty times the rows in about the same space: pages are on disk, and few rows at a time are in memory."""
    org.insert("Account", [{"Name": f"Account {n}", "Description": "x" * 2000} for n in range(20_000)])
    config = tap.config(streams_to_discover=["Account"], page_size=100, max_concurrent_downloads=4)

    peaks = [
        peak_memory_kb(tmp_path, {**config, "soql_filters": {"Account": condition}})
        for condition in ("Name LIKE 'Account 1___'", "Name != null")
    ]

    assert (tmp_path / "out").read_bytes().count(b'"RECORD"') == 20_000
    assert peaks[1] < peaks[0] * 1.25
    assert peaks[1] < 250_000
