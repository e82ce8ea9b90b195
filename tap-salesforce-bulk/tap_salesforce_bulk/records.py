"""From a result page to Singer records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_salesforce_bulk.errors import UnexpectedValue
from tap_salesforce_bulk.values import converter_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from salesforce_bulk_client import Field, ResultPage


def records_of(page: ResultPage, *, fields: Iterable[Field]) -> Iterator[dict[str, Any]]:
    """Yield the page's rows as records; its columns are these fields, in any order.

    Raises: UnexpectedValue if they are not, or hold what the fields cannot.
    """
    by_name = {field.name.lower(): field for field in fields}
    if sorted(name.lower() for name in page.columns) != sorted(by_name):
        raise UnexpectedValue("the result's columns are not the ones that were asked for")
    columns = [(field.name, converter_for(field)) for field in (by_name[name.lower()] for name in page.columns)]
    for row in page.rows():
        if len(row) != len(columns):
            raise UnexpectedValue(f"a row of the result has {len(row)} cells instead of {len(columns)}")
        yield {name: convert(cell) for (name, convert), cell in zip(columns, row, strict=True)}
