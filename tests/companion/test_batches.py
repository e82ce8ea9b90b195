"""`salesforce-bulk batches`: what runs have left is listed, and a person decides what becomes of it."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from salesforce_bulk_client import IngestJob, IngestSpec, Operation, SalesforceClient
from salesforce_bulk_simulator import Fault, Org, Progression
from target_salesforce_bulk.errors import RecordsDoubtful
from target_salesforce_bulk.journal import BatchState, Journal
from target_salesforce_bulk.run import lock

from tests.companion.conftest import Run as Companion
from tests.target.conftest import Run, TargetRunner, records, schema, state
from tests.target.crashing import run_command_and_kill

PEOPLE = schema("Contact", key=["n"], n="integer", LastName="string", Email="string")
ROWS = records("Contact", *({"n": n, "LastName": "Ada", "Email": f"{n}@example.com"} for n in range(5)))
MESSAGES = [PEOPLE, ROWS, state({"n": 5})]
EMAILS = [f"{n}@example.com" for n in range(5)]
INSERT: dict[str, Any] = {"operation": "insert", "unknown_fields": "drop", "small_batch_rows": 0}
UPSERT: dict[str, Any] = {**INSERT, "operation": "upsert", "external_id_field": "Email"}


@pytest.fixture
def target(settings: dict[str, Any], folder: Path, capsys: pytest.CaptureFixture[str]) -> TargetRunner:
    """The target, with the folder of results that the commands take by themselves."""
    return TargetRunner(settings=settings, results_dir=folder / "salesforce/logs", capsys=capsys)


def leave_job_gone(target: TargetRunner, org: Org, client: SalesforceClient, **chosen: Any) -> Run:
    """Leave five doubtful rows: their job is gone before a run could see what it did."""
    org.progression = Progression.seconds(3600)
    target.run(*MESSAGES, **INSERT | chosen, job_timeout_s=0.05)
    client.delete(f"jobs/ingest/{org.jobs[-1]['id']}")
    org.progression = Progression.immediate()
    return target.run(*MESSAGES, **INSERT | chosen)


def leave_silence(target: TargetRunner, org: Org) -> Run:
    """Leave two doubtful rows, both loaded: neither counts nor result files of their job name them."""
    org.faults.add("ingest.close", Fault.results_lost("successful", rows=2, has_counts=False))
    return target.run(*MESSAGES, **INSERT)


def leave_set_aside(target: TargetRunner, org: Org, **chosen: Any) -> Run:
    """Leave a batch whose job could not be read for a while; its five rows are loaded."""
    forbidden = Fault.status(403, json=[{"errorCode": "INSUFFICIENT_ACCESS", "message": "not now"}])
    org.faults.add("ingest.successful", forbidden)
    return target.run(*MESSAGES, **INSERT | chosen)


def leave_open(target: TargetRunner, org: Org, client: SalesforceClient) -> None:
    """Leave a batch as a run does that is killed between the creation of its job and the close."""
    org.faults.add("ingest.create", Fault.request_limit_total())
    target.run(*MESSAGES, **INSERT)
    [note] = notes(target.results_dir)
    job = IngestJob.create(client, IngestSpec(object="Contact", operation=Operation.INSERT))
    journal = Journal(target.results_dir / "journal.sqlite", org="")
    journal.set_state(note.batch_id, BatchState.OPEN, job_id=job.id)
    journal.close()


def leave_closing(target: TargetRunner, org: Org) -> None:
    """Let a run end while Salesforce works, so that the next would wait for its job."""
    org.progression = Progression.seconds(3600)
    org.faults.add("ingest.info", Fault.request_limit_total())
    target.run(*MESSAGES, **INSERT)
    org.progression = Progression.immediate()


def notes(results_dir: Path) -> list[Any]:
    """The batches of a journal."""
    if not (results_dir / "journal.sqlite").exists():
        return []
    journal = Journal(results_dir / "journal.sqlite", org="")
    found = journal.batches()
    journal.close()
    return found


def states(results_dir: Path) -> list[str]:
    """Their states."""
    return [note.state.value for note in notes(results_dir)]


def last_lines(results_dir: Path) -> dict[int, str]:
    """The last status of each row, by its key."""
    paths = sorted(results_dir.glob("outcomes-*.jsonl"), key=lambda path: path.stat().st_mtime_ns)
    found = [json.loads(line) for path in paths for line in path.read_text().splitlines()]
    return {outcome["key"]["n"]: outcome["status"] for outcome in found}


def emails(org: Org) -> list[str]:
    """Which rows the org has."""
    return sorted(row["Email"] for row in org.rows("Contact"))


# Listing


def test_nothing_left_is_said_without_a_login_and_without_a_new_file(bare: Companion, folder: Path) -> None:
    """A folder without a journal stays as it is."""
    (folder / "logs").mkdir()

    done = bare("batches", "logs")

    assert (done.exit_code, done.stdout) == (0, "no batch is left\n")
    assert list((folder / "logs").iterdir()) == []


def test_a_folder_that_is_not_there_is_not_made(bare: Companion, folder: Path) -> None:
    """It is a mistake of the command line: nothing says that nothing is left."""
    done = bare("batches")

    assert done.exit_code == 2
    assert "there is no folder 'salesforce/logs'" in done.stderr
    assert list(folder.iterdir()) == []


def test_doubtful_rows_are_listed_with_their_job_and_the_reason(
    bare: Companion, target: TargetRunner, org: Org, client: SalesforceClient
) -> None:
    """As lines to read, and as JSON; nothing is asked of Salesforce."""
    leave_job_gone(target, org, client)
    [note] = notes(target.results_dir)
    requests = list(org.requests)

    text, data = bare("batches"), bare("batches", str(target.results_dir), "--format", "json")

    assert (text.exit_code, data.exit_code) == (1, 1)
    assert text.stdout.splitlines()[1].split()[:7] == [
        note.batch_id,
        "doubtful",
        "Contact",
        "insert",
        "Contact",
        note.job_id,
        "5",
    ]
    assert f"{note.job_id} " in note.reason
    assert note.reason in text.stdout
    assert text.stdout.splitlines()[-1] == "left: 1 batch (5 rows)"
    [entry] = json.loads(data.stdout)["batches"]
    assert (entry["id"], entry["state"], entry["rows"]) == (note.batch_id, "doubtful", 5)
    assert (entry["job_id"], entry["reason"]) == (note.job_id, note.reason)
    assert json.loads(data.stdout)["is_in_use"] is False
    assert org.requests == requests


def test_pending_batches_are_listed_with_what_the_next_run_does(
    bare: Companion, target: TargetRunner, org: Org, client: SalesforceClient
) -> None:
    """They wait for no decision; while a run uses the folder they are its work, so that is said."""
    leave_open(target, org, client)

    alone = bare("batches")
    journal = Journal(target.results_dir / "journal.sqlite", org="")
    journal.begin_run("20260115T103000Z-3f9a1c")
    journal.close()
    held = lock(target.results_dir)
    in_use = bare("batches")
    held.release()

    assert "not sent in full" in alone.stdout
    assert "the next run aborts its job and drops it: its records come again" in alone.stdout
    assert "A run is using" not in alone.stdout
    assert "A run is using salesforce/logs" in in_use.stdout


# Deciding

LEFT: dict[str, Callable[..., Any]] = {
    "job gone": leave_job_gone,
    "silence": lambda target, org, _: leave_silence(target, org),
    "set aside": lambda target, org, _: leave_set_aside(target, org),
}


@pytest.mark.parametrize("left", LEFT)
@pytest.mark.parametrize("action", ["--resend", "--forget"])
def test_after_a_decision_the_same_input_ends_well(
    companion: Companion, target: TargetRunner, org: Org, client: SalesforceClient, left: str, action: str
) -> None:
    """STATE passes, no row is sent by the run itself, and the decision is the last word on each row."""
    first = LEFT[left](target, org, client)
    assert isinstance(first.error, RecordsDoubtful)
    before, doubtful = emails(org), [n for n, status in last_lines(target.results_dir).items() if status == "doubtful"]
    jobs = len(org.jobs)

    done = companion("batches", action, "all", "--yes")
    decided, jobs_then = emails(org), len(org.jobs)
    second = target.run(*MESSAGES, **INSERT)
    third = companion("batches")

    assert (done.exit_code, done.stdout.splitlines()[-1]) == (0, "no batch is left")
    assert (second.error, second.states) == (None, [{"n": 5}])
    assert (third.exit_code, third.stdout) == (0, "no batch is left\n")
    assert (emails(org), len(org.jobs)) == (decided, jobs_then)
    if action == "--forget":
        assert (decided, jobs_then) == (before, jobs)
        assert {last_lines(target.results_dir)[n] for n in doubtful} == {"failed"}
        assert "FORGOTTEN" in second.error_codes
        assert target_failed(second, "Email") == [EMAILS[n] for n in doubtful]
    else:
        assert last_lines(target.results_dir) == dict.fromkeys(range(5), "created")
        # Only of rows that nothing names can a person be wrong: two were loaded, and are loaded again.
        assert decided == sorted([*EMAILS, *(EMAILS[n] for n in doubtful if left == "silence")])
    assert left == "job gone" or org.faults.completed


def target_failed(run: Run, name: str) -> list[Any]:
    """A property of the records in the newest failed file."""
    messages = map(json.loads, run.failed_file.decode().splitlines())
    return [message["record"][name] for message in messages if message["type"] == "RECORD"]


@pytest.mark.parametrize("chosen", [INSERT, UPSERT], ids=["insert", "upsert"])
def test_resuming_a_batch_that_was_set_aside_records_what_its_job_did(
    companion: Companion, target: TargetRunner, org: Org, chosen: dict[str, Any]
) -> None:
    """The job can be read again: each row gets the outcome that it had all along."""
    first = leave_set_aside(target, org, **chosen)
    assert isinstance(first.error, RecordsDoubtful)
    [note] = notes(target.results_dir)
    assert note.state is BatchState.SET_ASIDE

    done = companion("batches", "--resume", note.batch_id, "--yes")
    second = target.run(*MESSAGES, **chosen)

    assert (done.exit_code, done.stdout.splitlines()[-2:]) == (
        0,
        [f"{note.batch_id}: 5 created", "no batch is left"],
    )
    assert (second.error, second.states) == (None, [{"n": 5}])
    assert last_lines(target.results_dir) == dict.fromkeys(range(5), "created")
    assert (emails(org), len(org.jobs)) == (EMAILS, 1)
    assert org.faults.completed


@pytest.mark.parametrize("left", ["job gone", "silence"])
def test_what_salesforce_still_does_not_tell_stays_doubtful_without_a_second_outcome(
    companion: Companion, target: TargetRunner, org: Org, client: SalesforceClient, left: str
) -> None:
    """Asking again is no decision: the run after it says the same as before."""
    LEFT[left](target, org, client)
    before = [path.read_text() for path in target.results_dir.glob("outcomes-*")]
    left_before = notes(target.results_dir)

    done = companion("batches", "--resume", "all", "--yes")

    assert done.exit_code == 1
    assert "left as it is" in done.stdout
    assert [path.read_text() for path in target.results_dir.glob("outcomes-*")] == before
    assert notes(target.results_dir) == left_before
    assert isinstance(target.run(*MESSAGES, **INSERT).error, RecordsDoubtful)


def test_a_job_that_is_found_again_tells_all_of_its_rows(companion: Companion, target: TargetRunner, org: Org) -> None:
    """It seemed to be gone, while the org's router had lost it; resending asks it first, too, and sends nothing."""
    org.faults.add("ingest.info", Fault.not_found(), times=6)
    first = target.run(*MESSAGES, **INSERT)
    assert isinstance(first.error, RecordsDoubtful)

    done = companion("batches", "--resend", "all", "--yes")

    assert (done.exit_code, last_lines(target.results_dir)) == (0, dict.fromkeys(range(5), "created"))
    assert (emails(org), len(org.jobs)) == (EMAILS, 1)
    assert len(org.faults.completed) == 6


