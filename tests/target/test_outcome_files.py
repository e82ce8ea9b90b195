"""The files that a run leaves: one outcome per record whatever happens to the disk, and nobody else may read them."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shlex
import sqlite3
import stat
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from salesforce_bulk_client import Operation
from salesforce_bulk_simulator import Fault, Org, Progression
from target_salesforce_bulk.batches.job_data_files import JobDataFiles
from target_salesforce_bulk.errors import JournalUnusable, RecordsFailed
from target_salesforce_bulk.journal import Journal
from target_salesforce_bulk.mapping.plan import Destination
from target_salesforce_bulk.results import outcome_log

from tests.target.conftest import TargetRunner, lines, records, schema, state
from tests.target.crashing import run_and_stop

ACCOUNT = schema("Account", key=["External_Id__c"], External_Id__c="string", Name=["string", "null"])
NAMES = [None if number % 5 == 0 else f"Ada {number}" for number in range(40)]
ROWS = records("Account", *({"External_Id__c": str(number), "Name": name} for number, name in enumerate(NAMES)))
MESSAGES = [ACCOUNT, ROWS, state(40)]
CHOSEN: dict[str, Any] = {"operation": "insert", "small_batch_rows": 0, "batch_size_rows": 20, "max_concurrent_jobs": 1}


def check_that_all_is_well(target: TargetRunner, org: Org) -> None:
    """Run the same input again: each record that can be is loaded once, and each has one outcome."""
    run = target.run(*MESSAGES, **CHOSEN)

    assert isinstance(run.error, RecordsFailed)
    assert run.states == [40]
    assert sorted(row["Name"] for row in org.rows("Account")) == sorted(filter(None, NAMES))
    assert Counter(outcome["key"]["External_Id__c"] for outcome in run.outcomes) == Counter(map(str, range(40)))
    assert Counter(run.statuses) == {"created": 32, "failed": 8}
    in_failed_files = [
        json.loads(line)["record"]["External_Id__c"]
        for path in target.results_dir.glob("failed-*")
        for line in path.read_text().splitlines()
        if '"RECORD"' in line
    ]
    assert sorted(in_failed_files, key=int) == ["0", "5", "10", "15", "20", "25", "30", "35"]
    assert list((target.results_dir / "pending").iterdir()) == []


# A full disk


def no_space() -> OSError:
    return OSError(errno.ENOSPC, "No space left on device")


class FullDisk:
    """Stands for `os` in the outcome log; takes so many bytes, then no more."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.was_full = False

    def write(self, handle: int, data: bytes) -> int:
        if len(data) <= self.room:
            self.room -= len(data)
            return os.write(handle, data)
        self.was_full = True
        if self.room:
            number, self.room = os.write(handle, bytes(data[: self.room])), 0
            return number
        raise no_space()


@pytest.mark.parametrize("room", [0, 100, 3000, 5000])
@pytest.mark.parametrize("buffer_bytes", [1, 1 << 18], ids=["line by line", "at once"])
def test_a_disk_that_fills_up_while_outcomes_are_written(
    target: TargetRunner, org: Org, monkeypatch: pytest.MonkeyPatch, room: int, buffer_bytes: int
) -> None:
    """Then there is room again: the next run removes what was written in part, and each record has one outcome."""
    disk = FullDisk(room)
    with monkeypatch.context() as patch:
        patch.setattr(outcome_log, "os", SimpleNamespace(**{**vars(os), "write": disk.write}))
        patch.setattr(outcome_log, "BUFFER_BYTES", buffer_bytes)
        first = target.run(*MESSAGES, **CHOSEN)

    assert isinstance(first.error, OSError)
    assert "No space left on device" in str(first.error)
    assert disk.was_full
    assert first.states == []
    check_that_all_is_well(target, org)


