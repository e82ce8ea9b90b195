"""`Part`: what one query job reads of an object; windows, and halves of what takes too long. Pure, no I/O."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from tap_salesforce_bulk.values import instant_text, parse_instant

if TYPE_CHECKING:
    from collections.abc import Iterator

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""Of an Id, in the order in which Salesforce's own chunking compares them (Bulk guide, "PK Chunking")."""

_ID_LENGTH = 15
"""Without the checksum."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """``lower`` <= cursor < ``upper``, and ``id_lower`` <= Id < ``id_upper``; None is no bound."""

    lower: datetime | None = None
    upper: datetime | None = None
    id_lower: str | None = None
    id_upper: str | None = None
    is_without_key: bool = False
    """Only the rows whose cursor is null, which no bound holds."""

    def to_json(self) -> dict[str, Any]:
        """Return the bounds that there are, as the state keeps them."""
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
        """Return the part that `to_json` wrote.

        Raises: TypeError, ValueError.
        """
        instants = {name: parse_instant(bounds[name]) for name in ("lower", "upper") if bounds.get(name)}
        return cls(**{**bounds, **instants})


def windows(lower: datetime | None, upper: datetime, *, days: float | None) -> Iterator[Part]:
    """Yield a range of the cursor in windows of so many days, which begin at midnight; without ``days`` as one.

    >>> from datetime import UTC
    >>> [(part.lower.day, part.upper.day)
    ...  for part in windows(datetime(2024, 1, 1, 9, tzinfo=UTC), datetime(2024, 1, 6, 9, tzinfo=UTC), days=2)]
    [(1, 3), (3, 5), (5, 6)]
    """
    if lower is not None and days is not None:
        midnight = lower.replace(hour=0, minute=0, second=0, microsecond=0)
        number = 1
        while (edge := midnight + number * timedelta(days=days)) < upper:
            yield Part(lower=lower, upper=edge)
            lower = edge
            number += 1
    yield Part(lower=lower, upper=upper)


def halves_by_cursor(part: Part, *, earliest: datetime, step: timedelta) -> tuple[Part, Part] | None:
    """Return the part cut in two in the middle of its time, on a whole ``step``; None when it is too short.

    ``earliest`` is where the rows of a part without a lower bound begin.
    """
    lower, upper = part.lower or earliest, part.upper
    if upper is None or upper <= lower:
        return None
    epoch = datetime(1970, 1, 1, tzinfo=upper.tzinfo)
    middle = lower + (upper - lower) / 2
    middle -= (middle - epoch) % step
    if not lower < middle < upper:
        return None
    return replace(part, upper=middle), replace(part, lower=middle)


def halves_by_id(part: Part, *, first: str, last: str) -> tuple[Part, Part] | None:
    """Return the part cut in two in the middle of its Ids; None when there is nothing between.

    ``first`` and ``last`` are the object's, for a part without bounds of its own.
    """
    low, high = _number(part.id_lower or first), _number(part.id_upper or last)
    middle = (low + high) // 2
    if not low < middle < high:
        return None
    return replace(part, id_upper=_id(middle)), replace(part, id_lower=_id(middle))


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