def test_rows_that_a_job_did_not_process_wait_for_resend(companion: Companion, target: TargetRunner, org: Org) -> None:
    """Asked again it names two rows as loaded: these have their outcome, the others none, and are loaded by resend."""
    org.faults.add("ingest.close", Fault.job_fails(after_rows=2))
    forbidden = Fault.status(403, json=[{"errorCode": "INSUFFICIENT_ACCESS", "message": "not now"}])
    org.faults.add("ingest.info", forbidden)
    target.run(*MESSAGES, **INSERT)
    assert states(target.results_dir) == ["set_aside"]

    asked = companion("batches", "--resume", "all", "--yes")
    [note] = notes(target.results_dir)
    statuses = last_lines(target.results_dir)
    sent = companion("batches", "--resend", "all", "--yes")
    run = target.run(*MESSAGES, **INSERT)

    assert (asked.exit_code, sent.exit_code) == (1, 0)
    assert "without processing these rows" in note.reason
    assert (note.number_of_rows, sorted(statuses.values())) == (3, ["created"] * 2 + ["doubtful"] * 3)
    assert (run.error, run.states) == (None, [{"n": 5}])
    assert last_lines(target.results_dir) == dict.fromkeys(range(5), "created")
    assert emails(org) == EMAILS
    assert len(org.faults.completed) == 2


