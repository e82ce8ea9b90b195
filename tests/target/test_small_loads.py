"""A few rows go in one sObject Collections request: the same outcomes and files, and nothing lost or done twice."""

from __future__ import annotations

from typing import Any

import pytest
from salesforce_bulk_simulator import Fault, Org, Progression
from target_salesforce_bulk.errors import RecordsFailed

from tests.target.conftest import TargetRunner, records, schema, state

ACCOUNT = schema("Account", key=["External_Id__c"], External_Id__c="string", Name=["string", "null"])
BY_ID = schema("Account", key=["Id"], Id="string", Name="string")


THING = {
    "name": "Thing__c",
    "fields": {
        "Key__c": "string(30) externalId unique",
        "Text__c": "string(80)",
        "Kept__c": "string(80)",
        "Size__c": "double(18,2)",
        "Count__c": "int",
        "Day__c": "date",
        "Is_Red__c": "boolean",
        "Account__c": "reference(Account)",
    },
}

WIDE = {
    "name": "Wide__c",
    "fields": {"Key__c": "string(30) externalId unique", **{f"Text{n}__c": "textarea(131072)" for n in range(4)}},
}


@pytest.fixture
def org() -> Org:
    """An org with an object that has a field of each kind, and one with long texts."""
    return Org(progression=Progression.immediate(), objects=[THING, WIDE])


def accounts(*names: str | None) -> list[dict[str, Any]]:
    """RECORD messages, with the external ids 0, 1, 2 …"""
    return records("Account", *({"External_Id__c": str(n), "Name": name} for n, name in enumerate(names)))


def went(org: Org) -> set[str]:
    """Which ways to load data were gone."""
    paths = {path for method, path in org.requests if method in {"POST", "PATCH", "DELETE", "PUT"}}
    return {way for way in ("composite", "ingest") if any(way in path for path in paths)}


def test_a_small_upsert_needs_no_job(org: Org, target: TargetRunner) -> None:
    """Created, updated and refused are told as a job would tell them, in the same files."""
    org.insert("Account", [{"Name": "Old", "External_Id__c": "0"}])

    run = target.run(ACCOUNT, accounts("New", "Bob", None), state({"n": 3}))

    assert isinstance(run.error, RecordsFailed)
    assert went(org) == {"composite"}
    assert run.states == [{"n": 3}]
    assert run.statuses == ["updated", "created", "failed"]
    assert run.error_codes == [None, None, "REQUIRED_FIELD_MISSING"]
    assert run.outcomes[2]["error_fields"] == ["Name"]
    assert {outcome["job_id"] for outcome in run.outcomes} == {None}
    ids = {row["External_Id__c"]: row["Id"] for row in org.rows("Account")}
    assert [outcome["id"] for outcome in run.outcomes] == [ids["0"], ids["1"], None]
    kinds = ["failed", "successful"]
    files = sorted(run.results_dir.glob("Account_*.csv"))
    assert [path.stem.rpartition("_")[2] for path in files] == kinds
    assert files[0].read_text() == (
        '"sf__Id","sf__Error","External_Id__c","Name"\n'
        '"","REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --","2",""\n'
    )


def test_small_updates_and_deletes(org: Org, target: TargetRunner) -> None:
    """By Id, each stream in a request of its own."""
    ada, bob = org.insert("Account", [{"Name": "Ada"}, {"Name": "Bob"}])

    run = target.run(
        schema("changed", key=["Id"], Id="string", Name="string"),
        schema("gone", key=["Id"], Id="string"),
        records("changed", {"Id": ada, "Name": "Ada L."}, {"Id": "001000000000000AAA", "Name": "Nobody"}),
        records("gone", {"Id": bob}),
        object="Account",
        mappings={"changed": {"operation": "update"}, "gone": {"operation": "delete"}},
    )

    assert went(org) == {"composite"}
    assert [row["Name"] for row in org.rows("Account")] == ["Ada L."]
    assert sorted(run.statuses) == ["deleted", "failed", "updated"]


