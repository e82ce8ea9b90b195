"""From a JSON value to the text of a CSV cell, by the type that describe gives its field. Pure.

What cannot be loaded raises `ValueRefused`, which fails that one row and says why.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

import msgspec

from salesforce_bulk_client.limits import MAX_FIELD_CHARACTERS, NULL_IN_JOB_DATA

Convert = Callable[[Any], str]
"""Gives a cell's text for a value that is neither null nor the empty string."""

INTEGER_TYPES = frozenset({"int", "long"})
"""Describe's types of fields that hold a whole number."""

NUMBER_TYPES = INTEGER_TYPES | {"double", "currency", "percent"}
"""Describe's types of fields that hold a number."""

ID_TYPES = frozenset({"id", "reference"})
"""Describe's types of fields that hold an Id."""

ID_LENGTHS = frozenset({15, 18})
"""Characters of an Id: all of it, and with a checksum of their case."""

_CASES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
"""The letters of the checksum: the five bits of a letter's place say which of five characters are upper case."""

LONGEST_PLAIN_EXPONENT = 40
"""Numbers are written out up to so many places; past that, scientific notation is shorter and as exact."""


class ValueRefused(ValueError):
    """A value that its field cannot take; ``code`` goes into the row's outcome."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def exact_number(text: str) -> Decimal:
    """Return the number of a JSON text with all its digits.

    Raises: ValueError for one that Python cannot hold.

    >>> exact_number("1.50")
    Decimal('1.50')
    """
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError("the number is too large") from None


decode_json = msgspec.json.Decoder(float_hook=exact_number).decode
"""Decodes JSON, its numbers exactly. Raises: ValueError; RecursionError."""


def converter(field_type: str, *, length: int = 0, key_prefix: str = "") -> Convert:
    """Return what makes cell text for a field of describe's ``field_type``; ``length`` is in characters, 0 for any.

    ``key_prefix`` is for the Ids of one object's records: others are refused.
    """
    if key_prefix:
        return partial(to_record_id, key_prefix=key_prefix)
    convert = _BY_TYPE.get(field_type)
    return convert or partial(to_text, length=longest_text(length))


def longest_text(length: int) -> int:
    """Return how many characters a field takes in job data; ``length`` is describe's, 0 for any."""
    return min(length or MAX_FIELD_CHARACTERS, MAX_FIELD_CHARACTERS)


def is_text(field_type: str) -> bool:
    """Whether a field of this type takes text as it is."""
    return field_type not in _BY_TYPE


def to_text(value: Any, *, length: int = MAX_FIELD_CHARACTERS) -> str:
    """Return a text field's text; numbers and booleans are spelled as JSON does.

    >>> to_text("0012"), to_text(12), to_text(Decimal("1E+2")), to_text(True)
    ('0012', '12', '100', 'true')
    """
    if isinstance(value, str):
        text = value
    elif isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, int | float | Decimal):
        text = _plain(_decimal(value))
    elif isinstance(value, date | time):
        text = value.isoformat()
    else:
        raise _nested(value)
    if len(text) > length:
        raise ValueRefused("STRING_TOO_LONG", f"the text has {len(text)} characters, the field takes {length}")
    if text == NULL_IN_JOB_DATA:
        raise ValueRefused(
            "TEXT_MEANS_NULL",
            f"the text {NULL_IN_JOB_DATA} would clear the field: in a bulk job Salesforce reads it as null",
        )
    return text


def to_id(value: Any) -> str:
    """Return an Id: 15 letters and digits, or 18. Lists of Ids are joined by commas, so nothing else may pass.

    >>> to_id("001000000000001"), to_id("001000000000001AAA")
    ('001000000000001', '001000000000001AAA')
    """
    text = to_text(value)
    if len(text) in ID_LENGTHS and text.isascii() and text.isalnum():
        return text
    raise ValueRefused("MALFORMED_ID", "the value is not an Id, which has 15 or 18 letters and digits")


