"""The journal: whose it is, what it forgets, and what a run does about one that it cannot use."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from salesforce_bulk_client import QuotaExceeded
from salesforce_bulk_client.jobs import NOT_FOUND_TRIES
from salesforce_bulk_simulator import Fault, Org, Progression, running
from target_salesforce_bulk import journal as journal_module
from target_salesforce_bulk.errors import (
    JobDataDamaged,
    JournalUnusable,
    RecordsDoubtful,
    RecordsFailed,
    RecordsUnprocessed,
)
from target_salesforce_bulk.journal import BatchNote, Journal
from target_salesforce_bulk.results.outcome_log import OutcomeLog
from target_salesforce_bulk.results.run_summary import RunSummary

from tests.target.conftest import Message, Run, TargetRunner, records, schema, state

INSERT: dict[str, Any] = {"operation": "insert", "small_batch_rows": 0}
ROWS_PER_JOB: dict[str, Any] = {**INSERT, "batch_size_rows": 2, "max_concurrent_jobs": 1}
ACCOUNT = schema("Account", Name="string")
CONTACT = schema("Contact", LastName="string")
BOB = records("Contact", {"LastName": "Bob"})


def accounts(*names: str) -> list[Message]:
    return records("Account", *({"Name": name} for name in names))


def names(org: Org) -> list[str]:
    return sorted(row["Name"] for row in org.rows("Account"))


def leave_unfinished(target: TargetRunner, org: Org) -> Run:
    """Load a and b of a, b, c, d, and stop."""
    org.faults.add("ingest.create", Fault.request_limit_total(), after=1)
    run = target.run(ACCOUNT, accounts("a", "b", "c", "d"), state(4), **ROWS_PER_JOB)
    assert isinstance(run.error, QuotaExceeded)
    return run


def leave_unfinished_after_a_state(target: TargetRunner, org: Org) -> None:
    """Load a and b, pass a STATE, and stop before another a, and c."""
    org.faults.add("ingest.create", Fault.request_limit_total(), after=1)
    run = target.run(ACCOUNT, accounts("a", "b"), state(2), accounts("a", "c"), state(4), **ROWS_PER_JOB)
    assert isinstance(run.error, QuotaExceeded)
    assert run.states == [2]


def leave_a_job_running(target: TargetRunner, org: Org) -> Run:
    """Close a job with a and b, and do not wait for it."""
    org.progression = Progression.seconds(3600)
    run = target.run(ACCOUNT, accounts("a", "b"), state(2), **INSERT, job_timeout_s=0.05)
    assert run.error is not None
    let_jobs_end(org)
    return run


def let_jobs_end(org: Org) -> None:
    """Let Salesforce do what it has taken an hour for so far."""
    org.progression = Progression.immediate()
    for job in org.job_registry.all():
        org.job_registry.poll(job)


def leave_a_job_open(target: TargetRunner, org: Org) -> None:
    """Create a job for a, and neither send its rows nor abort it."""
    org.faults.add("ingest.upload", Fault.reset_before(), times=1000)
    org.faults.add("ingest.abort", Fault.reset_before(), times=1000)
    run = target.run(ACCOUNT, accounts("a"), **INSERT, retry_total_s=0.1)
    assert run.error is not None
    org.faults.clear()
    assert [job["state"] for job in org.jobs] == ["Open"]


def leave_pending(target: TargetRunner, org: Org) -> None:
    """Gather a, and stop before there is a job."""
    org.faults.add("ingest.create", Fault.request_limit_total())
    run = target.run(ACCOUNT, accounts("a"), **INSERT)
    assert run.error is not None
    assert org.jobs == []


def batches(target: TargetRunner, org: Org) -> list[BatchNote]:
    """What the journal knows of batches."""
    with closing(Journal(target.results_dir / "journal.sqlite", org=org.org_id)) as journal:
        return journal.batches()


def files(folder: Path) -> dict[str, bytes]:
    """All files below a folder with their contents, but for the lock."""
    found = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


# Whose records and batches they are


@pytest.fixture
def elsewhere(target: TargetRunner) -> Iterator[tuple[Org, dict[str, Any]]]:
    """Another org, and the settings by which a run in the same folder logs in to it."""
    other = Org(progression=Progression.immediate())
    other.org_id = other.sessions.org_id = "00D000000000002EAA"
    with running(other) as address:
        yield other, {"login_url": address}


def test_what_is_known_of_one_org_is_not_known_of_another(
    target: TargetRunner, org: Org, elsewhere: tuple[Org, dict[str, Any]]
) -> None:
    """The same input goes to a second org in the same folder: it loads everything, and the first is not forgotten."""
    other, there = elsewhere
    leave_unfinished(target, org)

    second = target.run(ACCOUNT, accounts("a", "b", "c", "d"), state(4), **ROWS_PER_JOB, **there)
    third = target.run(ACCOUNT, accounts("a", "b", "c", "d"), state(4), **ROWS_PER_JOB)

    assert (second.error, third.error) == (None, None)
    assert names(other) == ["a", "b", "c", "d"]
    assert names(org) == ["a", "b", "c", "d"]


def test_a_batch_of_another_org_is_neither_resumed_nor_dropped(
    target: TargetRunner, org: Org, elsewhere: tuple[Org, dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    """Its job is not asked for where it does not exist, and its files stay until its own org is loaded again."""
    other, there = elsewhere
    leave_a_job_running(target, org)
    number_of_requests = len(org.requests)

    second = target.run(ACCOUNT, accounts("x"), state(1), **INSERT, **there)

    assert second.error is None
    assert names(other) == ["x"]
    assert next(method for method, path in other.requests if "jobs/ingest" in path) == "POST"
    assert len(org.requests) == number_of_requests
    assert "in another org" in caplog.text

    third = target.run(ACCOUNT, accounts("a", "b"), state(2), **INSERT)

    assert third.error is None
    assert third.states == [2]
    assert names(org) == ["a", "b"]
    assert len(org.jobs) == 1


def test_an_open_job_of_another_org_is_not_aborted_here(
    target: TargetRunner, org: Org, elsewhere: tuple[Org, dict[str, Any]]
) -> None:
    """Ids of jobs may be equal in two orgs."""
    other, there = elsewhere
    leave_a_job_open(target, org)

    target.run(ACCOUNT, accounts("x"), **INSERT, **there)

    assert [job["state"] for job in other.jobs] == ["JobComplete"]
    target.run(ACCOUNT, accounts("a"), **INSERT)
    assert [job["state"] for job in org.jobs] == ["Aborted", "JobComplete"]


def test_a_good_run_forgets_only_its_own_streams(target: TargetRunner, org: Org) -> None:
    """Another pipeline in the folder ends well in between: what an unfinished one has loaded is still known."""
    leave_unfinished(target, org)

    other = target.run(CONTACT, BOB, state(1), **INSERT)
    again = target.run(ACCOUNT, accounts("a", "b", "c", "d"), state(4), **ROWS_PER_JOB)

    assert (other.error, again.error) == (None, None)
    assert names(org) == ["a", "b", "c", "d"]
    assert again.summary["known_from_earlier_run"]["loaded"] == 2


def test_the_journal_forgets_last_of_all(target: TargetRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that dies before has crashed, and one that dies after has ended: nothing is done in between."""
    done: list[str] = []

    def noting(owner: Any, name: str) -> None:
        plain = getattr(owner, name)

        def noted(*args: Any, **kwargs: Any) -> Any:
            done.append(name)
            return plain(*args, **kwargs)

        monkeypatch.setattr(owner, name, noted)

    noting(Journal, "end_run")
    noting(Journal, "commit")
    noting(Journal, "note_state")
    noting(RunSummary, "write")
    noting(OutcomeLog, "close")

    run = target.run(ACCOUNT, accounts("a"), state(1), **INSERT)

    assert run.states == [1]
    assert done == ["commit", "note_state", "write", "close", "end_run"]


