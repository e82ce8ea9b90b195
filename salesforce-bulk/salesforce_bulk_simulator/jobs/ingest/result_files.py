"""The CSV of an ingest job's three result files."""

from __future__ import annotations


def result_file(
    own: list[str],
    uploaded: list[str],
    rows: list[list[str]],
    *,
    sorts_columns: bool,
    delimiter: str,
    line_ending: str,
) -> bytes:
    """Return a result file: Salesforce's ``own`` headers quoted, the uploaded ones bare, all values quoted.

    ``sorts_columns`` puts the uploaded columns in alphabetical order.
    """
    order = list(range(len(uploaded)))
    if sorts_columns:
        order.sort(key=lambda position: uploaded[position])
    header = delimiter.join([f'"{name}"' for name in own] + [uploaded[position] for position in order])
    first = len(own)
    lines = [header]
    for row in rows:
        cells = row[:first] + [row[first + position] for position in order if first + position < len(row)]
        lines.append(delimiter.join('"' + cell.replace('"', '""') + '"' for cell in cells))
    return (line_ending.join(lines) + line_ending).encode()