def test_a_job_whose_files_lack_rows_is_taken_at_its_word_only_by_resend(
    companion: Companion, target: TargetRunner, org: Org
) -> None:
    """Resuming leaves the batch as it is; resending sends the one row that no file names, and no other."""
    org.faults.add("ingest.close", Fault.results_lost("successful", rows=1))
    target.run(*MESSAGES, **INSERT)
    assert states(target.results_dir) == ["set_aside"]

    asked = companion("batches", "--resume", "all", "--yes")
    sent = companion("batches", "--resend", "all", "--yes")

    assert (asked.exit_code, sent.exit_code) == (1, 0)
    assert "has counted 5 rows for successfulResults, but 4 came" in asked.stdout
    assert len(emails(org)) == 6
    assert set(last_lines(target.results_dir).values()) == {"created"}
    assert org.faults.completed


def test_rows_are_not_sent_while_their_old_job_cannot_be_read(
    companion: Companion, target: TargetRunner, org: Org
) -> None:
    """It may be running: the batch stays set aside, and --forget is the way out."""
    leave_set_aside(target, org)
    forbidden = Fault.status(403, json=[{"errorCode": "INSUFFICIENT_ACCESS", "message": "not now"}])
    org.faults.add("ingest.info", forbidden)

    sent = companion("batches", "--resend", "all", "--yes")
    forgotten = companion("batches", "--forget", "all", "--yes")

    assert (sent.exit_code, forgotten.exit_code) == (1, 0)
    assert "left as it is" in sent.stdout
    assert (emails(org), len(org.jobs)) == (EMAILS, 1)
    assert len(org.faults.completed) == 2


