"""The CSV that Salesforce answers with: spooled to disk while it comes, and counted before anybody uses it.

Values hold quotes, commas and line breaks, so lines are never taken for records.
"""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterator
from typing import IO

import requests

from salesforce_bulk_client.errors import BrokenAnswer

CHUNK_BYTES = 1 << 20
IN_MEMORY_BYTES = 8 << 20
"""Smaller answers stay in memory; larger ones go to an unnamed file that only this process can open."""

LONGEST_VALUE = 1 << 30
"""The csv module's own limit, 131,072, is below a rich text with its markup."""


class RecordCounter:
    r"""Counts CSV records in bytes that come in pieces: line feeds outside quotes.

    >>> counter = RecordCounter()
    >>> for piece in (b'"Id","Name"\n"1","two\nli', b'nes"\n"2","x"\n'):
    ...     counter.feed(piece)
    >>> counter.records, counter.is_whole
    (3, True)
    """

    def __init__(self) -> None:
        self.records = 0
        self._is_quoted = False
        self._has_begun = False

    def feed(self, piece: bytes) -> None:
        """Count one piece."""
        *lines, rest = piece.split(b"\n")
        for line in lines:
            if line.count(b'"') % 2:
                self._is_quoted = not self._is_quoted
            if not self._is_quoted:
                self.records += 1
        if rest.count(b'"') % 2:
            self._is_quoted = not self._is_quoted
        if piece:
            self._has_begun = bool(rest) or self._is_quoted

    @property
    def is_whole(self) -> bool:
        """Whether the last record is complete; a line feed at the end is not asked for."""
        return not self._is_quoted

    @property
    def total(self) -> int:
        """All records, the header and one without a line feed at the end included."""
        return self.records + self._has_begun


def _request_of(response: requests.Response) -> str:
    return f"{response.request.method} {response.url.partition('?')[0]}"


class SpooledCsv:
    """One CSV answer, read whole: its file (NULs removed), and its numbers."""

    def __init__(self, response: requests.Response) -> None:
        """Read the body.

        Raises: BrokenAnswer if it ends inside a value, or is a web page; what requests raises for one that is cut.
        """
        self.file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115
        self.nul_count = 0
        counter = RecordCounter()
        try:
            for chunk in response.iter_content(CHUNK_BYTES):
                if b"\0" in chunk:
                    self.nul_count += chunk.count(b"\0")
                    chunk = chunk.replace(b"\0", b"")  # noqa: PLW2901
                counter.feed(chunk)
                self.file.write(chunk)
            if self._is_a_web_page(response):
                raise BrokenAnswer(f"{_request_of(response)} answered with a web page instead of CSV")
            if not counter.is_whole:
                raise BrokenAnswer(f"{_request_of(response)}: the CSV is cut")
        except BaseException:
            self.file.close()
            raise
        self.number_of_records = max(0, counter.total - 1)
        """Without the header."""

    def _is_a_web_page(self, response: requests.Response) -> bool:
        """Whether a gateway has answered, with status 200: a page may have as many lines as there are rows."""
        self.file.seek(0)
        return "html" in response.headers.get("Content-Type", "") or self.file.read(1) == b"<"

    def rows(self) -> Iterator[list[str]]:
        """Yield the rows, once, the header first.

        Raises: BrokenAnswer if this is no CSV in UTF-8.
        """
        csv.field_size_limit(LONGEST_VALUE)
        self.file.seek(0)
        try:
            yield from csv.reader(io.TextIOWrapper(self.file, encoding="utf-8", newline=""), strict=True)
        except (csv.Error, UnicodeDecodeError) as error:
            raise BrokenAnswer(f"Salesforce answered CSV that cannot be read: {error}") from error

    def close(self) -> None:
        """Give the file up."""
        self.file.close()
