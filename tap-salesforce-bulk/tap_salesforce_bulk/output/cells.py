"""From the text of a result cell to a Singer value, by the field's describe type alone.

An empty cell is null: Salesforce does not distinguish an empty text from none. Otherwise text stays text, and a
number keeps its exact value.
"""

from __future__ import annotations

import datetime as dt
import re
from datetime import datetime
from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import TYPE_CHECKING

from tap_salesforce_bulk.field_types import ValueKind, kind_of
from tap_salesforce_bulk.timestamps import instant_text, parse_instant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from salesforce_bulk_client import Field

    Value = str | int | float | Decimal | bool | None
    Converter = Callable[[str], Value]
    ColumnConverter = Callable[[Iterable[str]], list[Value]]


INTEGERS = range(-(2**63), 2**63)
"""The range of a long, the widest of Salesforce's types."""

FLOAT_DIGITS = 15
"""Numbers of up to this many digits are exact as floats (IEEE 754, binary64)."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_TIME = re.compile(r"\d\d:\d\d:\d\d(\.\d+)?Z?", re.ASCII)


def converter_for(field: Field) -> Converter:
    """Return the function that converts a cell of this field to its value.

    It raises ValueError for a text that is not of the field's type.
    """
    return CONVERTERS[kind_of(field)]


def column_converter_for(field: Field) -> ColumnConverter:
    """Return the function that converts all cells of a column at once, which is faster than one by one."""
    kind = kind_of(field)
    if kind is ValueKind.TEXT:
        return lambda cells: [cell or None for cell in cells]
    convert = CONVERTERS[kind]
    return lambda cells: [convert(cell) for cell in cells]


def text(cell: str) -> str | None:
    r"""Return the text as it is.

    >>> text("NA"), text("0012"), text("a\r\nb"), text("")
    ('NA', '0012', 'a\r\nb', None)
    """
    return cell or None


def boolean(cell: str) -> bool | None:
    """Return true or false.

    >>> boolean("true"), boolean("false"), boolean("")
    (True, False, None)
    """
    if cell == "true":
        return True
    if cell == "false":
        return False
    if cell == "":
        return None
    raise ValueError


def integer(cell: str) -> int | None:
    """Return the whole number, even where Salesforce writes it as a Java double.

    >>> integer("42"), integer("0.0"), integer("9.12260031E8"), integer("")
    (42, 0, 912260031, None)
    """
    if cell == "":
        return None
    if len(cell) < 19 and cell.isdecimal() and cell.isascii():  # the usual case, fast
        return int(cell)
    exact = _exact(cell)
    if not INTEGERS.start <= exact < INTEGERS.stop or exact != exact.to_integral_value():
        raise ValueError
    return int(exact)


def _exact(cell: str) -> Decimal:
    if not _NUMBER.fullmatch(cell):  # Decimal() also takes blanks, underscores and "nan"
        raise ValueError
    try:
        return Decimal(cell)
    except InvalidOperation:  # an exponent beyond Decimal's own
        raise ValueError from None


def number(cell: str) -> float | Decimal | None:
    """Return the number: a float where that holds it exactly, as it is written, else a Decimal.

    >>> number("0.1"), number("9.12260031E8"), number("1234567890123456.78"), number("")
    (0.1, 912260031.0, Decimal('1234567890123456.78'), None)
    >>> number("999999999999999"), number("9007199254740993")
    (999999999999999.0, Decimal('9007199254740993'))
    """
    if cell == "":
        return None
    if len(cell) <= FLOAT_DIGITS + 1:  # the usual case, fast; one more may be the point
        digits = cell.replace(".", "", 1)
        if len(digits) <= FLOAT_DIGITS and digits.isdecimal() and digits.isascii():
            return float(cell)
    nearest = float(cell)
    shortest = repr(nearest)
    if not isfinite(nearest):
        raise ValueError
    if shortest == cell:
        return nearest
    exact = _exact(cell)
    return nearest if Decimal(shortest) == exact else exact


def date(cell: str) -> str | None:
    """Return the date as it is.

    >>> date("2020-11-16"), date("")
    ('2020-11-16', None)
    """
    if cell == "":
        return None
    if not (len(cell) == 10 and cell[4] == cell[7] == "-"):
        raise ValueError
    dt.date.fromisoformat(cell)  # also refuses February 30
    return cell


def time(cell: str) -> str | None:
    """Return the time of day as it is.

    >>> time("10:30:00.000Z"), time("")
    ('10:30:00.000Z', None)
    """
    if cell == "":
        return None
    if not _TIME.fullmatch(cell):
        raise ValueError
    dt.time.fromisoformat(cell)
    return cell


def datetime_text(cell: str) -> str | None:
    """Return the instant in one form, UTC with milliseconds, in whatever form Salesforce gave it.

    All such texts have one length, so that they also sort as the instants they are.

    >>> datetime_text("2023-10-22T06:25:12.000Z"), datetime_text("2023-10-22T06:25:12.000+0000")
    ('2023-10-22T06:25:12.000Z', '2023-10-22T06:25:12.000Z')
    >>> datetime_text("2023-10-22T08:25:12+02:00"), datetime_text("")
    ('2023-10-22T06:25:12.000Z', None)
    """
    if cell == "":
        return None
    if len(cell) == 24 and cell[7] == "-" and cell[10] == "T" and cell[19] == "." and cell[23] == "Z":
        datetime.fromisoformat(cell)  # as Bulk writes it, if it is one
        return cell
    return instant_text(parse_instant(cell))


CONVERTERS: dict[ValueKind, Converter] = {
    ValueKind.TEXT: text,
    ValueKind.BOOLEAN: boolean,
    ValueKind.INTEGER: integer,
    ValueKind.NUMBER: number,
    ValueKind.DATE: date,
    ValueKind.DATETIME: datetime_text,
    ValueKind.TIME: time,
}