def test_forgotten_rows_stay_forgotten_while_the_run_stays_unfinished(
    companion: Companion, target: TargetRunner, org: Org, client: SalesforceClient
) -> None:
    """A later run that ends with other records in doubt does not load them after all."""
    leave_job_gone(target, org, client)
    companion("batches", "--forget", "all", "--yes")
    more = [PEOPLE, ROWS, *records("Contact", {"n": 5, "LastName": "Bob", "Email": "5@example.com"}), state({"n": 6})]
    org.faults.add("ingest.close", Fault.results_lost("successful", has_counts=False))
    doubtful = target.run(*more, **INSERT)
    companion("batches", "--resend", "all", "--yes")

    last = target.run(*more, **INSERT)

    assert isinstance(doubtful.error, RecordsDoubtful)
    assert (last.error, last.states) == (None, [{"n": 6}])
    assert set(emails(org)) == {"5@example.com"}
    assert last.summary["known_from_earlier_run"] == {"loaded": 1, "failed": 0, "doubtful": 0, "forgotten": 5}
    assert org.faults.completed


# Pending batches


@pytest.mark.parametrize(("action", "number_loaded"), [("--resume", 0), ("--resend", 5), ("--forget", 0)])
def test_a_batch_that_was_never_sent_is_dropped_loaded_or_forgotten(
    companion: Companion,
    target: TargetRunner,
    org: Org,
    client: SalesforceClient,
    action: str,
    number_loaded: int,
) -> None:
    """Its open job is aborted in any case; afterwards the same input ends well."""
    leave_open(target, org, client)

    [note] = notes(target.results_dir)

    done = companion("batches", action, "all", "--yes")
    loaded, [state_of_job] = len(emails(org)), [job["state"] for job in org.jobs if job["id"] == note.job_id]
    run = target.run(*MESSAGES, **INSERT)

    assert (done.exit_code, loaded, state_of_job) == (0, number_loaded, "Aborted")
    assert (run.error, run.states) == (None, [{"n": 5}])
    assert emails(org) == ([] if action == "--forget" else EMAILS)