def test_outcomes_that_cannot_be_brought_to_disk_are_none(
    target: TargetRunner, org: Org, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error comes with the sync, after everything seemed to be written."""

    def fsync(handle: int) -> None:
        raise no_space()

    with monkeypatch.context() as patch:
        patch.setattr(outcome_log, "os", SimpleNamespace(**{**vars(os), "fsync": fsync}))
        first = target.run(*MESSAGES, **CHOSEN)

    assert isinstance(first.error, OSError)
    assert first.outcomes == []
    check_that_all_is_well(target, org)


def test_a_journal_that_cannot_grow_knows_no_outcomes(
    target: TargetRunner, org: Org, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite finds the disk full when outcomes are committed: the files are cut back to what it knows."""
    commit = Journal.commit
    target.results_dir.mkdir()
    with closing(sqlite3.connect(target.results_dir / "journal.sqlite")) as db:
        db.execute("PRAGMA page_size = 512")  # so small that the outcomes of a batch need another page
        db.execute("VACUUM")

    def commit_on_a_full_disk(self: Journal, *args: Any, **kwargs: Any) -> None:
        self._db.execute("PRAGMA max_page_count = 1")  # as many as there are, that is
        commit(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "commit", commit_on_a_full_disk)
        first = target.run(*MESSAGES, **CHOSEN)

    assert isinstance(first.error, JournalUnusable)
    assert "database or disk is full: check the disk and the permissions, and run again" in str(first.error)
    assert first.outcomes == []
    check_that_all_is_well(target, org)


def test_rows_to_resend_that_cannot_be_written(target: TargetRunner, org: Org, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full when locked rows get files of their own: their job's outcomes are read again by the next run."""
    close = JobDataFiles.close

    def close_on_a_full_disk(self: JobDataFiles) -> None:
        close(self)
        if ".2." in self.path.name:
            raise no_space()

    org.faults.add("ingest.close", Fault.lock_rows(2))
    with monkeypatch.context() as patch:
        patch.setattr(JobDataFiles, "close", close_on_a_full_disk)
        first = target.run(*MESSAGES, **CHOSEN)

    assert isinstance(first.error, OSError)
    assert first.outcomes == []
    assert org.faults.completed
    check_that_all_is_well(target, org)


LIMITED = {
    "job data": (8, [ACCOUNT, records("Account", *({"External_Id__c": str(n), "Name": "x" * 200} for n in range(99)))]),
    "outcomes": (44, [ACCOUNT, records("Account", *({"External_Id__c": str(n), "Name": "x"} for n in range(400)))]),
    "journal": (12, [ACCOUNT, records("Account", {"External_Id__c": "1", "Name": "x"})]),
}


@pytest.mark.parametrize("what", LIMITED)
def test_the_command_says_in_one_line_that_a_file_cannot_grow(
    target: TargetRunner, org: Org, tmp_path: Path, what: str
) -> None:
    """No traceback, exit code 1, no STATE. Once files may grow, the same command loads every record once."""
    kilobytes, messages = LIMITED[what]
    config = tmp_path / "config.json"
    config.write_text(json.dumps(target.config(operation="insert", small_batch_rows=0)))
    command = shlex.join([str(Path(sys.executable).with_name("target-salesforce-bulk")), "--config", str(config)])

    def run(prefix: str) -> subprocess.CompletedProcess[str]:
        data = lines([*messages, state("end")]).decode()
        return subprocess.run(
            ["bash", "-c", f"{prefix} exec {command}"], input=data, capture_output=True, text=True, check=False
        )

    first = run(f"ulimit -f {kilobytes};")
    second = run("")

    errors = [line for line in first.stderr.splitlines() if " INFO " not in line and " WARNING " not in line]
    assert (first.returncode, first.stdout) == (1, "")
    assert len(errors) == 1, first.stderr
    assert (second.returncode, second.stdout) == (0, '"end"\n'), second.stderr
    keys = [row["External_Id__c"] for row in org.rows("Account")]
    assert Counter(keys) == Counter(message["record"]["External_Id__c"] for message in messages[1])
    outcomes = [line for path in target.results_dir.glob("outcomes-*") for line in path.read_text().splitlines()]
    assert len(outcomes) == len(keys)


# Runs that are cut short


@pytest.mark.parametrize("at", [0, 7, 20, 33])
def test_a_signal_while_outcomes_are_written_slowly(target: TargetRunner, org: Org, tmp_path: Path, at: int) -> None:
    """The process does not wait for a disk that hangs: what it was writing is cut by the next run."""
    code = run_and_stop(at_outcome=at, config=target.config(**CHOSEN), data=lines(MESSAGES), stdout=tmp_path / "stdout")

    assert code == 143
    check_that_all_is_well(target, org)


@pytest.mark.parametrize("committed", [1, 0], ids=["after a batch", "before the first"])
def test_what_a_crashed_run_wrote_without_committing_is_cut(target: TargetRunner, org: Org, committed: int) -> None:
    """From both of its files; one of which nothing was committed goes."""
    org.faults.add("ingest.create", Fault.request_limit_total(), after=committed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "end_run", lambda *_, **__: None)  # as if it had been killed just before
        target.run(*MESSAGES, **CHOSEN)
    with closing(Journal(target.results_dir / "journal.sqlite", org=org.org_id)) as journal:
        (run_id,) = journal.unfinished_runs()
    paths = [outcome_log.outcomes_path(target.results_dir, run_id), outcome_log.failed_path(target.results_dir, run_id)]
    for path in paths:
        with path.open("ab") as file:
            file.write(b'{"type":"RECORD","key":{"External_Id__c":"20"')

    check_that_all_is_well(target, org)
    assert [path.exists() for path in paths] == [bool(committed)] * 2
    with closing(Journal(target.results_dir / "journal.sqlite", org=org.org_id)) as journal:
        assert journal.unfinished_runs() == {}


DESTINATION = Destination(
    stream="s",
    object="Account",
    operation=Operation.INSERT,
    external_id_field=None,
    assignment_rule_id=None,
    columns=(),
    key_column=None,
    parents=(),
    key_properties=(),
    stream_schema={},
)


def test_outcomes_are_on_disk_long_before_they_are_all_known(tmp_path: Path) -> None:
    """Those of a great batch are not held in memory: of two megabytes, little is."""
    log = outcome_log.OutcomeLog(tmp_path, run_id="x")

    for _ in range(2000):
        log.write_failed(json.dumps({"Name": "x" * 1000}).encode(), destination=DESTINATION)

    assert log.committed().failed_bytes > 2_000_000
    assert log.failed_path.stat().st_size > 1_500_000


@pytest.mark.parametrize("buffer_bytes", [1, 1 << 18], ids=["line by line", "at once"])
def test_what_was_cut_after_an_error_does_not_come_with_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, buffer_bytes: int
) -> None:
    """One batch is committed, the outcomes of the second are given up, the third follows the first."""
    monkeypatch.setattr(outcome_log, "BUFFER_BYTES", buffer_bytes)
    log = outcome_log.OutcomeLog(tmp_path, run_id="x")

    for number in (1, 2, 3):
        with contextlib.suppress(OSError), log.writing():
            log.write_failed(b"%d" % number, destination=DESTINATION)
            if number == 2:
                raise no_space()
            committed = log.sync()
    log.close()

    messages = [json.loads(line) for line in log.failed_path.read_text().splitlines()]
    assert [message["record"] for message in messages if message["type"] == "RECORD"] == [1, 3]
    assert log.failed_path.stat().st_size == committed.failed_bytes


# The failed file


def test_each_schema_of_a_stream_stands_before_its_failed_records(target: TargetRunner, org: Org) -> None:
    """A stream's schema changes in the middle: the failed file says so again, and can be loaded as it is."""
    wider = schema(
        "Account", key=["External_Id__c"], External_Id__c="string", Name=["string", "null"], Site=["string", "null"]
    )
    first = records("Account", {"External_Id__c": "1", "Name": "a"}, {"External_Id__c": "2", "Name": "b"})
    later = records("Account", {"External_Id__c": "3", "Name": "c", "Site": "Rome"})
    org.faults.add("ingest.close", Fault.lock_rows(2), times=2)

    run = target.run(ACCOUNT, first, wider, later, small_batch_rows=0, record_retries=0, max_concurrent_jobs=1)

    messages = [json.loads(line) for line in run.failed_file.splitlines()]
    assert [message["type"] for message in messages] == ["SCHEMA", "RECORD", "RECORD", "SCHEMA", "RECORD"]
    assert ["Site" in message["schema"]["properties"] for message in messages if "schema" in message] == [False, True]
    assert org.faults.completed
    assert not org.faults.pending

    again = target.run(run.failed_file, small_batch_rows=0)

    assert again.error is None
    assert sorted((row["Name"], row["Site"]) for row in org.rows("Account")) == [
        ("a", None),
        ("b", None),
        ("c", "Rome"),
    ]


def test_a_schema_that_was_cut_is_written_again(target: TargetRunner, org: Org) -> None:
    """One batch's outcomes are cut after an error; another one of the stream, in the same run, still has its SCHEMA."""
    org.progression = Progression.seconds(3600)
    target.run(*MESSAGES, **CHOSEN, job_timeout_s=0.05)
    path = next((target.results_dir / "pending").glob("*.jsonl"))
    destination = JobDataFiles.find(path, number_of_rows=20).destination
    log = outcome_log.OutcomeLog(target.results_dir, run_id="x")

    with contextlib.suppress(OSError), log.writing():
        log.write_failed(b"{}", destination=destination)
        raise no_space()
    with log.writing():
        log.write_failed(b"{}", destination=destination)
        log.sync()
    log.close()

    types = [json.loads(line)["type"] for line in log.failed_path.read_text().splitlines()]
    assert types == ["SCHEMA", "RECORD"]


# Who may read them


@pytest.fixture
def open_umask() -> Iterator[None]:
    """A umask that takes no permission away."""
    before = os.umask(0)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, set[int]]:
    found = [folder, *folder.rglob("*")]
    return {
        "folders": {stat.S_IMODE(path.stat().st_mode) for path in found if path.is_dir()},
        "files": {stat.S_IMODE(path.stat().st_mode) for path in found if not path.is_dir()},
    }