def test_values_arrive_as_by_a_job(org: Org, target: TargetRunner) -> None:
    """Numbers, booleans, dates, nulls, missing properties and parents: both ways leave the same record."""
    org.insert("Account", [{"Name": "Acme", "External_Id__c": "p"}])
    things = schema(
        "Thing__c",
        key=["Key__c"],
        Key__c="string",
        Text__c=["string", "null"],
        Size__c="number",
        Count__c="integer",
        Day__c="string",
        Is_Red__c="boolean",
        company="string",
    )
    row = {"Size__c": 0.1, "Count__c": 3, "Day__c": "1815-12-10", "Is_Red__c": True, "company": "p", "Text__c": None}
    for key, most in (("job", 0), ("request", 200)):
        org.insert("Thing__c", [{"Key__c": key, "Text__c": "old", "Kept__c": "kept"}])
        target.run(
            things,
            records("Thing__c", {**row, "Key__c": key}),
            small_batch_rows=most,
            mappings={"Thing__c": {"fields": {"company": "Account__r.External_Id__c"}}},
        )

    by_job, by_request = ({**one, "Id": None} for one in sorted(org.rows("Thing__c"), key=lambda one: one["Key__c"]))
    own = [name for name in by_job if name.endswith("__c") and name != "Key__c"]
    assert went(org) == {"composite", "ingest"}
    assert [by_job[name] for name in own] == [by_request[name] for name in own]
    assert by_request["Account__c"] == org.rows("Account")[0]["Id"]
    assert [by_request[name] for name in ("Text__c", "Size__c", "Count__c", "Day__c", "Is_Red__c", "Kept__c")] == [
        None,
        0.1,
        3,
        "1815-12-10",
        True,
        "kept",
    ]


@pytest.mark.parametrize(
    ("chosen", "messages"),
    [
        ({"small_batch_rows": 0}, [ACCOUNT, accounts("a")]),
        ({"small_batch_rows": 2}, [ACCOUNT, accounts("a", "b", "c")]),
        ({"small_batch_rows": 2, "batch_size_rows": 2}, [ACCOUNT, accounts("a", "b", "c")]),
        ({"operation": "insert"}, [ACCOUNT, accounts("a")]),
        ({"mappings": {"Account": {"assignment_rule_id": "01QSIM000000001AAA"}}}, [ACCOUNT, accounts("a")]),
        ({"operation": "hardDelete"}, [BY_ID, records("Account", {"Id": "001000000000000AAA"})]),
        ({"operation": "upsert"}, [BY_ID, records("Account", {"Id": "001000000000000AAA", "Name": "a"})]),
        (
            {"mappings": {"Account": {"fields": {"Name": "Parent.External_Id__c"}}}},
            [ACCOUNT, accounts(None)],
        ),
    ],
    ids=["off", "too many", "the rest of more", "insert", "assignment rule", "hardDelete", "by Id", "cleared parent"],
)
def test_what_a_request_cannot_do_goes_by_a_job(
    org: Org, target: TargetRunner, chosen: dict[str, Any], messages: list[Any]
) -> None:
    """Also the last rows of a stream that has filled a job already."""
    target.run(*messages, **chosen)

    assert went(org) == {"ingest"}


def test_only_the_last_row_of_a_key_may_go_in_a_request(org: Org, target: TargetRunner) -> None:
    """A request that is lost may be carried out late: what another row waits for goes by a job. The last one wins."""
    rows = records("Account", *({"External_Id__c": "a", "Name": name} for name in ("first", "second", "third")))

    run = target.run(ACCOUNT, rows)

    assert run.error is None
    assert went(org) == {"composite", "ingest"}
    assert len(org.jobs) == 2
    assert [row["Name"] for row in org.rows("Account")] == ["third"]
    assert sorted(run.statuses) == ["created", "updated", "updated"]


def test_locked_rows_are_asked_for_again_alone(org: Org, target: TargetRunner) -> None:
    """Two of three are in the second request."""
    org.faults.add("collections", Fault.lock_rows(2))

    run = target.run(ACCOUNT, accounts("a", "b", "c"))

    assert run.error is None
    assert run.statuses == ["created"] * 3
    assert len(org.rows("Account")) == 3
    assert org.faults.completed


def test_a_request_that_is_refused_as_a_whole_becomes_a_job(org: Org, target: TargetRunner) -> None:
    """A job tells of each row what is wrong with it."""
    org.faults.add("collections", Fault.status(400, json=[{"errorCode": "JSON_PARSER_ERROR", "message": "no"}]))

    run = target.run(ACCOUNT, accounts("a", "b", "c"))

    assert run.error is None
    assert run.statuses == ["created"] * 3
    assert went(org) == {"composite", "ingest"}
    assert org.faults.completed


PASSING = [
    Fault.reset_before(),
    Fault.reset_after(),
    Fault.unauthorized(),
    Fault.html(503),
    Fault.status(500),
    Fault.request_limit_concurrent(),
    Fault.cut_after(bytes=20),
    Fault.wrong_length(),
]


