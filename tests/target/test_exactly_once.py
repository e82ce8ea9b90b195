"""What makes two records, destinations and orgs the same, when a run is killed or its input comes again."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from salesforce_bulk_simulator import Fault, Org, Progression
from target_salesforce_bulk.errors import RecordsDoubtful, RecordsFailed, RecordsUnprocessed

from tests.target.conftest import Message, TargetRunner, records, schema, state

INSERT: dict[str, Any] = {"operation": "insert", "small_batch_rows": 0}
ROWS_PER_JOB: dict[str, Any] = {**INSERT, "batch_size_rows": 2, "max_concurrent_jobs": 1}

LEAD_MAP = {"__else__": None, "LastName": "Name", "Company": "Site"}
ACCOUNT = schema("Account", Name="string", AnnualRevenue=["number", "null"], Site=["string", "null"])
BY_KEY = schema("Account", key=["External_Id__c"], External_Id__c="string", Name="string")


def accounts(*rows: dict[str, Any]) -> list[Message]:
    return records("Account", *rows)


def stop_after(org: Org, jobs: int) -> None:
    """Let the org's quota end the run before it creates another job than so many: the run is unfinished."""
    org.faults.add("ingest.create", Fault.request_limit_total(), after=jobs)


def names(org: Org) -> list[str]:
    return sorted(row["Name"] for row in org.rows("Account"))


# What a record is


@pytest.mark.parametrize(
    ("first", "again", "chosen"),
    [
        ({"AnnualRevenue": "number 1.50"}, {"AnnualRevenue": "number 1.5"}, {}),
        ({"AnnualRevenue": "number 1e3"}, {"AnnualRevenue": 1000}, {}),
        ({"AnnualRevenue": "number -0.0"}, {"AnnualRevenue": 0}, {}),
        ({"AnnualRevenue": None}, {}, {}),
        (
            {},
            {},
            {
                "add_record_metadata": True,
                "unknown_fields": "drop",
                "mappings": {"Account": {"fields": {"_sdc_received_at": "Description"}}},
            },
        ),
        ({}, {}, {"stream_maps": {"Account": {"Site": "str(datetime.datetime.now())", "Name": "Name"}}}),
        ({"_at": "2026-01-01"}, {"_at": "2026-01-02"}, {"unknown_fields": "drop"}),
        ({"_at": "2026-01-01"}, {"_at": "2026-01-02"}, {"stream_maps": {"Account": {"_at": None, "Site": "Name"}}}),
    ],
    ids=["1.50", "1e3", "-0.0", "null", "metadata", "now()", "not loaded", "removed by a map"],
)
def test_a_record_is_recognized_as_it_came_in(
    target: TargetRunner, org: Org, first: dict[str, Any], again: dict[str, Any], chosen: dict[str, Any]
) -> None:
    """A killed insert comes again, spelled otherwise or mapped to something new: each record is loaded once."""
    account = schema(
        "Account", Name="string", AnnualRevenue=["number", "null"], Site=["string", "null"], _at=["string", "null"]
    )

    def rows(more: dict[str, Any]) -> bytes:
        text = "".join(json.dumps(row) + "\n" for row in accounts(*({"Name": str(n), **more} for n in range(4))))
        return re.sub('"number (.*?)"', r"\1", text).encode()

    if "_at" not in first:
        account = ACCOUNT
    stop_after(org, jobs=1)
    target.run(account, rows(first), **ROWS_PER_JOB, **chosen)
    assert len(org.rows("Account")) == 2

    run = target.run(account, rows(again), state({"n": 4}), **ROWS_PER_JOB, **chosen)

    assert run.error is None
    assert run.states == [{"n": 4}]
    assert names(org) == ["0", "1", "2", "3"]
    assert run.statuses == ["created"] * 4
    assert org.faults.completed


