"""The rows of job data, read into the values of records."""

from __future__ import annotations

from dataclasses import dataclass, field

from salesforce_bulk_simulator.data.errors import RecordRefused
from salesforce_bulk_simulator.data.values.database import Values

from .columns import Column


@dataclass(slots=True)
class Row:
    """One row: its cells, the cells as results echo them, and its values or why it is refused."""

    texts: list[str]
    echo: list[str]
    values: Values = field(default_factory=dict)
    refused: RecordRefused | None = None


def read_row(columns: list[Column], texts: list[str]) -> Row:
    """Return a row; its caller holds the org's lock, since parents are looked up."""
    row = Row(texts, list(texts))
    if len(texts) != len(columns):
        message = f"Row has {len(texts)} values, the header has {len(columns)}"
        row.refused = RecordRefused("INVALID_BATCH_ROW", message)
        return row
    try:
        for position, (column, text) in enumerate(zip(columns, texts, strict=True)):
            if text:
                row.echo[position] = column.fill(row.values, text)
    except RecordRefused as refused:
        row.refused = refused
    return row
