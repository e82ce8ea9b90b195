"""The literals of a query as database values."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from salesforce_bulk_simulator.data.ids import as_18
from salesforce_bulk_simulator.data.schema.model import Field
from salesforce_bulk_simulator.data.values.database import EARLIEST_DATE, LATEST_DATE
from salesforce_bulk_simulator.http.errors import RequestRefused

from . import syntax
from .fields import Compiler
from .tokens import malformed


def database_value(compiler: Compiler, target: Field, literal: syntax.Literal) -> Any:
    """Return the value to compare with; None for null and for the empty string, which Salesforce stores as null."""
    kind, text = literal.kind, literal.value
    if kind == "null":
        return None
    if target.type == "boolean" and kind == "boolean":
        return int(text == "true")
    if target.is_number and kind == "number":
        return float(text)
    if target.type == "date" and kind == "date":
        return _checked(compiler, literal, text)
    if target.type == "datetime" and kind == "datetime":
        return _checked(compiler, literal, text)
    if target.type == "time" and kind == "string":
        return text
    if target.type in ("id", "reference") and kind == "string":
        record_id = as_18(text)
        if record_id is None and text:
            problem = f"invalid ID field: {text}"
            raise malformed(compiler.query.text, at=literal.at, problem=problem, code="INVALID_QUERY_FILTER_OPERATOR")
        return record_id
    if (target.is_text or target.type == "anyType") and kind == "string":
        return text or None
    raise wrong_literal(compiler, target, literal)


def _checked(compiler: Compiler, literal: syntax.Literal, text: str) -> str:
    try:
        day = date.fromisoformat(text[:10])
        if not EARLIEST_DATE <= day <= LATEST_DATE:
            raise ValueError
        if literal.kind == "date":
            return day.isoformat()
        moment = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise malformed(compiler.query.text, at=literal.at, problem=f"Invalid {literal.kind}: {text}") from None
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def wrong_literal(compiler: Compiler, target: Field, literal: syntax.Literal) -> RequestRefused:
    kinds = {"datetime": "dateTime", "double": "double", "currency": "double", "percent": "double"}
    kind = "string" if target.is_text else kinds.get(target.type, target.type)
    quoted = "should be enclosed in quotes" if target.is_text else "should not be enclosed in quotes"
    problem = f"value of filter criterion for field '{target.name}' must be of type {kind} and {quoted}"
    return malformed(compiler.query.text, at=literal.at, problem=problem, code="INVALID_FIELD")
