"""A job's result files, read row by row into our columns, whatever their order."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from salesforce_bulk_client.ingest import ResultKind

LONGEST_VALUE = 1 << 30
"""The csv module's own limit, 131,072, is below a rich text with its markup."""

_FILE_NAMES = {
    ResultKind.SUCCESSFUL: "successful",
    ResultKind.FAILED: "failed",
    ResultKind.UNPROCESSED: "unprocessed",
}


def result_path(directory: Path, *, sobject: str, name: str, kind: ResultKind) -> Path:
    """Return where a result file is kept; ``name`` is its job's id."""
    return directory / f"{sobject}_{name}_{_FILE_NAMES[kind]}.csv"


class ResultRow(msgspec.Struct, frozen=True, gc=False):
    """One row of a result file."""

    kind: ResultKind
    id: str
    """Empty where Salesforce gives none."""
    was_created: bool
    error: str


class ResultFile:
    """One of the three files of a job."""

    def __init__(self, path: Path, *, kind: ResultKind, columns: Sequence[str]) -> None:
        """``columns`` are those of the job data; ``self.columns`` gives those of them that the file has."""
        self.path = path
        self.kind = kind
        csv.field_size_limit(LONGEST_VALUE)
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file)
            header = next(lines, [])
            self.is_empty = next(lines, None) is None
            """Whether it has no row."""
        self._width = len(header)
        self._places = {name.lower(): place for place, name in enumerate(header)}
        self.columns = [name for name in columns if name.lower() in self._places]
        self._id, self._created, self._error = (
            self._places.get(name) for name in ("sf__id", "sf__created", "sf__error")
        )

    def lines(self) -> Iterator[list[str]]:
        """Yield the cells of each row, the columns in the file's own order; a row that was cut short says nothing."""
        csv.field_size_limit(LONGEST_VALUE)
        with self.path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file)
            next(lines, None)
            yield from (line for line in lines if len(line) == self._width)

    def place(self, column: str) -> int:
        """Return where in a line the cell of a column is that the file has."""
        return self._places[column.lower()]

    def row(self, line: Sequence[str]) -> ResultRow:
        """Return the result that a line has for the row that was sent."""
        return ResultRow(
            self.kind,
            "" if self._id is None else line[self._id],
            self._created is not None and line[self._created].lower() == "true",
            "" if self._error is None else line[self._error],
        )