def test_what_is_doubtful_in_one_org_is_no_matter_of_another(
    target: TargetRunner, org: Org, elsewhere: tuple[Org, dict[str, Any]]
) -> None:
    """The same pipeline loads a second org from the same folder and ends well; the first org's records still wait."""
    other, there = elsewhere
    org.faults.add("ingest.close", Fault.job_fails(has_counts=False, lists_unprocessed=False))
    first = target.run(ACCOUNT, accounts("a"), state(1), **INSERT)

    second = target.run(ACCOUNT, accounts("a"), state(1), **INSERT, **there)
    third = target.run(ACCOUNT, accounts("a"), state(1), **INSERT)

    assert [type(run.error) for run in (first, second, third)] == [RecordsDoubtful, type(None), RecordsDoubtful]
    assert [run.states for run in (first, second, third)] == [[], [1], []]
    assert names(other) == ["a"]
    assert names(org) == []


@pytest.mark.parametrize("ends_well", [False, True], ids=["unfinished", "ended well"])
def test_how_far_one_org_was_loaded_says_nothing_of_another(
    target: TargetRunner, org: Org, elsewhere: tuple[Org, dict[str, Any]], *, ends_well: bool
) -> None:
    """A second org is loaded in between: the first one's input resumes after its own last STATE all the same."""
    other, there = elsewhere
    leave_unfinished_after_a_state(target, org)
    other.faults.add("ingest.create", Fault.request_limit_total(), after=1)
    rest = [] if ends_well else accounts("y", "z")
    between = target.run(ACCOUNT, accounts("x"), state(1), rest, **ROWS_PER_JOB, **there)
    assert between.states == [1]
    assert (between.error is None) == ends_well

    run = target.run(ACCOUNT, accounts("a", "c"), state(4), **ROWS_PER_JOB)

    assert run.error is None
    assert run.states == [4]
    assert names(org) == ["a", "a", "b", "c"]