@pytest.mark.parametrize(
    ("fault", "times"),
    [*((fault, 1) for fault in PASSING), (Fault.reset_before(), 2), (Fault.reset_after(), 2), (Fault.html(503), 2)],
    ids=lambda value: value.kind + str(value.status_code or "") if isinstance(value, Fault) else str(value),
)
def test_a_lost_answer_loads_nothing_twice(org: Org, target: TargetRunner, fault: Fault, times: int) -> None:
    """Before or after the work, once or twice: each row is there once, and has its outcome.

    A row that the first request has created is told as updated, if its answer was lost.
    """
    org.faults.add("collections", fault, times=times)

    run = target.run(ACCOUNT, accounts("a", "b"), state({"n": 2}))

    assert run.error is None
    assert run.states == [{"n": 2}]
    assert sorted(row["Name"] for row in org.rows("Account")) == ["a", "b"]
    was_done = fault.kind in {"reset_after", "cut", "wrong_length"}
    assert run.statuses == ["updated" if was_done else "created"] * 2
    assert len(org.faults.completed) == times


@pytest.mark.parametrize("fault", PASSING, ids=lambda fault: fault.kind + str(fault.status_code or ""))
def test_a_delete_whose_answer_is_lost_is_a_delete(org: Org, target: TargetRunner, fault: Fault) -> None:
    """The second request hears that the record is deleted, which is what was wanted."""
    ids = org.insert("Account", [{"Name": "Ada"}, {"Name": "Bob"}])
    org.faults.add("collections", fault)

    run = target.run(BY_ID, records("Account", *({"Id": each} for each in ids)), operation="delete")

    assert run.error is None
    assert run.statuses == ["deleted"] * 2
    assert org.rows("Account") == []
    assert org.faults.completed


@pytest.mark.parametrize("small_batch_rows", [0, 200], ids=["by a job", "in a request"])
def test_a_record_that_is_deleted_already_is_deleted(org: Org, target: TargetRunner, small_batch_rows: int) -> None:
    """It is as it was wanted, whoever has deleted it."""
    ids = org.insert("Account", [{"Name": "Ada"}])
    org.delete("Account", ids)

    run = target.run(BY_ID, records("Account", {"Id": ids[0]}), operation="delete", small_batch_rows=small_batch_rows)

    assert run.error is None
    assert run.statuses == ["deleted"]
    assert run.error_codes == [None]


@pytest.mark.parametrize("small_batch_rows", [0, 200], ids=["by a job", "in a request"])
@pytest.mark.parametrize("length", [15, 18])
@pytest.mark.parametrize("operation", ["delete", "hardDelete", "update", "upsert"])
def test_an_id_of_another_object_is_refused(
    org: Org, target: TargetRunner, operation: str, length: int, small_batch_rows: int
) -> None:
    """A Collections request would take it, and change or delete a record of that object."""
    (account,) = org.insert("Account", [{"Name": "Ada"}])
    (contact,) = org.insert("Contact", [{"LastName": "Bob"}])
    rows = [{"Id": each[:length], "Name": "New"} for each in (account, contact)]

    run = target.run(BY_ID, records("Account", *rows), operation=operation, small_batch_rows=small_batch_rows)

    assert isinstance(run.error, RecordsFailed)
    assert run.error_codes == [None, "MALFORMED_ID"]
    assert run.outcomes[1]["error_message"] == (
        "'Id': id value of incorrect type: it begins with 003, Ids of the object begin with 001"
    )
    assert run.outcomes[1]["error_fields"] == ["Id"]
    assert [row["LastName"] for row in org.rows("Contact")] == ["Bob"]
    assert [row["Name"] for row in org.rows("Account")] == ([] if "elete" in operation else ["New"])


