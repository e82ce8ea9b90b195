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

    from tap_salesforce_bulk.parts import Part


@dataclass(frozen=True, kw_only=True)
class Query:
    """What one stream reads in one run; its jobs each read a `Part` of it."""

    sobject: str
    columns: tuple[str, ...]
    include_deleted: bool
    cursor: Field | None = None
    """By which the parts have bounds."""
    condition: str | None = None
    """The user's own (``soql_filters``)."""
    limit: int | None = None

    def soql(self, part: Part, *, order_by: str | None = None) -> str:
        """Return the query's text; a job's has no ORDER BY, which would switch off Salesforce's chunking.

        >>> from tap_salesforce_bulk.parts import Part
        >>> query = Query(sobject="Account", columns=("Id", "Name"), include_deleted=True, condition="Name LIKE 'A%'")
        >>> query.soql(Part())
        "SELECT Id, Name FROM Account WHERE (Name LIKE 'A%')"
        """
        conditions = _bounds(part, cursor=self.cursor)
        if self.condition:
            conditions.append(f"({self.condition})")
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        order = f" ORDER BY {order_by}" if order_by else ""
        limit = f" LIMIT {self.limit}" if self.limit is not None else ""
        return f"SELECT {', '.join(self.columns)} FROM {self.sobject}{where}{order}{limit}"  # noqa: S608  # names are describe's, the condition is the user's

    def fingerprint(self, **reading: str | int | None) -> str:
        """Return what an unfinished job must agree on to be continued.

        That is all that decides its rows and its pages, except its part. ``reading`` is where the reading begins, and
        how the pages are asked for.
        """
        cursor = self.cursor.name if self.cursor else None
        parts = [self.sobject, self.columns, self.include_deleted, cursor, self.condition, self.limit, reading]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


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


def _bounds(part: Part, *, cursor: Field | None) -> list[str]:
    bounds = []
    if cursor is not None and part.is_without_key:
        bounds.append(f"{cursor.name} = null")
    if cursor is not None and part.lower is not None:
        bounds.append(f"{cursor.name} >= {datetime_literal(part.lower, field=cursor)}")
    if cursor is not None and part.upper is not None:
        # A date has no part of a day to leave out: a day that has begun belongs to the part.
        is_within_day = cursor.type == "date" and "T00:00:00.000Z" not in instant_text(part.upper)
        bounds.append(f"{cursor.name} {'<=' if is_within_day else '<'} {datetime_literal(part.upper, field=cursor)}")
    if part.id_lower:
        bounds.append(f"Id >= '{part.id_lower}'")
    if part.id_upper:
        bounds.append(f"Id < '{part.id_upper}'")
    return bounds
