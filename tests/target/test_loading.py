"""Each operation: what the org has afterwards, and the outcome of each record."""

from __future__ import annotations

import json
import stat
from typing import Any

import pytest
from salesforce_bulk_simulator import Org
from target_salesforce_bulk.errors import RecordsFailed, StoppedAtFailure

from tests.target.conftest import TargetRunner, records, schema, state

ACCOUNT = schema("Account", key=["External_Id__c"], External_Id__c="string", Name=["string", "null"])


def test_insert_creates_a_record_for_each_row(org: Org, target: TargetRunner) -> None:
    """Each outcome has the key as it came in, and the Id of the record that has its values."""
    run = target.run(
        schema("Account", key=["n"], n="integer", Name="string", AnnualRevenue="number"),
        records("Account", *({"n": n, "Name": f"Ada {n}", "AnnualRevenue": 912260031 + n} for n in range(3))),
        state({"n": 3}),
        operation="insert",
        unknown_fields="drop",
    )

    names = {row["Id"]: row["Name"] for row in org.rows("Account")}
    assert run.error is None
    assert run.states == [{"n": 3}]
    assert [(outcome["key"], names[outcome["id"]]) for outcome in run.outcomes] == [
        ({"n": 0}, "Ada 0"),
        ({"n": 1}, "Ada 1"),
        ({"n": 2}, "Ada 2"),
    ]
    assert run.statuses == ["created"] * 3


def test_a_version_that_the_org_does_not_have_is_said(org: Org, target: TargetRunner) -> None:
    """In the words of `salesforce-bulk check`."""
    run = target.run(ACCOUNT, records("Account", {"External_Id__c": "1", "Name": "Ada"}), api_version="99.0")

    assert str(run.error) == "api_version is 99.0, but this org offers 31.0 to 67.0: set one of them"
    assert list(org.rows("Account")) == []


def test_upsert_creates_and_updates_by_external_id(org: Org, target: TargetRunner) -> None:
    """The single key property is the external id; outcomes tell created from updated."""
    org.insert("Account", [{"Name": "Old", "External_Id__c": "a"}])

    run = target.run(
        ACCOUNT, records("Account", {"External_Id__c": "a", "Name": "New"}, {"External_Id__c": "b", "Name": "Bob"})
    )

    assert run.error is None
    assert sorted(row["Name"] for row in org.rows("Account")) == ["Bob", "New"]
    assert run.statuses == ["updated", "created"]


def test_update_and_delete_by_id(org: Org, target: TargetRunner) -> None:
    """One run with two streams for one object: one changes records, the other deletes them."""
    ada, bob = org.insert("Account", [{"Name": "Ada"}, {"Name": "Bob"}])

    run = target.run(
        schema("changed", key=["Id"], Id="string", Name="string"),
        schema("gone", key=["Id"], Id="string", Reason="string"),
        records("changed", {"Id": ada, "Name": "Ada L."}),
        records("gone", {"Id": bob, "Reason": "closed"}),
        object="Account",
        mappings={"changed": {"operation": "update"}, "gone": {"operation": "delete"}},
    )

    assert run.error is None
    assert [row["Name"] for row in org.rows("Account")] == ["Ada L."]
    assert run.statuses == ["updated", "deleted"]


def test_a_parent_is_named_by_its_external_id(org: Org, target: TargetRunner) -> None:
    """Children wait for the parents that came before them, although those are in an open job's data."""
    run = target.run(
        ACCOUNT,
        schema("people", key=["email"], email="string", family_name="string", company=["string", "null"]),
        records("Account", {"External_Id__c": "a", "Name": "Acme"}),
        records("people", {"email": "ada@example.com", "family_name": "Lovelace", "company": "a"}),
        mappings={
            "people": {
                "object": "Contact",
                "external_id_field": "Email",
                "fields": {"email": "Email", "family_name": "LastName", "company": "Account.External_Id__c"},
            }
        },
    )

    assert run.error is None
    assert org.rows("Contact")[0]["AccountId"] == org.rows("Account")[0]["Id"]


