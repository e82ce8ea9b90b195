"""What the values of a field are, by its describe type. Pure, no I/O."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from salesforce_bulk_client import Field


class ValueKind(Enum):
    """What a field's values are once they are read."""

    TEXT = "text"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    NUMBER = "number"
    DATE = "date"
    DATETIME = "datetime"
    TIME = "time"


_KIND_BY_TYPE = {
    "boolean": ValueKind.BOOLEAN,
    "int": ValueKind.INTEGER,
    "long": ValueKind.INTEGER,
    "double": ValueKind.NUMBER,
    "currency": ValueKind.NUMBER,
    "percent": ValueKind.NUMBER,
    "date": ValueKind.DATE,
    "datetime": ValueKind.DATETIME,
    "time": ValueKind.TIME,
}


def kind_of(field: Field) -> ValueKind:
    """Return what the field's values are; types that are no number, date or boolean are text."""
    return _KIND_BY_TYPE.get(field.type, ValueKind.TEXT)
