"""What all tests share: a simulated org, its address, and settings that log in to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from salesforce_bulk_client import ConnectionConfig, SalesforceClient
from salesforce_bulk_simulator import Org, Progression, running


@pytest.fixture
def org() -> Org:
    """An org with the standard objects, no rows, and jobs that are done at once."""
    return Org(progression=Progression.immediate())


@pytest.fixture
def url(org: Org) -> Iterator[str]:
    """The address at which ``org`` is served."""
    with running(org) as address:
        yield address


@pytest.fixture
def settings(url: str) -> dict[str, Any]:
    """Connection settings that log in to ``org``."""
    return {
        "login_url": url,
        "client_id": "sim-client",
        "client_secret": "sim-secret",
        "refresh_token": "sim-refresh",
        "retry_total_s": 20,
        "quota_percent_per_run": 100,
    }


@pytest.fixture
def client(settings: dict[str, Any]) -> Iterator[SalesforceClient]:
    """A client of ``org``."""
    with SalesforceClient(ConnectionConfig.from_settings(settings)) as opened:
        yield opened