@pytest.mark.parametrize(
    ("first", "again"),
    [({"AnnualRevenue": 9007199254740993}, {"AnnualRevenue": 9007199254740992}), ({"Site": "1.5"}, {"Site": "1.50"})],
    ids=["beyond doubles", "texts"],
)
def test_records_that_differ_are_both_loaded(
    target: TargetRunner, org: Org, first: dict[str, Any], again: dict[str, Any]
) -> None:
    """What looks alike is not the same."""
    stop_after(org, jobs=1)
    target.run(ACCOUNT, accounts({"Name": "a", **first}, {"Name": "b"}, {"Name": "c"}), **ROWS_PER_JOB)

    run = target.run(ACCOUNT, accounts({"Name": "a", **again}, {"Name": "b"}, {"Name": "c"}), **ROWS_PER_JOB)

    assert run.error is None
    assert names(org) == ["a", "a", "b", "c"]


@pytest.mark.parametrize("loaded", [1, 2])
def test_equal_records_are_counted(target: TargetRunner, org: Org, loaded: int) -> None:
    """Of three equal records, some were loaded when the run ended; the same input loads the others."""
    chosen = {**ROWS_PER_JOB, "batch_size_rows": 1}
    stop_after(org, jobs=loaded)
    target.run(ACCOUNT, accounts(*[{"Name": "x"}] * 3), **chosen)
    assert names(org) == ["x"] * loaded

    run = target.run(ACCOUNT, accounts(*[{"Name": "x"}] * 3), **chosen)

    assert run.error is None
    assert names(org) == ["x"] * 3
    assert len(run.outcomes) == 3


def test_a_record_after_the_last_state_may_equal_one_before_it(target: TargetRunner, org: Org) -> None:
    """The input resumes from STATE: its records are new, also one that equals a record from before."""
    stop_after(org, jobs=1)
    first = target.run(
        ACCOUNT,
        accounts({"Name": "a"}, {"Name": "b"}),
        state(2),
        accounts({"Name": "a"}, {"Name": "c"}),
        **ROWS_PER_JOB,
    )
    assert first.states == [2]

    run = target.run(ACCOUNT, accounts({"Name": "a"}, {"Name": "c"}), state(4), **ROWS_PER_JOB)

    assert run.error is None
    assert run.states == [4]
    assert names(org) == ["a", "a", "b", "c"]
    assert len(run.outcomes) == 4


def test_the_same_input_again_skips_what_came_before_its_state(target: TargetRunner, org: Org) -> None:
    """The input begins anew although a STATE has passed."""
    messages = [accounts({"Name": "a"}, {"Name": "b"}), state(2), accounts({"Name": "a"}, {"Name": "c"}), state(4)]
    stop_after(org, jobs=1)
    target.run(ACCOUNT, *messages, **ROWS_PER_JOB)

    run = target.run(ACCOUNT, *messages, **ROWS_PER_JOB)

    assert run.error is None
    assert run.states[-1] == 4
    assert names(org) == ["a", "a", "b", "c"]
    assert len(run.outcomes) == 4


def test_a_bookmark_that_is_repeated_is_recognized(target: TargetRunner, org: Org) -> None:
    """A tap whose bookmark is inclusive sends the last record before the STATE again."""
    stop_after(org, jobs=1)
    target.run(ACCOUNT, accounts({"Name": "a"}, {"Name": "b"}), state(2), accounts({"Name": "c"}), **ROWS_PER_JOB)

    run = target.run(ACCOUNT, accounts({"Name": "b"}, {"Name": "c"}), state(3), **ROWS_PER_JOB)

    assert run.error is None
    assert names(org) == ["a", "b", "c"]
    assert len(run.outcomes) == 3


def test_equal_records_that_may_be_either_are_doubtful(target: TargetRunner, org: Org) -> None:
    """All records are equal, so nothing tells if they come again: none is loaded twice, none is lost unseen."""
    stop_after(org, jobs=1)
    target.run(ACCOUNT, accounts(*[{"Name": "x"}] * 2), state(2), accounts({"Name": "x"}), **ROWS_PER_JOB)

    run = target.run(ACCOUNT, accounts(*[{"Name": "x"}] * 3), state(3), **ROWS_PER_JOB)

    assert isinstance(run.error, RecordsDoubtful)
    assert run.states == []
    assert names(org) == ["x"] * 3
    assert Counter(run.statuses) == {"created": 3, "doubtful": 2}
    assert {outcome["error_code"] for outcome in run.outcomes} == {None, "EQUAL_RECORD"}


