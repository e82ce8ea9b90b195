"""A signal ends the real command promptly, whatever it is waiting for."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from salesforce_bulk_simulator import Fault, Org, Progression

from .conftest import TapRunner

STALL_S = 60
PROMPT_S = 20
"""Less than any of the waits, and more than a slow machine needs."""

WAITS: dict[str, tuple[str, Fault, dict[str, Any]]] = {
    "a login that hangs": ("login", Fault.stall(STALL_S), {}),
    "describes that hang": ("describe", Fault.stall(STALL_S), {}),
    "a poll that hangs": ("query.info", Fault.stall(STALL_S), {}),
    "a page that hangs": ("query.results", Fault.stall(STALL_S), {"max_concurrent_downloads": 1}),
    "parallel pages that hang": ("query.results", Fault.stall(STALL_S), {"max_concurrent_downloads": 4}),
    "a REST query that hangs": ("rest.query", Fault.stall(STALL_S), {"streams_to_discover": ["CaseStatus"]}),
    "the wait before a retry": ("query.create", Fault.status(503, headers={"Retry-After": f"{STALL_S}"}), {}),
    "the wait before a poll": ("query.info", Fault.stall(0), {"poll_min_s": STALL_S, "poll_max_s": STALL_S}),
}


@pytest.fixture
def met(org: Org, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Is set when a fault is met."""
    event = threading.Event()
    complete = org.faults.complete

    def complete_and_set(operation: str, fault: Fault) -> None:
        complete(operation, fault)
        event.set()

    monkeypatch.setattr(org.faults, "complete", complete_and_set)
    return event


@pytest.mark.parametrize("wait", WAITS)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_run_while_it_waits(
    org: Org, tap: TapRunner, tmp_path: Path, met: threading.Event, wait: str, number: signal.Signals
) -> None:
    """No thread that hangs is waited for, and the exit code is the signal's own."""
    org.insert("Account", [{"Name": f"Account {row}"} for row in range(40)])
    org.progression = Progression.looks(1)
    operation, fault, more = WAITS[wait]
    org.faults.add(operation, fault, times=8)
    config = tap.config(**{"streams_to_discover": ["Account", "Lead"], "page_size": 2, "retry_total_s": 600, **more})
    (tmp_path / "config").write_text(json.dumps(config))
    words = [sys.executable, "-m", "tap_salesforce_bulk", "--config", str(tmp_path / "config")]

    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert met.wait(STALL_S)
        process.send_signal(number)
        try:
            _, log = process.communicate(timeout=PROMPT_S)
        finally:
            process.kill()

    assert process.returncode == 128 + number
    assert f"Stopped by signal {number:d}" in log
    assert "Traceback" not in log
    assert org.faults.completed
