"""REST: collections, single rows, upsert by external id, query."""

from __future__ import annotations

from typing import Any

from salesforce_bulk_simulator import Fault, Org

from .api import Api


def record(**values: Any) -> dict[str, Any]:
    return {"attributes": {"type": "Account"}, **values}


def test_a_collection_has_one_result_each_in_order(api: Api, org: Org) -> None:
    """A refused record stands among the others, with its fields."""
    answer = api("POST", "composite/sobjects", json={"records": [record(Name="Ada"), record(), record(Name="Bob")]})

    ids = [row["Id"] for row in org.rows("Account")]
    assert answer.json() == [
        {"id": ids[0], "success": True, "errors": []},
        {
            "success": False,
            "errors": [
                {
                    "statusCode": "REQUIRED_FIELD_MISSING",
                    "message": "Required fields are missing: [Name]",
                    "fields": ["Name"],
                }
            ],
        },
        {"id": ids[1], "success": True, "errors": []},
    ]


def test_all_or_none_undoes_everything(api: Api, org: Org) -> None:
    """The records that were well are marked as rolled back."""
    answer = api("POST", "composite/sobjects", json={"allOrNone": True, "records": [record(Name="Ada"), record()]})

    assert [result["errors"][0]["statusCode"] for result in answer.json()] == [
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "REQUIRED_FIELD_MISSING",
    ]
    assert org.rows("Account") == []


def test_collections_update_upsert_and_delete(api: Api, org: Org) -> None:
    """By Id and by external id, with parents by their external id."""
    (ada,) = org.insert("Account", [{"Name": "Ada", "External_Id__c": "a"}])
    upserted = api(
        "PATCH",
        "composite/sobjects/Account/External_Id__c",
        json={
            "records": [
                record(External_Id__c="a", Name="Ann"),
                record(External_Id__c="b", Name="Bob", Parent={"External_Id__c": "a"}),
            ]
        },
    ).json()
    bob = upserted[1]["id"]
    updated = api("PATCH", "composite/sobjects", json={"records": [record(Id=bob, Rating="Hot")]}).json()

    assert [(result["id"], result["created"]) for result in upserted] == [(ada, False), (bob, True)]
    assert updated == [{"id": bob, "success": True, "errors": []}]
    assert [(row["Name"], row["ParentId"], row["Rating"]) for row in org.rows("Account")] == [
        ("Ann", None, None),
        ("Bob", ada, "Hot"),
    ]
    deleted = api("DELETE", f"composite/sobjects?ids={ada},{ada}").json()
    assert [result["success"] for result in deleted] == [True, False]
    assert deleted[1]["errors"][0]["statusCode"] == "ENTITY_IS_DELETED"


def test_a_collection_of_more_than_200_is_refused(api: Api) -> None:
    """As a whole."""
    answer = api("POST", "composite/sobjects", json={"records": [record(Name="x")] * 201})

    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "EXCEEDED_MAX_SIZE_REQUEST")


def test_records_of_a_collection_can_be_locked(api: Api, org: Org) -> None:
    """The first one is, once."""
    org.faults.add("collections", Fault.lock_rows(1))

    answer = api("POST", "composite/sobjects", json={"records": [record(Name="Ada"), record(Name="Bob")]})

    assert [result["success"] for result in answer.json()] == [False, True]
    assert answer.json()[0]["errors"][0]["statusCode"] == "UNABLE_TO_LOCK_ROW"
    assert len(org.faults.completed) == 1


def test_a_row_is_created_read_changed_and_deleted(api: Api) -> None:
    """201, 200, 204, 204, 404."""
    created = api("POST", "sobjects/Account", json={"Name": "Ada", "NumberOfEmployees": 7})
    path = f"sobjects/Account/{created.json()['id']}"
    changed = api("PATCH", path, json={"Name": "Ann"})
    read = api("GET", path + "?fields=Name,NumberOfEmployees")
    deleted = api("DELETE", path)

    assert [answer.status_code for answer in (created, changed, read, deleted, api("GET", path))] == [
        201,
        204,
        200,
        204,
        404,
    ]
    assert (read.json()["Name"], read.json()["NumberOfEmployees"]) == ("Ann", 7)


def test_a_refused_row_names_its_fields(api: Api) -> None:
    """400 and an array, with fields."""
    answer = api("POST", "sobjects/Account", json={"Rating": "Hot"})

    assert (answer.status_code, answer.json()) == (
        400,
        [
            {
                "message": "Required fields are missing: [Name]",
                "errorCode": "REQUIRED_FIELD_MISSING",
                "fields": ["Name"],
            }
        ],
    )


def test_upsert_by_external_id_reports_what_it_did(api: Api, org: Org) -> None:
    """201 when created, 200 when updated, 404 for a field that is not a key or a record that may not be created."""
    path = "sobjects/Account/External_Id__c/a%2F1"

    missing = api("PATCH", path + "?updateOnly=true", json={"Name": "Ada"})
    created = api("PATCH", path, json={"Name": "Ada"})
    updated = api("PATCH", path, json={"Name": "Ann"})
    no_key = api("PATCH", "sobjects/Account/Namez/a", json={"Name": "Ada"})

    assert [answer.status_code for answer in (missing, created, updated, no_key)] == [404, 201, 200, 404]
    assert (created.json()["created"], updated.json()["created"]) == (True, False)
    assert no_key.json()[0]["message"] == "Provided external ID field does not exist or is not accessible: Namez"
    assert [(row["Name"], row["External_Id__c"]) for row in org.rows("Account")] == [("Ann", "a/1")]


def test_rest_query_comes_in_batches(api: Api, org: Org) -> None:
    """NextRecordsUrl leads on; datetimes are written otherwise than in Bulk."""
    org.insert("Account", [{"Name": f"{n:03}", "SystemModstamp": "2024-01-15T10:30:00.000Z"} for n in range(450)])

    first = api(
        "GET",
        "query",
        params={"q": "SELECT Name, SystemModstamp, Owner.Name FROM Account ORDER BY Name"},
        headers={"Sforce-Query-Options": "batchSize=200"},
    ).json()
    second = api("GET", first["nextRecordsUrl"]).json()
    bad = api("GET", "query/01gSIM000000009AAA-200")

    assert (first["totalSize"], first["done"], len(first["records"])) == (450, False, 200)
    assert (second["done"], len(second["records"]), "nextRecordsUrl" in second) == (True, 250, False)
    assert first["records"][0]["SystemModstamp"] == "2024-01-15T10:30:00.000+0000"
    assert first["records"][0]["Owner"]["Name"] == "Sim User"
    assert second["records"][0]["Name"] == "200"
    assert (bad.status_code, bad.json()[0]["errorCode"]) == (400, "INVALID_QUERY_LOCATOR")


def test_counting_is_answered_by_total_size(api: Api, org: Org) -> None:
    """No records come with it; queryAll counts deleted rows, too."""
    ids = org.insert("Account", [{"Name": "Ada"}, {"Name": "Bob"}])
    org.delete("Account", ids[:1])
    count = {"q": "SELECT COUNT() FROM Account"}

    assert api("GET", "query", params=count).json() == {"totalSize": 1, "done": True, "records": []}
    assert api("GET", "queryAll", params=count).json()["totalSize"] == 2