def test_how_far_one_stream_was_loaded_is_known_after_another_has_ended_well(target: TargetRunner, org: Org) -> None:
    """Another pipeline in the folder ends well in between: the first one's input resumes after its last STATE."""
    leave_unfinished_after_a_state(target, org)

    other = target.run(CONTACT, BOB, state(1), **INSERT)
    run = target.run(ACCOUNT, accounts("a", "c"), state(4), **ROWS_PER_JOB)

    assert (other.error, run.error) == (None, None)
    assert names(org) == ["a", "a", "b", "c"]


@pytest.mark.parametrize("where", ["another stream", "another org"])
def test_refused_records_of_an_unfinished_run_are_not_tried_again_because_another_ended(
    target: TargetRunner, org: Org, elsewhere: tuple[Org, dict[str, Any]], where: str
) -> None:
    """The other pipeline ends with unprocessed records, whose refused ones it would try again: only its own."""
    other, there = elsewhere
    people = schema("Contact", LastName=["string", "null"])
    rows = records("Contact", *({"LastName": name} for name in (None, "Bob", "Cyd", "Dan")))
    org.faults.add("ingest.create", Fault.request_limit_total(), after=1)
    first = target.run(people, rows, state(4), **ROWS_PER_JOB)
    assert isinstance(first.error, QuotaExceeded)
    loaded = [ACCOUNT, accounts("a")] if where == "another stream" else [people, rows]
    at, settings = (org, {}) if where == "another stream" else (other, there)
    at.faults.add("ingest.close", Fault.job_fails("InvalidBatch : x"))
    between = target.run(*loaded, **ROWS_PER_JOB, **settings)
    assert isinstance(between.error, RecordsUnprocessed)

    run = target.run(people, rows, state(4), **ROWS_PER_JOB)

    assert isinstance(run.error, RecordsFailed)
    assert run.states == [4]
    assert run.summary["known_from_earlier_run"] == {"loaded": 1, "failed": 1, "doubtful": 0, "forgotten": 0}
    assert sorted(row["LastName"] for row in org.rows("Contact")) == ["Bob", "Cyd", "Dan"]


def test_how_far_a_run_came_that_ended_well_says_nothing_of_the_next(target: TargetRunner, org: Org) -> None:
    """Equal records come in each of two runs; the second is unfinished, and nothing of it is in doubt."""
    target.run(ACCOUNT, accounts("x", "x"), state(2), **ROWS_PER_JOB)
    org.faults.add("ingest.create", Fault.request_limit_total(), after=1)
    unfinished = target.run(ACCOUNT, accounts(*"xxxx"), state(4), **ROWS_PER_JOB)
    assert isinstance(unfinished.error, QuotaExceeded)

    run = target.run(ACCOUNT, accounts(*"xxxx"), state(4), **ROWS_PER_JOB)

    assert run.error is None
    assert names(org) == ["x"] * 6


def test_a_job_that_an_earlier_run_has_left_is_named(
    target: TargetRunner, org: Org, caplog: pytest.LogCaptureFixture
) -> None:
    """Who watches the run sees which job it waits for."""
    leave_a_job_running(target, org)
    caplog.set_level(logging.INFO)

    run = target.run(ACCOUNT, accounts("a", "b"), **INSERT)

    assert run.error is None
    assert f"finishing job {org.jobs[0]['id']} of stream 'Account'" in caplog.text


# Journals that cannot be used


