"""sObject Collections: one result a record, in order; a lost answer is the caller's to resolve."""

from __future__ import annotations

import pytest
from salesforce_bulk_client import ConnectionFailed, SalesforceClient, ServerBusy
from salesforce_bulk_client.sobject_collections import SaveError, delete_records, update_records, upsert_records
from salesforce_bulk_simulator import Fault, Org


def test_upsert_tells_created_updated_and_refused(org: Org, client: SalesforceClient) -> None:
    """One request, one result for each record, in the order of the records."""
    org.insert("Account", [{"Name": "Old", "External_Id__c": "a"}])

    results = upsert_records(
        client,
        "Account",
        records=[
            {"External_Id__c": "a", "Name": "New"},
            {"External_Id__c": "b", "Name": "Bob"},
            {"External_Id__c": "c", "Name": None},
        ],
        external_id_field="External_Id__c",
    )

    assert [(result.is_success, result.was_created) for result in results] == [
        (True, False),
        (True, True),
        (False, False),
    ]
    assert results[2].errors == (
        SaveError(code="REQUIRED_FIELD_MISSING", message="Required fields are missing: [Name]", fields=("Name",)),
    )
    assert sorted(row["Name"] for row in org.rows("Account")) == ["Bob", "New"]


def test_update_and_delete_go_by_id(org: Org, client: SalesforceClient) -> None:
    """A second delete says so."""
    (ada,) = org.insert("Account", [{"Name": "Ada"}])

    (updated,) = update_records(client, "Account", records=[{"Id": ada, "Name": "Ada L."}])
    assert [row["Name"] for row in org.rows("Account")] == ["Ada L."]
    (deleted,) = delete_records(client, ids=[ada])
    (again,) = delete_records(client, ids=[ada])

    assert (updated.id, deleted.id) == (ada, ada)
    assert org.rows("Account") == []
    assert again.errors[0].code == "ENTITY_IS_DELETED"


@pytest.mark.parametrize("fault", [Fault.reset_before(), Fault.reset_after(), Fault.cut_after(bytes=5)])
def test_a_lost_answer_is_not_asked_for_again(org: Org, client: SalesforceClient, fault: Fault) -> None:
    """Only the caller can know whether a second request does harm."""
    (ada,) = org.insert("Account", [{"Name": "Ada"}])
    org.faults.add("collections", fault)

    with pytest.raises(ConnectionFailed):
        update_records(client, "Account", records=[{"Id": ada, "Name": "Ada L."}])

    assert len([path for method, path in org.requests if method == "PATCH"]) == 1
    assert org.faults.completed


@pytest.mark.parametrize("status", [404, 500, 502, 503, 504])
def test_a_gateways_error_may_hide_that_the_records_were_saved(org: Org, client: SalesforceClient, status: int) -> None:
    """It is not sent again from here, and says that it may have worked."""
    org.faults.add("collections", Fault.html(status))

    with pytest.raises(ServerBusy) as caught:
        delete_records(client, ids=["001000000000001AAA"])

    assert caught.value.may_have_worked
    assert len([path for method, path in org.requests if method == "DELETE"]) == 1
    assert org.faults.completed
