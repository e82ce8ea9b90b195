"""Finds for each row of the result files the row that was sent: Salesforce orders and converts them as it likes.

Memory holds one hash and one number for each row that is still looked for.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from target_salesforce_bulk.canonical import canonical_form, canonical_key
from target_salesforce_bulk.fingerprints import fingerprint
from target_salesforce_bulk.plan import Column
from target_salesforce_bulk.result_files import ResultFile, ResultRow
from target_salesforce_bulk.spool import Spool

logger = logging.getLogger(__name__)

Settle = Callable[[int, ResultRow], None]
"""Is told the number of a row that was sent, and the row of a result file that speaks of it."""

PrintOf = Callable[[list[str]], bytes]


def match(spool: Spool, *, files: Sequence[ResultFile], settle: Settle) -> list[int]:
    """Tell ``settle`` of each row once, and return the numbers of the rows that no result file accounts for.

    Rows are looked for by their key where they have one, then by their whole canonical form as a multiset, then by
    the columns whose values agree as a whole (one may have been converted in a way that we do not know) where these
    leave no choice. What is left and of one kind needs no pairing to be sure of its outcome.
    """
    search = _Search(spool, files=files, settle=settle)
    key_index = spool.destination.key_index
    key = None if key_index is None else spool.destination.columns[key_index]
    if key in search.columns:
        search.by_key(key)
    if key is None or search.is_open:
        search.by_cells(search.columns)
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
        """For each row of each file whether it was given to a row of ours."""
        self.columns = [
            column for column in spool.destination.columns if all(column.name in file.columns for file in files)
        ]

    @property
    def is_open(self) -> bool:
        """Whether there is something left on both sides."""
        return 0 in self._is_found and any(0 in used for used in self._is_used)

    def by_key(self, column: Column) -> None:
        """Pair the rows of the same key."""
        form = canonical_key(column.type)
        self._pair([column], lambda cells: fingerprint(form(cells[0])))

    def by_cells(self, columns: Sequence[Column]) -> None:
        """Pair the rows whose cells in these columns have the same canonical form."""
        self._pair(columns, _print_of(columns))

    def _pair(self, columns: Sequence[Column], print_of: PrintOf) -> None:
        wanted: dict[bytes, int | list[int]] = {}
        for number, cells in self._rows_left(columns):
            row_print = print_of(cells)
            others = wanted.setdefault(row_print, number)
            if isinstance(others, list):
                others.append(number)
            elif others != number:
                wanted[row_print] = [others, number]
        for place, row, used in self._results_left(columns):
            row_print = print_of(row.cells)
            found = wanted.get(row_print)
            if isinstance(found, list):
                self._take(found.pop(0), row, used, place)
                if len(found) == 1:
                    wanted[row_print] = found[0]
            elif found is not None:
                del wanted[row_print]
                self._take(found, row, used, place)

    def by_unique_cells(self, columns: Sequence[Column]) -> None:
        """Pair the rows whose canonical form in these columns occurs once on either side."""
        print_of = _print_of(columns)
        ours: dict[bytes, int | None] = {}
        for number, cells in self._rows_left(columns):
            row_print = print_of(cells)
            ours[row_print] = None if row_print in ours else number
        theirs = Counter(print_of(row.cells) for _, row, _ in self._results_left(columns))
        for place, row, used in self._results_left(columns):
            row_print = print_of(row.cells)
            number_or_none = ours.get(row_print)
            if number_or_none is not None and theirs[row_print] == 1:
                self._take(number_or_none, row, used, place)

    def agreeing_columns(self) -> list[Column]:
        """Return the columns whose canonical values are the same on both sides, taken together as a multiset."""
        forms = [canonical_form(column.type) for column in self.columns]

        def sums(rows: Iterator[list[str]]) -> list[int]:
            totals = [0] * len(forms)
            for cells in rows:
                for place, (form, cell) in enumerate(zip(forms, cells, strict=True)):
                    totals[place] += hash(form(cell))
            return totals

        ours = sums(cells for _, cells in self._rows_left(self.columns))
        theirs = sums(row.cells for _, row, _ in self._results_left(self.columns))
        return [column for column, mine, other in zip(self.columns, ours, theirs, strict=True) if mine == other]

    def by_kind(self) -> None:
        """Give the rows that are left to each other when there are as many, and all in one file."""
        open_files = [number for number, used in enumerate(self._is_used) if 0 in used]
        left = self.unaccounted()
        if len(open_files) != 1 or self._is_used[open_files[0]].count(0) != len(left):
            return
        logger.warning("%d rows came back altered: their outcomes are sure, but not which Id is whose", len(left))
        for number, (place, row, used) in zip(left, list(self._results_left([])), strict=True):
            self._take(number, row._replace(id=""), used, place)

    def unaccounted(self) -> list[int]:
        """Return the numbers of our rows that were not found."""
        return [number for number, is_found in enumerate(self._is_found) if not is_found]

    def _take(self, number: int, row: ResultRow, used: bytearray, place: int) -> None:
        self._is_found[number] = used[place] = 1
        self._settle(number, row)

    def _rows_left(self, columns: Sequence[Column]) -> Iterator[tuple[int, list[str]]]:
        names = [column.name for column in self._spool.destination.columns]
        places = [names.index(column.name) for column in columns]
        for number, cells in self._spool.rows():
            if not self._is_found[number]:
                yield number, [cells[place] for place in places]

    def _results_left(self, columns: Sequence[Column]) -> Iterator[tuple[int, ResultRow, bytearray]]:
        names = [column.name for column in columns]
        for file, used in zip(self._files, self._is_used, strict=True):
            for place, row in enumerate(file.rows(names)):
                if place == len(used):
                    used.append(0)
                if not used[place]:
                    yield place, row, used


def _print_of(columns: Sequence[Column]) -> PrintOf:
    forms = [canonical_form(column.type) for column in columns]
    return lambda cells: fingerprint(*(form(cell) for form, cell in zip(forms, cells, strict=True)))