@pytest.mark.parametrize("operation", ["delete", "update"])
def test_ids_that_cannot_be_checked_go_by_a_job(
    org: Org, target: TargetRunner, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    """An object without a prefix of its own: Salesforce refuses Ids of others in a job."""
    monkeypatch.setitem(org.objects["account"].describe, "keyPrefix", None)
    (account,) = org.insert("Account", [{"Name": "Ada"}])
    (contact,) = org.insert("Contact", [{"LastName": "Bob"}])
    rows = records("Account", *({"Id": each, "Name": "New"} for each in (account, contact)))

    run = target.run(BY_ID, rows, operation=operation)

    assert run.error_codes == [None, "MALFORMED_ID"]
    assert went(org) == {"ingest"}
    assert [row["LastName"] for row in org.rows("Contact")] == ["Bob"]


@pytest.mark.parametrize("small_batch_rows", [0, 200], ids=["by a job", "in a request"])
def test_a_missing_parent_is_named_by_its_column(org: Org, target: TargetRunner, small_batch_rows: int) -> None:
    """Salesforce says so in the error's text only."""
    org.insert("Contact", [{"LastName": "Boss", "Email": "boss@example.com"}])
    people = schema("Contact", key=["Email"], Email="string", LastName="string", company="string", boss="string")
    fields = {"company": "Account.External_Id__c", "boss": "ReportsTo.Email"}
    rows = records(
        "Contact",
        {"Email": "a@example.com", "LastName": "A", "company": "none", "boss": "boss@example.com"},
        {"Email": "b@example.com", "LastName": "B", "boss": "nobody@example.com"},
    )

    run = target.run(people, rows, small_batch_rows=small_batch_rows, mappings={"Contact": {"fields": fields}})

    assert isinstance(run.error, RecordsFailed)
    assert [outcome["error_fields"] for outcome in run.outcomes] == [["Account.External_Id__c"], ["ReportsTo.Email"]]


@pytest.mark.parametrize("small_batch_rows", [0, 200], ids=["by a job", "in a request"])
@pytest.mark.parametrize("operation", ["insert", "update", "upsert"])
def test_two_columns_of_one_lookup_do_not_wipe_it(
    org: Org, target: TargetRunner, operation: str, small_batch_rows: int
) -> None:
    """The one value that is there fills it, all nulls clear it, two values fail their row."""
    org.insert("Contact", [{"LastName": "Con", "Email": "c@example.com"}])
    org.insert("Lead", [{"LastName": "Led", "Company": "x", "Email": "l@example.com"}])
    contact, lead = org.rows("Contact")[0]["Id"], org.rows("Lead")[0]["Id"]
    is_new = operation == "insert"
    subjects = ["contact", "lead", "both", "none"]
    ids = [] if is_new else org.insert("Task", [{"Subject": name, "WhoId": lead} for name in subjects])
    people = {
        "contact": {"contact": "c@example.com", "lead": None},
        "lead": {"contact": None, "lead": "l@example.com"},
        "both": {"contact": "c@example.com", "lead": "l@example.com"},
        "none": {"contact": None, "lead": None},
    }
    by_id = {} if is_new else dict(zip(subjects, ids, strict=True))
    rows = [{"Subject": name, **people[name], **({} if is_new else {"Id": by_id[name]})} for name in subjects]
    kinds: dict[str, Any] = {"Subject": "string", "contact": ["string", "null"], "lead": ["string", "null"]}
    message = schema("Task", key=[] if is_new else ["Id"], **kinds, **({} if is_new else {"Id": "string"}))
    fields = {"contact": "Contact:Who.Email", "lead": "Lead:Who.Email"}

    run = target.run(
        message,
        records("Task", *rows),
        operation=operation,
        small_batch_rows=small_batch_rows,
        mappings={"Task": {"fields": fields}},
    )

    assert isinstance(run.error, RecordsFailed)
    (refused,) = [outcome for outcome in run.outcomes if outcome["status"] == "failed"]
    assert refused["error_message"] == "'contact' and 'lead' have values for one field, which takes one"
    who = {row["Subject"]: row["WhoId"] for row in org.rows("Task")}
    assert who == {"contact": contact, "lead": lead, "none": None, **({} if is_new else {"both": lead})}


@pytest.mark.parametrize("small_batch_rows", [0, 200], ids=["by a job", "in a request"])
def test_a_record_that_is_too_long_for_salesforce_fails_alone(
    org: Org, target: TargetRunner, small_batch_rows: int
) -> None:
    """400,000 characters are taken, one more is refused before it is sent."""
    columns = {"Key__c": "string", **{f"Text{n}__c": "string" for n in range(4)}}
    full = {f"Text{n}__c": "é" * 100_000 for n in range(4)}
    fits = {**full, "Key__c": "k", "Text0__c": "é" * 99_999}

    rows = records("Wide__c", fits, {**full, "Key__c": "l"})

    run = target.run(schema("Wide__c", key=["Key__c"], **columns), rows, small_batch_rows=small_batch_rows)

    assert isinstance(run.error, RecordsFailed)
    assert run.error_codes == [None, "ROW_TOO_LARGE"]
    assert run.outcomes[1]["error_message"] == "the record has 400001 characters, and Salesforce takes 400000"
    assert [row["Key__c"] for row in org.rows("Wide__c")] == ["k"]
