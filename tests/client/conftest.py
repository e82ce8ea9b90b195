"""What the client's tests share: a client that asks again without long waits."""

from __future__ import annotations

import pytest
from salesforce_bulk_client import RetryPolicy, SalesforceClient


@pytest.fixture
def client(client: SalesforceClient) -> SalesforceClient:
    """A client of ``org``; its first wait is short, so that tests of faults are quick."""
    client._retry_policy = RetryPolicy(total_s=client._retry_policy.total_s, first_wait_s=0.01)
    return client
