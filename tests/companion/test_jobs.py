"""``salesforce-bulk jobs``: finding jobs, and doing away with them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from salesforce_bulk_client import IngestJob, IngestSpec, Operation, QueryJob, SalesforceClient
from salesforce_bulk_simulator import Fault, Limit, Org, Progression
from tap_salesforce_bulk.query.ranges import QueryRange
from tap_salesforce_bulk.query.stream_state import Checkpoint
from target_salesforce_bulk.journal import BatchNote, BatchState, Journal

from .conftest import Run

Make = Callable[..., str]


@pytest.fixture
def query(client: SalesforceClient) -> Make:
    """Makes a query job, and returns its id."""
    return lambda name="Account": QueryJob.create(client, f"SELECT Id FROM {name}", include_deleted=False).id


@pytest.fixture
def ingest(client: SalesforceClient) -> Make:
    """Makes an Open ingest job, and returns its id."""
    return lambda name="Contact": IngestJob.create(client, IngestSpec(object=name, operation=Operation.INSERT)).id


@pytest.fixture
def loaded(client: SalesforceClient) -> Make:
    """Makes an ingest job that has ended, and returns its id."""

    def make() -> str:
        job = IngestJob.create(client, IngestSpec(object="Contact", operation=Operation.INSERT))
        job.upload(lambda: io.BytesIO(b"LastName\nAda\n"))
        job.close()
        return job.id

    return make


def ids(done: Any) -> list[str]:
    return [job["id"] for job in json.loads(done.stdout)]


def state(org: Org, job_id: str) -> str:
    (found,) = [job["state"] for job in org.jobs if job["id"] == job_id]
    return str(found)


def test_the_list_has_both_kinds_the_newest_first(companion: Run, org: Org, query: Make, ingest: Make) -> None:
    """With what they do, their object, state and time."""
    first = query()
    org.clock.advance(60)
    second = ingest()

    done = companion("jobs", "list")

    assert done.exit_code == 0
    head, *lines, end = done.stdout.splitlines()
    assert head.split() == ["Id", "Kind", "Operation", "Object", "State", "Created", "(UTC)"]
    assert [line.split()[:5] for line in lines] == [
        [second, "ingest", "insert", "Contact", "Open"],
        [first, "query", "query", "Account", "JobComplete"],
    ]
    assert end == f"2 jobs made by this user, {org.user_id}; --all shows everybody's"


def test_a_long_list_is_read_to_its_end(companion: Run, org: Org, query: Make) -> None:
    """Page by page."""
    org.jobs_per_list_page = 2
    made = [query() for _ in range(5)]

    assert sorted(ids(companion("jobs", "list", "--format", "json"))) == sorted(made)


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--kind", "query"], ["old query", "query"]),
        (["--kind", "ingest"], ["open", "loaded"]),
        (["--state", "jobcomplete"], ["old query", "query", "loaded"]),
        (["--open"], ["open"]),
        (["--object", "contact"], ["open", "loaded"]),
        (["--older-than", "1d"], ["old query"]),
        (["--newer-than", "90m"], ["query", "open", "loaded"]),
        (["--kind", "query", "--newer-than", "2w", "--state", "JobComplete"], ["old query", "query"]),
        (["--state", "Failed"], []),
    ],
)
def test_the_list_can_be_narrowed(
    companion: Run, org: Org, query: Make, ingest: Make, loaded: Make, options: list[str], found: list[str]
) -> None:
    """By kind, state, object and age, together."""
    names = {query(): "old query"}
    org.clock.advance(timedelta(days=2).total_seconds())
    names |= {query(): "query", ingest(): "open", loaded(): "loaded"}

    done = companion("jobs", "list", *options, "--format", "json")

    assert sorted(names[each] for each in ids(done)) == sorted(found)


def test_others_jobs_are_shown_only_when_asked_for(companion: Run, org: Org, query: Make) -> None:
    """With who made them."""
    own = query()
    me, org.user_id = org.user_id, "005SIM000000009YBA"
    others = query()
    org.user_id = me

    mine, everybodys = companion("jobs", "list"), companion("jobs", "list", "--all")

    assert own in mine.stdout
    assert others not in mine.stdout
    lines = [line.split() for line in everybodys.stdout.splitlines()]
    assert {line[0]: line[-1] for line in lines[1:3]} == {own: me, others: "005SIM000000009YBA"}
    assert lines[-1] == ["2", "jobs"]


def test_show_finds_out_which_kind_an_id_is_of(companion: Run, query: Make, ingest: Make) -> None:
    """All that Salesforce tells, for ids of 15 characters, too."""
    first, second = query(), ingest()

    done = companion("jobs", "show", first, second[:15])

    assert done.exit_code == 0
    assert f"query job {first} (query Account)" in done.stdout
    assert f"ingest job {second} (insert Contact)" in done.stdout
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["id", second] in lines
    assert ["isPkChunkingSupported", "True"] in lines


def test_a_job_that_is_gone_does_not_hide_the_others(companion: Run, org: Org, query: Make) -> None:
    """Deleted, or expired after seven days: exit code 1."""
    expired = query()
    org.clock.advance(timedelta(days=8).total_seconds())
    there = query()

    done = companion("jobs", "show", expired, there)

    assert done.exit_code == 1
    assert f"query job {there}" in done.stdout
    assert (
        f"Error: there is no query or ingest job {expired}: it was deleted, ended more than 7 days ago" in done.stderr
    )


def test_jobs_are_aborted_by_id(companion: Run, org: Org, ingest: Make) -> None:
    """Twice is no error."""
    job = ingest()

    first, second = companion("jobs", "abort", job, "--yes"), companion("jobs", "abort", job, "--yes")

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert first.stdout == f"aborted ingest job {job} (insert Contact)\naborted 1 of 1 job\n"
    assert state(org, job) == "Aborted"


def test_a_running_query_is_aborted(companion: Run, org: Org, query: Make) -> None:
    """Its kind is found out."""
    org.progression = Progression.seconds(60)
    job = query()

    done = companion("jobs", "abort", job, "--yes")

    assert done.exit_code == 0
    assert state(org, job) == "Aborted"


def test_one_refusal_does_not_stop_the_others(companion: Run, org: Org, query: Make, ingest: Make) -> None:
    """A job that has ended, one that is gone, and one that can be aborted: exit code 1."""
    ended, open_ = query(), ingest()

    done = companion("jobs", "abort", ended, "750SIM000000099", open_, "--yes")

    assert done.exit_code == 1
    assert f"query job {ended} (query Account) was not aborted: it has ended already, JobComplete" in done.stderr
    assert "there is no query or ingest job 750SIM000000099" in done.stderr
    assert "aborted 1 of 3 jobs" in done.stdout
    assert state(org, open_) == "Aborted"


def test_jobs_left_open_are_found_and_aborted(
    companion: Run, org: Org, query: Make, ingest: Make, loaded: Make
) -> None:
    """All that match, and only those that have not ended."""
    old = ingest()
    org.clock.advance(timedelta(hours=3).total_seconds())
    young, ended = ingest(), loaded()

    done = companion("jobs", "abort", "--open", "--older-than", "1h", "--yes")

    assert done.exit_code == 0
    assert "aborted 1 of 1 job" in done.stdout
    assert [state(org, job) for job in (old, young, ended)] == ["Aborted", "Open", "JobComplete"]


def test_jobs_that_have_ended_are_deleted_by_age(companion: Run, org: Org, query: Make, ingest: Make) -> None:
    """An Open one is not among them."""
    query()
    org.clock.advance(timedelta(hours=3).total_seconds())
    young, open_ = query(), ingest()

    done = companion("jobs", "delete", "--older-than", "1h", "--yes")

    assert done.exit_code == 0
    assert [job["id"] for job in org.jobs] == [young, open_]


def test_deleting_what_has_not_ended_is_refused_in_salesforces_words(companion: Run, org: Org, ingest: Make) -> None:
    """And what to do about it."""
    job = ingest()

    done = companion("jobs", "delete", job, "--yes")

    assert done.exit_code == 1
    assert "API_ERROR: Error encountered when deleting the job because the job is not terminated" in done.stderr
    assert "has to be aborted before it can be deleted" in done.stderr
    assert state(org, job) == "Open"


def test_a_job_that_is_deleted_already_is_told(companion: Run, query: Make) -> None:
    """The second time."""
    job = query()

    first, second = companion("jobs", "delete", job, "--yes"), companion("jobs", "delete", job, "--yes")

    assert (first.exit_code, second.exit_code) == (0, 1)
    assert f"there is no query or ingest job {job}" in second.stderr


def test_a_job_is_spoken_to_in_its_own_api_version(companion: Run, org: Org, ingest: Make) -> None:
    """Others' programs use other versions."""
    job = ingest()
    org.requests.clear()

    done = companion("jobs", "abort", job, "--yes", api_version="60.0")

    assert done.exit_code == 0
    assert ("PATCH", f"/services/data/v66.0/jobs/ingest/{job}") in org.requests


