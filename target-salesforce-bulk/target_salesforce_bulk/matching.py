"""Finds for each row of the result files the row that was sent: Salesforce orders and converts them as it likes.

Memory holds a hash and a number for each row that is still looked for, and what the result files say of it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

import msgspec

from target_salesforce_bulk.canonical import CONVERTED_TYPES, canonical_form
from target_salesforce_bulk.fingerprints import fingerprint_after, key_fingerprint
from target_salesforce_bulk.plan import Column, Destination
from target_salesforce_bulk.result_files import ResultFile, ResultRow
from target_salesforce_bulk.spool import Spool

logger = logging.getLogger(__name__)

SAMPLE_ROWS = 1000
MOST_TELLING_COLUMNS = 3

Settle = Callable[[int, ResultRow], None]
"""Is told the number of a row that was sent, and what a result file says of it."""

Look = Callable[[bytes, Sequence[str]], None]
"""Is shown each row that was sent, in order, while they are read anyway: its first fingerprint, and its cells."""

PrintOf = Callable[[Sequence[str]], bytes]
"""Gives for some cells of a row what the row that they belong to on the other side has as well."""

_encode = msgspec.json.Encoder().encode


def match(spool: Spool, *, files: Sequence[ResultFile], settle: Settle, look: Look | None = None) -> list[int]:
    """Tell ``settle`` of each row once, and return the numbers of the rows that no result file accounts for.

    Rows are looked for by their key, or without one by a few columns that tell them apart; then by their whole
    canonical form as a multiset, then by the columns whose values agree as a whole (one may have been converted in a
    way that we do not know) where these leave no choice. What is left and of one kind is sure without pairing.
    """
    search = _Search(spool, files=files, settle=settle)
    key_index = spool.destination.key_index
    key = None if key_index is None else spool.destination.columns[key_index]
    if key is not None and key in search.columns:
        search.by_unique([key], print_of=_key_print(spool.destination), look=look)
    else:
        search.by_unique_cells(search.telling_columns())
    if search.is_open:
        search.by_cells()
    if search.is_open:
        search.by_unique_cells(search.agreeing_columns())
    if search.is_open:
        search.by_kind()
    return search.unaccounted()


class _Search:
    """One match under way: which rows, on either side, have not found each other yet."""

    def __init__(self, spool: Spool, *, files: Sequence[ResultFile], settle: Settle) -> None:
        self._spool = spool
        self._files = files
        self._settle = settle
        self._is_found = bytearray(spool.number_of_rows)
        self._is_used = [bytearray() for _ in files]
        """For each row of each file whether it was given to a row of ours; grows when the file is first read."""
        self.columns = [
            column for column in spool.destination.columns if all(column.name in file.columns for file in files)
        ]

    @property
    def is_open(self) -> bool:
        """Whether there is something left on both sides."""
        return 0 in self._is_found and any(0 in used for used in self._is_used)

    def by_unique_cells(self, columns: Sequence[Column]) -> None:
        """Pair the rows whose canonical form in these columns occurs once on either side."""
        self.by_unique(columns, print_of=_print_of(columns))

    def by_unique(self, columns: Sequence[Column], *, print_of: PrintOf, look: Look | None = None) -> None:
        """Pair the rows whose fingerprint in these columns occurs once on either side."""
        ours: dict[bytes, int | None] = {}
        for number, print_, cells in self._rows_left(columns, print_of):
            ours[print_] = None if print_ in ours else number
            if look:
                look(print_, cells)
        theirs: dict[bytes, _Result | None] = {}
        for result, print_ in self._results_left(columns, print_of):
            if ours.get(print_) is not None:
                theirs[print_] = None if print_ in theirs else result
        for print_, only in theirs.items():
            one = ours[print_]
            if only is not None and one is not None:
                self._take(one, only)

    def by_cells(self) -> None:
        """Pair the rows whose canonical form is the same, however often it occurs."""
        print_of = _print_of(self.columns)
        wanted: dict[bytes, list[int]] = {}
        for number, print_, _ in self._rows_left(self.columns, print_of):
            wanted.setdefault(print_, []).append(number)
        for numbers in wanted.values():
            numbers.reverse()  # the first is taken first
        for result, print_ in self._results_left(self.columns, print_of):
            if numbers := wanted.get(print_, []):
                self._take(numbers.pop(), result)

    def telling_columns(self) -> list[Column]:
        """Return the fewest columns that tell the rows of a sample apart, or as nearly as a few can."""
        places = self._places(self.columns)
        sample = [cells for _, cells in islice(self._spool.rows(), SAMPLE_ROWS)]
        most_distinct = sorted(
            zip(self.columns, places, strict=True),
            key=lambda each: (-len({cells[each[1]] for cells in sample}), each[0].type in CONVERTED_TYPES),
        )
        chosen = most_distinct[:1]
        for count in range(2, MOST_TELLING_COLUMNS + 1):
            if len({tuple(cells[place] for _, place in chosen) for cells in sample}) == len(sample):
                break
            chosen = most_distinct[:count]
        return [column for column, _ in chosen]

    def agreeing_columns(self) -> list[Column]:
        """Return the columns whose canonical values are the same on both sides, taken together as a multiset."""
        forms = [canonical_form(column.type) for column in self.columns]

        def sums(rows: Iterator[list[str]]) -> list[int]:
            totals = [0] * len(forms)
            for cells in rows:
                for place, (form, cell) in enumerate(zip(forms, cells, strict=True)):
                    totals[place] += hash(form(cell))
            return totals

        places = self._places(self.columns)
        ours = sums(
            [cells[place] for place in places] for number, cells in self._spool.rows() if not self._is_found[number]
        )
        theirs = sums(
            [line[file.place(column.name)] for column in self.columns]
            for file, used in zip(self._files, self._is_used, strict=True)
            for _, line in _unused(file, used)
        )
        return [column for column, mine, other in zip(self.columns, ours, theirs, strict=True) if mine == other]

    def by_kind(self) -> None:
        """Give the rows that are left to each other when there are as many, and all in one file."""
        open_files = [number for number, used in enumerate(self._is_used) if 0 in used]
        left = self.unaccounted()
        if len(open_files) != 1 or self._is_used[open_files[0]].count(0) != len(left):
            return
        logger.warning("%d rows came back altered: their outcomes are sure, but not which Id is whose", len(left))
        for number, (result, _) in zip(left, list(self._results_left([], _print_of([]))), strict=True):
            row, used, place = result
            self._take(number, (row._replace(id=""), used, place))

    def unaccounted(self) -> list[int]:
        """Return the numbers of our rows that were not found."""
        return [number for number, is_found in enumerate(self._is_found) if not is_found]

    def _take(self, number: int, result: _Result) -> None:
        row, used, place = result
        self._is_found[number] = used[place] = 1
        self._settle(number, row)

    def _rows_left(self, columns: Sequence[Column], print_of: PrintOf) -> Iterator[tuple[int, bytes, list[str]]]:
        """Yield each row of ours that was not found: its number, its fingerprint in these columns, and its cells."""
        places = self._places(columns)
        for number, cells in self._spool.rows():
            if not self._is_found[number]:
                yield number, print_of([cells[place] for place in places]), cells

    def _results_left(self, columns: Sequence[Column], print_of: PrintOf) -> Iterator[tuple[_Result, bytes]]:
        """Yield each row of the files that was given to none of ours, with its fingerprint in these columns."""
        for file, used in zip(self._files, self._is_used, strict=True):
            places = [file.place(column.name) for column in columns]
            for place, line in _unused(file, used):
                yield (file.row(line), used, place), print_of([line[place] for place in places])

    def _places(self, columns: Iterable[Column]) -> list[int]:
        names = [column.name for column in self._spool.destination.columns]
        return [names.index(column.name) for column in columns]


_Result = tuple[ResultRow, bytearray, int]
"""What a row of a result file says; and the marks of its file's rows, with its place in them."""


def _unused(file: ResultFile, used: bytearray) -> Iterator[tuple[int, list[str]]]:
    for place, line in enumerate(file.lines()):
        if place == len(used):
            used.append(0)
        if not used[place]:
            yield place, line


def _print_of(columns: Sequence[Column]) -> PrintOf:
    forms = [canonical_form(column.type) for column in columns]
    fingerprint_of = fingerprint_after()
    return lambda cells: fingerprint_of(_encode([form(cell) for form, cell in zip(forms, cells, strict=True)]))


def _key_print(destination: Destination) -> PrintOf:
    fingerprint_of, form = key_fingerprint(destination), destination.key_form
    return lambda cells: fingerprint_of(form(cells[0]))