def test_a_locked_journal_is_one_line(target: TargetRunner, org: Org, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program holds it: nothing is sent, nothing is deleted."""
    monkeypatch.setattr(journal_module, "BUSY_TIMEOUT_S", 0.01)
    leave_unfinished(target, org)
    before = files(target.results_dir)
    with closing(sqlite3.connect(target.results_dir / "journal.sqlite")) as holder:
        holder.execute("BEGIN EXCLUSIVE")

        run = target.run(ACCOUNT, accounts("a", "b", "c", "d"), state(4), **ROWS_PER_JOB)

    assert isinstance(run.error, JournalUnusable)
    assert "database is locked: another program holds it; wait for that to end, and run again" in str(run.error)
    assert files(target.results_dir) == before
    assert names(org) == ["a", "b"]


def damage(path: Path) -> None:
    """Overwrite all but the first page."""
    data = path.read_bytes()
    path.write_bytes(data[:4096] + b"\xa5" * (len(data) - 4096))


def cut(path: Path) -> None:
    """Leave the first 1,000 bytes."""
    path.write_bytes(path.read_bytes()[:1000])


def other_program(path: Path) -> None:
    """Put another program's database in its place."""
    path.unlink()
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE precious (value TEXT)")


def newer(path: Path) -> None:
    """Say that a newer version wrote it."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 4")


def older(path: Path) -> None:
    """Put a journal of version 0 in its place, with a unit under way."""
    path.unlink()
    with closing(sqlite3.connect(path)) as db:
        db.executescript(
            "CREATE TABLE runs (run_id TEXT); CREATE TABLE units (unit_id TEXT); CREATE TABLE known (kind TEXT);"
            "INSERT INTO units VALUES ('1')"
        )


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (damage, "is damaged: "),
        (cut, "is damaged: "),
        (lambda path: path.write_bytes(b"no database at all" * 100), "is damaged: "),
        (other_program, "is not a journal of this target; set another results_dir"),
        (newer, "was written by a newer version of this target (4, not 3); upgrade it, or set another results_dir"),
        (older, "was written by an older version, and has unfinished work. Run the same pipeline once more with that"),
    ],
    ids=["damaged", "cut", "text", "foreign", "newer", "older"],
)
def test_a_journal_that_cannot_be_used_is_one_line(target: TargetRunner, org: Org, spoil: Any, told: str) -> None:
    """Nothing is sent or deleted: what it knew, or somebody else's data, may be needed yet."""
    leave_unfinished(target, org)
    spoil(target.results_dir / "journal.sqlite")
    before = files(target.results_dir)

    run = target.run(ACCOUNT, accounts("a", "b", "c", "d"), state(4), **ROWS_PER_JOB)

    assert isinstance(run.error, JournalUnusable)
    assert f"{target.results_dir / 'journal.sqlite'} {told}" in str(run.error)
    assert run.states == []
    assert files(target.results_dir) == before
    assert names(org) == ["a", "b"]


def test_an_older_journal_without_unfinished_work_is_renewed(target: TargetRunner, org: Org) -> None:
    """An upgrade between two good runs needs nobody."""
    target.results_dir.mkdir()
    path = target.results_dir / "journal.sqlite"
    path.touch()
    older(path)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DELETE FROM units")

    run = target.run(ACCOUNT, accounts("a"), state(1), **INSERT)

    assert run.error is None
    assert names(org) == ["a"]


def test_a_journal_of_version_2_is_upgraded_with_its_unfinished_work(target: TargetRunner, org: Org) -> None:
    """It did not note which run an outcome is of; what it knows is still not loaded twice."""
    leave_unfinished(target, org)
    with closing(sqlite3.connect(target.results_dir / "journal.sqlite")) as db:
        db.executescript("ALTER TABLE outcomes DROP COLUMN run_id; PRAGMA user_version = 2;")

    run = target.run(ACCOUNT, accounts("a", "b", "c", "d"), state(4), **ROWS_PER_JOB)

    assert run.error is None
    assert names(org) == ["a", "b", "c", "d"]
    assert run.summary["skipped"] == [{"run_id": "", "loaded": 2, "failed": 0, "doubtful": 0, "forgotten": 0}]


# Files of a batch whose job may have loaded its rows


@pytest.mark.parametrize("name", ["*.jsonl", "*.csv"])
@pytest.mark.parametrize("removed", [None, 1, 2, 3], ids=["missing", "cut by 1", "cut by 2", "cut by 3"])
def test_a_batch_whose_files_are_spoiled_stops_its_own_stream_only(
    target: TargetRunner, org: Org, name: str, removed: int | None
) -> None:
    """Nothing tells which rows its job has loaded: its stream waits for a person, others run on, nothing is deleted."""
    leave_a_job_running(target, org)
    (path,) = (target.results_dir / "pending").glob(name)
    if removed is None:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-removed])
    before = files(target.results_dir / "pending")

    other = target.run(CONTACT, BOB, state("other"), **INSERT)
    own = target.run(ACCOUNT, accounts("a", "b"), state("own"), **INSERT)

    assert other.error is None
    assert other.states == ["other"]
    assert isinstance(own.error, JobDataDamaged)
    assert f"salesforce-bulk batches {target.results_dir} --forget" in str(own.error)
    assert org.jobs[0]["id"] in str(own.error)
    assert own.states == []
    assert names(org) == ["a", "b"]
    assert files(target.results_dir / "pending") == before


