"""Rows of result files find the rows that were sent, in any order, with converted values, each once."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from salesforce_bulk_client import Operation, ResultKind
from salesforce_bulk_client.records.columns import Column
from salesforce_bulk_client.records.matching import OnRow, match
from salesforce_bulk_client.records.result_files import ResultFile
from target_salesforce_bulk.batches.job_data_files import Entry, JobDataFiles
from target_salesforce_bulk.mapping.plan import Destination

COLUMNS = (Column("Name", "string"), Column("Amount", "currency"), Column("Day", "datetime"))
Matched = tuple[dict[int, str], list[int]]


@pytest.fixture
def matched(tmp_path: Path) -> Callable[..., Matched]:
    """Matches rows with result files, and gives the Id or error that each row got, and the rows without."""

    def run(
        sent: list[list[str]],
        *,
        successful: str = "",
        failed: str = "",
        unprocessed: str = "",
        key_column: str | None = None,
        columns: Sequence[Column] = COLUMNS,
        on_row: OnRow | None = None,
    ) -> Matched:
        destination = Destination(
            stream="s",
            object="O",
            operation=Operation.UPSERT if key_column else Operation.INSERT,
            external_id_field=key_column,
            assignment_rule_id=None,
            columns=tuple(columns),
            key_column=key_column,
            parents=(),
            key_properties=(),
            stream_schema={},
        )
        job_data = JobDataFiles.create(tmp_path / "job_data.jsonl", destination=destination)
        for cells in sent:
            job_data.add(Entry(cells, None, b"{}"))
        job_data.close()
        files = []
        for kind, text in zip(ResultKind, (successful, failed, unprocessed), strict=True):
            if text:
                path = tmp_path / f"{kind.value}.csv"
                path.write_text(text)
                files.append(ResultFile(path, kind=kind, columns=[column.name for column in columns]))
        found = match(job_data, columns=columns, key_column=key_column, files=files, on_row=on_row)
        got = {number: row.id or row.error or row.kind.value for number, row in enumerate(found) if row}
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

    assert got == dict.fromkeys([0, 1], ResultKind.SUCCESSFUL.value)
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


OK = '"sf__Id","sf__Created",Name,Amount,Day\n'
NO = '"sf__Id","sf__Error",Name,Amount,Day\n'
Match = Callable[..., Matched]


def test_a_key_that_comes_twice_in_the_results_is_given_back(matched: Match) -> None:
    """One says created and the other refused, so the row's outcome stays unknown; its neighbours have theirs."""
    got, left = matched(
        [["Ada", "1", ""], ["Bob", "2", ""]],
        successful=OK + '"1","true","Ada","8",""\n"2","true","Bob","2",""\n',
        failed=NO + '"","NO:--","Ada","9",""\n',
        key_column="Name",
    )

    assert got == {1: "2"}
    assert left == [0]


def test_a_key_that_comes_three_times_in_the_results_stays_given_back(matched: Match) -> None:
    """The third is no surer than the first two."""
    got, left = matched(
        [["Ada", "1", ""]],
        successful=OK + '"1","true","Ada","8",""\n"2","true","Ada","9",""\n"3","true","Ada","7",""\n',
        key_column="Name",
    )

    assert got == {}
    assert left == [0]


def test_what_was_given_back_may_be_found_by_its_other_cells(matched: Match) -> None:
    """Both results of the key are free again, and one of them has all the cells that were sent."""
    got, left = matched(
        [["Ada", "1", ""]],
        successful=OK + '"1","true","Ada","1.0",""\n"2","true","Ada","9",""\n',
        key_column="Name",
    )

    assert got == {0: "1"}
    assert left == []


def test_a_result_is_used_for_one_row_only(matched: Match) -> None:
    """Two rows that are the same and one result: one row stays without an outcome."""
    got, left = matched([["Ada", "1", ""]] * 2, successful=OK + '"1","true","Ada","1",""\n')

    assert got == {0: "1"}
    assert left == [1]


def test_a_row_that_is_found_is_not_found_again(matched: Match) -> None:
    """A result that is found by the name is not taken for the row that is left."""
    got, left = matched(
        [["Ada", "1", ""], ["Bob", "1", ""], ["Bob", "1", ""]],
        successful=OK + '"1","true","Ada","1",""\n"2","true","Bob","1",""\n"3","true","Bob","1",""\n',
    )

    assert got == {0: "1", 1: "2", 2: "3"}
    assert left == []


