"""Values in and out: text and JSON into what the database holds, and back.

The database holds text as text, booleans and ints as int, other numbers as float, dates as ``2024-01-15``, datetimes
as ``2024-01-15T10:30:00.000Z``, times as ``10:30:00.000Z`` and base64 as bytes.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import ROUND_DOWN, Decimal
from functools import partial
from typing import Any

from .errors import RecordRefused
from .ids import as_18
from .schema.model import Field

Value = str | int | float | bytes | None
Parser = Callable[[str], Value]

_INT = re.compile(r"[+-]?\d{1,19}")
_NUMBER = re.compile(r"[+-]?(?:\d{1,300}(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_DATETIME = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.\d{1,9})?(Z|[+-]\d{2}:?\d{2})")
_TIME = re.compile(r"(\d{2}:\d{2}:\d{2})(\.\d{1,3})?Z?")
_EMAIL = re.compile(r"[^\s@,;<>()\[\]\\\"]+@[^\s@,;<>()\[\]\\\"]+\.[^\s@.,;<>()\[\]\\\"]+")
_BOOLEANS = {"true": 1, "1": 1, "false": 0, "0": 0}


def text_parser(field: Field) -> Parser:
    """Return the function that makes a database value of a non-empty text, or raises RecordRefused."""
    parse = _PARSERS.get(field.type) or (_text if field.restricted_to is None else _choice)
    return partial(parse, field)


def _wrong_type(field: Field, text: str) -> RecordRefused:
    return RecordRefused(
        "INVALID_TYPE_ON_FIELD_IN_RECORD", f"{field.name}: value not of required type: {text}", field.name
    )


def _boolean(field: Field, text: str) -> int:
    value = _BOOLEANS.get(text.lower())
    if value is None:
        raise _wrong_type(field, text)
    return value


def _integer(field: Field, text: str) -> int:
    if not _INT.fullmatch(text):
        raise _wrong_type(field, text)
    value, beyond = int(text), 2**31 if field.type == "int" else 2**63
    if not -beyond <= value < beyond:
        raise _out_of_range(field, text)
    return value


def _decimal(field: Field, text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise _wrong_type(field, text)
    value = float(text)
    if math.isinf(value) or (field.precision and abs(value) >= 10.0 ** (field.precision - field.scale)):
        raise _out_of_range(field, text)
    fraction = text.partition(".")[2]
    if len(fraction) > field.scale or "e" in fraction.lower():
        # more decimals than the field has are cut off without a word
        value = float(Decimal(text).quantize(Decimal(1).scaleb(-field.scale), rounding=ROUND_DOWN))
    return value + 0.0


def _out_of_range(field: Field, text: str) -> RecordRefused:
    return RecordRefused(
        "NUMBER_OUTSIDE_VALID_RANGE", f"{field.name}: value outside of valid range on numeric field: {text}", field.name
    )


def _date(field: Field, text: str) -> str:
    day = text.removesuffix("Z")  # the guide's own sample has one
    try:
        if _DATE.fullmatch(day):
            return date.fromisoformat(day).isoformat()
    except ValueError:
        pass
    raise _wrong_type(field, text)


def _datetime(field: Field, text: str) -> str:
    match = _DATETIME.fullmatch(text)
    try:
        if match and match[2] == "Z":
            datetime.fromisoformat(match[1])
            return match[1] + ".000Z"
        if match:
            moment = datetime.fromisoformat(match[1] + match[2]).astimezone(UTC)
            return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    except (ValueError, OverflowError):
        pass
    raise _wrong_type(field, text)


def _time(field: Field, text: str) -> str:
    match = _TIME.fullmatch(text)
    try:
        if match:
            return time.fromisoformat(match[1]).isoformat() + (match[2] or ".").ljust(4, "0") + "Z"
    except ValueError:
        pass
    raise _wrong_type(field, text)


def _reference(field: Field, text: str) -> str:
    found = as_18(text)
    if found is None:
        label = field.describe["label"]
        raise RecordRefused("MALFORMED_ID", f"{label}: id value of incorrect type: {text}", field.name)
    return found


def _bytes(field: Field, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise _wrong_type(field, text) from None


def _email(field: Field, text: str) -> str:
    if not _EMAIL.fullmatch(text):
        raise RecordRefused("INVALID_EMAIL_ADDRESS", f"{field.name}: invalid email address: {text}", field.name)
    return _text(field, text)


def _choice(field: Field, text: str) -> str:
    for each in text.split(";") if field.type == "multipicklist" else [text]:
        if each not in (field.restricted_to or ()):
            raise RecordRefused(
                "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
                f"{field.name}: bad value for restricted picklist field: {each}",
                field.name,
            )
    return text


def _text(field: Field, text: str) -> str:
    if len(text) > field.length:
        raise RecordRefused(
            "STRING_TOO_LONG",
            f"{field.name}: data value too large: {text[:255]} (max length={field.length})",
            field.name,
        )
    return text


_PARSERS: dict[str, Callable[[Field, str], Value]] = {
    "boolean": _boolean,
    "int": _integer,
    "long": _integer,
    "double": _decimal,
    "currency": _decimal,
    "percent": _decimal,
    "date": _date,
    "datetime": _datetime,
    "time": _time,
    "id": _reference,
    "reference": _reference,
    "base64": _bytes,
    "email": _email,
}


def from_json(field: Field, value: Any) -> Value:
    """Return the database value of a JSON value; an empty text is a null.

    Raises:
        RecordRefused: the value is not one of the field's.
        TypeError: the value's JSON type does not fit the field at all.
    """
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        if field.type != "boolean":
            raise TypeError("VALUE_TRUE" if value else "VALUE_FALSE")
        return int(value)
    if isinstance(value, int | float):
        if not field.is_number:
            raise TypeError("VALUE_NUMBER_INT" if isinstance(value, int) else "VALUE_NUMBER_FLOAT")
        return text_parser(field)(repr(value))
    if isinstance(value, str):
        return text_parser(field)(value)
    raise TypeError("START_OBJECT" if isinstance(value, dict) else "START_ARRAY")


def to_json(field: Field, value: Value, *, url: str) -> Any:
    """Return a database value as REST answers it: datetimes end in ``+0000`` there.

    ``url`` is the record's; the bytes of a base64 field are told by an address below it.
    """
    if value is None:
        return None
    if field.type == "base64":
        return f"{url}/{field.name}"
    if field.is_compound:
        return json.loads(str(value))
    if field.type == "boolean":
        return bool(value)
    if field.type == "datetime":
        return str(value).replace("Z", "+0000")
    return value


def to_python(field: Field, value: Value) -> Any:
    """Return a database value as ``Org.rows`` gives it."""
    return bool(value) if field.type == "boolean" and value is not None else value


def to_result_text(field: Field, value: Value) -> str:
    """Return a database value as an ingest job's result files echo it, converted: ``9.12260031E8``."""
    if value is None:
        return ""
    if field.type == "boolean":
        return "true" if value else "false"
    if isinstance(value, float):
        return java_double(value)
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)


def java_double(value: float) -> str:
    """Return a number as Java's ``Double.toString`` writes it.

    >>> [java_double(number) for number in (912260031.0, 0.5, 3.0, 1e7, 0.00012, -1234567.5)]
    ['9.12260031E8', '0.5', '3.0', '1.0E7', '1.2E-4', '-1234567.5']
    """
    magnitude = abs(value)
    if magnitude == 0 or 1e-3 <= magnitude < 1e7:
        return repr(value)
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    first, rest = str(digits[0]), "".join(map(str, digits[1:])) or "0"
    return f"{'-' if sign else ''}{first}.{rest}E{int(exponent) + len(digits) - 1}"