def test_a_job_that_the_next_run_goes_on_with_is_left_alone(
    companion: Run, org: Org, url: str, folder: Path, query: Make, ingest: Make, loaded: Make
) -> None:
    """The target's, by its journal in results_dir; the tap's, by its state. --force does it all the same."""
    targets, taps, nobodys = loaded(), query(), query()
    journal = Journal(folder / "journal.sqlite", org=url)
    note = BatchNote(
        batch_id="b",
        org="",
        destination="d",
        stream="contacts",
        object="Contact",
        operation="insert",
        files="b.jsonl",
        number_of_rows=1,
        state=BatchState.CLOSING,
        job_id=targets,
        reason="",
        since="",
    )
    journal.add_batch(note)
    journal.close()
    entry: dict[str, Any] = {}
    Checkpoint(job_id=taps, fingerprint="", instance_url=url, query_range=QueryRange()).save(entry)
    (folder / "state.json").write_text(json.dumps({"bookmarks": {"Account": entry}}))
    options = ("--tap-state", "state.json", "--kind", "query", "--older-than", "0s", "--yes")

    listed = companion("jobs", "list", "--tap-state", "state.json", results_dir=str(folder))
    kept = companion("jobs", "delete", targets, "--yes", results_dir=str(folder))
    swept = companion("jobs", "delete", *options)
    forced = companion("jobs", "delete", *options, "--force")

    by_id = {line.split()[0]: line for line in listed.stdout.splitlines()}
    assert by_id[targets].endswith(f"the target's journal in {folder}")
    assert by_id[taps].endswith("the tap's state state.json")
    assert "waits for it" not in by_id[nobodys]
    assert f"ingest job {targets} (insert Contact) was not deleted: the target's journal in" in kept.stderr
    assert (kept.exit_code, swept.exit_code, forced.exit_code) == (1, 1, 0)
    assert "deleted 1 of 2 jobs" in swept.stdout
    assert [job["id"] for job in org.jobs] == [targets]


