"""Rules of loading that a client easily breaks: keys that come twice, parents, owners, dates, degrees."""

from __future__ import annotations

from typing import Any

import pytest
from salesforce_bulk_simulator import Org

from .api import Api


def failures(info: dict[str, Any]) -> list[str]:
    """Return the ``sf__Error`` of a job's failed rows, sorted."""
    return sorted(line.split('","')[1] for line in info["failedResults"][1:])


def records(*values: dict[str, Any], sobject: str = "Account") -> dict[str, Any]:
    return {"records": [{"attributes": {"type": sobject}, **each} for each in values]}


def errors(results: list[dict[str, Any]]) -> list[str | None]:
    """Return the message of each result's error, None for a success."""
    return [None if each["success"] else each["errors"][0]["message"] for each in results]


def test_rows_that_share_an_external_id_all_fail(api: Api, org: Org) -> None:
    """None of them is saved, not even the first; keys are case-insensitive."""
    info = api.load(
        "Account", "upsert", "External_Id__c,Name\na,One\nb,Two\nA,Three\n", externalIdFieldName="External_Id__c"
    )

    assert failures(info) == [
        "DUPLICATE_VALUE:Duplicate external id specified: A:External_Id__c --",
        "DUPLICATE_VALUE:Duplicate external id specified: a:External_Id__c --",
    ]
    assert [row["Name"] for row in org.rows("Account")] == ["Two"]


def test_rows_that_share_an_external_id_meet_only_in_one_chunk(api: Api, org: Org) -> None:
    """200 rows further on it is an update."""
    between = "".join(f"k{number},x\n" for number in range(199))

    info = api.load(
        "Account", "upsert", f"External_Id__c,Name\na,One\n{between}a,Two\n", externalIdFieldName="External_Id__c"
    )

    assert info["numberRecordsFailed"] == 0
    assert org.rows("Account")[0]["Name"] == "Two"


@pytest.mark.parametrize("operation", ["update", "upsert"])
def test_rows_that_share_an_id_all_fail(api: Api, org: Org, operation: str) -> None:
    """In 15 characters or in 18."""
    ada, bob = org.insert("Account", [{"Name": "Ada"}, {"Name": "Bob"}])
    keys = {"externalIdFieldName": "Id"} if operation == "upsert" else {}

    info = api.load("Account", operation, f"Id,Name\n{ada},A1\n{bob},B1\n{ada[:15]},A2\n", **keys)

    assert failures(info) == [f"DUPLICATE_VALUE:Duplicate id specified: {ada}:Id --"] * 2
    assert [row["Name"] for row in org.rows("Account")] == ["Ada", "B1"]


def test_records_of_a_collection_that_share_a_key_all_fail(api: Api, org: Org) -> None:
    """Updates by id, upserts by external id."""
    (ada,) = org.insert("Account", [{"Name": "Ada"}])
    keys = [
        {"External_Id__c": "a", "Name": "1"},
        {"External_Id__c": "b", "Name": "2"},
        {"External_Id__c": "A", "Name": "3"},
    ]

    updated = api("PATCH", "composite/sobjects", json=records({"Id": ada, "Name": "A1"}, {"Id": ada, "Name": "A2"}))
    upserted = api("PATCH", "composite/sobjects/Account/External_Id__c", json=records(*keys))

    assert errors(updated.json()) == [f"Duplicate id specified: {ada}"] * 2
    assert errors(upserted.json()) == [
        "Duplicate external id specified: a",
        None,
        "Duplicate external id specified: A",
    ]
    assert [row["Name"] for row in org.rows("Account")] == ["Ada", "2"]


def test_a_parent_of_the_same_chunk_is_not_there_yet(api: Api, org: Org) -> None:
    """Rows saved together cannot point to each other; nor can a collection's."""
    info = api.load("Account", "insert", "Name,External_Id__c,Parent.External_Id__c\nRoot,r,\nChild,c,r\n")
    collected = api(
        "POST",
        "composite/sobjects",
        json=records({"Name": "Root", "External_Id__c": "r2"}, {"Name": "Child", "Parent": {"External_Id__c": "r2"}}),
    )

    assert failures(info) == [
        "INVALID_FIELD:Foreign key external ID: r not found for field External_Id__c in entity Account:--"
    ]
    assert [each["success"] for each in collected.json()] == [True, False]
    assert [row["Name"] for row in org.rows("Account")] == ["Root", "Root"]


def test_a_parent_of_an_earlier_chunk_is_there(api: Api, org: Org) -> None:
    """Each 200 rows are saved before the next are read."""
    between = "".join(f"x,k{number},\n" for number in range(199))

    info = api.load("Account", "insert", f"Name,External_Id__c,Parent.External_Id__c\nRoot,r,\n{between}Child,c,r\n")

    assert info["numberRecordsFailed"] == 0


LOOKUP_TWICE = "Cannot specify both an external ID reference Account and a salesforce id, AccountId"


