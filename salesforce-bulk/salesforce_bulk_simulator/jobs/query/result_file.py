"""The result of a query on disk, to be served page by page."""

from __future__ import annotations

import os
import tempfile
import weakref
from array import array
from collections.abc import Iterable


class ResultFile:
    """CSV rows in an unnamed temporary file, and the offset at which each row ends."""

    def __init__(self, header: bytes, rows: Iterable[list[bytes]]) -> None:
        """Write the rows, which are given as lists of CSV lines."""
        self.header = header
        self._ends = array("Q", [0])
        with tempfile.TemporaryFile() as file:
            self._descriptor = os.dup(file.fileno())
            end = 0
            for lines in rows:
                file.write(b"".join(lines))
                for line in lines:
                    end += len(line)
                    self._ends.append(end)
        weakref.finalize(self, os.close, self._descriptor)

    @property
    def number_of_rows(self) -> int:
        return len(self._ends) - 1

    @property
    def size_bytes(self) -> int:
        return self._ends[-1]

    def page(self, start: int, end: int) -> bytes:
        """Return the header and the rows from ``start`` up to ``end``."""
        first, last = self._ends[start], self._ends[end]
        return self.header + os.pread(self._descriptor, last - first, first)
