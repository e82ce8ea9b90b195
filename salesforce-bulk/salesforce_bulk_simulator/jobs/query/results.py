"""Running a query into a file of CSV rows."""

from __future__ import annotations

from collections.abc import Iterator

from salesforce_bulk_simulator.data.schema.model import Field
from salesforce_bulk_simulator.jobs.csv_format import DELIMITERS, LINE_ENDINGS
from salesforce_bulk_simulator.jobs.org_protocol import JobOrg
from salesforce_bulk_simulator.soql.statement import Statement

from .result_file import ResultFile

NULL_CELL = '""'
"""A null in a result. [doc: all values are quoted]"""
_ROWS_PER_FETCH = 5000


def run(org: JobOrg, statement: Statement, *, delimiter: str, line_ending: str) -> ResultFile:
    """Run a query into a file of CSV rows, in no particular order unless the query has ORDER BY."""
    mark, end = DELIMITERS[delimiter], LINE_ENDINGS[line_ending]
    null = NULL_CELL if org.quote_nulls else ""
    cells = [
        _cell(column.sql, column.field, null=null, int_suffix=".0" if org.ints_as_decimals else "")
        for column in statement.columns
    ]
    line = _concatenated([*_between(cells, _quoted_sql(mark)), _quoted_sql(end)])
    if statement.order_by:
        order = "ORDER BY " + ", ".join(statement.order_by)
    elif org.shuffle and statement.limit is None:
        order = f"ORDER BY (t0.rowid * 2654435761 + {org.seed} * 40503) & 1048575, t0.rowid"
    else:
        order = ""
    limit = f"LIMIT {statement.limit}" if statement.limit is not None else ""
    sql = f"SELECT CAST({line} AS BLOB) {statement.tail} {order} {limit}"
    header = mark.join(f'"{column.name}"' for column in statement.columns) + end

    def rows() -> Iterator[list[bytes]]:
        cursor = org.store.select(sql, statement.parameters)
        while found := cursor.fetchmany(_ROWS_PER_FETCH):
            yield [row[0] for row in found]

    with org.lock:
        return ResultFile(header.encode(), rows())


def _cell(sql: str, field: Field, *, null: str, int_suffix: str) -> str:
    """Return the SQL for one value as a quoted CSV cell."""
    if field.type == "boolean":
        return f"CASE {sql} WHEN 1 THEN '\"true\"' WHEN 0 THEN '\"false\"' ELSE '{null}' END"
    text = sql
    if field.type in ("double", "currency", "percent"):
        text = f"java_double({sql})"
    elif field.type == "int":
        text = f"{sql} || '{int_suffix}'"
    elif field.is_text or field.type == "anyType":
        text = f"replace({sql}, '\"', '\"\"')"
    return f"coalesce('\"' || {text} || '\"', '{null}')"


def _between(cells: list[str], mark: str) -> list[str]:
    return [part for cell in cells for part in (cell, mark)][:-1]


def _quoted_sql(text: str) -> str:
    return "char(" + ",".join(str(ord(character)) for character in text) + ")"


def _concatenated(parts: list[str]) -> str:
    """Concatenate SQL expressions as a balanced tree, since SQLite limits the depth of an expression."""
    if len(parts) == 1:
        return parts[0]
    middle = len(parts) // 2
    return f"({_concatenated(parts[:middle])} || {_concatenated(parts[middle:])})"
