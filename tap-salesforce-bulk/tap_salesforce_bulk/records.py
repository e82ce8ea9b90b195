"""From a result page to Singer records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_salesforce_bulk.errors import UnexpectedValue
from tap_salesforce_bulk.values import converter_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from salesforce_bulk_client import Field, ResultPage


def records_of(page: ResultPage, *, fields: Sequence[Field]) -> Iterator[dict[str, Any]]:
    """Yield the page's rows as records; its columns are these fields, in any order.

    Raises: UnexpectedValue if they are not, or hold what the fields cannot.
    """
    by_name = {field.name.lower(): field for field in fields}
    if sorted(column.lower() for column in page.columns) != sorted(by_name):
        raise UnexpectedValue("the result's columns are not the ones that were asked for")
    in_order = [by_name[column.lower()] for column in page.columns]
    columns = [(field.name, converter_for(field)) for field in in_order]
    for row in page.rows():
        if len(row) != len(columns):
            raise UnexpectedValue(f"a row of the result has {len(row)} cells instead of {len(columns)}")
        try:
            record = {name: convert(cell) for (name, convert), cell in zip(columns, row, strict=True)}
        except ValueError:
            raise UnexpectedValue(_what_is_wrong(row, fields=in_order)) from None
        yield record


def _what_is_wrong(row: Sequence[str], *, fields: Sequence[Field]) -> str:
    """Say which field of the row has a value that it cannot have; not which value."""
    for field, cell in zip(fields, row, strict=True):
        try:
            converter_for(field)(cell)
        except ValueError:
            return f"a value of {field.name} is no {field.type}, as describe says it is"
    raise AssertionError("the row is as it should be")  # it was not, a moment ago
