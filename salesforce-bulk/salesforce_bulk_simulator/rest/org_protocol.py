"""What the REST API needs of an org."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from salesforce_bulk_simulator.data.limits import Limit
from salesforce_bulk_simulator.data.org_protocol import DataOrg
from salesforce_bulk_simulator.http.fault_queue import FaultQueue

from .query_records import Selection


class RestOrg(DataOrg, Protocol):
    """An org as this room sees it. ``Org`` says what each attribute is."""

    org_id: str
    faults: FaultQueue
    limits: dict[str, Limit]
    objects_changed_at: datetime
    query_locators: dict[str, Selection]

    def locator_id(self) -> str:
        """Return the id of a new query locator."""
