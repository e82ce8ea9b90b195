"""What the client's tests share: a client that asks again without long waits."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from salesforce_bulk_client import RetryPolicy, SalesforceClient


@pytest.fixture
def client(client: SalesforceClient) -> SalesforceClient:
    """A client of ``org``; its first wait is short, so that tests of faults are quick."""
    client._retry_policy = RetryPolicy(total_s=client._retry_policy.total_s, first_wait_s=0.01)
    return client


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[requests.PreparedRequest]:
    """Every request of this process, as it leaves."""
    requests_sent: list[requests.PreparedRequest] = []
    send = requests.Session.send

    def note_and_send(
        session: requests.Session, request: requests.PreparedRequest, **options: Any
    ) -> requests.Response:
        requests_sent.append(request)
        return send(session, request, **options)

    monkeypatch.setattr(requests.Session, "send", note_and_send)
    return requests_sent
