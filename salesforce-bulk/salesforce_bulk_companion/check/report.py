"""`Report`: whom `check` tells what it finds; and how values are kept out of what it tells."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from salesforce_bulk_companion.check.findings import Findings
    from salesforce_bulk_companion.check.streams import StreamCheck


class Report:
    """Told of each finding as it is made; ``findings`` has all of them at the end."""

    def __init__(self, findings: Findings, *, sample_size: int, show_values: bool) -> None:
        self._findings = findings
        self._sample_size = sample_size
        self._show_values = show_values

    def begins(self) -> None:
        """The settings are read."""

    def logs_in(self) -> None:
        """They fit a way to log in, which is about to be gone."""

    def has_org(self) -> None:
        """It is known who and where one is, and what is left of the limits."""

    def has_stream(self, found: StreamCheck) -> None:
        """A stream has been checked."""

    def ends(self) -> None:
        """All is known."""

    def _sample_of(self, found: StreamCheck) -> list[dict[str, Any]]:
        return found.sample.records[: self._sample_size] if found.sample else []


def operation(found: StreamCheck) -> str:
    """Return what Salesforce calls such a query: with or without deleted rows."""
    return "queryAll" if found.query.include_deleted else "query"


def hidden(value: Any) -> str:
    """Return what a value is like, without the value.

    >>> [hidden(value) for value in (None, "Ada", True, 5, {"city": "Rome"})]
    ['null', '3 characters', 'a boolean', 'a number', 'an object']
    """
    match value:
        case None:
            return "null"
        case str():
            return f"{len(value)} characters"
        case bool():
            return "a boolean"
        case int() | float() | Decimal():
            return "a number"
        case _:
            return "an object"