def test_null_clears_and_a_missing_property_leaves(org: Org, target: TargetRunner) -> None:
    """``null_policy: clear`` for a null and for an empty text; a property that is not there changes nothing."""
    org.insert(
        "Account",
        [{"Name": name, "External_Id__c": name, "Phone": "1"} for name in ("empty", "missing", "null")],
    )

    run = target.run(
        schema("Account", key=["External_Id__c"], External_Id__c="string", Phone=["string", "null"]),
        records(
            "Account",
            {"External_Id__c": "null", "Phone": None},
            {"External_Id__c": "empty", "Phone": ""},
            {"External_Id__c": "missing"},
        ),
    )

    assert run.error is None
    assert {row["Name"]: row["Phone"] for row in org.rows("Account")} == {"null": None, "empty": None, "missing": "1"}


def test_null_policy_ignore_leaves_the_field(org: Org, target: TargetRunner) -> None:
    """With ``ignore``, neither a null nor an empty text touches the field."""
    org.insert("Account", [{"Name": "Ada", "External_Id__c": "a", "Phone": "1"}])

    target.run(
        schema("Account", key=["External_Id__c"], External_Id__c="string", Phone=["string", "null"]),
        records("Account", {"External_Id__c": "a", "Phone": None}, {"External_Id__c": "a", "Phone": ""}),
        null_policy="ignore",
    )

    assert org.rows("Account")[0]["Phone"] == "1"


def test_a_refused_record_fails_alone(org: Org, target: TargetRunner) -> None:
    """The others are loaded, STATE passes, and the run ends with an error that names the file."""
    run = target.run(
        ACCOUNT,
        records("Account", {"External_Id__c": "a", "Name": None}, {"External_Id__c": "b", "Name": "Bob"}),
        state({"done": True}),
    )

    assert isinstance(run.error, RecordsFailed)
    assert str(run.error).startswith("1 of 2 records failed, see ")
    assert run.states == [{"done": True}]
    assert run.statuses == ["failed", "created"]
    assert run.outcomes[0]["error_code"] == "REQUIRED_FIELD_MISSING"
    assert run.outcomes[0]["error_fields"] == ["Name"]
    assert [row["Name"] for row in org.rows("Account")] == ["Bob"]


def test_the_failed_file_can_be_piped_in_again(org: Org, target: TargetRunner) -> None:
    """It has the SCHEMA and exactly the failed records; loaded again, it loads just these."""
    first = target.run(
        ACCOUNT, records("Account", {"External_Id__c": "a", "Name": None}, {"External_Id__c": "b", "Name": "Bob"})
    )
    mended = first.failed_file.replace(b'"Name": null', b'"Name": "Ada"')

    second = target.run(mended)

    assert second.error is None
    assert first.failed_file.count(b"SCHEMA") == 1
    assert [json.loads(line).get("record") for line in first.failed_file.splitlines()][1:] == [
        {"External_Id__c": "a", "Name": None}
    ]
    assert second.summary["records"]["created"] == 1
    assert sorted(row["Name"] for row in org.rows("Account")) == ["Ada", "Bob"]


def test_the_failed_file_keeps_the_order_of_the_input(target: TargetRunner) -> None:
    """Salesforce's results come in no order; a parent that is mended must come before its children again."""
    rows: list[dict[str, Any]] = [{"External_Id__c": f"{n:02}", "Name": None} for n in range(20)]
    rows[7]["Name"] = "x" * 300  # refused before it is sent

    run = target.run(ACCOUNT, records("Account", *rows), operation="insert")

    failed = [json.loads(line).get("record") for line in run.failed_file.splitlines()][1:]
    assert [record["External_Id__c"] for record in failed] == [f"{n:02}" for n in range(20)]


def test_job_data_is_closed_by_rows(org: Org, target: TargetRunner) -> None:
    """Ten rows in jobs of at most four."""
    run = target.run(
        ACCOUNT,
        records("Account", *({"External_Id__c": f"{n}", "Name": "x"} for n in range(10))),
        batch_size_rows=4,
    )

    assert run.error is None
    assert sorted(job["records_processed"] for job in run.summary["jobs"]) == [2, 4, 4]
    assert len(org.rows("Account")) == 10


