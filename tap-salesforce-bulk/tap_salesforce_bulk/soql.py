"""Building SOQL: pure text, no I/O (SOQL and SOSL Reference, "Date Formats", "Quoted String Escape Sequences")."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_salesforce_bulk.values import instant_text

if TYPE_CHECKING:
    from datetime import datetime

    from salesforce_bulk_client import Field


@dataclass(frozen=True, kw_only=True)
class CursorRange:
    """Which part of an object is read: ``lower`` <= cursor < ``upper``."""

    field: Field
    lower: datetime | None
    """Aware; None reads from the beginning."""
    upper: datetime
    """Aware; fixed by the server's clock when the job is made, so that a job made again reads the same."""


@dataclass(frozen=True, kw_only=True)
class Query:
    """What one stream reads in one run."""

    sobject: str
    columns: tuple[str, ...]
    include_deleted: bool
    range: CursorRange | None = None
    condition: str | None = None
    """The user's own condition (``soql_filters``)."""
    limit: int | None = None

    @property
    def soql(self) -> str:
        """The query's text; no ORDER BY, which would switch off Salesforce's chunking.

        >>> Query(sobject="Account", columns=("Id", "Name"), include_deleted=True, condition="Name LIKE 'A%'").soql
        "SELECT Id, Name FROM Account WHERE (Name LIKE 'A%')"
        """
        conditions = [*_range_conditions(self.range), *([f"({self.condition})"] if self.condition else [])]
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        limit = f" LIMIT {self.limit}" if self.limit is not None else ""
        return f"SELECT {', '.join(self.columns)} FROM {self.sobject}{where}{limit}"  # noqa: S608  # names are describe's, the condition is the user's

    def fingerprint(self, **reading: str | int) -> str:
        """Return what an unfinished job must agree on to be continued.

        That is all that decides its rows and its pages, except the upper bound, which is every job's own.
        ``reading`` is how the pages are asked for.
        """
        lower = instant_text(self.range.lower) if self.range and self.range.lower else None
        cursor = self.range.field.name if self.range else None
        parts = [self.sobject, self.columns, self.include_deleted, cursor, lower, self.condition, self.limit, reading]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def datetime_literal(instant: datetime, *, field: Field) -> str:
    """Return an instant as a literal for this field: unquoted, a whole day for a date field."""
    written = instant_text(instant)
    return written[:10] if field.type == "date" else written


def _range_conditions(range_: CursorRange | None) -> list[str]:
    if range_ is None:
        return []
    name = range_.field.name
    conditions = []
    if range_.lower is not None:
        conditions.append(f"{name} >= {datetime_literal(range_.lower, field=range_.field)}")
    # A date has no part of a day to leave out: the day of the upper bound belongs to the range.
    operator = "<=" if range_.field.type == "date" else "<"
    conditions.append(f"{name} {operator} {datetime_literal(range_.upper, field=range_.field)}")
    return conditions
