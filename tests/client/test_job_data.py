"""Job data: what is sent is what was given, never over a limit."""

from __future__ import annotations

import csv
import io
import stat

from hypothesis import given
from hypothesis import strategies as st
from salesforce_bulk_client import JobData


def content(data: JobData) -> bytes:
    """What an upload would send."""
    with data.open() as file:
        return file.read()


def test_rows_are_fully_quoted_with_line_feeds() -> None:
    """Salesforce takes LF by default, and a quote doubled; everything is quoted, so nothing is trimmed."""
    with JobData(["Id", "Name"], max_rows=10) as data:
        data.add(["001", 'say "hi"'])
        data.add(["", " two\r\nlines"])

        assert content(data) == b'"Id","Name"\n"001","say ""hi"""\n""," two\r\nlines"\n'


def test_bytes_are_counted_before_a_row_is_taken() -> None:
    """`é` is two bytes; a row that would pass the limit is not taken, a smaller one still is."""
    with JobData(["N"], max_rows=10, max_bytes=4 + 5 + 4) as data:
        assert data.add(["é"])
        assert not data.add(["éé"])
        assert data.add(["e"])

        assert (data.number_of_rows, data.size_bytes) == (2, 13)
        assert len(content(data)) == 13


def test_rows_are_counted() -> None:
    """`batch_size_rows` closes a job's data as well."""
    with JobData(["N"], max_rows=1) as data:
        assert (data.add(["1"]), data.add(["2"]), data.number_of_rows) == (True, False, 1)


def test_the_file_is_private_and_goes_away() -> None:
    """Job data holds records: mode 600, and nothing is left."""
    data = JobData(["N"], max_rows=1)
    data.add(["1"])
    data.close()

    assert stat.S_IMODE(data.path.stat().st_mode) == 0o600
    assert content(data) == b'"N"\n"1"\n'

    data.discard()

    assert not data.path.exists()


@given(st.lists(st.tuples(st.text(), st.text()), max_size=20))
def test_any_text_comes_back(rows: list[tuple[str, str]]) -> None:
    """A real CSV reader gets the very texts, line breaks of all kinds included."""
    rows = [tuple(text.encode("utf-8", "ignore").decode() for text in row) for row in rows]  # type: ignore[misc]
    with JobData(["A", "B"], max_rows=100) as data:
        assert all(data.add(row) for row in rows)
        text = content(data).decode()

    assert [tuple(row) for row in csv.reader(io.StringIO(text, newline=""))][1:] == rows