def test_a_data_file_that_was_cut_inside_a_value_is_not_used(target: TargetRunner, org: Org) -> None:
    """It ends with a line break, but with one of a value: a shorter value must not pass for the record's own."""
    org.progression = Progression.seconds(3600)
    target.run(ACCOUNT, accounts("one\ntwo"), **INSERT, job_timeout_s=0.05)
    (path,) = (target.results_dir / "pending").glob("*.csv")
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"two")])
    let_jobs_end(org)

    run = target.run(ACCOUNT, accounts("one\ntwo"), state(1), **INSERT)

    assert isinstance(run.error, JobDataDamaged)
    assert run.states == []
    assert names(org) == ["one\ntwo"]


@pytest.mark.parametrize("leave", [leave_a_job_open, leave_pending], ids=["open", "pending"])
@pytest.mark.parametrize("name", ["*.jsonl", "*.csv"])
def test_spoiled_files_of_a_batch_that_was_never_closed_do_no_harm(
    target: TargetRunner, org: Org, caplog: pytest.LogCaptureFixture, leave: Any, name: str
) -> None:
    """Nothing of it was loaded, so its records come again: its job is aborted, and nobody has to decide anything."""
    leave(target, org)
    (path,) = (target.results_dir / "pending").glob(name)
    path.unlink()
    number_of_requests = len(org.requests)

    run = target.run(ACCOUNT, accounts("a"), state(1), **INSERT)

    assert run.error is None
    assert run.states == [1]
    assert names(org) == ["a"]
    assert "set aside" not in caplog.text
    assert batches(target, org) == []
    assert list((target.results_dir / "pending").iterdir()) == []
    asked = [(method, org_path) for method, org_path in org.requests[number_of_requests:] if "jobs/ingest" in org_path]
    if leave is leave_a_job_open:
        assert [job["state"] for job in org.jobs] == ["Aborted", "JobComplete"]
    else:
        assert asked[0][0] == "POST"  # there was no job to ask for


@pytest.mark.parametrize(
    ("call", "fault", "times"),
    [
        ("ingest.info", Fault.not_found(), NOT_FOUND_TRIES),
        ("ingest.info", Fault.status(403, json=[{"errorCode": "INSUFFICIENT_ACCESS", "message": "no"}]), 1),
        ("ingest.abort", Fault.status(400, json=[{"errorCode": "INVALIDJOBSTATE", "message": "no"}]), 1),
    ],
    ids=["gone", "forbidden", "ended"],
)
def test_an_open_job_that_cannot_be_aborted_does_no_harm(
    target: TargetRunner, org: Org, call: str, fault: Fault, times: int
) -> None:
    """It has no data. The files of its batch are damaged as well: the run loads the records that come again."""
    leave_a_job_open(target, org)
    (path,) = (target.results_dir / "pending").glob("*.csv")
    path.unlink()
    org.faults.add(call, fault, times=times)

    run = target.run(ACCOUNT, accounts("a"), state(1), **INSERT)

    assert run.error is None
    assert run.states == [1]
    assert names(org) == ["a"]
    assert batches(target, org) == []
    assert (call, fault) in org.faults.completed
    assert not org.faults.pending


def test_a_folder_of_batches_that_is_a_link_is_left_alone(target: TargetRunner, org: Org, tmp_path: Path) -> None:
    """What lies where it points to may be another program's, whatever its name."""
    outside = tmp_path / "outside"
    outside.mkdir()
    precious = outside / "20260101T000000Z-abcdef-000001.jsonl"
    precious.write_text("precious")
    target.results_dir.mkdir()
    (target.results_dir / "pending").symlink_to(outside)

    target.run(ACCOUNT, accounts("a"), **INSERT)

    assert precious.read_text() == "precious"