@pytest.mark.parametrize("action", ["--resume", "--resend"])
def test_a_job_that_a_run_has_left_is_waited_for(
    companion: Companion, target: TargetRunner, org: Org, action: str
) -> None:
    """Nothing of it is sent twice, whichever the action."""
    leave_closing(target, org)
    assert states(target.results_dir) == ["closing"]

    done = companion("batches", action, "all", "--yes", poll_max_s=0.05)
    run = target.run(*MESSAGES, **INSERT)

    assert done.exit_code == 0
    assert (run.error, run.states) == (None, [{"n": 5}])
    assert emails(org) == EMAILS
    assert last_lines(target.results_dir) == dict.fromkeys(range(5), "created")
    assert org.faults.completed


def test_resending_a_job_that_turns_out_to_be_gone_makes_its_rows_doubtful(
    companion: Companion, target: TargetRunner, org: Org, client: SalesforceClient
) -> None:
    """Nobody has decided on rows in doubt yet: that takes a second word."""
    leave_closing(target, org)
    org.progression = Progression.seconds(3600)
    client.delete(f"jobs/ingest/{org.jobs[0]['id']}")
    org.progression = Progression.immediate()

    first = companion("batches", "--resend", "all", "--yes")
    rows = emails(org)
    second = companion("batches", "--resend", "all", "--yes")

    assert (first.exit_code, rows, second.exit_code) == (1, [], 0)
    assert emails(org) == EMAILS


@pytest.mark.parametrize("call", ["ingest.info", "ingest.successful"])
def test_resending_a_job_that_cannot_be_read_sets_it_aside(
    companion: Companion, target: TargetRunner, org: Org, call: str
) -> None:
    """A run has left it, and it may have loaded its rows: none is sent, and the job can be asked again."""
    leave_closing(target, org)
    org.faults.add(call, Fault.status(403, json=[{"errorCode": "INSUFFICIENT_ACCESS", "message": "not now"}]))

    sent = companion("batches", "--resend", "all", "--yes")
    left = states(target.results_dir)
    asked = companion("batches", "--resume", "all", "--yes")

    assert (sent.exit_code, left, asked.exit_code) == (1, ["set_aside"], 0)
    assert "5 doubtful" in sent.stdout
    assert (emails(org), len(org.jobs)) == (EMAILS, 1)
    assert last_lines(target.results_dir) == dict.fromkeys(range(5), "created")
    assert len(org.faults.completed) == 2


