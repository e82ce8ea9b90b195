"""Bulk 2.0 ingest jobs: their steps, their records' outcomes and their refusals."""

from __future__ import annotations

from typing import Any

import pytest
from salesforce_bulk_simulator import Org, running

from .api import Api


def test_results_are_converted_quoted_and_unordered(api: Api, org: Org) -> None:
    """sf__ headers quoted, the others bare; 912260031 comes back 9.12260031E8."""
    data = "Name,AnnualRevenue,NumberOfEmployees,External_Id__c\n" + "".join(
        f"A{number},912260031,{number},x{number}\n" for number in range(5)
    )

    info = api.load("Account", "insert", data)

    ids = {row["Name"]: row["Id"] for row in org.rows("Account")}
    header, *rows = info["successfulResults"]
    assert header == '"sf__Id","sf__Created",Name,AnnualRevenue,NumberOfEmployees,External_Id__c'
    assert sorted(rows) == [f'"{ids[f"A{n}"]}","true","A{n}","9.12260031E8","{n}","x{n}"' for n in range(5)]
    assert rows != sorted(rows)
    assert info["failedResults"] == ['"sf__Id","sf__Error",AnnualRevenue,External_Id__c,Name,NumberOfEmployees']
    assert info["unprocessedrecords"] == ["Name,AnnualRevenue,NumberOfEmployees,External_Id__c"]


READ_ONLY = (
    "INVALID_FIELD_FOR_INSERT_UPDATE:Unable to create/update fields: CreatedDate. Please check the security settings of"
    " this field and verify that it is read/write for your profile or permission set.:CreatedDate --"
)
REFUSED_RECORDS = {
    "required": ({"Name": ""}, "REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --"),
    "unique": (
        {"Name": "x", "External_Id__c": "TAKEN"},
        "DUPLICATE_VALUE:duplicate value found: External_Id__c duplicates value on record with id: {taken}:--",
    ),
    "length": (
        {"Name": "x" * 256},
        f"STRING_TOO_LONG:Name: data value too large: {'x' * 255} (max length=255):Name --",
    ),
    "int": (
        {"Name": "x", "Sites__c": "250.0"},
        "INVALID_TYPE_ON_FIELD_IN_RECORD:Sites__c: value not of required type: 250.0:Sites__c --",
    ),
    "range": (
        {"Name": "x", "Debt__c": "1E30"},
        "NUMBER_OUTSIDE_VALID_RANGE:Debt__c: value outside of valid range on numeric field: 1E30:Debt__c --",
    ),
    "picklist": (
        {"Name": "x", "Tier__c": "Z"},
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST:Tier__c: bad value for restricted picklist field: Z:Tier__c --",
    ),
    "email": (
        {"Name": "x", "Mail__c": "foo"},
        "INVALID_EMAIL_ADDRESS:Mail__c: invalid email address: foo:Mail__c --",
    ),
    "parent": (
        {"Name": "x", "Account__c": "001000000000000AAA"},
        "INVALID_CROSS_REFERENCE_KEY:invalid cross reference id:--",
    ),
    "id": (
        {"Name": "x", "Account__c": "nonsense"},
        "MALFORMED_ID:Account: id value of incorrect type: nonsense:Account__c --",
    ),
    "foreign key": (
        {"Name": "x", "Account__r.External_Id__c": "nobody"},
        "INVALID_FIELD:Foreign key external ID: nobody not found for field External_Id__c in entity Account:--",
    ),
    "read only": ({"Name": "x", "CreatedDate": "2024-01-01T00:00:00Z"}, READ_ONLY),
}
RULED = {
    "name": "Ruled__c",
    "fields": {
        "Name": "string(255) required name",
        "External_Id__c": "string(20) externalId unique",
        "Sites__c": "int",
        "Debt__c": "currency(16,2)",
        "Tier__c": "picklist(A,B) restricted",
        "Mail__c": "email",
        "Account__c": "reference(Account)",
    },
}


@pytest.mark.parametrize(("row", "error"), REFUSED_RECORDS.values(), ids=REFUSED_RECORDS)
def test_a_record_that_breaks_a_rule_fails_alone(row: dict[str, str], error: str) -> None:
    """The job is JobComplete all the same, and the row's error has Salesforce's shape."""
    org = Org(objects=[RULED])
    (taken,) = org.insert("Ruled__c", [{"Name": "first", "External_Id__c": "taken"}])
    data = ",".join(row) + "\n" + ",".join(f'"{value}"' for value in row.values()) + "\n"

    with running(org) as url:
        info = Api(url).load("Ruled__c", "insert", data)

    assert (info["state"], info["numberRecordsProcessed"], info["numberRecordsFailed"]) == ("JobComplete", 1, 1)
    assert f'"","{error.format(taken=taken)}"' in info["failedResults"][1]
    assert len(org.rows("Ruled__c")) == 1


