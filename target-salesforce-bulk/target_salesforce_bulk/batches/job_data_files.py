"""`JobDataFiles`: the records of one batch on disk, and the job data made of them.

Two files, mode 600. ``{batch}.jsonl`` has the batch's `Destination`, then a line for each record: its position in its
stream, its fingerprint where the row's cells do not give it (and, after a space, the lookups that a second pass fills),
and the record as it came in, or a list of why there can be no row and the record.
``{batch}.csv`` is the job data: a row for each record that has one, in the same order.
Together they are all that is needed to send the rows again and to recognise them in result files, also for a later run
that finds this one crashed.
"""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import IO

import msgspec
from salesforce_bulk_client import JobData, for_owner
from salesforce_bulk_client.records.result_files import LONGEST_VALUE

from target_salesforce_bulk.errors import JobDataDamaged
from target_salesforce_bulk.mapping.fingerprints import row_fingerprint
from target_salesforce_bulk.mapping.plan import DeferredLookups, Destination, Refusal


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One record."""

    cells: Sequence[str] | None
    """Its row, None when it cannot become one."""
    refusal: Refusal | None
    """Why it cannot."""
    record: bytes
    """The record as it came in, as JSON without a line break."""
    fingerprint: bytes | None = None
    """What identifies it, where that is not its row's cells: a stream map made the row, or there is none."""
    position: int = 0
    """Which record of its stream it is, from 0."""
    key: str | None = None
    """The text of its key, where it has one and no row."""
    deferred: DeferredLookups | None = None
    """Lookups that are not in its row; then it has a fingerprint."""


class StoredEntry(msgspec.Struct, frozen=True, gc=False):
    """One record on disk."""

    number: int
    """Its row's number, from 0; of a record without a row the number of the next row."""
    refusal: Refusal | None
    record: bytes
    fingerprint: bytes | None
    position: int
    key: str | None
    """As in `Entry`."""
    deferred: DeferredLookups | None
    """As in `Entry`."""


class _Refused(msgspec.Struct, array_like=True):
    """A line of a record without a row."""

    refusal: Refusal
    record: msgspec.Raw
    key: str | None = None


