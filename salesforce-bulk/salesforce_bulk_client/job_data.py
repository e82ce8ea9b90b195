"""`JobData`: the CSV of one ingest job, counted in bytes and spilled to disk."""

from __future__ import annotations

import csv
import io
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, ClassVar, Self

from salesforce_bulk_client.limits import MAX_JOB_DATA_BYTES


class JobData:
    """Rows for one job: UTF-8 without a byte-order mark, LF, everything quoted, in a file of mode 600.

    Each row is counted in bytes before it is taken, so the file never passes ``max_bytes``.
    """

    LINE_ENDINGS: ClassVar = {"LF": "\n", "CRLF": "\r\n"}

    def __init__(
        self,
        columns: Sequence[str],
        *,
        max_rows: int,
        max_bytes: int = MAX_JOB_DATA_BYTES,
        line_ending: str = "LF",
        path: Path | None = None,
    ) -> None:
        """Begin with the header row, in ``path`` (which must not exist) or in a temporary file."""
        self.columns = list(columns)
        self.line_ending = line_ending
        self.number_of_rows = 0
        self._max_rows = max_rows
        self._max_bytes = max_bytes
        self._buffer = io.StringIO(newline="")
        self._writer = csv.writer(self._buffer, quoting=csv.QUOTE_ALL, lineterminator=self.LINE_ENDINGS[line_ending])
        if path is None:
            handle, name = tempfile.mkstemp(prefix="salesforce-job-data-", suffix=".csv")
            path = Path(name)
        else:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self.path = path
        self._file = os.fdopen(handle, "wb", buffering=1 << 20)
        header = self._encoded(self.columns)
        self._file.write(header)
        self.size_bytes = len(header)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()

    def add(self, values: Sequence[str]) -> bool:
        """Take one row; False, with nothing taken, when it does not fit any more."""
        row = self._encoded(values)
        if self.number_of_rows == self._max_rows or self.size_bytes + len(row) > self._max_bytes:
            return False
        self._file.write(row)
        self.size_bytes += len(row)
        self.number_of_rows += 1
        return True

    def open(self) -> IO[bytes]:
        """Return the data from its start, for one upload; each call gives a file of its own."""
        if not self._file.closed:
            self._file.flush()
        return self.path.open("rb")

    def close(self) -> None:
        """Write what is left to disk; the file stays."""
        if not self._file.closed:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()

    def discard(self) -> None:
        """Remove the file."""
        self._file.close()
        self.path.unlink(missing_ok=True)

    def _encoded(self, values: Sequence[str]) -> bytes:
        self._buffer.seek(0)
        self._buffer.truncate()
        self._writer.writerow(values)
        return self._buffer.getvalue().encode()