def test_an_empty_cell_keeps_and_n_a_clears(api: Api, org: Org) -> None:
    """The two ways to write nothing mean different things on update."""
    first, second = org.insert("Account", [{"Name": "Ada", "Rating": "Hot"}, {"Name": "Bob", "Rating": "Hot"}])

    info = api.load("Account", "update", f"Id,Rating\n{first},\n{second[:15]},#N/A\n")

    assert info["numberRecordsFailed"] == 0
    assert [(row["Name"], row["Rating"]) for row in org.rows("Account")] == [("Ada", "Hot"), ("Bob", None)]


def test_upsert_creates_or_updates_by_external_id(api: Api, org: Org) -> None:
    """sf__Created shows which; an empty key is refused."""
    (ada,) = org.insert("Account", [{"Name": "Ada", "External_Id__c": "a"}])

    info = api.load(
        "Account",
        "upsert",
        "External_Id__c,Name\na,Ann\nb,Bob\n,Nobody\n",
        externalIdFieldName="External_Id__c",
    )

    bob = org.rows("Account")[1]["Id"]
    assert sorted(info["successfulResults"][1:]) == [f'"{ada}","false","a","Ann"', f'"{bob}","true","b","Bob"']
    assert info["failedResults"][1:] == [
        '"","MISSING_ARGUMENT:External_Id__c not specified:--","","Nobody"',
    ]


def test_parents_are_found_by_relationship_columns(api: Api, org: Org) -> None:
    """Plain for one type of parent, with the type in front for several."""
    (account,) = org.insert("Account", [{"Name": "Ada", "External_Id__c": "a"}])
    (contact,) = org.insert("Contact", [{"LastName": "Byron", "Email": "b@example.com"}])

    api.load("Contact", "insert", "LastName,Account.External_Id__c\nLovelace,a\n")
    api.load("Task", "insert", "Subject,Contact:Who.Email,Account:What.External_Id__c\nCall,b@example.com,a\n")

    assert org.rows("Contact")[1]["AccountId"] == account
    assert (org.rows("Task")[0]["WhoId"], org.rows("Task")[0]["WhatId"]) == (contact, account)


def test_deletes_go_to_the_recycle_bin_and_hard_deletes_do_not(api: Api, org: Org) -> None:
    """A deleted record cannot be deleted again, except for good."""
    first, second = org.insert("Account", [{"Name": "Ada"}, {"Name": "Bob"}])

    deleted = api.load("Account", "delete", f"Id\n{first}\n")
    again = api.load("Account", "delete", f"Id\n{first}\n")
    hard = api.load("Account", "hardDelete", f"Id\n{first}\n{second}\n")

    assert deleted["successfulResults"][1:] == [f'"{first}","false","{first}"']
    assert again["failedResults"][1:] == [f'"","ENTITY_IS_DELETED:entity is deleted:--","{first}"']
    assert hard["numberRecordsFailed"] == 0
    assert org.rows("Account", include_deleted=True) == []


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("Name,Nonsense\nAda,1\n", "InvalidBatch : Field name not found : Nonsense"),
        ("Name;Rating\nAda;Hot\n", "InvalidBatch : Field name not found : Name;Rating"),
        ("Name,Account.Name\nAda,1\n", "InvalidBatch : Field name not found : Account.Name"),
        ("Name\r\nAda\r\n", "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is LF"),
        (
            '\ufeff"Name"\n"Ada"\n',
            "InvalidBatch : Failed to parse CSV. Found unescaped quote. A value with quote should be within a quote",
        ),
        (
            'Name\nAda "x" Sons\n',
            "InvalidBatch : Failed to parse CSV. Found unescaped quote. A value with quote should be within a quote",
        ),
        (b"Name\n\xff\n", "InvalidBatch : Failed to parse CSV. The data is not encoded in UTF-8"),
    ],
    ids=["unknown column", "delimiter", "relationship", "line ending", "byte order mark", "quote", "encoding"],
)
def test_bad_data_fails_the_whole_job(api: Api, org: Org, data: Any, message: str) -> None:
    """Nothing is processed, and the job says why."""
    info = api.load("Account", "insert", data)

    assert (info["state"], info["errorMessage"]) == ("Failed", message)
    assert (info["numberRecordsProcessed"], info["numberRecordsFailed"]) == (0, 0)
    assert org.rows("Account") == []


def test_line_breaks_inside_values_are_data(api: Api, org: Org) -> None:
    """Whatever the job's line ending is."""
    api.load("Account", "insert", 'Name,Description\nAda,"one\r\ntwo\nthree"\n')

    assert org.rows("Account")[0]["Description"] == "one\r\ntwo\nthree"
