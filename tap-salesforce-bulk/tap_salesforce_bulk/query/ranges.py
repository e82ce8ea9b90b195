"""`QueryRange`: what one query job reads of an object; windows of time, and splits of both kinds. Pure, no I/O."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from tap_salesforce_bulk.timestamps import instant_text, parse_instant

if TYPE_CHECKING:
    from collections.abc import Iterator

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""Of an Id, in the order in which Salesforce's own chunking compares them (Bulk guide, "PK Chunking")."""

_ID_LENGTH = 15
"""Without the checksum."""


@dataclass(frozen=True, kw_only=True)
class QueryRange:
    """``lower`` <= replication key < ``upper``, and ``id_lower`` <= Id < ``id_upper``; None is no bound."""

    lower: datetime | None = None
    upper: datetime | None = None
    id_lower: str | None = None
    id_upper: str | None = None
    is_without_key: bool = False
    """Only the rows whose replication key is null, which are within no bounds."""

    def to_json(self) -> dict[str, Any]:
        """Return the bounds that are set, as the state keeps them."""
        bounds = {
            "lower": self.lower and instant_text(self.lower),
            "upper": self.upper and instant_text(self.upper),
            "id_lower": self.id_lower,
            "id_upper": self.id_upper,
            "is_without_key": self.is_without_key,
        }
        return {name: bound for name, bound in bounds.items() if bound}

    @classmethod
    def from_json(cls, bounds: dict[str, Any]) -> Self:
        """Return the range that `to_json` wrote.

        Raises: TypeError, ValueError.
        """
        instants = {name: parse_instant(bounds[name]) for name in ("lower", "upper") if bounds.get(name)}
        return cls(**{**bounds, **instants})


def windows(lower: datetime | None, upper: datetime, *, days: float | None) -> Iterator[QueryRange]:
    """Yield the time from ``lower`` to ``upper`` in windows of ``days``, which begin at midnight; None is one window.

    >>> from datetime import UTC
    >>> [(window.lower.day, window.upper.day)
    ...  for window in windows(datetime(2024, 1, 1, 9, tzinfo=UTC), datetime(2024, 1, 6, 9, tzinfo=UTC), days=2)]
    [(1, 3), (3, 5), (5, 6)]
    """
    if lower is not None and days is not None:
        midnight = lower.replace(hour=0, minute=0, second=0, microsecond=0)
        number = 1
        while (edge := midnight + number * timedelta(days=days)) < upper:
            yield QueryRange(lower=lower, upper=edge)
            lower = edge
            number += 1
    yield QueryRange(lower=lower, upper=upper)


def split_by_key(
    query_range: QueryRange, *, earliest: datetime, step: timedelta
) -> tuple[QueryRange, QueryRange] | None:
    """Return the range split in the middle of its time, at a multiple of ``step``; None when it is too short.

    ``earliest`` is the least value of the replication key, for a range without a lower bound.
    """
    lower, upper = query_range.lower or earliest, query_range.upper
    if upper is None or upper <= lower:
        return None
    epoch = datetime(1970, 1, 1, tzinfo=upper.tzinfo)
    middle = lower + (upper - lower) / 2
    middle -= (middle - epoch) % step
    if not lower < middle < upper:
        return None
    return replace(query_range, upper=middle), replace(query_range, lower=middle)


def split_by_id(query_range: QueryRange, *, first: str, last: str) -> tuple[QueryRange, QueryRange] | None:
    """Return the range split in the middle of its Ids; None when there is no Id between them.

    ``first`` and ``last`` are the object's, for a range without bounds of its own.
    """
    low, high = _number(query_range.id_lower or first), _number(query_range.id_upper or last)
    middle = (low + high) // 2
    if not low < middle < high:
        return None
    return replace(query_range, id_upper=_id(middle)), replace(query_range, id_lower=_id(middle))


def _number(id_: str) -> int:
    number = 0
    for digit in id_[:_ID_LENGTH]:
        number = number * 62 + _DIGITS.index(digit)
    return number


def _id(number: int) -> str:
    digits = ""
    for _ in range(_ID_LENGTH):
        number, digit = divmod(number, 62)
        digits = _DIGITS[digit] + digits
    return digits
