"""Instants as Salesforce, Singer and people write them. Pure, no I/O."""

from __future__ import annotations

from datetime import UTC, datetime

EARLIEST = datetime(1700, 1, 1, tzinfo=UTC)
"""Salesforce has no earlier dates (SOQL guide, "Date Formats")."""


def instant_text(instant: datetime) -> str:
    """Return an aware instant as Salesforce and Singer both write it.

    >>> instant_text(datetime(2024, 1, 15, 10, 30, tzinfo=UTC))
    '2024-01-15T10:30:00.000Z'
    """
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def parse_instant(written: str) -> datetime:
    """Return the instant of an ISO 8601 date or date-time; without a zone it is UTC, a bare date midnight.

    >>> parse_instant("2024-01-15").isoformat()
    '2024-01-15T00:00:00+00:00'

    Raises: ValueError.
    """
    instant = datetime.fromisoformat(written)
    try:
        return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    except OverflowError:
        raise ValueError from None