def to_record_id(value: Any, *, key_prefix: str) -> str:
    """Return the Id of a record of one object: sObject Collections would take, and delete, that of any other.

    >>> to_record_id("001000000000001AAA", key_prefix="001")
    '001000000000001AAA'
    """
    text = to_id(value)
    prefix = key_prefix_of(*id_start(text))
    if prefix != key_prefix:
        what = f"id value of incorrect type: it begins with {prefix}, Ids of the object begin with {key_prefix}"
        raise ValueRefused("MALFORMED_ID", what)
    return text


def id_start(record_id: str) -> tuple[str, str]:
    """Return the characters of an Id that identify its object: three, and the checksum's first, if any."""
    return record_id[:3], record_id[15:16]


def key_prefix_of(start: str, checksum: str) -> str:
    """Return the key prefix of an Id with this `id_start`, in its right case, which 18 characters restore.

    >>> key_prefix_of("a0B", ""), key_prefix_of("A0b", "E"), key_prefix_of("a0b", "e")
    ('a0B', 'a0B', 'a0B')
    """
    if not checksum or checksum.upper() not in _CASES:
        return start
    bits = _CASES.index(checksum.upper())
    return "".join(each.upper() if bits >> place & 1 else each.lower() for place, each in enumerate(start))


def to_multipicklist(value: Any) -> str:
    """Return the chosen values, joined as Salesforce wants them.

    The SDK's flattening makes JSON text of a list, so that is taken for the list it was.

    >>> to_multipicklist(["red", "green"]), to_multipicklist("red;green"), to_multipicklist('["red", "green"]')
    ('red;green', 'red;green', 'red;green')
    """
    if isinstance(value, str) and value.startswith("["):
        with suppress(ValueError, RecursionError):
            value = decode_json(value)
    if not isinstance(value, list):
        return to_text(value)
    parts = [to_text(part) for part in value if part is not None]
    if any(";" in part for part in parts):
        raise ValueRefused("INVALID_VALUE", "a value of a multi-select picklist cannot contain a semicolon")
    return to_text(";".join(parts))


def to_number(value: Any) -> str:
    """Return a number exactly as it came, without the noise of binary floats.

    >>> to_number(Decimal("0.10")), to_number(1.1), to_number("1e3")
    ('0.10', '1.1', '1000')
    """
    return _plain(_decimal(value))


def to_integer(value: Any) -> str:
    """Return a whole number; ``250.0`` becomes 250, because Salesforce refuses the decimal point.

    >>> to_integer(Decimal("250.0")), to_integer("7")
    ('250', '7')
    """
    number = _decimal(value)
    if number != number.to_integral_value():
        raise ValueRefused("INVALID_VALUE", "the number has a fraction, the field takes whole numbers")
    return str(int(number))


def to_boolean(value: Any) -> str:
    """Return ``true`` or ``false``.

    >>> to_boolean(True), to_boolean("False"), to_boolean(1), to_boolean(Decimal("0.0"))
    ('true', 'false', 'true', 'false')
    """
    try:
        return _BOOLEANS[value.lower() if isinstance(value, str) else value]
    except (KeyError, TypeError):  # a list is no key of a dict
        raise _unfit(value, "true or false") from None


def to_date(value: Any) -> str:
    """Return a date; a date-time is taken only at midnight, since its time would be lost.

    >>> to_date("2024-01-15"), to_date("2024-01-15T00:00:00+00:00")
    ('2024-01-15', '2024-01-15')
    """
    moment = _parsed(value, "a date (2024-01-15)")
    if isinstance(moment, datetime):
        if moment.time() != time():
            raise ValueRefused("INVALID_VALUE", "the value has a time of day, the field takes a date")
        return moment.date().isoformat()
    return moment.isoformat()