class JobDataFiles:
    """The entries of one batch. Rows are numbered from 0, entries without a row are not."""

    _encode = msgspec.json.Encoder(decimal_format="number").encode
    _decode_refused = msgspec.json.Decoder(_Refused).decode
    _decode_deferred = msgspec.json.Decoder(DeferredLookups).decode

    def __init__(self, path: Path, *, destination: Destination) -> None:
        self.path = path
        self.destination = destination
        self.number_of_rows = 0
        self.number_of_refusals = 0
        self._file: IO[bytes] | None = None
        self._data: JobData | None = None

    @classmethod
    def create(cls, path: Path, *, destination: Destination, max_bytes: int = sys.maxsize) -> JobDataFiles:
        """Begin new files, of which ``path`` is the one with the records; ``max_bytes`` limits the job data."""
        files = cls(path, destination=destination)
        columns = [column.name for column in destination.columns]
        files._data = JobData(columns, max_rows=sys.maxsize, max_bytes=max_bytes, path=files.data_path)
        files._file = open(path, "xb", buffering=1 << 18, opener=for_owner)  # noqa: SIM115  until `close`
        files._file.write(cls._encode(destination) + b"\n")
        return files

    @classmethod
    def find(cls, path: Path, *, number_of_rows: int) -> JobDataFiles:
        """Return the files that an earlier run has closed.

        Raises: JobDataDamaged if they are not there, cut, or not of this version.
        """
        try:
            with path.open("rb") as file:
                files = cls(path, destination=msgspec.json.decode(file.readline(), type=Destination))
                for line in file:
                    if not line.endswith(b"\n"):
                        raise JobDataDamaged(f"{path} is cut")
                    files._count(has_row=not line.split(b"\t", 2)[2].startswith(b"["))
            with files.data_path.open("rb") as data:
                data.seek(-1, os.SEEK_END)
                if data.read() != b"\n":
                    raise JobDataDamaged(f"{files.data_path} is cut")
            rows_in_data = sum(len(cells) == len(files.destination.columns) for _, cells in files.rows())
        except (OSError, ValueError, IndexError, StopIteration, csv.Error) as error:
            raise JobDataDamaged(f"{path} or its .csv cannot be read: {type(error).__name__}") from error
        if not files.number_of_rows == rows_in_data == number_of_rows:
            raise JobDataDamaged(
                f"{path} has {files.number_of_rows} rows, its .csv {rows_in_data}, and the journal {number_of_rows}"
            )
        return files

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
            raise ValueError(f"the job data {self.path.name} is closed")
        cells, line = entry.cells, entry.record
        if cells is None:
            assert entry.refusal
            line = self._encode(_Refused(entry.refusal, msgspec.Raw(line), entry.key))
        elif not self._data.add(cells):
            return False
        identity = entry.fingerprint.hex().encode() if entry.fingerprint else b""
        if entry.deferred:
            identity += b" " + self._encode(entry.deferred)
        self._file.write(b"%d\t%b\t%b\n" % (entry.position, identity, line))
        self._count(has_row=cells is not None)
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
        """Delete the files."""
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
            lines = csv.reader(file, strict=True)  # a value that was cut must not pass for a shorter one
            next(lines)
            yield from enumerate(lines)

    def entries(self) -> Iterator[StoredEntry]:
        """Yield all records in the order in which they came."""
        number = 0
        with self.path.open("rb") as file:
            file.readline()
            for line in file:
                position, identity, record = line.split(b"\t", 2)
                fingerprint, deferred = self._identified(identity) if identity else (None, None)
                if record.startswith(b"["):
                    refused = self._decode_refused(record)
                    yield StoredEntry(
                        number, refused.refusal, bytes(refused.record), fingerprint, int(position), refused.key, None
                    )
                else:
                    yield StoredEntry(number, None, record[:-1], fingerprint, int(position), None, deferred)
                    number += 1

    def _identified(self, identity: bytes) -> tuple[bytes, DeferredLookups | None]:
        fingerprint, _, deferred = identity.partition(b" ")
        return bytes.fromhex(fingerprint.decode()), self._decode_deferred(deferred) if deferred else None

    def entries_to_send(self) -> Iterator[tuple[int, Entry]]:
        """Yield all entries as they were added, each with its row's number; without a row, with that of the next."""
        rows = self.rows()
        for stored in self.entries():
            cells = None if stored.refusal else next(rows)[1]
            yield (
                stored.number,
                Entry(
                    cells,
                    stored.refusal,
                    stored.record,
                    stored.fingerprint,
                    stored.position,
                    stored.key,
                    stored.deferred,
                ),
            )

    def row_entries(self) -> Iterator[tuple[int, Entry]]:
        """Yield the number and the entry of each row."""
        return ((number, entry) for number, entry in self.entries_to_send() if entry.cells is not None)

    def only(self, rows: Collection[int], *, path: Path) -> JobDataFiles:
        """Return new, closed files at ``path`` with the entries of these rows."""
        files = JobDataFiles.create(path, destination=self.destination)
        for number, entry in self.row_entries():
            if number in rows:
                files.add(entry)
        files.close()
        return files


def files_of(path: Path) -> list[Path]:
    """Return all files whose records are at ``path``, whether they are there or not.

    >>> [file.name for file in files_of(Path("1.2.jsonl"))]
    ['1.2.jsonl', '1.2.csv', '1.2.CRLF.csv']
    """
    return [path, path.with_suffix(".csv"), path.with_suffix(".CRLF.csv")]


def fingerprint_of(destination: Destination, entry: Entry) -> bytes:
    """Return what identifies a record: its own fingerprint, or that of its row."""
    if entry.fingerprint:
        return entry.fingerprint
    assert entry.cells is not None
    return row_fingerprint(destination)(entry.cells)