def test_nothing_is_done_without_a_yes(companion: Run, org: Org, ingest: Make) -> None:
    """Where there is no terminal to ask at, with exit code 2."""
    job = ingest()

    done = companion("jobs", "abort", job)

    assert done.exit_code == 2
    assert "there is no terminal to ask at: say --yes" in done.stderr
    assert state(org, job) == "Open"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["abort", "--yes"], "say which jobs to abort"),
        (["delete", "--all", "--yes"], "say which jobs to delete"),
        (["abort", "750SIM000000001YBA", "--open", "--yes"], "not both"),
        (["abort", "../../limits", "--yes"], "'../../limits' is no id of 15 or 18 characters"),
        (["show"], "Missing argument 'ID...'"),
        (["list", "--older-than", "yesterday"], "'yesterday' is no age: write 90m, 12h, 1d or 2w"),
        (["list", "--state", "Lost"], "'Lost' is not one of"),
    ],
)
def test_a_wrong_command_line_is_exit_code_2(companion: Run, org: Org, arguments: list[str], told: str) -> None:
    """Before anything is sent."""
    done = companion("jobs", *arguments)

    assert done.exit_code == 2
    assert told in " ".join(done.stderr.split())
    assert org.requests == []


def test_programs_get_json(companion: Run, ingest: Make) -> None:
    """One entry for each job, with what became of it."""
    job = ingest()

    done = companion("jobs", "abort", job, "750SIM000000099", "--yes", "--format", "json")

    first, second = json.loads(done.stdout)
    assert first == {"id": job, "done": True, "message": f"aborted ingest job {job} (insert Contact)"}
    assert (second["id"], second["done"]) == ("750SIM000000099", False)


def test_a_job_of_somebody_else_may_be_refused(companion: Run, org: Org, ingest: Make) -> None:
    """In Salesforce's words, with whom to ask."""
    job = ingest()
    org.faults.add("ingest.abort", Fault.status(403, json=[{"errorCode": "INSUFFICIENT_ACCESS", "message": "no"}]))

    done = companion("jobs", "abort", job, "--yes")

    assert done.exit_code == 1
    assert "INSUFFICIENT_ACCESS: no" in done.stderr
    assert "ask an administrator" in done.stderr
    assert org.faults.completed


def test_a_quota_stops_all_of_it(companion: Run, org: Org, ingest: Make) -> None:
    """With exit code 75."""
    job = ingest()
    org.limits["DailyApiRequests"] = Limit(10, used=10)

    done = companion("jobs", "abort", job, "--yes")

    assert done.exit_code == 75
    assert "TotalRequests Limit exceeded." in done.stderr


def test_a_broken_journal_is_told(companion: Run, folder: Path, query: Make) -> None:
    """It would not be known what waits for which job."""
    (folder / "journal.sqlite").write_text("no database, whatever its name says" * 9)

    done = companion("jobs", "list", "--results-dir", str(folder))

    assert done.exit_code == 1
    assert "is damaged: file is not a database" in done.stderr