def to_datetime(value: Any) -> str:
    """Return a date-time in UTC, cut to milliseconds; one without a zone is UTC.

    >>> to_datetime("2024-01-15T10:30:00.123456+02:00"), to_datetime("2024-01-15 10:30:00")
    ('2024-01-15T08:30:00.123Z', '2024-01-15T10:30:00.000Z')
    """
    wanted = "a date-time (2024-01-15T10:30:00Z)"
    if isinstance(value, str) and _USUAL.match(value):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise _unfit(value, wanted) from None
        if moment.tzinfo is UTC or moment.tzinfo is None:  # done in a quarter of the time that isoformat() takes
            return f"{value[:10]}T{value[11:19]}.{moment.microsecond // 1000:03d}Z"
    else:
        parsed = _parsed(value, wanted)
        moment = parsed if isinstance(parsed, datetime) else datetime(parsed.year, parsed.month, parsed.day, tzinfo=UTC)
    try:
        utc = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError:
        raise _unfit(value, "a date-time that UTC can express") from None
    return utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_time(value: Any) -> str:
    """Return a time of day, cut to milliseconds. Salesforce keeps no zone with it.

    >>> to_time("10:30"), to_time("10:30:00.5Z")
    ('10:30:00.000Z', '10:30:00.500Z')
    """
    try:
        moment = value if isinstance(value, time) else time.fromisoformat(value.strip())
    except (AttributeError, ValueError):
        raise _unfit(value, "a time of day (10:30:00)") from None
    if moment.utcoffset():
        raise ValueRefused("INVALID_VALUE", "the time has a zone, the field takes a time of day without one")
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


_USUAL = re.compile(r"....-..-..[T ]..:..:..(?:[.Z+]|$)")
"""How a date-time is nearly always written; whether it is one is for Python to say."""

_NUMBER = re.compile(r"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*", re.ASCII)
"""A text that is a number to Salesforce: Python would take ``1_000``, ``NaN`` and the digits of other scripts, too."""

_LARGEST_DOUBLE = Decimal(sys.float_info.max)

_BOOLEANS: dict[Any, str] = {True: "true", "true": "true", "1": "true", False: "false", "false": "false", "0": "false"}
"""The numbers 1 and 0 are among them: Python's True and False equal them, in any spelling."""

_BY_TYPE: dict[str, Convert] = {
    **dict.fromkeys(ID_TYPES, to_id),
    "multipicklist": to_multipicklist,
    "int": to_integer,
    "long": to_integer,
    "double": to_number,
    "currency": to_number,
    "percent": to_number,
    "boolean": to_boolean,
    "date": to_date,
    "datetime": to_datetime,
    "time": to_time,
}


def _decimal(value: Any) -> Decimal:
    """Return an exact number that a double can come near to; texts of numbers are taken too."""
    if isinstance(value, Decimal):
        number = value
    elif isinstance(value, int) and not isinstance(value, bool):
        number = Decimal(value)
    elif isinstance(value, float):
        number = Decimal(repr(value))  # the shortest text that means this float, not its 50 binary digits
    elif isinstance(value, str) and _NUMBER.fullmatch(value):
        try:
            number = Decimal(value.strip())
        except InvalidOperation:  # its exponent has twenty digits
            raise _unfit(value, "a finite number") from None
    else:
        raise _unfit(value, "a number")
    if not number.is_finite() or number.copy_abs() > _LARGEST_DOUBLE:
        raise _unfit(value, "a finite number")
    return number


def _plain(number: Decimal) -> str:
    if abs(number.adjusted()) <= LONGEST_PLAIN_EXPONENT:
        return format(number, "f")
    return str(number) if number else "0"


def _parsed(value: Any, wanted: str) -> date:
    """Return a date, or a datetime where the value has a time."""
    if isinstance(value, date):
        return value
    try:
        text = value.strip()
        return date.fromisoformat(text) if len(text) <= len("2024-01-15") else datetime.fromisoformat(text)
    except (AttributeError, ValueError):
        raise _unfit(value, wanted) from None


def _unfit(value: Any, wanted: str) -> ValueRefused:
    if isinstance(value, dict | list):
        return _nested(value)
    return ValueRefused("INVALID_VALUE", f"the value is not {wanted}")


def _nested(value: Any) -> ValueRefused:
    kind = "a list" if isinstance(value, list) else "an object"
    return ValueRefused(
        "NESTED_VALUE",
        f"the value is {kind}, which the field cannot take: set flattening_enabled, or take it apart by stream_maps",
    )
