"""`Spool`: the records of one unit on disk, each with the row made of it, or why there is none.

A file of JSON lines, mode 600: first the unit's `Destination`, then one `Entry` a record. It is all that is needed to
send the rows again and to know them again in result files, also for a later run that finds this one crashed.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO, Any

import msgspec

from target_salesforce_bulk.plan import Destination, Refusal

_encode_sorted = msgspec.json.Encoder(decimal_format="number", order="sorted", enc_hook=str).encode


class Entry(msgspec.Struct, array_like=True):
    """One record."""

    cells: list[str] | None
    """Its row, None when it cannot become one."""
    refusal: Refusal | None
    """Why it cannot."""
    key: msgspec.Raw
    """JSON object of the stream's key properties, with their values as they came in."""
    record: msgspec.Raw
    """The whole record as JSON, its properties sorted."""


def record_json(record: dict[str, Any]) -> bytes:
    """Return a record as JSON, the same for equal records: properties sorted, numbers exact."""
    return _encode_sorted(record)


class Spool:
    """The entries of one unit. Rows are numbered from 0, entries without a row are not."""

    _encoder = msgspec.json.Encoder(decimal_format="number")
    _decoder = msgspec.json.Decoder(Entry)

    def __init__(self, path: Path, *, destination: Destination, file: IO[bytes] | None) -> None:
        self.path = path
        self.destination = destination
        self.number_of_rows = 0
        self.number_of_refusals = 0
        self._file = file

    @classmethod
    def create(cls, path: Path, *, destination: Destination) -> Spool:
        """Begin a new file at ``path``."""
        file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        file.write(cls._encoder.encode(destination) + b"\n")
        return cls(path, destination=destination, file=file)

    @classmethod
    def find(cls, path: Path) -> Spool:
        """Return the spool that an earlier run has closed."""
        with path.open("rb") as file:
            destination = msgspec.json.decode(file.readline(), type=Destination)
        spool = cls(path, destination=destination, file=None)
        for entry in spool.entries():
            spool._count(entry)
        return spool

    def add(self, entry: Entry) -> None:
        """Take one entry."""
        if self._file is None:
            raise ValueError(f"the spool {self.path.name} is closed")
        self._file.write(self._encoder.encode(entry) + b"\n")
        self._count(entry)

    def _count(self, entry: Entry) -> None:
        if entry.cells is None:
            self.number_of_refusals += 1
        else:
            self.number_of_rows += 1

    def close(self) -> None:
        """Bring everything to disk; no more entries."""
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._file = None

    def discard(self) -> None:
        """Remove the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self.path.unlink(missing_ok=True)

    def entries(self) -> Iterator[Entry]:
        """Yield all entries in the order in which they came."""
        with self.path.open("rb") as file:
            file.readline()
            for line in file:
                yield self._decoder.decode(line)

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield each row's number and cells."""
        number = 0
        for entry in self.entries():
            if entry.cells is not None:
                yield number, entry.cells
                number += 1

    def row_offsets(self) -> array[int]:
        """Return where in the file each row's entry begins, for `entry_at`."""
        offsets = array("Q")
        with self.path.open("rb") as file:
            offset = len(file.readline())
            for line in file:
                if not line.startswith(b"[null,"):  # without cells
                    offsets.append(offset)
                offset += len(line)
        return offsets

    def entry_at(self, offset: int, *, file: IO[bytes]) -> Entry:
        """Return the entry that begins at ``offset``; ``file`` is this spool opened for reading."""
        file.seek(offset)
        return self._decoder.decode(file.readline())

    def only(self, rows: Collection[int], *, path: Path) -> Spool:
        """Return a new, closed spool at ``path`` with the entries of these rows."""
        spool = Spool.create(path, destination=self.destination)
        number = 0
        for entry in self.entries():
            if entry.cells is not None:
                if number in rows:
                    spool.add(entry)
                number += 1
        spool.close()
        return spool