# Second passes

UNITS = schema("units", key=["n"], n="integer", code="string", parent="string", Name="string")
CYCLE = [
    UNITS,
    records(
        "units", {"n": 1, "code": "a", "parent": "b", "Name": "A"}, {"n": 2, "code": "b", "parent": "a", "Name": "B"}
    ),
    state({"n": 2}),
]


def load_cycle(target: TargetRunner) -> Run:
    """Insert two accounts that are each other's parents."""
    fields = {"code": "External_Id__c", "parent": "Parent.External_Id__c", "n": None}
    mapping = {"object": "Account", "operation": "insert", "fields": fields}
    return target.run(*CYCLE, mappings={"units": mapping}, small_batch_rows=0)


def leave_second_pass(target: TargetRunner, org: Org) -> None:
    """Let a run end when both accounts are created, and one has no parent yet."""
    org.faults.add("ingest.create", Fault.request_limit_total(), after=3)
    load_cycle(target)
    assert org.faults.completed
    assert sorted(row["ParentId"] is None for row in org.rows("Account")) == [False, True]


@pytest.mark.parametrize("action", ["--resume", "--resend"])
def test_a_second_pass_that_a_run_has_left_fills_its_lookups(
    companion: Companion, target: TargetRunner, org: Org, action: str
) -> None:
    """Afterwards the same input ends well, and creates nothing."""
    leave_second_pass(target, org)
    listed = companion("batches")

    done = companion("batches", action, "all", "--yes", poll_max_s=0.05)
    filled = [row["ParentId"] is not None for row in org.rows("Account")]
    run = load_cycle(target)

    assert "the next run sends it: its records are loaded, but not all of their lookups" in listed.stdout
    assert (done.exit_code, filled) == (0, [True, True])
    assert (run.error, run.states) == (None, [{"n": 2}])
    assert len(org.rows("Account")) == 2
    assert last_lines(target.results_dir) == {1: "created", 2: "created"}


def test_a_forgotten_second_pass_is_failed_and_its_failed_file_repairs_it(
    companion: Companion, target: TargetRunner, org: Org
) -> None:
    """The record has an Id, and is not created again."""
    leave_second_pass(target, org)

    done = companion("batches", "--forget", "all", "--yes")
    run = load_cycle(target)
    [failed] = [outcome for outcome in run.outcomes if outcome["status"] == "failed"]
    repaired = target.run(run.failed_file, mappings={"units": {"object": "Account"}})

    assert done.exit_code == 0
    assert (run.error, run.states) == (None, [{"n": 2}])
    assert failed["id"] in {row["Id"] for row in org.rows("Account")}
    assert repaired.error is None
    assert [row["ParentId"] is not None for row in org.rows("Account")] == [True, True]


def test_a_second_pass_waits_for_parents_that_come_with_the_next_run(target: TargetRunner, org: Org) -> None:
    """It is sent before the input is read, and again at its end."""
    org.faults.add("ingest.create", Fault.request_limit_total(), after=2)
    load_cycle(target)
    [created] = org.rows("Account")

    run = load_cycle(target)

    assert org.faults.completed
    assert created["ParentId"] is None
    assert (run.error, run.states) == (None, [{"n": 2}])
    assert [row["ParentId"] is not None for row in org.rows("Account")] == [True, True]
    assert last_lines(target.results_dir) == {1: "created", 2: "created"}