@pytest.mark.usefixtures("open_umask")
@pytest.mark.parametrize("chosen", [CHOSEN, {}, {"dry_run": True}], ids=["jobs", "a request", "dry run"])
def test_only_the_user_may_read_what_a_run_leaves(
    target: TargetRunner, org: Org, monkeypatch: pytest.MonkeyPatch, chosen: dict[str, Any]
) -> None:
    """Files and folders, whatever the umask: they hold records."""
    seen: set[str] = set()
    discard = JobDataFiles.discard

    def look_and_discard(self: JobDataFiles) -> None:
        assert modes(target.results_dir)["files"] == {0o600}
        seen.update(path.suffix for path in self.path.parent.iterdir())
        discard(self)

    monkeypatch.setattr(JobDataFiles, "discard", look_and_discard)
    org.faults.add("ingest.create", Fault.lock_rows(1))
    target.run(*MESSAGES, **chosen)

    if not chosen.get("dry_run"):
        assert modes(target.results_dir) == {"folders": {0o700}, "files": {0o600}}
        assert (target.results_dir / ".lock").exists()
        assert seen == {".jsonl", ".csv"}


@pytest.mark.usefixtures("open_umask")
def test_what_a_run_that_stopped_leaves_is_its_users_too(target: TargetRunner, org: Org) -> None:
    """Records that were not sent, or whose job runs, lie in the folder until the next run."""
    org.progression = Progression.seconds(3600)

    target.run(*MESSAGES, **CHOSEN, job_timeout_s=0.05)

    assert list((target.results_dir / "pending").iterdir())
    assert modes(target.results_dir) == {"folders": {0o700}, "files": {0o600}}
