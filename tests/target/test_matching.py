"""Rows of result files find the rows that were sent, in any order, with converted values, each once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from salesforce_bulk_client import Operation, ResultKind
from target_salesforce_bulk.job_data_files import Entry, JobDataFiles
from target_salesforce_bulk.matching import match
from target_salesforce_bulk.plan import Column, Destination
from target_salesforce_bulk.result_files import ResultFile

COLUMNS = (Column("Name", "string"), Column("Amount", "currency"), Column("Day", "datetime"))
Matched = tuple[dict[int, str], list[int]]


@pytest.fixture
def matched(tmp_path: Path) -> Callable[..., Matched]:
    """Matches rows with result files, and gives the Id or error that each row got, and the rows without."""

    def run(sent: list[list[str]], *, successful: str = "", failed: str = "", key_column: str | None = None) -> Matched:
        destination = Destination(
            stream="s",
            object="O",
            operation=Operation.UPSERT if key_column else Operation.INSERT,
            external_id_field=key_column,
            assignment_rule_id=None,
            columns=COLUMNS,
            key_column=key_column,
            parents=(),
            key_properties=(),
            stream_schema={},
        )
        files = JobDataFiles.create(tmp_path / "files.jsonl", destination=destination)
        for cells in sent:
            files.add(Entry(cells, None, b"{}"))
        files.close()
        results = []
        for kind, text in ((ResultKind.SUCCESSFUL, successful), (ResultKind.FAILED, failed)):
            if text:
                path = tmp_path / f"{kind.value}.csv"
                path.write_text(text)
                results.append(ResultFile(path, kind=kind, columns=[column.name for column in COLUMNS]))
        found = match(files, files=results)
        got = {number: row.id or row.error for number, row in enumerate(found) if row}
        return got, [number for number, row in enumerate(found) if not row]

    return run


def test_converted_values_and_other_orders(matched: Callable[..., Matched]) -> None:
    """Columns by name whatever their order and case; numbers and moments by their meaning."""
    sent = [["Ada", "912260031", "2024-01-15T10:30:00.000Z"], ["Bob", "0.10", "#N/A"]]

    got, left = matched(
        sent,
        successful='"sf__Id","sf__Created",DAY,name,Amount\n"1","true","","Bob","0.1"\n',
        failed='"sf__Id","sf__Error",Amount,Day,Name\n"","NO:--","9.12260031E8","2024-01-15T10:30:00Z","Ada"\n',
    )

    assert got == {0: "NO:--", 1: "1"}
    assert left == []


def test_equal_rows_are_a_multiset(matched: Callable[..., Matched]) -> None:
    """Three rows that are the same get one result each."""
    got, left = matched(
        [["Ada", "1", ""]] * 3,
        successful='"sf__Id","sf__Created",Name,Amount,Day\n"1","true","Ada","1.0",""\n"2","true","Ada","1.0",""\n',
        failed='"sf__Id","sf__Error",Name,Amount,Day\n"","NO:--","Ada","1.0",""\n',
    )

    assert sorted(got.values()) == ["1", "2", "NO:--"]
    assert left == []


def test_a_key_is_enough(matched: Callable[..., Matched]) -> None:
    """With a key column nothing else has to agree, and its case does not matter."""
    got, left = matched(
        [["Ada", "1", ""], ["Bob", "2", ""]],
        successful='"sf__Id","sf__Created",Name,Amount,Day\n"2","true","BOB","x","y"\n"1","true","ada","z",""\n',
        key_column="Name",
    )

    assert got == {0: "1", 1: "2"}
    assert left == []


def test_a_column_that_was_altered_is_left_aside(matched: Callable[..., Matched]) -> None:
    """The org cut all amounts to two decimals: the other columns tell the rows apart."""
    got, left = matched(
        [["Ada", "1.239", ""], ["Bob", "1.231", ""]],
        successful='"sf__Id","sf__Created",Name,Amount,Day\n"2","true","Bob","1.23",""\n"1","true","Ada","1.23",""\n',
    )

    assert got == {0: "1", 1: "2"}
    assert left == []


def test_what_cannot_be_told_apart_but_is_of_one_kind_is_sure(matched: Callable[..., Matched]) -> None:
    """Both were created; which Id is whose nobody knows, so neither gets one."""
    got, left = matched(
        [["Ada", "1.239", ""], ["Ada", "1.231", ""]],
        successful='"sf__Id","sf__Created",Name,Amount,Day\n"2","true","Ada","1.2",""\n"1","true","Ada","1.23",""\n',
    )

    assert got == {0: "", 1: ""}
    assert left == []


def test_what_could_be_either_is_not_guessed(matched: Callable[..., Matched]) -> None:
    """One was created and one was refused, and nothing tells which."""
    got, left = matched(
        [["Ada", "1.239", ""], ["Ada", "1.231", ""]],
        successful='"sf__Id","sf__Created",Name,Amount,Day\n"2","true","Ada","1.2",""\n',
        failed='"sf__Id","sf__Error",Name,Amount,Day\n"","NO:--","Ada","1.23",""\n',
    )

    assert got == {}
    assert left == [0, 1]


def test_rows_without_a_result_are_named(matched: Callable[..., Matched]) -> None:
    """And a result for a row that was never sent does no harm."""
    got, left = matched(
        [["Ada", "1", ""], ["Bob", "2", ""], ["Cyd", "3", ""]],
        successful='"sf__Id","sf__Created",Name,Amount,Day\n"2","true","Bob","2",""\n"9","true","Zoe","9",""\n',
        key_column="Name",
    )

    assert got == {1: "2"}
    assert left == [0, 2]


def test_line_breaks_quotes_and_scripts(matched: Callable[..., Matched]) -> None:
    """A real CSV parser reads the result files."""
    got, left = matched(
        [['say "hi",\r\n東京', "", ""]],
        successful='"sf__Id","sf__Created",Name,Amount,Day\n"1","true","say ""hi"",\n東京","",""\n',
    )

    assert got == {0: "1"}
    assert left == []


def test_rows_without_a_key_are_told_apart_by_few_columns(matched: Callable[..., Matched]) -> None:
    """Where one column differs in all rows it decides, whatever became of the others."""
    header = '"sf__Id","sf__Created",Name,Amount,Day\n'

    got, left = matched(
        [["Ada", "1", ""], ["Bob", "1.239", ""], ["Cyd", "1", ""]],
        successful=header + '"3","true","Cyd","1.0",""\n"2","true","Bob","1.23",""\n',
    )

    assert got == {1: "2", 2: "3"}
    assert left == [0]