def test_a_second_pass_whose_files_are_damaged_is_set_aside(
    companion: Companion, target: TargetRunner, org: Org
) -> None:
    """Its record is not created again; a person has to fill the lookup."""
    leave_second_pass(target, org)
    [path] = (target.results_dir / "pending").glob("*.lookups-*.csv")
    path.write_text("")

    run = load_cycle(target)
    listed = companion("batches")
    done = companion("batches", "--forget", "all", "--yes")
    last = load_cycle(target)

    assert isinstance(run.error, RecordsDoubtful)
    assert run.states == []
    assert "its records are loaded, but not all of their lookups" in listed.stdout
    assert done.exit_code == 0
    assert (last.error, last.states) == (None, [{"n": 2}])
    assert len(org.rows("Account")) == 2


# Kills


def test_killed_at_any_step_a_resend_loads_no_row_twice(
    companion: Companion, target: TargetRunner, org: Org, client: SalesforceClient
) -> None:
    """Resent again after the kill, as often as it takes: each row is loaded once, and has that as its last outcome."""
    leave_job_gone(target, org, client)
    shutil.copytree(target.results_dir, "left")
    Path("config.json").write_text(json.dumps(target.config()))
    step = 0
    while True:
        shutil.rmtree(target.results_dir)
        shutil.copytree("left", target.results_dir)
        org.delete("Contact", [row["Id"] for row in org.rows("Contact")])
        arguments = ["batches", "--resend", "all", "--yes", "--config", "config.json"]
        if not run_command_and_kill(at=step, arguments=arguments):
            break

        again = companion("batches", "--resend", "all", "--yes")
        run = target.run(*MESSAGES, **INSERT)

        here = f"killed at step {step}"
        assert again.exit_code == 0, here
        assert (run.error, run.states) == (None, [{"n": 5}]), here
        assert emails(org) == EMAILS, here
        assert last_lines(target.results_dir) == dict.fromkeys(range(5), "created"), here
        assert run.statuses.count("created") == 5, here
        assert list((target.results_dir / "pending").iterdir()) == [], here
        step += 1

    assert step > 20


# What is not touched


def test_batches_of_other_pipelines_and_orgs_are_left_alone(
    companion: Companion, target: TargetRunner, org: Org, client: SalesforceClient, folder: Path
) -> None:
    """One batch by its id is one batch; a batch of another org cannot be decided on, and is not counted."""
    leave_job_gone(target, org, client)
    leave_job_gone(target, org, client, mappings={"Contact": {"null_policy": "ignore"}})
    journal = Journal(target.results_dir / "journal.sqlite", org="00DOTHER")
    other = journal.batches()[-1]
    journal._db.execute("UPDATE batches SET org = '00DOTHER' WHERE batch_id = ?", (other.batch_id,))
    journal._db.commit()
    journal.close()

    refused = companion("batches", "--forget", other.batch_id, "--yes")
    done = companion("batches", "--resend", "all", "--yes")

    assert refused.exit_code == 2
    assert f"the batch {other.batch_id} is of org 00DOTHER" in refused.stderr
    assert (done.exit_code, emails(org)) == (0, EMAILS)
    assert [note.batch_id for note in notes(target.results_dir)] == [other.batch_id]
    assert {path.name.partition(".")[0] for path in (target.results_dir / "pending").iterdir()} == {
        other.batch_id.partition(".")[0]
    }


def test_one_batch_of_several_can_be_chosen(
    companion: Companion, target: TargetRunner, org: Org, client: SalesforceClient
) -> None:
    """The other pipeline's rows wait on, which the exit code says."""
    leave_job_gone(target, org, client)
    leave_job_gone(target, org, client, mappings={"Contact": {"null_policy": "ignore"}})
    first, other = notes(target.results_dir)

    done = companion("batches", "--resend", first.batch_id, "--yes", "--format", "json")

    told = json.loads(done.stdout)
    assert (done.exit_code, emails(org)) == (1, EMAILS)
    assert told["decisions"] == [{"id": first.batch_id, "message": "5 created", "is_left": False}]
    assert [batch["id"] for batch in told["batches"]] == [other.batch_id]
    assert notes(target.results_dir) == [other]


