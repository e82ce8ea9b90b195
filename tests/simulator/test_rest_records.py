"""Records as REST writes them: parents with attributes, wherever records are selected; and rows addressed by a key."""

from __future__ import annotations

from typing import Any

import pytest
from salesforce_bulk_simulator import Org

from .api import Api


@pytest.fixture
def contacts(org: Org) -> dict[str, str]:
    """One contact whose account has a parent, and one without an account; ids by name."""
    (group,) = org.insert("Account", [{"Name": "Group"}])
    (works,) = org.insert("Account", [{"Name": "Works", "ParentId": group}])
    ada, bob = org.insert("Contact", [{"LastName": "Ada", "AccountId": works}, {"LastName": "Bob"}])
    return {"Group": group, "Works": works, "Ada": ada, "Bob": bob}


def attributes(type_: str, record_id: str, *, of: str | None = None) -> dict[str, str]:
    return {"type": type_, "url": f"/services/data/v66.0/sobjects/{of or type_}/{record_id}"}


def test_parents_have_attributes_and_a_missing_parent_is_null(api: Api, contacts: dict[str, str]) -> None:
    """At every level; never an object of nulls."""
    soql = (
        "SELECT LastName, Account.Name, Account.Parent.Name, Account.Parent.Parent.Name FROM Contact ORDER BY LastName"
    )

    ada, bob = api("GET", "query", params={"q": soql}).json()["records"]

    assert ada == {
        "attributes": attributes("Contact", contacts["Ada"]),
        "LastName": "Ada",
        "Account": {
            "attributes": attributes("Account", contacts["Works"]),
            "Name": "Works",
            "Parent": {"attributes": attributes("Account", contacts["Group"]), "Name": "Group", "Parent": None},
        },
    }
    assert bob == {"attributes": attributes("Contact", contacts["Bob"]), "LastName": "Bob", "Account": None}


def test_a_parent_of_several_objects_is_of_type_name(api: Api, org: Org, contacts: dict[str, str]) -> None:
    """Its url names the object that it is."""
    org.insert("Task", [{"Subject": "Call", "WhoId": contacts["Ada"]}])

    (task,) = api("GET", "query", params={"q": "SELECT Who.Name, What.Name FROM Task"}).json()["records"]

    assert task["Who"] == {"attributes": attributes("Name", contacts["Ada"], of="Contact"), "Name": "Ada"}
    assert task["What"] is None


def test_later_batches_have_parents_too(api: Api, org: Org) -> None:
    """NextRecordsUrl gives records of the same shape."""
    org.insert("Account", [{"Name": f"{number:03}"} for number in range(201)])
    query = {"q": "SELECT Name, Owner.Name, Parent.Name FROM Account ORDER BY Name"}
    first = api("GET", "query", params=query, headers={"Sforce-Query-Options": "batchSize=200"}).json()

    (last,) = api("GET", first["nextRecordsUrl"]).json()["records"]

    assert last["Owner"] == {"attributes": attributes("User", org.user_id), "Name": "Sim User"}
    assert last["Parent"] is None


def test_a_row_can_be_read_with_fields_of_its_parents(api: Api, contacts: dict[str, str]) -> None:
    """The list of fields takes paths, as a query does."""
    path = "?fields=LastName,Account.Parent.Name"

    ada = api("GET", f"sobjects/Contact/{contacts['Ada']}{path}").json()
    bob = api("GET", f"sobjects/Contact/{contacts['Bob']}{path}").json()

    assert ada["Account"]["Parent"] == {"attributes": attributes("Account", contacts["Group"]), "Name": "Group"}
    assert bob["Account"] is None


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_collection_can_be_read(api: Api, org: Org, contacts: dict[str, str], method: str) -> None:
    """In the order of the ids; a record that is not there, or is deleted, is null."""
    org.delete("Contact", [contacts["Bob"]])
    ids, names = [contacts["Bob"], contacts["Ada"], "003000000000000AAA"], ["LastName", "Account.Name"]
    sent: dict[str, Any] = {"params": {"ids": ",".join(ids), "fields": ",".join(names)}}
    if method == "POST":
        sent = {"json": {"ids": ids, "fields": names}}

    answer = api(method, "composite/sobjects/Contact", **sent)

    assert answer.json() == [
        None,
        {
            "attributes": attributes("Contact", contacts["Ada"]),
            "LastName": "Ada",
            "Account": {"attributes": attributes("Account", contacts["Works"]), "Name": "Works"},
        },
        None,
    ]


def test_a_collection_is_read_with_known_fields_only(api: Api, contacts: dict[str, str]) -> None:
    """And needs its two lists."""
    unknown = api("GET", f"composite/sobjects/Contact?ids={contacts['Ada']}&fields=Nope")
    nothing = api("POST", "composite/sobjects/Contact", json={"ids": "x"})

    assert (unknown.status_code, unknown.json()[0]["errorCode"]) == (400, "INVALID_FIELD")
    assert (nothing.status_code, nothing.json()[0]["errorCode"]) == (400, "INVALID_INPUT")


@pytest.mark.parametrize("path", ["sobjects/Account/Id", "sobjects/Account/Id/"])
def test_posting_to_id_creates(api: Api, org: Org, path: str) -> None:
    """From version 37.0 on; without a value the resource of a key takes nothing else."""
    created = api("POST", path, json={"Name": "Ada"})
    patched = api("PATCH", path, json={"Name": "Ada"})
    too_old = api("POST", f"/services/data/v36.0/{path}", json={"Name": "Ada"})

    assert (created.status_code, created.json()["success"]) == (201, True)
    assert [row["Id"] for row in org.rows("Account")] == [created.json()["id"]]
    assert (patched.status_code, patched.json()[0]["message"]) == (
        405,
        "HTTP Method 'PATCH' not allowed. Allowed are HEAD,GET,POST",
    )
    assert too_old.status_code == 404


def test_an_empty_external_id_cannot_be_patched(api: Api, org: Org) -> None:
    """A value that was left out makes no record."""
    answer = api("PATCH", "sobjects/Account/External_Id__c/", json={"Name": "Ada"})

    assert (answer.status_code, answer.json()[0]["errorCode"]) == (405, "METHOD_NOT_ALLOWED")
    assert org.rows("Account") == []


def test_a_query_can_be_explained(api: Api, org: Org) -> None:
    """A plan comes instead of records, and a wrong query is refused as ever."""
    org.insert("Account", [{"Name": "Ada"}, {"Name": "Bob"}])

    (plan,) = api("GET", "query", params={"explain": "SELECT Id FROM Account WHERE Name = 'Ada'"}).json()["plans"]
    wrong = api("GET", "query", params={"explain": "SELECT Nope FROM Account"})

    assert (plan["sobjectType"], plan["cardinality"], plan["sobjectCardinality"]) == ("Account", 1, 2)
    assert plan["leadingOperationType"] == "TableScan"
    assert wrong.json()[0]["errorCode"] == "INVALID_FIELD"