def test_equal_rows_get_their_results_in_order(matched: Match) -> None:
    """The first row gets the first, whatever kind each is of."""
    got, _ = matched(
        [["Ada", "1", ""], ["Ada", "1.0", ""], ["Ada", "1.00", ""]],
        successful=OK + '"1","true","Ada","1",""\n"2","true","Ada","1",""\n',
        failed=NO + '"","NO:--","Ada","1",""\n',
    )

    assert got == {0: "1", 1: "2", 2: "NO:--"}


def test_a_result_file_without_the_key_is_matched_by_the_other_columns(matched: Match) -> None:
    """It is no reason to end the run."""
    got, left = matched(
        [["Ada", "1", ""], ["Bob", "2", ""], ["Cyd", "3", ""]],
        successful='"sf__Id","sf__Created",Amount,Day\n"2","true","2.0",""\n"1","true","1.0",""\n',
        failed=NO + '"","NO:--","Cyd","3.0",""\n',
        key_column="Name",
    )

    assert got == {0: "1", 1: "2", 2: "NO:--"}
    assert left == []


def test_rows_that_differ_in_a_column_that_a_file_lacks_are_not_guessed(matched: Match) -> None:
    """One of the two was refused, and what would tell which is not in the files."""
    got, left = matched(
        [["Ada", "1", ""], ["Bob", "1", ""], ["Cyd", "3", ""]],
        successful='"sf__Id","sf__Created",Amount,Day\n"1","true","1",""\n"3","true","3",""\n',
        failed='"sf__Id","sf__Error",Amount,Day\n"","NO:--","1",""\n',
    )

    assert got == {2: "3"}
    assert left == [0, 1]


def test_result_files_without_any_column_say_nothing_of_a_row(matched: Match) -> None:
    """What cannot be told apart stays unknown, unless all is of one kind."""
    rows = [["Ada", "1", ""], ["Bob", "2", ""]]

    assert matched(rows, successful='"sf__Id"\n"1"\n', failed='"sf__Error"\n"NO:--"\n') == ({}, [0, 1])


@pytest.mark.parametrize(
    ("errors", "told"), [(["NO:x:--"] * 2, "NO:x:--"), (["B:x:--", "A:y:--"], "one of these: A:y:--; B:x:--")]
)
def test_rows_that_were_all_refused_have_failed(matched: Match, errors: list[str], told: str) -> None:
    """Whose error is whose is not guessed: one that may pass could belong to the other row."""
    got, left = matched(
        [["Ada", "1", ""], ["Bob", "2", ""]], failed='"sf__Error"\n' + "".join(f'"{error}"\n' for error in errors)
    )

    assert got == {0: told, 1: told}
    assert left == []


def test_an_empty_file_takes_no_column_away(matched: Match) -> None:
    """Salesforce may send one without its header."""
    rows = [["Ada", "1", ""], ["Ada", "2", ""]]

    got, left = matched(
        rows, successful=OK + '"1","true","Ada","2",""\n', failed=NO + '"","NO:--","Ada","1",""\n', unprocessed="\n"
    )

    assert got == {0: "NO:--", 1: "1"}
    assert left == []


def test_a_line_that_was_cut_short_says_nothing(matched: Match) -> None:
    """Its row stays unknown; the others have their outcome."""
    got, left = matched(
        [["Ada", "1", ""], ["Bob", "2", ""]],
        successful=OK + '"1","true","Ada","1",""\n\n"2","true","Bob"\n',
        key_column="Name",
    )

    assert got == {0: "1"}
    assert left == [1]


def test_a_row_of_the_unprocessed_file_is_unprocessed(matched: Match) -> None:
    """That file has neither ids nor errors."""
    got, left = matched(
        [["Ada", "1", ""], ["Bob", "2", ""]],
        successful=OK + '"1","true","Ada","1",""\n',
        unprocessed='Amount,Day,Name\n"2","","Bob"\n',
        key_column="Name",
    )

    assert got == {0: "1", 1: ResultKind.UNPROCESSED.value}
    assert left == []


@pytest.mark.parametrize(
    "days",
    [["2024-01-15T10:30:00.123Z", "2024-01-15T10:30:01.000Z"], ["#N/A", "2024-01-15T10:30:01.000Z"]],
)
def test_the_column_that_tells_rows_apart_may_be_a_converted_one(matched: Match, days: list[str]) -> None:
    """Where no text does, the meaning of a number or a moment has to."""
    got, _ = matched(
        [["Ada", "1", days[0]], ["Ada", "1", days[1]]],
        successful=OK + '"2","true","Ada","1.0","2024-01-15T10:30:01Z"\n'
        f'"1","true","Ada","1.0","{"" if days[0] == "#N/A" else "2024-01-15T10:30:00.000+0000"}"\n',
    )

    assert got == {0: "1", 1: "2"}


