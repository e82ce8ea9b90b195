"""What is shown of a stream while it is read: in the log now and then, on a terminal as a progress bar."""

from __future__ import annotations

import io
import logging
import sys

import pytest
from salesforce_bulk_client import JobInfo
from salesforce_bulk_plugin import progress
from salesforce_bulk_simulator import Org
from tap_salesforce_bulk.query.progress import StreamProgress

from .conftest import TapRunner


class Terminal(io.StringIO):
    """Takes what a terminal would show."""

    def isatty(self) -> bool:
        return True


def job(state: str, *, processed: int | None) -> JobInfo:
    answer = {"id": "750000000000001AAA", "object": "Account", "apiVersion": 66.0}
    return JobInfo.from_json({**answer, "state": state, "numberRecordsProcessed": processed})


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is shown without a pause between."""
    monkeypatch.setattr(progress, "LOG_INTERVAL_S", 0)
    monkeypatch.setattr(progress, "TERMINAL_INTERVAL_S", 0)


@pytest.mark.usefixtures("at_once")
def test_the_log_tells_job_state_share_rate_and_time_left(caplog: pytest.LogCaptureFixture) -> None:
    """Each in one line."""
    caplog.set_level(logging.INFO)
    display = StreamProgress("Account")

    display.show_job(job("InProgress", processed=0))
    display.show_job(job("JobComplete", processed=1_000))
    display.add(250)
    display.finish(seconds=2.0)

    lines = [record.getMessage() for record in caplog.records]
    assert lines[:2] == [
        "job 750000000000001AAA of Account: InProgress",
        "job 750000000000001AAA of Account: JobComplete, 1,000 records processed",
    ]
    assert lines[2].startswith("Account: 250 of 1,000 records, ")
    assert lines[2].endswith(" s left")
    assert lines[3] == "Account: 250 records in 2.0 s (125/s)"


def test_the_log_is_not_flooded(org: Org, tap: TapRunner, caplog: pytest.LogCaptureFixture) -> None:
    """A short stream has its summary, and no more."""
    caplog.set_level(logging.INFO, logger="tap_salesforce_bulk.query.progress")
    org.insert("Account", [{"Name": f"Account {number}"} for number in range(30)])

    tap.run("Account", page_size=2)

    lines = [each.getMessage() for each in caplog.records if each.name == "tap_salesforce_bulk.query.progress"]
    assert len(lines) == 1
    assert lines[0].startswith("Account: 30 records in ")


@pytest.mark.usefixtures("at_once")
def test_a_terminal_shows_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line that is written over, and gone at the end."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    display = StreamProgress("Account")

    display.show_job(job("JobComplete", processed=1_000))
    display.add(500)
    display.finish(seconds=1.0)

    shown = terminal.getvalue()
    assert "[###############               ] Account: 500 of 1,000 records" in shown
    assert "\n" not in shown
    assert shown.endswith("\r\033[K")


@pytest.mark.usefixtures("at_once")
def test_a_job_that_goes_on_counts_what_is_left(caplog: pytest.LogCaptureFixture) -> None:
    """What an earlier run has read is no part of this one."""
    caplog.set_level(logging.INFO)
    display = StreamProgress("Account")

    display.show_job(job("JobComplete", processed=1_000), records_before=600)
    display.add(400)

    assert "Account: 400 of 400 records, " in caplog.text


@pytest.mark.usefixtures("at_once")
def test_a_file_gets_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    """Logs are read by programs as well."""
    display = StreamProgress("Account")

    display.show_job(job("JobComplete", processed=1_000))
    display.add(500)
    display.finish(seconds=1.0)

    assert capsys.readouterr().err == ""
