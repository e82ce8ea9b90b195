"""`Spool`: the records of one unit on disk, and the job data made of them.

Two files, mode 600. ``{unit}.jsonl`` has the unit's `Destination`, then a line for each record: the record itself, or a
list of why there can be no row and the record. ``{unit}.csv`` is the job data: a row for each record that has one, in
the same order. Together they are all that is needed to send the rows again and to know them again in result files,
also for a later run that finds this one crashed.
"""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Collection, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import IO, NamedTuple

import msgspec
from salesforce_bulk_client import JobData

from target_salesforce_bulk.plan import Destination, Refusal

LONGEST_VALUE = 1 << 30
"""The csv module's own limit, 131,072, is below a rich text with its markup."""


class Entry(NamedTuple):
    """One record."""

    cells: Sequence[str] | None
    """Its row, None when it cannot become one."""
    refusal: Refusal | None
    """Why it cannot."""
    record: bytes
    """The record as JSON, without a line break."""


_Refused = tuple[Refusal, msgspec.Raw]
"""A line of a record without a row."""


class Spool:
    """The entries of one unit. Rows are numbered from 0, entries without a row are not."""

    _encode = msgspec.json.Encoder(decimal_format="number").encode
    _decode_refused = msgspec.json.Decoder(_Refused).decode

    def __init__(self, path: Path, *, destination: Destination) -> None:
        self.path = path
        self.destination = destination
        self.number_of_rows = 0
        self.number_of_refusals = 0
        self._file: IO[bytes] | None = None
        self._data: JobData | None = None

    @classmethod
    def create(cls, path: Path, *, destination: Destination, max_bytes: int = sys.maxsize) -> Spool:
        """Begin new files, of which ``path`` is the one with the records; ``max_bytes`` limits the job data."""
        spool = cls(path, destination=destination)
        columns = [column.name for column in destination.columns]
        spool._data = JobData(columns, max_rows=sys.maxsize, max_bytes=max_bytes, path=spool.data_path)
        spool._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=1 << 18)
        spool._file.write(cls._encode(destination) + b"\n")
        return spool

    @classmethod
    def find(cls, path: Path) -> Spool:
        """Return the spool that an earlier run has closed."""
        with path.open("rb") as file:
            spool = cls(path, destination=msgspec.json.decode(file.readline(), type=Destination))
            for line in file:
                spool._count(has_row=not line.startswith(b"["))
        return spool

    @property
    def data_path(self) -> Path:
        """Where the job data is."""
        return self.path.with_suffix(".csv")

    @property
    def size_bytes(self) -> int:
        """How large the job data is; it must be closed."""
        return self.data_path.stat().st_size

    def add(self, entry: Entry) -> bool:
        """Take one entry; False, with nothing taken, when the job data has no room for its row."""
        if self._file is None or self._data is None:
            raise ValueError(f"the spool {self.path.name} is closed")
        if entry.cells is None:
            self._file.write(b"[%b,%b]\n" % (self._encode(entry.refusal), entry.record))
        elif self._data.add(entry.cells):
            self._file.write(entry.record + b"\n")
        else:
            return False
        self._count(has_row=entry.cells is not None)
        return True

    def _count(self, *, has_row: bool) -> None:
        if has_row:
            self.number_of_rows += 1
        else:
            self.number_of_refusals += 1

    def close(self) -> None:
        """Bring everything to disk; no more entries."""
        if self._data is not None:
            self._data.close()
            self._data = None
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._file = None

    def discard(self) -> None:
        """Remove the files."""
        if self._data is not None:
            self._data.discard()
            self._data = None
        if self._file is not None:
            self._file.close()
            self._file = None
        for path in files_of(self.path):
            path.unlink(missing_ok=True)

    def open_data(self, *, line_ending: str) -> IO[bytes]:
        """Return the job data, closed before, with this line ending at the ends of its rows."""
        if line_ending == "LF":
            return self.data_path.open("rb")
        path = self.path.with_suffix(f".{line_ending}.csv")
        if not path.exists():
            columns = [column.name for column in self.destination.columns]
            data = JobData(columns, max_rows=sys.maxsize, max_bytes=sys.maxsize, line_ending=line_ending, path=path)
            for _, cells in self.rows():
                data.add(cells)
            data.close()
        return path.open("rb")

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield each row's number and cells."""
        csv.field_size_limit(LONGEST_VALUE)
        with self.data_path.open(encoding="utf-8", newline="") as file:
            lines = csv.reader(file)
            next(lines)
            yield from enumerate(lines)

    def entries(self) -> Iterator[tuple[int, Refusal | None, bytes]]:
        """Yield all records in the order in which they came: the row's number, or why there is none; and the record.

        The number of a record without a row is that of the next row.
        """
        number = 0
        with self.path.open("rb") as file:
            file.readline()
            for line in file:
                if line.startswith(b"["):
                    refusal, record = self._decode_refused(line)
                    yield number, refusal, bytes(record)
                else:
                    yield number, None, line[:-1]
                    number += 1

    def only(self, rows: Collection[int], *, path: Path) -> Spool:
        """Return a new, closed spool at ``path`` with the entries of these rows."""
        spool = Spool.create(path, destination=self.destination)
        records = (record for _, refusal, record in self.entries() if refusal is None)
        for record, (number, cells) in zip_longest(records, self.rows()):
            if number in rows:
                spool.add(Entry(cells, None, record))
        spool.close()
        return spool


def files_of(path: Path) -> list[Path]:
    """Return all files of the spool at ``path``, whether they are there or not.

    >>> [file.name for file in files_of(Path("1.2.jsonl"))]
    ['1.2.jsonl', '1.2.csv', '1.2.CRLF.csv']
    """
    return [path, path.with_suffix(".csv"), path.with_suffix(".CRLF.csv")]
