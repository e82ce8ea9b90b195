"""Values as the database holds them.

Text is held as text, booleans and ints as int, other numbers as float, dates as ``2024-01-15``, datetimes as
``2024-01-15T10:30:00.000Z``, times as ``10:30:00.000Z`` and base64 as bytes.
"""

from __future__ import annotations

import math
from datetime import date
from decimal import Decimal
from typing import Any

from salesforce_bulk_simulator.data.schema.model import Field

Value = str | int | float | bytes | None


EARLIEST_DATE, LATEST_DATE = date(1700, 1, 1), date(4000, 12, 31)
"""The range of dates and datetimes (SOQL guide, "Minimum and Maximum Dates")."""


def to_python(field: Field, value: Value) -> Any:
    """Return a database value as ``Org.rows`` returns it."""
    return bool(value) if field.type == "boolean" and value is not None else value


def java_double(value: float) -> str:
    """Return a number as Java's ``Double.toString`` writes it.

    >>> [java_double(number) for number in (912260031.0, 0.5, 3.0, 1e7, 0.00012, -1234567.5)]
    ['9.12260031E8', '0.5', '3.0', '1.0E7', '1.2E-4', '-1234567.5']
    """
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    magnitude = abs(value)
    if magnitude == 0 or 1e-3 <= magnitude < 1e7:
        return repr(value)
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    first, rest = str(digits[0]), "".join(map(str, digits[1:])) or "0"
    return f"{'-' if sign else ''}{first}.{rest}E{int(exponent) + len(digits) - 1}"


Values = dict[str, Value]
"""Database values by field name, in describe's case; None sets the field to null."""