def test_job_data_is_closed_by_bytes(org: Org, target: TargetRunner) -> None:
    """The header takes 24 bytes and each row 109: three rows fit into 351 bytes, a fourth would not."""
    run = target.run(
        schema("Account", key=["External_Id__c"], External_Id__c="string", Name="string"),
        records("Account", *({"External_Id__c": f"{n}", "Name": "x" * 102} for n in range(7))),
        job_data_max_bytes=351,
    )

    assert run.error is None
    assert sorted(job["records_processed"] for job in run.summary["jobs"]) == [1, 3, 3]
    assert len(org.rows("Account")) == 7


def test_a_row_that_no_job_can_take_fails_alone(org: Org, target: TargetRunner) -> None:
    """A row larger than a job's data is an outcome, not the end of the run."""
    run = target.run(
        schema("Account", key=["External_Id__c"], External_Id__c="string", Name="string", Description="string"),
        records(
            "Account",
            {"External_Id__c": "a", "Name": "x", "Description": "y" * 1000},
            {"External_Id__c": "b", "Name": "Bob", "Description": "short"},
        ),
        job_data_max_bytes=500,
    )

    assert run.error_codes == ["ROW_TOO_LARGE", None]
    assert [row["Name"] for row in org.rows("Account")] == ["Bob"]


def test_the_later_of_two_rows_of_one_key_wins(org: Org, target: TargetRunner) -> None:
    """Both have an outcome; they never stand in one job, nor race each other in two."""
    run = target.run(
        ACCOUNT,
        records(
            "Account",
            {"External_Id__c": "a", "Name": "first"},
            {"External_Id__c": "b", "Name": "other"},
            {"External_Id__c": "A", "Name": "second"},
            {"External_Id__c": "a", "Name": "third"},
        ),
        small_batch_rows=0,
    )

    assert run.error is None
    assert sorted(row["Name"] for row in org.rows("Account")) == ["other", "third"]
    assert len(run.outcomes) == 4
    assert sorted(job["records_processed"] for job in run.summary["jobs"]) == [1, 1, 2]


@pytest.mark.parametrize(
    ("on_record_failure", "error", "states"),
    [("fail_at_end", RecordsFailed, [{"n": 2}]), ("ignore", None, [{"n": 2}]), ("fail_fast", StoppedAtFailure, [])],
)
def test_on_record_failure(
    org: Org, target: TargetRunner, on_record_failure: str, error: type | None, states: list[dict[str, int]]
) -> None:
    """A failure ends the run badly, or not at all, or at once and without a STATE past its job."""
    run = target.run(
        ACCOUNT,
        records("Account", {"External_Id__c": "a", "Name": None}, {"External_Id__c": "b", "Name": "Bob"}),
        state({"n": 2}),
        on_record_failure=on_record_failure,
    )

    assert (run.error and type(run.error)) is error
    assert run.states == states
    assert run.statuses == ["failed", "created"]


@pytest.mark.parametrize("small_batch_rows", [0, 200], ids=["job", "request"])
def test_only_result_files_with_rows_are_kept(org: Org, target: TargetRunner, small_batch_rows: int) -> None:
    """A job has three, and mostly two of them are no more than a header."""
    rows: list[dict[str, Any]] = [{"External_Id__c": "a", "Name": "Ada"}, {"External_Id__c": "b", "Name": None}]
    good = target.run(ACCOUNT, records("Account", rows[0]), small_batch_rows=small_batch_rows)
    kept = [path.stem.rpartition("_")[2] for path in good.results_dir.glob("*.csv")]

    mixed = target.run(ACCOUNT, records("Account", *rows), small_batch_rows=small_batch_rows)

    assert kept == ["successful"]
    assert sorted(path.stem.rpartition("_")[2] for path in mixed.results_dir.glob("*.csv")) == [
        "failed",
        "successful",
        "successful",
    ]
    assert sorted(mixed.statuses) == ["created", "failed", "updated"]


