"""Values as text: read from the cells of job data, and written to result files."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import ROUND_DOWN, Decimal
from functools import partial

from salesforce_bulk_simulator.data.errors import RecordRefused
from salesforce_bulk_simulator.data.ids import as_18
from salesforce_bulk_simulator.data.schema.model import Field

from .database import EARLIEST_DATE, LATEST_DATE, Value, java_double

Parser = Callable[[str], Value]

_DEGREES = {"Latitude": 90, "Longitude": 180}
"""Maximum absolute value of the coordinates of an address or a location."""

_INT = re.compile(r"[+-]?[0-9]{1,19}")
_NUMBER = re.compile(r"[+-]?(?:\d{1,300}(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_DATETIME = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.\d{1,9})?(Z|[+-]\d{2}:?\d{2})", re.ASCII)
_TIME = re.compile(r"(\d{2}:\d{2}:\d{2})(\.\d{1,3})?Z?", re.ASCII)
_EMAIL = re.compile(r"[^\s@,;<>()\[\]\\\"]+@[^\s@,;<>()\[\]\\\"]+\.[^\s@.,;<>()\[\]\\\"]+")
_BOOLEANS = {"true": 1, "1": 1, "false": 0, "0": 0}


WRONG_TYPE = "INVALID_TYPE_ON_FIELD_IN_RECORD"
"""The error code of a CSV value that is not of its field's type. In JSON the parser refuses such a value."""


def text_parser(field: Field) -> Parser:
    """Return the function that parses a non-empty text into a database value, or raises RecordRefused."""
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
    maximum = _max_degrees(field) if field.compound_field_name else math.inf
    too_many_digits = field.precision and abs(value) >= 10.0 ** (field.precision - field.scale)
    if math.isinf(value) or too_many_digits or abs(value) > maximum:
        raise _out_of_range(field, text)
    fraction = text.partition(".")[2]
    if len(fraction) > field.scale or "e" in fraction.lower():
        # more decimals than the field has are truncated silently
        value = float(Decimal(text).quantize(Decimal(1).scaleb(-field.scale), rounding=ROUND_DOWN))
    return value + 0.0


def _max_degrees(field: Field) -> float:
    name = field.name.removesuffix("__s")
    return next((maximum for part, maximum in _DEGREES.items() if name.endswith(part)), math.inf)


def _out_of_range(field: Field, text: str) -> RecordRefused:
    return RecordRefused(
        "NUMBER_OUTSIDE_VALID_RANGE", f"{field.name}: value outside of valid range on numeric field: {text}", field.name
    )


def _date(field: Field, text: str) -> str:
    day = text.removesuffix("Z")  # the guide's own sample has a Z
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
    """Return a day in the range that Salesforce supports, or refuse it."""
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


def to_result_text(field: Field, value: Value) -> str:
    """Return a database value as an ingest job's result files echo it, converted: ``9.12260031E8``."""
    if value is None:
        return ""
    if field.type == "boolean":
        return "true" if value else "false"
    if isinstance(value, float):
        return java_double(value)
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)
