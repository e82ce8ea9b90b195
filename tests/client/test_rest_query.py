"""REST queries: batch by batch, exact, and deleted rows on demand."""

from __future__ import annotations

from decimal import Decimal

import pytest
from salesforce_bulk_client import BrokenAnswer, ConnectionConfig, RequestRefused, SalesforceClient, query_records
from salesforce_bulk_simulator import Fault, Org


def test_numbers_are_exact(client: SalesforceClient, org: Org) -> None:
    """Those with a fraction are read as decimals, before any rounding."""
    org.insert("Account", [{"Name": "Ada", "BillingLatitude": 0.1, "NumberOfEmployees": 5}])

    ((record,),) = query_records(
        client, "SELECT Name, BillingLatitude, NumberOfEmployees FROM Account", include_deleted=False
    )

    assert record == {"Name": "Ada", "BillingLatitude": Decimal("0.1"), "NumberOfEmployees": 5}


def test_batches_follow_each_other(client: SalesforceClient, org: Org) -> None:
    """Each names the next one; none is kept."""
    org.insert("Account", [{"Name": f"{number:04}"} for number in range(4100)])

    batches = list(query_records(client, "SELECT Name FROM Account ORDER BY Name", include_deleted=False))

    assert [len(batch) for batch in batches] == [2000, 2000, 100]
    assert [record["Name"] for batch in batches for record in batch] == [f"{number:04}" for number in range(4100)]


def test_deleted_rows_come_on_demand(client: SalesforceClient, org: Org) -> None:
    """`queryAll` is another address."""
    ids = org.insert("Account", [{"Name": "Ada"}, {"Name": "Bob"}])
    org.delete("Account", ids[:1])

    soql = "SELECT Name FROM Account"

    assert list(query_records(client, soql, include_deleted=False)) == [[{"Name": "Bob"}]]
    assert list(query_records(client, soql + " ORDER BY Name", include_deleted=True)) == [
        [{"Name": "Ada"}, {"Name": "Bob"}]
    ]


def test_a_wrong_query_is_refused(client: SalesforceClient) -> None:
    """With Salesforce's words."""
    with pytest.raises(RequestRefused, match="Nothing__c"):
        list(query_records(client, "SELECT Nothing__c FROM Account", include_deleted=False))


def test_what_is_no_batch_is_not_taken_for_an_empty_one(org: Org, settings: dict[str, object]) -> None:
    """A proxy's own JSON, for instance."""
    org.faults.add("rest.query", Fault.status(200, json={"ok": True}), times=9)

    with (
        SalesforceClient(ConnectionConfig.from_settings({**settings, "retry_total_s": 0.1})) as client,
        pytest.raises(BrokenAnswer, match="with JSON of another form"),
    ):
        list(query_records(client, "SELECT Id FROM Account", include_deleted=False))

    assert org.faults.completed
