"""Finds for each row of the result files the row that was sent: Salesforce orders and converts them as it likes.

Memory holds a hash and a number for each row that is still looked for, and what the result files say of it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

import msgspec

from target_salesforce_bulk.canonical import CONVERTED_TYPES, Canonical, canonical_form, canonical_key
from target_salesforce_bulk.fingerprints import fingerprint
from target_salesforce_bulk.plan import Column
from target_salesforce_bulk.result_files import ResultFile, ResultRow
from target_salesforce_bulk.spool import Spool

logger = logging.getLogger(__name__)

SAMPLE_ROWS = 1000
MOST_TELLING_COLUMNS = 3

Settle = Callable[[int, ResultRow], None]
"""Is told the number of a row that was sent, and what a result file says of it."""

Look = Callable[[Sequence[str]], None]
"""Is shown the cells of each row that was sent, in order, while they are read anyway."""

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
        search.by_unique_cells({key: canonical_key(key.type)}, look=look)
    else:
        search.by_unique_cells(_forms(search.telling_columns()), look=look)
    if search.is_open:
        search.by_cells()
    if search.is_open:
        search.by_unique_cells(_forms(search.agreeing_columns()))
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

    def by_unique_cells(self, forms: dict[Column, Canonical], *, look: Look | None = None) -> None:
        """Pair the rows whose canonical form in these columns occurs once on either side."""
        ours: dict[bytes, int | None] = {}
        for number, print_ in self._rows_left(forms, look=look):
            ours[print_] = None if print_ in ours else number
        theirs: dict[bytes, _Result | None] = {}
        for result, print_ in self._results_left(forms):
            if ours.get(print_) is not None:
                theirs[print_] = None if print_ in theirs else result
        for print_, only in theirs.items():
            one = ours[print_]
            if only is not None and one is not None:
                self._take(one, only)

    def by_cells(self) -> None:
        """Pair the rows whose canonical form is the same, however often it occurs."""
        forms = _forms(self.columns)
        wanted: dict[bytes, list[int]] = {}
        for number, print_ in self._rows_left(forms):
            wanted.setdefault(print_, []).append(number)
        for numbers in wanted.values():
            numbers.reverse()  # the first is taken first
        for result, print_ in self._results_left(forms):
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
        forms = _forms(self.columns).values()

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
        for number, (result, _) in zip(left, list(self._results_left({})), strict=True):
            row, used, place = result
            self._take(number, (row._replace(id=""), used, place))

    def unaccounted(self) -> list[int]:
        """Return the numbers of our rows that were not found."""
        return [number for number, is_found in enumerate(self._is_found) if not is_found]

    def _take(self, number: int, result: _Result) -> None:
        row, used, place = result
        self._is_found[number] = used[place] = 1
        self._settle(number, row)

    def _rows_left(self, forms: dict[Column, Canonical], *, look: Look | None = None) -> Iterator[tuple[int, bytes]]:
        """Yield the number and the fingerprint, in these columns, of each row of ours that was not found."""
        ways = list(zip(self._places(forms), forms.values(), strict=True))
        for number, cells in self._spool.rows():
            if look:
                look(cells)
            if not self._is_found[number]:
                yield number, fingerprint(_encode([form(cells[place]) for place, form in ways]))

    def _results_left(self, forms: dict[Column, Canonical]) -> Iterator[tuple[_Result, bytes]]:
        """Yield each row of the files that was given to none of ours, with its fingerprint in these columns."""
        for file, used in zip(self._files, self._is_used, strict=True):
            ways = [(file.place(column.name), form) for column, form in forms.items()]
            for place, line in _unused(file, used):
                yield (file.row(line), used, place), fingerprint(_encode([form(line[cell]) for cell, form in ways]))

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


def _forms(columns: Sequence[Column]) -> dict[Column, Canonical]:
    return {column: canonical_form(column.type) for column in columns}
