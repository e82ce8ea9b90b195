"""How far a run is, in the log and on a terminal; and nothing there that a log must not hold."""

from __future__ import annotations

import io
import logging
import re

import pytest
from salesforce_bulk_plugin import progress
from salesforce_bulk_simulator import Org

from tests.target.conftest import TargetRunner, records, schema, state

PEOPLE = schema("Contact", key=["n"], n="integer", LastName=["string", "null"])
ROWS = records("Contact", *({"n": n, "LastName": f"Secret {n}" if n else None} for n in range(3)))


class Terminal(io.StringIO):
    """A stderr that says it is a terminal."""

    def isatty(self) -> bool:
        """Yes."""
        return True


@pytest.fixture
def _always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tell of each look."""
    monkeypatch.setattr(progress, "LOG_INTERVAL_S", 0)
    monkeypatch.setattr(progress, "TERMINAL_INTERVAL_S", 0)


@pytest.mark.usefixtures("_always")
def test_the_log_tells_how_far_the_run_is(org: Org, target: TargetRunner, caplog: pytest.LogCaptureFixture) -> None:
    """A line for each job begun and ended, some on the way, a summary at the end; no values of records."""
    caplog.set_level(logging.INFO)
    target.run(PEOPLE, ROWS, state({"n": 3}), operation="insert", unknown_fields="drop")

    told = "\n".join(record.getMessage() for record in caplog.records)
    assert re.search(r"ingest job \w{18} begun: insert Contact", told)
    assert re.search(r"\d of 3 records read have their outcome, 1 jobs in flight", told)
    assert re.search(r"ingest job \w{18} of Contact ended JobComplete: 3 records processed, 1 failed", told)
    assert "Contact: 2 created, 1 failed" in told
    assert re.search(r"3 records read in \d+\.\d s", told)
    assert "Secret" not in told
    assert "sim-secret" not in told


@pytest.mark.usefixtures("_always")
def test_on_a_terminal_one_line_moves(org: Org, target: TargetRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is cleared at the end; standard output has the STATE only."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    run = target.run(PEOPLE, ROWS, state({"n": 3}), operation="insert", unknown_fields="drop")

    assert run.states == [{"n": 3}]
    assert "\r\033[K[" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\033[K")
