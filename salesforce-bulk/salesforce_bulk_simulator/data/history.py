"""The history of the org's rows, for tests that assert that nothing was done twice."""

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
    """The values that were written; empty for a delete."""
    origin: str
    """The id of the job, or method and path of the request; empty for a change that the test made itself."""
