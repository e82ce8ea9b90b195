"""What was done to the org's rows, in order: the witness of tests that ask whether something was done twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from salesforce_bulk_simulator.data.values.database import Value


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One create, update or delete that was applied to one row."""

    kind: Literal["create", "update", "delete"]
    sobject: str
    id: str
    keys: Mapping[str, Value]
    """The row's external ids after the change."""
    values: Mapping[str, Value]
    """What was written, as the database keeps it; nothing for a delete."""
    origin: str
    """The job's id, or the request's method and path; empty for what the test itself wrote."""
