"""`Report`: whom `check` tells what it finds; and how values are kept out of what it tells."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from salesforce_bulk_companion.check.findings import Findings
    from salesforce_bulk_companion.check.streams import StreamCheck


LONGEST_SHAPE = 40

SEPARATORS = " -./:@_,+()"
"""What is shown of a value as it is: it makes out a date, an address, a number."""

TOLD_BY_TYPE = frozenset({"id", "reference", "boolean", "date", "datetime", "time"})
"""Salesforce's types whose values all have one shape."""


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
    return "queryAll" if found.plan.query.include_deleted else "query"


def hidden(value: Any) -> str:
    """Return the shape of a value: letters as x, digits as 0; of a long one its length.

    >>> [hidden(value) for value in (None, "Ada B-52", 4711.5, True, "a" * 50, "\u00e9t\u00e9!", "--")]
    ['null', 'Xxx X-00', '0000.0', 'a boolean', '50 characters', 'xxx?', '2 characters']
    """
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case str() | int() | float() | Decimal():
            text = str(value)
            is_shown = len(text) <= LONGEST_SHAPE and any(map(str.isalnum, text))
            return "".join(map(_masked, text)) if is_shown else f"{len(text)} characters"
        case _:
            return "an object"


def _masked(character: str) -> str:
    if character.isalpha():
        return "X" if character.isupper() else "x"
    if character.isalnum():
        return "0"
    return character if character in SEPARATORS else "?"