def test_a_key_that_changes_is_not_set_back(target: TargetRunner, org: Org) -> None:
    """Killed between the values of a key: the same input again sends what is missing, and no earlier value."""
    rows = records("Account", *({"External_Id__c": "k", "Name": name} for name in ("one", "two", "three")))
    stop_after(org, jobs=2)
    target.run(BY_KEY, rows, small_batch_rows=0)
    assert names(org) == ["two"]

    run = target.run(BY_KEY, rows, state(3), small_batch_rows=0)

    assert run.error is None
    assert names(org) == ["three"]
    assert Counter(run.statuses) == {"created": 1, "updated": 2}
    assert len(org.jobs) == 3


def test_the_last_word_of_the_input_counts(target: TargetRunner, org: Org) -> None:
    """The input is another one and ends with an earlier value: that one is sent, at its end."""
    rows = records("Account", *({"External_Id__c": "k", "Name": name} for name in ("one", "two", "three")))
    stop_after(org, jobs=2)
    target.run(BY_KEY, rows, small_batch_rows=0)

    run = target.run(BY_KEY, rows[:1], small_batch_rows=0)

    assert run.error is None
    assert names(org) == ["one"]


# What a destination is, and an org


@pytest.mark.parametrize(
    "corrected",
    [{"object": "Contact"}, {"mappings": {"people": {"fields": {"name": "LastName", "site": "Department"}}}}],
    ids=["object", "fields"],
)
def test_a_corrected_setting_loads_everything(
    target: TargetRunner, org: Org, corrected: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """What an unfinished run has loaded elsewhere, or into other fields, is not here."""
    people = schema("people", name="string", site="string")
    rows = records("people", *({"name": str(n), "site": "x"} for n in range(3)))
    fields = {"fields": {"name": "LastName", "site": "Title"}}
    wrong = {"object": "Contact", "mappings": {"people": fields}}
    right = {"object": "Contact", "mappings": {"people": {"fields": {"name": "LastName", "site": "Department"}}}}
    if corrected == {"object": "Contact"}:
        wrong = {"object": "Lead", "mappings": {"people": {"fields": {"name": "LastName", "site": "Company"}}}}
    stop_after(org, jobs=1)
    target.run(people, rows, **ROWS_PER_JOB, **wrong)

    run = target.run(people, rows, state(3), **ROWS_PER_JOB, **right)

    assert run.error is None
    assert run.states == [3]
    assert sorted(row["LastName"] for row in org.rows("Contact") if row["Department"]) == ["0", "1", "2"]
    assert "an unfinished run has loaded records of it into" in caplog.text


def test_two_pipelines_may_share_a_folder_and_a_streams_name(target: TargetRunner, org: Org) -> None:
    """One is unfinished; the other one loads all of its records, and leaves what the first has done."""
    people = schema("people", LastName="string", Company="string")
    rows = records("people", *({"LastName": str(n), "Company": "x"} for n in range(3)))
    contacts = {"object": "Contact", "unknown_fields": "drop"}
    stop_after(org, jobs=1)
    target.run(people, rows, **ROWS_PER_JOB, **contacts)

    other = target.run(people, rows, state("leads"), **ROWS_PER_JOB, object="Lead")
    again = target.run(people, rows, state("contacts"), **ROWS_PER_JOB, **contacts)

    assert other.error is None
    assert other.states == ["leads"]
    assert again.error is None
    assert again.states == ["contacts"]
    assert sorted(row["LastName"] for row in org.rows("Lead")) == ["0", "1", "2"]
    assert sorted(row["LastName"] for row in org.rows("Contact")) == ["0", "1", "2"]


def test_an_org_is_the_same_by_whatever_name_it_is_reached(target: TargetRunner, org: Org) -> None:
    """A renamed My Domain, another login host: its id says which org it is."""
    stop_after(org, jobs=1)
    target.run(ACCOUNT, accounts(*({"Name": str(n)} for n in range(4))), **ROWS_PER_JOB)
    other_name = str(target.settings["login_url"]).replace("127.0.0.1", "localhost")

    run = target.run(ACCOUNT, accounts(*({"Name": str(n)} for n in range(4))), **ROWS_PER_JOB, login_url=other_name)

    assert run.error is None
    assert names(org) == ["0", "1", "2", "3"]


# The failed file


def test_the_failed_file_holds_records_as_they_came_in(target: TargetRunner, org: Org) -> None:
    """Read in again with the same stream maps, each is applied once."""
    account = schema(
        "customers", key=["External_Id__c"], External_Id__c="string", Name="string", AnnualRevenue="number"
    )
    chosen: dict[str, Any] = {
        "object": "Account",
        "stream_maps": {
            "customers": {"External_Id__c": "'ACME-' + External_Id__c", "AnnualRevenue": "AnnualRevenue * 100"}
        },
        "record_retries": 0,
        "small_batch_rows": 0,
    }
    row = records("customers", {"External_Id__c": "1", "Name": "Ada", "AnnualRevenue": 5})
    org.faults.add("ingest.close", Fault.lock_rows(1))
    first = target.run(account, row, **chosen)
    assert isinstance(first.error, RecordsFailed)
    assert first.outcomes[0]["key"] == {"External_Id__c": "1"}

    run = target.run(first.failed_file, **chosen)

    assert run.error is None
    assert [(one["External_Id__c"], one["AnnualRevenue"]) for one in org.rows("Account")] == [("ACME-1", 500)]
    assert org.faults.completed


# Silence, 404s, and what cannot be resumed


def test_rows_that_no_file_names_are_doubtful(target: TargetRunner, org: Org) -> None:
    """A job failed and its files do not name all rows: they are named, not sent again, and never success."""
    org.faults.add("ingest.close", Fault.job_fails(after_rows=1, lists_unprocessed=False))
    rows = accounts(*({"Name": str(n)} for n in range(4)))
    first = target.run(ACCOUNT, rows, state(4), **INSERT)
    assert first.summary["records"]["doubtful"] == 3

    second = target.run(ACCOUNT, rows, state(4), **INSERT)

    for run in (first, second):
        assert isinstance(run.error, RecordsDoubtful)
        assert run.states == []
    assert Counter(second.statuses) == {"created": 1, "doubtful": 3}
    assert second.summary["known_from_earlier_run"] == {"loaded": 1, "failed": 0, "doubtful": 3, "forgotten": 0}
    assert len(org.rows("Account")) == 1
    assert len(org.jobs) == 1
    assert not list(second.results_dir.glob("failed-*"))


@pytest.mark.parametrize("fault", [Fault.html(404), Fault.not_found()], ids=["a gateway's page", "once"])
@pytest.mark.parametrize("operation", ["insert", "upsert"])
def test_one_404_is_not_a_job_that_is_gone(target: TargetRunner, org: Org, fault: Fault, operation: str) -> None:
    """The job is asked for again: nothing is sent twice."""
    org.progression = Progression.looks(2)
    org.faults.add("ingest.info", fault)

    run = target.run(
        BY_KEY,
        records("Account", {"External_Id__c": "a", "Name": "Ada"}),
        operation=operation,
        external_id_field="External_Id__c",
        small_batch_rows=0,
    )

    assert run.error is None
    assert len(org.jobs) == 1
    assert names(org) == ["Ada"]
    assert org.faults.completed


def test_a_job_that_is_gone_again_and_again_ends(target: TargetRunner, org: Org) -> None:
    """Each time its rows are sent again counts as a retry; then they are unprocessed."""
    org.faults.add("ingest.info", Fault.not_found(), times=1000)

    run = target.run(
        BY_KEY,
        records("Account", {"External_Id__c": "a", "Name": "Ada"}),
        state(1),
        small_batch_rows=0,
        record_retries=2,
    )

    assert isinstance(run.error, RecordsUnprocessed)
    assert run.states == []
    assert run.error_codes == ["NO_OUTCOME"]
    assert len(org.jobs) == 3


def test_a_close_that_wins_over_an_abort_is_waited_for(target: TargetRunner, org: Org) -> None:
    """The next run finds the job open and asks to abort it, but it goes on: its outcomes are used."""
    org.progression = Progression.looks(1)
    org.faults.add("ingest.close", Fault.reset_before(), times=1000)
    rows = accounts(*({"Name": str(n)} for n in range(3)))
    first = target.run(ACCOUNT, rows, **INSERT, retry_total_s=0.1)
    assert first.error is not None
    org.faults.clear()
    org.faults.add("ingest.abort", Fault.close_wins())

    run = target.run(ACCOUNT, rows, state(3), **INSERT)

    assert run.error is None
    assert run.states == [3]
    assert names(org) == ["0", "1", "2"]
    assert org.faults.completed


def test_a_batch_that_cannot_be_resumed_is_set_aside(target: TargetRunner, org: Org) -> None:
    """The old job is forbidden to this user: the run goes on with all other rows, and says so."""
    org.progression = Progression.seconds(3600)
    target.run(ACCOUNT, accounts({"Name": "a"}), state(1), **INSERT, job_timeout_s=0.05)
    org.progression = Progression.immediate()
    org.faults.add("ingest.info", Fault.status(403, json=[{"errorCode": "INSUFFICIENT_ACCESS", "message": "no"}]))

    run = target.run(ACCOUNT, accounts({"Name": "a"}, {"Name": "b"}), state(2), **INSERT)

    assert isinstance(run.error, RecordsDoubtful)
    assert run.states == []
    assert names(org) == ["a", "b"]
    assert Counter(run.statuses) == {"doubtful": 1, "created": 1}
    assert org.faults.completed


def test_doubtful_rows_are_no_matter_of_other_pipelines(target: TargetRunner, org: Org) -> None:
    """A run of another stream in the same folder succeeds."""
    org.faults.add("ingest.info", Fault.not_found(), times=100)
    doubtful = target.run(ACCOUNT, accounts({"Name": "a"}), **INSERT)
    assert isinstance(doubtful.error, RecordsDoubtful)
    org.faults.clear()

    run = target.run(schema("Contact", LastName="string"), records("Contact", {"LastName": "Bob"}), state(1), **INSERT)

    assert run.error is None
    assert run.states == [1]


# Order


def test_a_delete_by_id_comes_before_a_later_upsert_by_key(target: TargetRunner, org: Org) -> None:
    """Two streams name the same records by different keys: the input's order holds."""
    ids = org.insert("Account", [{"Name": str(n), "External_Id__c": str(n)} for n in range(3)])
    org.progression = Progression.looks(2)

    run = target.run(
        schema("gone", key=["Id"], Id="string"),
        schema("back", key=["External_Id__c"], External_Id__c="string", Name="string"),
        records("gone", *({"Id": each} for each in ids)),
        records("back", *({"External_Id__c": str(n), "Name": f"new {n}"} for n in range(3))),
        object="Account",
        mappings={"gone": {"operation": "delete"}},
        small_batch_rows=0,
    )

    assert run.error is None
    assert names(org) == ["new 0", "new 1", "new 2"]


def test_an_upsert_waits_for_the_insert_before_it(target: TargetRunner, org: Org) -> None:
    """It finds the record that the insert has made."""
    org.progression = Progression.looks(2)

    run = target.run(
        schema("first", External_Id__c="string", Name="string"),
        schema("then", key=["External_Id__c"], External_Id__c="string", Name="string"),
        records("first", {"External_Id__c": "k", "Name": "old"}),
        records("then", {"External_Id__c": "k", "Name": "new"}),
        object="Account",
        mappings={"first": {"operation": "insert"}},
        small_batch_rows=0,
    )

    assert run.error is None
    assert names(org) == ["new"]


def test_a_request_that_is_carried_out_late_does_not_win(target: TargetRunner, org: Org) -> None:
    """Its answer is lost, and Salesforce carries it out after a newer value: the newer one stays."""
    org.faults.add("collections", Fault.carried_out_late(after=2))
    row = ({"External_Id__c": "k", "Name": name} for name in ("old", "new"))

    run = target.run(BY_KEY, records("Account", *row), state(2))
    org.carry_out_late_requests()

    assert run.error is None
    assert names(org) == ["new"]


# Files that are not ours


@pytest.fixture
def foreign(target: TargetRunner, tmp_path: Path) -> Iterator[Path]:
    """A folder of pending batches with files of others, and a link out of it."""
    outside = tmp_path / "outside.jsonl"
    outside.write_text("precious")
    pending = target.results_dir / "pending"
    (pending / "sub").mkdir(parents=True)
    (pending / "notes.csv").write_text("precious")
    (pending / "20260101T000000Z-abcdef-000001.jsonl").symlink_to(outside)
    yield pending
    assert outside.read_text() == "precious"


def test_files_of_others_are_left_alone(target: TargetRunner, org: Org, foreign: Path) -> None:
    """Only batches' own files are deleted, and never through a link; a sub-folder stops nothing."""
    orphan = foreign / "20260101T000000Z-abcdef-000002.jsonl"
    orphan.write_text("{}")

    run = target.run(ACCOUNT, accounts({"Name": "a"}), **INSERT)

    assert run.error is None
    assert sorted(path.name for path in foreign.iterdir()) == [
        "20260101T000000Z-abcdef-000001.jsonl",
        "notes.csv",
        "sub",
    ]


def test_without_a_journal_a_crashed_runs_rows_stay(target: TargetRunner, org: Org) -> None:
    """``journal: false`` knows nothing of what another run still needs."""
    org.progression = Progression.seconds(3600)
    target.run(ACCOUNT, accounts({"Name": "a"}), **INSERT, job_timeout_s=0.05)
    org.progression = Progression.immediate()
    before = sorted((target.results_dir / "pending").iterdir())

    target.run(ACCOUNT, accounts({"Name": "b"}), **INSERT, journal=False)

    assert before
    assert sorted((target.results_dir / "pending").iterdir()) == before


def test_a_schema_that_changes_among_the_leading_records_has_batches_of_its_own(target: TargetRunner, org: Org) -> None:
    """The first records of a stream are held back in a resumed run, and with them those of its next schema."""
    narrow = schema("Account", Name="string")
    wide = schema("Account", Name="string", Site="string")
    messages = [
        narrow,
        accounts({"Name": "a"}),
        wide,
        accounts({"Name": "x", "Site": "Rome"}),
        narrow,
        accounts({"Name": "b"}),
        state(3),
        accounts({"Name": "c"}, {"Name": "d"}),
        state(5),
    ]
    stop_after(org, jobs=3)
    first = target.run(*messages, **ROWS_PER_JOB)
    assert first.states == [3]

    run = target.run(*messages, **ROWS_PER_JOB)

    assert run.error is None
    assert names(org) == ["a", "b", "c", "d", "x"]
    assert [row["Name"] for row in org.rows("Account") if row["Site"] == "Rome"] == ["x"]
    assert len(run.outcomes) == 5


def test_an_input_that_has_changed_since_is_no_new_input(target: TargetRunner, org: Org) -> None:
    """Its first record was changed at the source: the others are not loaded again, they are doubtful."""
    rows = accounts({"Name": "a"}, {"Name": "b"})
    stop_after(org, jobs=1)
    target.run(ACCOUNT, rows, state(2), accounts({"Name": "c"}), **ROWS_PER_JOB)

    run = target.run(ACCOUNT, accounts({"Name": "a2"}), rows[1:], accounts({"Name": "c"}), state(3), **ROWS_PER_JOB)

    assert isinstance(run.error, RecordsDoubtful)
    assert names(org) == ["a", "a2", "b", "c"]
    assert Counter(run.statuses) == {"created": 4, "doubtful": 1}


@pytest.mark.parametrize(
    "stream_maps",
    [
        {"Acc*": {"__else__": None, "Name": "Name + '!'", "Site": "Site"}},
        {"Account": {"__else__": None, "Name": "_.get('Name') + '!'"}, "Lead": {"__source__": "Account"} | LEAD_MAP},
    ],
    ids=["a glob", "two streams of one"],
)
def test_mapped_records_are_told_apart_by_what_came_in(
    target: TargetRunner, org: Org, stream_maps: dict[str, Any]
) -> None:
    """Whatever entry of ``stream_maps`` applies, the same input again loads what is missing, and only that."""
    account = schema("Account", Name="string", Site="string")
    rows = accounts(*({"Name": str(n), "Site": "x"} for n in range(6)))
    chosen = {**ROWS_PER_JOB, "record_retries": 0, "stream_maps": stream_maps}
    org.faults.add("ingest.close", Fault.job_fails("InvalidBatch : x"))
    first = target.run(account, rows, state(6), **chosen)
    assert isinstance(first.error, RecordsUnprocessed)

    run = target.run(account, rows, state(6), **chosen)

    assert run.error is None
    assert run.states[-1] == 6
    assert names(org) == [f"{n}!" for n in range(6)]


def test_the_failed_file_of_an_unfinished_run_does_not_end_it(target: TargetRunner, org: Org) -> None:
    """It is loaded, and so is what the pipeline's own input still has: each record once."""
    rows = accounts(*({"Name": str(n)} for n in range(6)))
    org.faults.add("ingest.close", Fault.job_fails("InvalidBatch : x"))
    first = target.run(ACCOUNT, rows, state(6), **ROWS_PER_JOB)
    assert isinstance(first.error, RecordsUnprocessed)

    failed = target.run(first.failed_file, **ROWS_PER_JOB)
    last = target.run(ACCOUNT, rows, state(6), **ROWS_PER_JOB)

    assert failed.error is None
    assert last.error is None
    assert last.states[-1] == 6
    assert names(org) == [str(n) for n in range(6)]


def test_an_input_that_ends_early_does_not_end_the_unfinished_run(target: TargetRunner, org: Org) -> None:
    """A tap that dies after its SCHEMA changes nothing: its whole input comes again and is recognized."""
    rows = accounts(*({"Name": str(n)} for n in range(6)))
    stop_after(org, jobs=2)
    target.run(ACCOUNT, rows, state(6), **ROWS_PER_JOB)

    target.run(ACCOUNT, **ROWS_PER_JOB)
    target.run(ACCOUNT, rows[:3], **ROWS_PER_JOB)
    run = target.run(ACCOUNT, rows, state(6), **ROWS_PER_JOB)

    assert run.error is None
    assert names(org) == [str(n) for n in range(6)]


def test_a_corrected_number_of_a_stream_map_loads_everything(target: TargetRunner, org: Org) -> None:
    """It stands in ``stream_map_config``: what was loaded with the wrong one is another destination's."""
    chosen: dict[str, Any] = {
        "external_id_field": "External_Id__c",
        "batch_size_rows": 2,
        "max_concurrent_jobs": 1,
        "small_batch_rows": 0,
        "stream_maps": {"Account": {"AnnualRevenue": "AnnualRevenue * config['factor']"}},
    }
    account = schema("Account", key=["External_Id__c"], External_Id__c="string", Name="string", AnnualRevenue="number")
    rows = accounts(*({"External_Id__c": str(n), "Name": "x", "AnnualRevenue": 1} for n in range(4)))
    stop_after(org, jobs=1)
    target.run(account, rows, **chosen, stream_map_config={"factor": 100})

    run = target.run(account, rows, **chosen, stream_map_config={"factor": 10})

    assert run.error is None
    assert [row["AnnualRevenue"] for row in org.rows("Account")] == [10] * 4


def test_a_delete_waits_for_the_children_that_leave_its_record(target: TargetRunner, org: Org) -> None:
    """They name their new parent by Id; the old one takes with it what is still its child."""
    old, new = org.insert("Account", [{"Name": "old"}, {"Name": "new"}])
    ids = org.insert("Contact", [{"LastName": str(n), "AccountId": old} for n in range(3)])
    org.progression = Progression.looks(2)

    run = target.run(
        schema("move", key=["Id"], Id="string", AccountId="string"),
        schema("gone", key=["Id"], Id="string"),
        records("move", *({"Id": each, "AccountId": new} for each in ids)),
        records("gone", {"Id": old}),
        mappings={
            "move": {"object": "Contact", "operation": "update"},
            "gone": {"object": "Account", "operation": "delete"},
        },
        small_batch_rows=0,
    )

    assert run.error is None
    assert names(org) == ["new"]
    assert {row["AccountId"] for row in org.rows("Contact")} == {new}