def test_one_lookup_is_filled_once(api: Api, org: Org) -> None:
    """By an id or by a parent's key; a cell that is empty does not count."""
    (account,) = org.insert("Account", [{"Name": "Ada", "External_Id__c": "a"}])
    data = f"LastName,AccountId,Account.External_Id__c\nBoth,{account},a\nId,{account},\nKey,,a\n"

    info = api.load("Contact", "insert", data)
    record = {"LastName": "x", "Account": {"External_Id__c": "a"}, "AccountId": account}
    collected = api("POST", "composite/sobjects", json=records(record, sobject="Contact"))

    assert failures(info) == [f"INVALID_FIELD:{LOOKUP_TWICE}:AccountId --"]
    assert errors(collected.json()) == [LOOKUP_TWICE]
    assert sorted(row["LastName"] for row in org.rows("Contact")) == ["Id", "Key"]


def test_two_keys_for_one_lookup_are_refused(api: Api, org: Org) -> None:
    """A parent of several objects has a column for each, and a row fills one of them."""
    org.insert("Contact", [{"LastName": "Ada", "Email": "a@example.com"}])
    org.insert("Lead", [{"LastName": "Bob", "Company": "B", "Email": "b@example.com"}])
    data = "Subject,Contact:Who.Email,Lead:Who.Email\nBoth,a@example.com,b@example.com\nOne,,b@example.com\n"

    info = api.load("Task", "insert", data)

    assert (info["numberRecordsProcessed"], info["numberRecordsFailed"]) == (2, 1)
    assert [row["Subject"] for row in org.rows("Task")] == ["One"]


def test_an_owner_cannot_be_blank(api: Api, org: Org) -> None:
    """On insert and on update, in CSV and in JSON; an empty cell leaves it to Salesforce."""
    (ada,) = org.insert("Account", [{"Name": "Ada"}])
    inserted = api.load("Account", "insert", "Name,OwnerId\nBob,#N/A\nCyd,\n")
    updated = api.load("Account", "update", f"Id,OwnerId\n{ada},#N/A\n")
    collected = api("POST", "composite/sobjects", json=records({"Name": "Dee", "OwnerId": None}))

    blank = "INVALID_CROSS_REFERENCE_KEY:Owner ID: owner cannot be blank:OwnerId --"
    assert failures(inserted) == failures(updated) == [blank]
    assert errors(collected.json()) == ["Owner ID: owner cannot be blank"]
    assert [row["Name"] for row in org.rows("Account")] == ["Ada", "Cyd"]


DATED = {"name": "Dated__c", "fields": {"Day__c": "date", "Moment__c": "datetime"}}


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("Day__c", ["1700-01-01", "4000-12-31"], ["1699-12-31", "4001-01-01", "0001-01-01"]),
        (
            "Moment__c",
            ["1700-01-01T00:00:00Z", "4000-12-31T23:59:59Z"],
            ["1699-12-31T23:59:59Z", "4001-01-01T00:00:00.000Z", "1700-01-01T00:00:00+01:00"],
        ),
    ],
)
def test_years_go_from_1700_to_4000(org: Org, api: Api, field: str, good: list[str], bad: list[str]) -> None:
    """Other rows are refused; in a query such a literal is malformed."""
    info = api.load("Dated__c", "insert", "\n".join([field, *good, *bad]) + "\n")

    assert {error.partition(":")[0] for error in failures(info)} == {"FIELD_INTEGRITY_EXCEPTION"}
    assert info["numberRecordsFailed"] == len(bad)
    soql = f"SELECT Id FROM Dated__c WHERE {field} > "
    assert [api("GET", "query", params={"q": soql + each}).status_code for each in (*good, *bad[:2])] == [
        200,
        200,
        400,
        400,
    ]


PLACED = {"name": "Placed__c", "fields": {"Spot__c": "location", "Latitude_Note__c": "double(18,2)"}}


@pytest.mark.parametrize(
    ("column", "value", "is_good"),
    [
        ("Spot__Latitude__s", "90", True),
        ("Spot__Latitude__s", "140", False),
        ("Spot__Latitude__s", "-90.5", False),
        ("Spot__Longitude__s", "140", True),
        ("Spot__Longitude__s", "-180.1", False),
        ("Latitude_Note__c", "140", True),
    ],
)
def test_degrees_have_bounds(org: Org, api: Api, column: str, value: str, *, is_good: bool) -> None:
    """Latitude 90, longitude 180, of addresses and locations; other numbers are free."""
    info = api.load("Placed__c", "insert", f"{column}\n{value}\n")

    assert info["numberRecordsFailed"] == (0 if is_good else 1)
    assert all(error.startswith("NUMBER_OUTSIDE_VALID_RANGE") for error in failures(info))


def test_an_address_has_degrees_too(api: Api) -> None:
    """Account.BillingLatitude."""
    info = api.load("Account", "insert", "Name,BillingLatitude,BillingLongitude\nA,52.5,13.4\nB,140,13.4\nC,1,181\n")

    assert info["numberRecordsFailed"] == 2


@pytest.fixture
def org() -> Org:
    return Org(objects=[DATED, PLACED])