def test_a_batch_that_cannot_be_read_can_only_be_forgotten(
    companion: Companion, target: TargetRunner, org: Org, client: SalesforceClient
) -> None:
    """Which rows these are cannot be listed; the files stay for who wants to look, and the journal knows the rows."""
    leave_job_gone(target, org, client)
    [note] = notes(target.results_dir)
    path = target.results_dir / "pending" / note.files
    path.write_bytes(path.read_bytes()[:-10])

    sent = companion("batches", "--resend", "all", "--yes")
    forgotten = companion("batches", "--forget", "all", "--yes")
    run = target.run(*MESSAGES, **INSERT)

    assert (sent.exit_code, forgotten.exit_code) == (1, 0)
    assert "is cut" in sent.stdout
    assert "5 rows are in no file of outcomes" in forgotten.stdout
    assert path.with_name(f"{path.name}.damaged").exists()
    assert (run.error, run.states, emails(org)) == (None, [{"n": 5}], [])


# Asking, and what stands in the way


def test_without_a_terminal_yes_is_needed(
    companion: Companion, target: TargetRunner, org: Org, client: SalesforceClient
) -> None:
    """Nothing is done, nothing is written, and Ctrl-C works at the question as anywhere."""
    leave_job_gone(target, org, client)
    before = sorted(path.name for path in target.results_dir.iterdir())
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)

    done = companion("batches", "--forget", "all")

    assert done.exit_code == 2
    assert "there is no terminal to ask at: say --yes" in done.stderr
    assert sorted(path.name for path in target.results_dir.iterdir()) == before
    assert states(target.results_dir) == ["doubtful"]
    assert signal.signal(signal.SIGINT, handler) is signal.default_int_handler


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--resume", "all", "--forget", "all"], "choose one of --resume and --forget"),
        (["--resume", "nonesuch", "--yes"], "there is no batch 'nonesuch' in the journal"),
    ],
)
def test_a_wrong_command_line_exits_with_2(
    companion: Companion,
    target: TargetRunner,
    org: Org,
    client: SalesforceClient,
    arguments: list[str],
    message: str,
) -> None:
    """And says what is wrong."""
    leave_job_gone(target, org, client)

    done = companion("batches", *arguments)

    assert done.exit_code == 2
    assert message in done.stderr


def test_wrong_settings_exit_with_2(
    bare: Companion, companion: Companion, target: TargetRunner, org: Org, client: SalesforceClient
) -> None:
    """None at all, or one that the target refuses."""
    leave_job_gone(target, org, client)

    none = bare("batches", "--resume", "all")
    wrong = companion("batches", "--resume", "all", "--yes", record_retries=-1)

    assert (none.exit_code, wrong.exit_code) == (2, 2)
    assert "there are no settings" in none.stderr
    assert "record_retries" in wrong.stderr


def test_a_run_in_the_folder_stands_in_the_way(
    companion: Companion, target: TargetRunner, org: Org, client: SalesforceClient
) -> None:
    """Its batches are its own."""
    leave_job_gone(target, org, client)
    held = lock(target.results_dir)

    done = companion("batches", "--resend", "all", "--yes")
    held.release()

    assert done.exit_code == 1
    assert "another run is using" in done.stderr
    assert emails(org) == []


def test_a_quota_exits_with_75_and_the_batch_is_as_it_was(
    companion: Companion, target: TargetRunner, org: Org, client: SalesforceClient
) -> None:
    """Trying again later goes on with it."""
    leave_job_gone(target, org, client)
    org.faults.add("ingest.create", Fault.request_limit_total())

    first = companion("batches", "--resend", "all", "--yes")
    second = companion("batches", "--resend", "all", "--yes")

    assert (first.exit_code, second.exit_code) == (75, 0)
    assert emails(org) == EMAILS
    assert org.faults.completed
