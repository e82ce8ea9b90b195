"""Building SOQL: pure text, no I/O (SOQL and SOSL Reference, "Date Formats", "Quoted String Escape Sequences")."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_salesforce_bulk.timestamps import instant_text

if TYPE_CHECKING:
    from datetime import datetime

    from salesforce_bulk_client import Field

    from tap_salesforce_bulk.query.ranges import QueryRange


@dataclass(frozen=True, kw_only=True)
class Query:
    """What one stream reads in one run; each of its jobs reads a `QueryRange` of it."""

    sobject: str
    columns: tuple[str, ...]
    include_deleted: bool
    replication_key: Field | None = None
    """The field that the bounds of the ranges apply to."""
    condition: str | None = None
    """The user's own (``soql_filters``)."""
    limit: int | None = None

    def soql(self, query_range: QueryRange, *, order_by: str | None = None) -> str:
        """Return the query's text; a job's has no ORDER BY, which would turn off Salesforce's chunking.

        >>> from tap_salesforce_bulk.query.ranges import QueryRange
        >>> query = Query(sobject="Account", columns=("Id", "Name"), include_deleted=True, condition="Name LIKE 'A%'")
        >>> query.soql(QueryRange())
        "SELECT Id, Name FROM Account WHERE (Name LIKE 'A%')"
        """
        order = f" ORDER BY {order_by}" if order_by else ""
        limit = f" LIMIT {self.limit}" if self.limit is not None else ""
        return f"SELECT {', '.join(self.columns)} FROM {self.source(query_range)}{order}{limit}"  # noqa: S608  # names are describe's, the condition is the user's

    def source(self, query_range: QueryRange) -> str:
        """Return what stands behind ``FROM``: the object and the conditions."""
        conditions = _bounds(query_range, key=self.replication_key)
        if self.condition:
            conditions.append(f"({self.condition})")
        return f"{self.sobject} WHERE {' AND '.join(conditions)}" if conditions else self.sobject

    def fingerprint(self, **reading: str | int | None) -> str:
        """Return what an unfinished job must have in common with this query to be continued.

        That is all that decides its rows and its pages, except its range. ``reading`` is where the reading begins, and
        how the pages are requested.
        """
        key = self.replication_key.name if self.replication_key else None
        content = [self.sobject, self.columns, self.include_deleted, key, self.condition, self.limit, reading]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def first_value(sobject: str, *, field: str, last: bool = False) -> str:
    """Return the query for the row with the least, or the greatest, value of a field.

    >>> first_value("Account", field="Id", last=True)
    'SELECT Id FROM Account WHERE Id != null ORDER BY Id DESC LIMIT 1'
    """
    order = "DESC" if last else "ASC"
    return f"SELECT {field} FROM {sobject} WHERE {field} != null ORDER BY {field} {order} LIMIT 1"  # noqa: S608  # names are describe's


def datetime_literal(instant: datetime, *, field: Field) -> str:
    """Return an instant as a literal for this field: unquoted, a whole day for a date field."""
    written = instant_text(instant)
    return written[:10] if field.type == "date" else written


def _bounds(query_range: QueryRange, *, key: Field | None) -> list[str]:
    bounds = []
    if key is not None and query_range.is_without_key:
        bounds.append(f"{key.name} = null")
    if key is not None and query_range.lower is not None:
        bounds.append(f"{key.name} >= {datetime_literal(query_range.lower, field=key)}")
    if key is not None and query_range.upper is not None:
        # A date cannot be compared with a part of a day: a day that has begun belongs to the range.
        is_within_day = key.type == "date" and "T00:00:00.000Z" not in instant_text(query_range.upper)
        bounds.append(f"{key.name} {'<=' if is_within_day else '<'} {datetime_literal(query_range.upper, field=key)}")
    if query_range.id_lower:
        bounds.append(f"Id >= '{query_range.id_lower}'")
    if query_range.id_upper:
        bounds.append(f"Id < '{query_range.id_upper}'")
    return bounds
