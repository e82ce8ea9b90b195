"""The org's rows: one SQLite table per object, in memory or in a file."""

# ruff: noqa: S608  names of tables and columns come from describe, and all values are bound

from __future__ import annotations

import sqlite3
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from salesforce_bulk_simulator.data.schema.model import Field, SObject
from salesforce_bulk_simulator.data.values.database import Value, java_double

from .history import Change
from .ids import make_id

_NUMBERS = {"boolean": "INTEGER", "int": "INTEGER", "long": "INTEGER", "base64": "BLOB"} | dict.fromkeys(
    ("double", "currency", "percent"), "REAL"
)


class Store:
    """The database. Callers hold the org's lock."""

    def __init__(self, *, path: Path | None) -> None:
        self.connection = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None)
        weakref.finalize(self, self.connection.close)
        self.connection.execute("PRAGMA journal_mode = MEMORY")
        self.connection.execute("PRAGMA synchronous = OFF")
        self.connection.execute("PRAGMA temp_store = MEMORY")
        self.connection.create_function("java_double", 1, _java_double, deterministic=True)
        self.connection.execute("CREATE TABLE IF NOT EXISTS _ids (sobject TEXT PRIMARY KEY, number INTEGER)")
        self.history: list[Change] = []
        self.origin = ""
        """What the transaction writes for: the id of a job, or a request."""

    @contextmanager
    def transaction(self, *, origin: str = "") -> Iterator[None]:
        """Commit everything that is written inside, or nothing."""
        self.connection.execute("BEGIN")
        before, self.origin = len(self.history), origin
        try:
            yield
        except BaseException:
            self.connection.execute("ROLLBACK")
            del self.history[before:]
            raise
        self.connection.execute("COMMIT")

    def add_table(self, sobject: SObject) -> None:
        """Create the object's table, or add the columns that a table of an earlier run lacks."""
        columns = {each.name: _column(each) for each in sobject.stored_fields}
        self.connection.execute(f'CREATE TABLE IF NOT EXISTS "{sobject.name}" ({", ".join(columns.values())})')
        present = {row[1] for row in self.connection.execute(f'PRAGMA table_info("{sobject.name}")')}
        for name, column in columns.items():
            if name not in present:
                self.connection.execute(f'ALTER TABLE "{sobject.name}" ADD COLUMN {column}')
        for each in sobject.stored_fields:
            if each.name != "Id" and (each.unique or each.id_lookup):
                self.add_index(sobject, each)

    def add_index(self, sobject: SObject, field: Field) -> None:
        """Create an index for looking up rows by a field."""
        index = f"{sobject.name}_{field.name}"
        self.connection.execute(f'CREATE INDEX IF NOT EXISTS "{index}" ON "{sobject.name}" ("{field.name}")')

    def new_ids(self, sobject: SObject, count: int) -> list[str]:
        """Return ids for ``count`` new records. An id is never reused."""
        self.connection.execute(
            "INSERT INTO _ids VALUES (?1, ?2) ON CONFLICT (sobject) DO UPDATE SET number = number + ?2",
            [sobject.name, count],
        )
        last = (
            self.connection.execute("SELECT number FROM _ids WHERE sobject = ?", [sobject.name]).fetchone()[0] - count
        )
        return [make_id(sobject.key_prefix, number=last + number) for number in range(1, count + 1)]

    def insert(self, sobject: SObject, columns: Sequence[str], rows: Iterable[Sequence[Value]]) -> None:
        """Insert rows; ``columns`` are the names of their values."""
        names = ", ".join(f'"{name}"' for name in columns)
        marks = ", ".join("?" * len(columns))
        self.connection.executemany(f'INSERT INTO "{sobject.name}" ({names}) VALUES ({marks})', rows)

    def update(self, sobject: SObject, record_id: str, values: dict[str, Value]) -> None:
        assignments = ", ".join(f'"{name}" = ?' for name in values)
        self.connection.execute(
            f'UPDATE "{sobject.name}" SET {assignments} WHERE "Id" = ?', [*values.values(), record_id]
        )

    def remove(self, sobject: SObject, record_id: str) -> None:
        """Delete a row permanently."""
        self.connection.execute(f'DELETE FROM "{sobject.name}" WHERE "Id" = ?', [record_id])

    def row(self, sobject: SObject, record_id: str) -> dict[str, Value] | None:
        """Return a row by its id, even if it is in the recycle bin."""
        cursor = self.connection.execute(f'SELECT * FROM "{sobject.name}" WHERE "Id" = ?', [record_id])
        found = cursor.fetchone()
        return dict(zip([column[0] for column in cursor.description], found, strict=True)) if found else None

    def exists(self, sobject: SObject, record_id: str) -> bool:
        """Whether a row with that id exists outside the recycle bin."""
        live = ' AND "IsDeleted" = 0' if sobject.has_recycle_bin else ""
        cursor = self.connection.execute(f'SELECT 1 FROM "{sobject.name}" WHERE "Id" = ?{live}', [record_id])
        return cursor.fetchone() is not None

    def next_number(self, sobject: SObject, field: Field) -> int:
        """Return the next number of an auto-number field."""
        key = f"{sobject.name}.{field.name}"
        self.connection.execute(
            "INSERT INTO _ids VALUES (?, 1) ON CONFLICT (sobject) DO UPDATE SET number = number + 1", [key]
        )
        return int(self.connection.execute("SELECT number FROM _ids WHERE sobject = ?", [key]).fetchone()[0])

    def count(self, sobject: SObject) -> int:
        """Return the number of rows outside the recycle bin."""
        live = ' WHERE "IsDeleted" = 0' if sobject.has_recycle_bin else ""
        return int(self.connection.execute(f'SELECT count(*) FROM "{sobject.name}"{live}').fetchone()[0])

    def rows(self, sobject: SObject, *, include_deleted: bool) -> list[dict[str, Value]]:
        """Return the rows of an object in order of creation."""
        live = ' WHERE "IsDeleted" = 0' if sobject.has_recycle_bin and not include_deleted else ""
        names = [each.name for each in sobject.stored_fields]
        quoted = ", ".join(f'"{name}"' for name in names)
        found = self.connection.execute(f'SELECT {quoted} FROM "{sobject.name}"{live} ORDER BY rowid')
        return [dict(zip(names, row, strict=True)) for row in found]

    def some_ids(self, sobject: SObject, *, limit: int) -> list[str]:
        """Return the ids of an object's first rows."""
        return [row[0] for row in self.connection.execute(f'SELECT "Id" FROM "{sobject.name}" LIMIT {limit}')]

    def ids_with(self, sobject: SObject, field: Field, value: Value, *, limit: int = 2) -> list[str]:
        """Return the ids of rows outside the recycle bin that have a value in a field."""
        live = ' AND "IsDeleted" = 0' if sobject.has_recycle_bin else ""
        cursor = self.connection.execute(
            f'SELECT "Id" FROM "{sobject.name}" WHERE "{field.name}" = ?{live} LIMIT {limit}', [value]
        )
        return [row[0] for row in cursor]

    def select(self, sql: str, parameters: Sequence[Any] = ()) -> sqlite3.Cursor:
        return self.connection.execute(sql, parameters)


def _column(field: Field) -> str:
    if field.name == "Id":
        return '"Id" TEXT PRIMARY KEY'
    is_caseless = field.type not in ("id", "reference", "date", "datetime", "time") and not field.case_sensitive
    kind = _NUMBERS.get(field.type) or ("TEXT COLLATE NOCASE" if is_caseless else "TEXT")
    return f'"{field.name}" {kind}'


def _java_double(value: float | None) -> str | None:
    return None if value is None else java_double(float(value))