def test_numbers_that_a_double_cannot_tell_apart_stay_apart_in_text(matched: Match) -> None:
    """An external id may have twenty digits; two of them are two records."""
    keys = ["9007199254740992", "9007199254740993"]

    got, left = matched(
        [[keys[0], "1", ""], [keys[1], "1", ""]],
        successful=OK + f'"2","true","{keys[1]}","1",""\n',
        failed=NO + f'"","NO:--","{keys[0]}","1",""\n',
        key_column="Name",
    )

    assert got == {0: "NO:--", 1: "2"}
    assert left == []


@pytest.mark.parametrize("key_type", ["long", "id"])
def test_keys_that_differ_in_their_last_place_are_two_records(matched: Match, key_type: str) -> None:
    """Whole numbers are compared as such, Ids by their case."""
    keys = {"long": ["9007199254740992", "9007199254740993"], "id": ["001000000000aAA", "001000000000aAa"]}[key_type]

    got, left = matched(
        [[keys[0], ""], [keys[1], ""]],
        successful=f'"sf__Id",Key,Name\n"2","{keys[1]}",""\n',
        failed=f'"sf__Error",Key,Name\n"NO:--","{keys[0]}",""\n',
        columns=[Column("Key", key_type), Column("Name", "string")],
        key_column="Key",
    )

    assert got == {0: "NO:--", 1: "2"}
    assert left == []


def test_rows_without_a_key_and_one_that_came_back_altered(matched: Match) -> None:
    """Name was cut by the org in one row; what is left over on both sides belongs together."""
    got, left = matched(
        [["Ada Lovelace", "1", ""], ["Bob", "2", ""], ["Bob", "3", ""]],
        successful=OK + '"1","true","Ada","1",""\n"2","true","Bob","2",""\n',
        failed=NO + '"","NO:--","Bob","3",""\n',
    )

    assert got == {0: "1", 1: "2", 2: "NO:--"}
    assert left == []


def test_a_result_for_a_row_that_is_lost_is_given_to_none(matched: Match) -> None:
    """Two rows are left and one result, altered in every column: it could be either's."""
    got, left = matched(
        [["Ada", "1", ""], ["Bob", "2", ""]],
        successful=OK + '"1","true","A","3",""\n',
    )

    assert got == {}
    assert left == [0, 1]


def test_each_row_is_shown_while_they_are_read(matched: Match) -> None:
    """In the order in which they were sent, each once, with the key that it is matched by."""
    shown: list[tuple[list[str], str | bytes]] = []

    matched(
        [["Ada", "1", ""], ["Bob", "2", ""]],
        successful=OK + '"2","true","Bob","2",""\n',
        key_column="Name",
        on_row=lambda cells, key: shown.append((list(cells), key)),
    )

    assert shown == [(["Ada", "1", ""], "ada"), (["Bob", "2", ""], "bob")]


def test_a_value_may_be_longer_than_the_csv_module_allows(matched: Match) -> None:
    """A rich text has more than its 131,072 characters."""
    text = "x" * 200_000
    csv.field_size_limit(131_072)

    got, _ = matched([[text, "1", ""]], successful=OK + f'"1","true","{text}","1",""\n', key_column="Name")

    assert got == {0: "1"}


def test_a_byte_order_mark_and_other_cases_in_a_header_do_no_harm(matched: Match) -> None:
    """Columns are known by their names in any case."""
    got, _ = matched(
        [["Ada", "1", ""]],
        successful='\ufeffSF__ID,SF__CREATED,NAME,amount,day\n"1","TRUE","Ada","1",""\n',
        key_column="Name",
    )

    assert got == {0: "1"}


def test_what_is_given_back_is_the_result_that_was_taken(matched: Match) -> None:
    """Not the first of the file: that one belongs to another row."""
    got, left = matched(
        [["Ada", "1", ""], ["Bob", "2", ""]],
        successful=OK + '"2","true","Bob","2",""\n"1","true","Ada","1",""\n"3","true","Ada","9",""\n',
        key_column="Name",
    )

    assert got == {0: "1", 1: "2"}
    assert left == []


def test_a_row_that_came_back_altered_is_found_by_what_agrees(matched: Match) -> None:
    """The names of the rows that are left differ from what was sent, their amounts do not; found rows do not count."""
    got, left = matched(
        [["Ada", "2", ""], ["Bob", "2", ""], ["Cyd", "3", ""]],
        successful=OK + '"1","true","Ada","2",""\n"3","true","Cynthia","3",""\n"2","true","Robert","2",""\n',
    )

    assert got == {0: "1", 1: "2", 2: "3"}
    assert left == []
