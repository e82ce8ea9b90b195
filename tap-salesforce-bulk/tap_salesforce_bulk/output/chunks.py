"""From a page of cells to chunks of Singer values, column by column."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, Protocol

from tap_salesforce_bulk.errors import UnexpectedValue
from tap_salesforce_bulk.output.cells import column_converter_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from salesforce_bulk_client import Field

    from tap_salesforce_bulk.output.cells import Value

CHUNK_ROWS = 250
"""Enough rows to make the work per chunk small, few enough for several texts of 131,072 characters in each."""


class Page(Protocol):
    """A page of a query job, or a batch of a REST query: cells, each a text; null is the empty text."""

    columns: list[str]
    number_of_records: int
    nul_count: int

    def rows(self) -> Iterator[list[str]]:
        """Yield the rows, once."""


class Chunk(NamedTuple):
    """Some rows of a page, as columns of values."""

    names: tuple[str, ...]
    columns: list[Sequence[Value]]

    @property
    def number_of_rows(self) -> int:
        """How many rows."""
        return len(self.columns[0])

    def rows(self) -> Iterator[tuple[Value, ...]]:
        """Yield the rows."""
        return zip(*self.columns, strict=True)

    def records(self) -> Iterator[dict[str, Value]]:
        """Yield the rows as records."""
        return (dict(zip(self.names, row, strict=True)) for row in self.rows())


def chunks_of(page: Page, *, fields: Sequence[Field]) -> Iterator[Chunk]:
    """Yield the page's rows as values in the order of ``fields``, whatever order its columns have.

    Raises: UnexpectedValue if the columns are not these fields, or hold what the fields cannot.
    """
    names = tuple(field.name for field in fields)
    places = {column.lower(): place for place, column in enumerate(page.columns)}
    if len(page.columns) != len(fields) or places.keys() != {name.lower() for name in names}:
        raise UnexpectedValue("the result's columns are not the fields that were queried")
    converters = [(places[field.name.lower()], field, column_converter_for(field)) for field in fields]
    rows = page.rows()
    while chunk := list(islice(rows, CHUNK_ROWS)):
        if lengths := set(map(len, chunk)) - {len(fields)}:
            raise UnexpectedValue(f"a row of the result has {lengths.pop()} cells instead of {len(fields)}")
        cells = list(zip(*chunk, strict=True))
        columns: list[Sequence[Value]] = []
        for place, field, convert in converters:
            try:
                columns.append(convert(cells[place]))
            except ValueError:
                raise UnexpectedValue(
                    f"a value of {field.name} is not of type {field.type}, as describe says it is"
                ) from None
        yield Chunk(names, columns)
