"""Date literals such as ``TODAY`` and ``LAST_N_DAYS:30``, as spans of days in UTC."""

from __future__ import annotations

from datetime import date, timedelta

_FIXED = {
    f"{when}_{unit}": (unit, first, 1)
    for unit in ("WEEK", "MONTH", "QUARTER", "YEAR")
    for when, first in (("LAST", -1), ("THIS", 0), ("NEXT", 1))
} | {"YESTERDAY": ("DAY", -1, 1), "TODAY": ("DAY", 0, 1), "TOMORROW": ("DAY", 1, 1)}
_NINETY = {"LAST_90_DAYS": "LAST_N_DAYS", "NEXT_90_DAYS": "NEXT_N_DAYS"}
_COUNTED = {
    name
    for unit in ("DAY", "WEEK", "MONTH", "QUARTER", "YEAR")
    for name in (f"LAST_N_{unit}S", f"NEXT_N_{unit}S", f"N_{unit}S_AGO")
}


def is_date_literal(name: str, *, has_number: bool) -> bool:
    """Whether a word is a date literal; those with N in their name require a number after a colon."""
    return name in _COUNTED if has_number else name in _FIXED or name in _NINETY


def span_of(name: str, *, n: int, today: date) -> tuple[date, date]:
    """Return the first day of a date literal, and the day after its last.

    >>> span_of("LAST_MONTH", n=0, today=date(2024, 3, 15))
    (datetime.date(2024, 2, 1), datetime.date(2024, 3, 1))

    Raises:
        OverflowError: the days are outside the calendar.
    """
    if name in _NINETY:
        return span_of(_NINETY[name], n=90, today=today)
    if name in _FIXED:
        unit, first, count = _FIXED[name]
        return _start(unit, first, today), _start(unit, first + count, today)
    unit = next(unit for unit in ("DAY", "WEEK", "MONTH", "QUARTER", "YEAR") if unit in name)
    if name.endswith("_AGO"):
        return _start(unit, -n, today), _start(unit, 1 - n, today)
    if name.startswith("LAST"):
        # the last n days end with today; the last n weeks, months … end before the current one
        return _start(unit, -n, today), _start(unit, 1 if unit == "DAY" else 0, today)
    return _start(unit, 1, today), _start(unit, n + 1, today)


def _start(unit: str, steps: int, today: date) -> date:
    """Return the first day of the day, week, month … that is ``steps`` units from today's."""
    if unit == "DAY":
        return today + timedelta(days=steps)
    if unit == "WEEK":  # weeks begin on Sunday in the en_US locale
        return today - timedelta(days=(today.weekday() + 1) % 7) + timedelta(weeks=steps)
    size = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}[unit]
    months = (today.year * 12 + today.month - 1) // size * size + steps * size
    if not 12 <= months < 12 * 9999:
        raise OverflowError(f"{steps} {unit}S from {today} is outside the calendar")
    return date(months // 12, months % 12 + 1, 1)
