"""deleted and updated, conditional requests, composite batch, and REST queries by FIELDS()."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from salesforce_bulk_simulator import Clock, Org

from .api import Api


@pytest.fixture
def org() -> Org:
    """An org whose time stands still until a test moves it."""
    return Org(clock=Clock(frozen_at=datetime(2024, 3, 15, 12, 0, 30, tzinfo=UTC)))


def test_deleted_and_updated_tell_ids_in_a_span(api: Api, org: Org) -> None:
    """By SystemModstamp, start included and end excluded; seconds are ignored."""
    ada, bob = org.insert("Account", [{"Name": "Ada"}, {"Name": "Bob"}])
    org.clock.advance(3600)
    org.delete("Account", [bob])
    org.update("Account", [{"Id": ada, "Name": "Eve"}])
    span = "start=2024-03-15T12:30:00%2B00:00&end=2024-03-15T13:01:59Z"

    deleted = api("GET", f"sobjects/Account/deleted/?{span}").json()
    updated = api("GET", f"sobjects/Account/updated/?{span}").json()
    before = api("GET", "sobjects/Account/updated?start=2024-03-15T11:00:00Z&end=2024-03-15T12:30:00Z").json()

    assert deleted == {
        "deletedRecords": [{"id": bob, "deletedDate": "2024-03-15T13:00:30.000+0000"}],
        "earliestDateAvailable": "2024-02-29T13:00:30.000+0000",
        "latestDateCovered": "2024-03-15T13:01:00.000+0000",
    }
    assert updated == {"ids": [ada], "latestDateCovered": "2024-03-15T13:01:00.000+0000"}
    assert before["ids"] == []


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("sobjects/Account/deleted?start=2024-02-01T00:00:00Z&end=2024-03-15T00:00:00Z", "INVALID_REPLICATION_DATE"),
        ("sobjects/Account/updated?start=2024-03-15T00:00:00Z&end=2024-03-15T00:00:59Z", "INVALID_REPLICATION_DATE"),
        ("sobjects/Account/updated?start=yesterday&end=2024-03-15T00:00:59Z", "INVALID_FIELD"),
        (
            "sobjects/AccountShare/updated?start=2024-03-14T00:00:00Z&end=2024-03-15T00:00:00Z",
            "INVALID_TYPE_FOR_OPERATION",
        ),
    ],
    ids=["too old", "too short", "no date", "not replicateable"],
)
def test_a_wrong_span_is_refused(api: Api, path: str, code: str) -> None:
    """With 400 and its code."""
    answer = api("GET", path)

    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, code)


@pytest.mark.parametrize("path", ["sobjects", "sobjects/Account/describe", "sobjects/Account/{id}"])
def test_what_has_not_changed_is_answered_by_304(api: Api, org: Org, path: str) -> None:
    """Describe global, describe and rows, by If-Modified-Since."""
    path = path.format(id=org.insert("Account", [{"Name": "Ada"}])[0])

    whole = api("GET", path, headers={"If-Modified-Since": "Fri, 15 Mar 2024 12:00:00 GMT"})
    known = api("GET", path, headers={"If-Modified-Since": "Fri, 15 Mar 2024 12:00:30 GMT"})

    assert (whole.status_code, whole.headers["Last-Modified"]) == (200, "Fri, 15 Mar 2024 12:00:30 GMT")
    assert (known.status_code, known.content) == (304, b"")


def test_a_row_that_has_changed_is_not_written_over(api: Api, org: Org) -> None:
    """412 by If-Unmodified-Since and by If-Match, 400 for a date that is none; ETags belong to Account."""
    (ada,) = org.insert("Account", [{"Name": "Ada"}])
    path = f"sobjects/Account/{ada}"
    tag = api("GET", path).headers["ETag"]
    org.clock.advance(60)

    def patch(since: str) -> int:
        return api("PATCH", path, json={"Name": "Eve"}, headers={"If-Unmodified-Since": since}).status_code

    assert patch("Fri, 15 Mar 2024 12:00:00 GMT") == 412
    assert patch("yesterday") == 400
    assert patch("Fri, 15 Mar 2024 12:01:00 GMT") == 204
    assert api("GET", path, headers={"If-Match": tag}).status_code == 412
    assert api("GET", path, headers={"If-None-Match": tag}).status_code == 200


def test_a_batch_is_answered_request_by_request(api: Api, org: Org) -> None:
    """Each with its status and result; one that fails does not stop the others without haltOnError."""
    org.insert("Account", [{"Name": "Ada"}])
    requests = [
        {"method": "GET", "url": "v66.0/query?q=SELECT+Name+FROM+Account"},
        {"method": "GET", "url": "/services/data/v66.0/sobjects/Nope/describe"},
        {"method": "POST", "url": "v66.0/sobjects/Account", "richInput": {"Name": "Bob"}},
    ]

    whole = api("POST", "composite/batch", json={"batchRequests": requests}).json()
    halted = api("POST", "composite/batch", json={"batchRequests": requests, "haltOnError": True}).json()
    inner = api("POST", "composite/batch", json={"batchRequests": [{"method": "GET", "url": "v66.0/jobs/query"}]})

    assert [each["statusCode"] for each in whole["results"]] == [200, 404, 201]
    assert whole["hasErrors"] is True
    assert whole["results"][0]["result"]["records"][0]["Name"] == "Ada"
    assert [each["statusCode"] for each in halted["results"]] == [200, 404, 412]
    assert inner.status_code == 400
    assert [row["Name"] for row in org.rows("Account")] == ["Ada", "Bob"]


def test_rest_gives_compound_values_fields_and_bytes(api: Api, org: Org) -> None:
    """An address is an object, FIELDS() its fields, a base64 field an address of its bytes."""
    (ada,) = org.insert("Account", [{"Name": "Ada", "BillingCity": "Oslo", "BillingLatitude": 1.5}])
    (note,) = org.insert("Attachment", [{"ParentId": ada, "Name": "a.txt", "Body": "aGVsbG8="}])
    address = {"city": "Oslo", "latitude": 1.5} | dict.fromkeys(
        ("country", "geocodeAccuracy", "longitude", "postalCode", "state", "street")
    )

    (selected,) = api("GET", "query?q=SELECT BillingAddress, ShippingAddress FROM Account").json()["records"]
    (all_fields,) = api("GET", "query?q=SELECT FIELDS(ALL) FROM Account LIMIT 200").json()["records"]
    custom = api("GET", "query?q=SELECT Id, FIELDS(CUSTOM) FROM Account LIMIT 1").json()["records"][0]
    unbounded = api("GET", "query?q=SELECT FIELDS(ALL) FROM Account").json()
    (attachment,) = api("GET", "query?q=SELECT Body FROM Attachment").json()["records"]

    assert (selected["BillingAddress"], selected["ShippingAddress"]) == (address, None)
    assert api("GET", f"sobjects/Account/{ada}").json()["BillingAddress"] == address
    assert (all_fields["Name"], all_fields["BillingAddress"]) == ("Ada", address)
    assert set(custom) == {"attributes", "Id", "External_Id__c"}
    assert unbounded[0]["errorCode"] == "MALFORMED_QUERY"
    assert attachment["Body"] == f"/services/data/v66.0/sobjects/Attachment/{note}/Body"
    assert api("GET", attachment["Body"]).content == b"hello"


def test_a_row_is_read_by_its_external_id(api: Api, org: Org) -> None:
    """200 with the record, 404 for none."""
    org.insert("Account", [{"Name": "Ada", "External_Id__c": "x 1"}])

    found = api("GET", "sobjects/Account/External_Id__c/x%201?fields=Name,External_Id__c")

    assert found.json()["Name"] == "Ada"
    assert api("GET", "sobjects/Account/External_Id__c/x2").status_code == 404


def test_children_go_with_their_parent(api: Api, org: Org) -> None:
    """Contacts, tasks and attachments of a deleted account are in the recycle bin, too."""
    ada, bob = org.insert("Account", [{"Name": "Ada"}, {"Name": "Bob"}])
    org.insert("Contact", [{"LastName": "A", "AccountId": ada}, {"LastName": "B", "AccountId": bob}])
    org.insert("Task", [{"WhatId": ada}])

    info = api.load("Account", "delete", f"Id\n{ada}\n")

    assert info["numberRecordsFailed"] == 0
    assert [row["Name"] for row in org.rows("Contact")] == ["B"]
    assert [row["IsDeleted"] for row in org.rows("Task", include_deleted=True)] == [True]
