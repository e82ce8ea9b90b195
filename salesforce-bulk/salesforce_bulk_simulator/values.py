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

EARLIEST_DATE, LATEST_DATE = date(1700, 1, 1), date(4000, 12, 31)
"""The days that a date or datetime can hold (SOQL guide, "Minimum and Maximum Dates")."""
_DEGREES = {"Latitude": 90, "Longitude": 180}
"""How far from zero the parts of an address or a location go."""

_INT = re.compile(r"[+-]?[0-9]{1,19}")
_NUMBER = re.compile(r"[+-]?(?:\d{1,300}(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_DATETIME = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.\d{1,9})?(Z|[+-]\d{2}:?\d{2})", re.ASCII)
_TIME = re.compile(r"(\d{2}:\d{2}:\d{2})(\.\d{1,3})?Z?", re.ASCII)
_EMAIL = re.compile(r"[^\s@,;<>()\[\]\\\"]+@[^\s@,;<>()\[\]\\\"]+\.[^\s@.,;<>()\[\]\\\"]+")
_BOOLEANS = {"true": 1, "1": 1, "false": 0, "0": 0}


WRONG_TYPE = "INVALID_TYPE_ON_FIELD_IN_RECORD"
"""The code of a CSV value that is none of its field's type; JSON with such a value is refused by the parser."""


class WrongJson(Exception):
    """A JSON value that the parser does not take for a field."""


def text_parser(field: Field) -> Parser:
    """Return the function that makes a database value of a non-empty text, or raises RecordRefused."""
    parse = _PARSERS.get(field.type) or (_text if field.restricted_to is None else _choice)
    return partial(parse, field)


def _wrong_type(field: Field, text: str) -> RecordRefused:
    return RecordRefused(WRONG_TYPE, f"{field.name}: value not of required type: {text}", field.name)


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
    most = _most_degrees(field) if field.compound_field_name else math.inf
    too_many_digits = field.precision and abs(value) >= 10.0 ** (field.precision - field.scale)
    if math.isinf(value) or too_many_digits or abs(value) > most:
        raise _out_of_range(field, text)
    fraction = text.partition(".")[2]
    if len(fraction) > field.scale or "e" in fraction.lower():
        # more decimals than the field has are cut off without a word
        value = float(Decimal(text).quantize(Decimal(1).scaleb(-field.scale), rounding=ROUND_DOWN))
    return value + 0.0


def _most_degrees(field: Field) -> float:
    name = field.name.removesuffix("__s")
    return next((most for part, most in _DEGREES.items() if name.endswith(part)), math.inf)


def _out_of_range(field: Field, text: str) -> RecordRefused:
    return RecordRefused(
        "NUMBER_OUTSIDE_VALID_RANGE", f"{field.name}: value outside of valid range on numeric field: {text}", field.name
    )


def _date(field: Field, text: str) -> str:
    day = text.removesuffix("Z")  # the guide's own sample has one
    try:
        if _DATE.fullmatch(day):
            return _in_range(field, date.fromisoformat(day), text).isoformat()
    except ValueError:
        pass
    raise _wrong_type(field, text)


def _datetime(field: Field, text: str) -> str:
    match = _DATETIME.fullmatch(text)
    try:
        if match and match[2] == "Z":
            _in_range(field, datetime.fromisoformat(match[1]).date(), text)
            return match[1] + ".000Z"
        if match:
            moment = datetime.fromisoformat(match[1] + match[2]).astimezone(UTC)
            _in_range(field, moment.date(), text)
            return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    except (ValueError, OverflowError):
        pass
    raise _wrong_type(field, text)


def _in_range(field: Field, day: date, text: str) -> date:
    """Return a day that Salesforce can hold, or refuse it."""
    if not EARLIEST_DATE <= day <= LATEST_DATE:
        message = f"{field.describe['label']}: invalid date: {text}"
        raise RecordRefused("FIELD_INTEGRITY_EXCEPTION", message, field.name)
    return day


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
    """Return the database value of a JSON value; an empty text is a null where the field holds text.

    Raises:
        RecordRefused: the value is one of the field's type, but none that it can hold.
        WrongJson: the value is not of the field's type.
    """
    if value is None or (value == "" and (field.is_text or field.type in ("id", "reference", "base64", "anyType"))):
        return None
    if isinstance(value, bool) and field.type == "boolean":
        return int(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and field.is_number:
        value = str(value) if isinstance(value, int) else java_double(value)
    if not isinstance(value, str):
        raise WrongJson
    try:
        return text_parser(field)(value)
    except RecordRefused as refused:
        if refused.code == WRONG_TYPE:
            raise WrongJson from None
        raise


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
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    magnitude = abs(value)
    if magnitude == 0 or 1e-3 <= magnitude < 1e7:
        return repr(value)
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    first, rest = str(digits[0]), "".join(map(str, digits[1:])) or "0"
    return f"{'-' if sign else ''}{first}.{rest}E{int(exponent) + len(digits) - 1}"
