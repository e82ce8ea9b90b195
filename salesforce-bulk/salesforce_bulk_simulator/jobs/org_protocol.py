"""What a bulk job needs of an org."""

from __future__ import annotations

from typing import Protocol

from salesforce_bulk_simulator.data.limits import Limit
from salesforce_bulk_simulator.data.org_protocol import DataOrg
from salesforce_bulk_simulator.http.fault_queue import FaultQueue

from .progression import Progression


class JobOrg(DataOrg, Protocol):
    """An org as its jobs see it. ``Org`` says what each attribute is."""

    progression: Progression
    faults: FaultQueue
    limits: dict[str, Limit]
    ingest_rows: Limit
    shuffle: bool
    reorder_columns: bool
    quote_nulls: bool
    ints_as_decimals: bool
    line_ends_in_quotes: bool
