"""The job data of an ingest job: CSV, parsed as strictly as Salesforce does."""

from __future__ import annotations

import csv
import io
import re

from salesforce_bulk_simulator.jobs.csv_format import DELIMITERS, LINE_ENDINGS

_UNESCAPED_QUOTE = (
    "InvalidBatch : Failed to parse CSV. Found unescaped quote. A value with quote should be within a quote"
)
_WRONG_LINE_ENDING = "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is {}"


_UNREADABLE = "InvalidBatch : Failed to parse CSV"
"""Message for a value over the maximum length (App Limits, "Bulk API"); the text is inferred."""


class JobDataRefused(Exception):
    """Job data that fails the job; the message is the job's ``errorMessage``."""


def read_job_data(
    data: bytes, *, delimiter: str, line_ending: str, in_quotes: bool = False
) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of job data; both are empty if it is.

    ``in_quotes`` checks line endings inside quoted values, too.

    Raises:
        JobDataRefused: it is not UTF-8, or has a byte order mark, wrong line endings or an unescaped quote.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise JobDataRefused("InvalidBatch : Failed to parse CSV. The data is not encoded in UTF-8") from None
    if not text.strip("\r\n"):
        return [], []
    _check_quotes(text, DELIMITERS[delimiter])
    _check_line_ending(text, line_ending, in_quotes=in_quotes)
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))  # whether a value is too long is up to its field
    rows = csv.reader(
        io.StringIO(text, newline=""), delimiter=DELIMITERS[delimiter], quotechar='"', doublequote=True, strict=True
    )
    try:
        header, *data_rows = rows
    except csv.Error:
        raise JobDataRefused(_UNREADABLE) from None
    return header, [row for row in data_rows if row]


def _check_quotes(text: str, mark: str) -> None:
    """Refuse a quote that neither encloses a value nor is doubled inside one, and a BOM before a quote."""
    if '"' not in text:
        return
    mark = re.escape(mark)
    left_over = re.sub(rf'(?:(?<=[{mark}\r\n])|\A)"(?:[^"]|"")*"(?=[{mark}\r\n]|\Z)', "", text)
    if '"' in left_over:
        raise JobDataRefused(_UNESCAPED_QUOTE)


def _check_line_ending(text: str, line_ending: str, *, in_quotes: bool) -> None:
    """Refuse rows that do not end with the job's lineEnding. Line breaks inside quoted values are data by default."""
    wanted = LINE_ENDINGS[line_ending]
    outside = re.sub(r'"(?:[^"]|"")*"', "", text) if '"' in text and not in_quotes else text
    stray = "\r" if wanted == "\n" else r"(?<!\r)\n"
    if re.search(stray, outside):
        raise JobDataRefused(_WRONG_LINE_ENDING.format(line_ending))
