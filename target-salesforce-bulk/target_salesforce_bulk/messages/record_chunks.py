"""`RecordChunks`: gathers the RECORDs of one stream that follow each other, so that they are dealt with together."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from msgspec import Raw

MAX_RECORDS = 1000
MAX_BYTES = 8_000_000
"""So many records, or so much of them, are in memory at a time."""

Take = Callable[[list[Raw], list[int]], None]
"""Takes records, each with the number of its line in the input."""


class RecordChunks:
    """Whatever is not the next RECORD of the same stream has to come after `flush`."""

    def __init__(self, taker_for: Callable[[str], Take | None]) -> None:
        """``taker_for`` gives what takes the records of a stream, or None if they have to go one by one."""
        self._taker_for = taker_for
        self._stream: str | None = None
        self._take: Take | None = None
        self._records: list[Raw] = []
        self._lines: list[int] = []
        self._size_bytes = 0
        self._began_at = 0.0
        self.max_wait_s = math.inf
        """How long a record may wait for others; checked with each record."""

    def add(self, stream: str, record: Raw, *, line: int) -> bool:
        """Take a record; False, with nothing taken, if those of its stream go one by one."""
        if stream != self._stream:
            self.flush()
            self._stream, self._take = stream, self._taker_for(stream)
        if self._take is None:
            return False
        if not self._records:
            self._began_at = time.monotonic()
        self._records.append(record)
        self._lines.append(line)
        self._size_bytes += len(memoryview(record))
        is_full = len(self._records) == MAX_RECORDS or self._size_bytes >= MAX_BYTES
        if is_full or time.monotonic() - self._began_at > self.max_wait_s:
            self._hand_on()
        return True

    def flush(self) -> None:
        """Hand on what there is, and forget who takes it."""
        self._hand_on()
        self._stream = self._take = None

    def _hand_on(self) -> None:
        records, lines = self._records, self._lines
        self._records, self._lines, self._size_bytes = [], [], 0
        if records and self._take:
            self._take(records, lines)