def test_files_are_for_the_owner_only(org: Org, target: TargetRunner) -> None:
    """All that holds records has mode 600; nothing is left in the folder of pending units."""
    run = target.run(ACCOUNT, records("Account", {"External_Id__c": "a", "Name": "Ada"}), small_batch_rows=0)

    files = [path for path in run.results_dir.iterdir() if path.is_file() and path.name != ".lock"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert sorted(path.name.partition("-")[0] for path in files) == [
        "Account_750SIM000000001YBA_successful.csv",
        "journal.sqlite",
        "outcomes",
        "report.html",
        "summary",
    ]
    assert list((run.results_dir / "pending").iterdir()) == []


def test_a_record_that_breaks_its_schema_fails_alone(org: Org, target: TargetRunner) -> None:
    """The reason names the property; a record with an undeclared property is not loaded in part either."""
    run = target.run(
        schema("Account", key=["External_Id__c"], External_Id__c="string", Name="string"),
        records(
            "Account",
            {"External_Id__c": "a", "Name": 5},
            {"External_Id__c": "b", "Name": "Bob"},
            {"External_Id__c": "c", "Name": "Cyd", "Phone": "1"},
        ),
    )

    assert run.error_codes == ["INVALID_RECORD", None, "UNDECLARED_PROPERTY"]
    assert run.outcomes[0]["error_message"] == "data.Name must be string"
    assert [row["Name"] for row in org.rows("Account")] == ["Bob"]


def test_an_empty_input_needs_no_login(org: Org, target: TargetRunner) -> None:
    """Without a stream nothing is asked of Salesforce; STATE passes."""
    run = target.run(state({"n": 1}))

    assert run.error is None
    assert run.states == [{"n": 1}]
    assert org.requests == []


def test_hard_delete_leaves_nothing_in_the_recycle_bin(org: Org, target: TargetRunner) -> None:
    """Deleted by a job, for good; an Id that is no record fails alone."""
    ada, bob = org.insert("Account", [{"Name": "Ada"}, {"Name": "Bob"}])

    run = target.run(
        schema("Account", key=["Id"], Id="string", Name="string"),
        records("Account", {"Id": ada, "Name": "Ada"}, {"Id": "001000000000000AAA", "Name": "Nobody"}),
        state({"n": 2}),
        operation="hardDelete",
    )

    assert isinstance(run.error, RecordsFailed)
    assert run.states == [{"n": 2}]
    assert sorted(run.statuses) == ["deleted", "failed"]
    assert [row["Id"] for row in org.rows("Account", include_deleted=True)] == [bob]


def test_an_assignment_rule_goes_with_the_job(org: Org, target: TargetRunner) -> None:
    """Only for the stream that it is set for."""
    run = target.run(
        schema("Case", Subject="string"),
        schema("Account", Name="string"),
        records("Case", {"Subject": "It is broken"}),
        records("Account", {"Name": "Ada"}),
        operation="insert",
        mappings={"Case": {"assignment_rule_id": "01QSIM000000001AAA"}},
    )

    assert run.error is None
    rules = {job["object"]: job.get("assignmentRuleId") for job in org.jobs}
    assert rules == {"Case": "01QSIM000000001AAA", "Account": None}


def test_a_second_run_of_the_failed_file_loads_exactly_the_rest(org: Org, target: TargetRunner) -> None:
    """Refused rows of two streams, mended; what was loaded is not loaded again."""
    people = schema("Contact", key=["n"], n="integer", LastName=["string", "null"])
    companies = schema("Account", key=["n"], n="integer", Name=["string", "null"])
    names = [f"x{n}" if n % 3 else None for n in range(30)]
    chosen = {"operation": "insert", "unknown_fields": "drop", "batch_size_rows": 4}
    first = target.run(
        people,
        companies,
        *(
            line
            for n, name in enumerate(names)
            for line in (
                records("Contact", {"n": n, "LastName": name}),
                records("Account", {"n": n, "Name": name}),
                state({"n": n}),
            )
        ),
        **chosen,
    )
    mended = first.failed_file.replace(b": null", b': "mended"')

    second = target.run(mended, **chosen)

    assert first.states[-1] == {"n": 29}
    assert second.error is None
    assert second.summary["records"]["created"] == 20
    for name, field in (("Contact", "LastName"), ("Account", "Name")):
        assert sorted(row[field] for row in org.rows(name)) == sorted(each or "mended" for each in names)
