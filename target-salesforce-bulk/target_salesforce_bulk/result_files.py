"""A job's result files, read row by row into our columns, whatever their order."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from salesforce_bulk_client import ResultKind

from target_salesforce_bulk.spool import LONGEST_VALUE

_FILE_NAMES = {
    ResultKind.SUCCESSFUL: "successful",
    ResultKind.FAILED: "failed",
    ResultKind.UNPROCESSED: "unprocessed",
}


def result_path(directory: Path, *, sobject: str, name: str, kind: ResultKind) -> Path:
    """Return where a result file is kept; ``name`` is its job's id."""
    return directory / f"{sobject}_{name}_{_FILE_NAMES[kind]}.csv"


class ResultRow(NamedTuple):
    """One row of a result file."""

    kind: ResultKind
    id: str
    """Empty where Salesforce gives none."""
    was_created: bool
    error: str
    cells: list[str]
    """The values of `ResultFile.columns`, as Salesforce echoes them."""


class ResultFile:
    """One of the three files of a job."""

    def __init__(self, path: Path, *, kind: ResultKind, columns: Sequence[str]) -> None:
        """``columns`` are those of the job data; ``self.columns`` gives those of them that the file has."""
        self.path = path
        self.kind = kind
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = next(csv.reader(file), [])
        self._places = {name.lower(): place for place, name in enumerate(header)}
        self.columns = [name for name in columns if name.lower() in self._places]

    def rows(self, columns: Sequence[str]) -> Iterator[ResultRow]:
        """Yield each row with the cells of ``columns``, all of which the file must have."""
        places = [self._places[name.lower()] for name in columns]
        sf_id, sf_created, sf_error = (self._places.get(name) for name in ("sf__id", "sf__created", "sf__error"))
        csv.field_size_limit(LONGEST_VALUE)
        with self.path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file)
            next(lines, None)
            for line in lines:
                yield ResultRow(
                    kind=self.kind,
                    id="" if sf_id is None else line[sf_id],
                    was_created=sf_created is not None and line[sf_created].lower() == "true",
                    error="" if sf_error is None else line[sf_error],
                    cells=[line[place] for place in places],
                )
