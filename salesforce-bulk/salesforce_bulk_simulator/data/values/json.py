"""Values in JSON: read into database values, and written from them."""

from __future__ import annotations

import json
from typing import Any

from salesforce_bulk_simulator.data.errors import RecordRefused
from salesforce_bulk_simulator.data.schema.model import Field

from .database import Value, java_double
from .text import WRONG_TYPE, text_parser


class WrongJsonType(Exception):
    """A JSON value of a type that the parser does not accept for a field."""


def from_json(field: Field, value: Any) -> Value:
    """Return the database value of a JSON value; an empty string is a null for a text field.

    Raises:
        RecordRefused: the value is of the field's type, but not valid for it.
        WrongJsonType: the value is not of the field's type.
    """
    if value is None or (value == "" and (field.is_text or field.type in ("id", "reference", "base64", "anyType"))):
        return None
    if isinstance(value, bool) and field.type == "boolean":
        return int(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and field.is_number:
        value = str(value) if isinstance(value, int) else java_double(value)
    if not isinstance(value, str):
        raise WrongJsonType
    try:
        return text_parser(field)(value)
    except RecordRefused as refused:
        if refused.code == WRONG_TYPE:
            raise WrongJsonType from None
        raise


def to_json(field: Field, value: Value, *, url: str) -> Any:
    """Return a database value as the REST API returns it: datetimes end in ``+0000``.

    ``url`` is the record's; a base64 field is returned as the URL of its content, below it.
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
