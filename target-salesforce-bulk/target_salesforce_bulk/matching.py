"""Finds for each row of the result files the row that was sent: Salesforce orders and converts them as it likes.

Memory holds a key or a hash and a number for each row that is still looked for, and what is said of those that were
found.
"""

from __future__ import annotations

import logging
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, islice
from operator import itemgetter

import msgspec

from target_salesforce_bulk.canonical import CONVERTED_TYPES, canonical_form
from target_salesforce_bulk.fingerprints import fingerprint_after
from target_salesforce_bulk.job_data_files import JobDataFiles
from target_salesforce_bulk.plan import Column, Destination
from target_salesforce_bulk.result_files import ResultFile, ResultRow

logger = logging.getLogger(__name__)

SAMPLE_ROWS = 1000
MOST_TELLING_COLUMNS = 3

Look = Callable[[Sequence[str]], None]
"""Is shown the cells of each row that was sent, in order, while they are read anyway."""

Identity = str | bytes
"""A key, or a fingerprint."""

IdentityOf = Callable[[Sequence[str]], Identity]
"""Gives for some cells of a row what the row that they belong to on the other side has as well."""

_encode = msgspec.json.Encoder().encode


def match(sent: JobDataFiles, *, files: Sequence[ResultFile], look: Look | None = None) -> list[ResultRow | None]:
    """Return what the result files say of each row, by its number; None where nothing does.

    Rows are looked for by their key, or without one by a few columns that tell them apart; then by their whole
    canonical form as a multiset, then by the columns whose values agree as a whole (one may have been converted in a
    way that we do not know) where these leave no choice. What is left and of one kind is sure without pairing.
    Where a file lacks a column, the others have to tell the rows apart, and what they cannot stays unknown.
    """
    search = _Search(sent, files=files)
    key_index = sent.destination.key_index
    key = None if key_index is None else sent.destination.columns[key_index]
    if key is not None and key in search.columns:
        search.by_unique([key], identity_of=_key_of(sent.destination), look=look)
    else:
        search.by_unique_cells(search.telling_columns(), look=look)
    if search.is_open:
        if search.has_all_columns:
            search.by_cells()
        else:
            search.by_unique_cells(search.columns)
    if search.is_open:
        search.by_unique_cells(search.agreeing_columns())
    if search.is_open:
        search.by_kind()
    return search.found


class _Search:
    """One match under way: which rows, on either side, have not found each other yet."""

    def __init__(self, sent: JobDataFiles, *, files: Sequence[ResultFile]) -> None:
        self._sent = sent
        self._files = [file for file in files if not file.is_empty]
        self.found: list[ResultRow | None] = [None] * sent.number_of_rows
        self._is_used = bytearray()
        """For each row of the files, counted through all of them, whether it is found; grows when first read."""
        self.columns = [
            column for column in sent.destination.columns if all(column.name in file.columns for file in self._files)
        ]
        """Those that all files have."""
        self.has_all_columns = len(self.columns) == len(sent.destination.columns)

    @property
    def is_open(self) -> bool:
        """Whether there is something left on both sides."""
        return None in self.found and 0 in self._is_used

    def by_unique_cells(self, columns: Sequence[Column], *, look: Look | None = None) -> None:
        """Pair the rows whose canonical form in these columns occurs once on either side."""
        self.by_unique(columns, identity_of=_fingerprint_of(columns), look=look)

    def by_unique(self, columns: Sequence[Column], *, identity_of: IdentityOf, look: Look | None = None) -> None:
        """Pair the rows whose identity in these columns occurs once on either side."""
        ours: dict[Identity, int | None] = {}
        for number, identity, cells in self._rows_left(columns, identity_of):
            ours[identity] = None if identity in ours else number
            if look:
                look(cells)
        place_of = array("Q", [0]) * len(self.found)
        for place, row, identity in self._results_left(columns, identity_of):
            one = ours.get(identity)
            if one is None:
                continue
            if self.found[one] is None:
                self._take(one, row, place)
                place_of[one] = place
            else:  # occurs twice on the other side, so neither is sure
                self._give_back(one, place_of[one])
                ours[identity] = None

    def by_cells(self) -> None:
        """Pair the rows whose canonical form is the same, however often it occurs."""
        identity_of = _fingerprint_of(self.columns)
        wanted: dict[Identity, list[int]] = {}
        for number, identity, _ in self._rows_left(self.columns, identity_of):
            wanted.setdefault(identity, []).append(number)
        for numbers in wanted.values():
            numbers.reverse()  # the first is taken first
        for place, row, identity in self._results_left(self.columns, identity_of):
            if numbers := wanted.get(identity, []):
                self._take(numbers.pop(), row, place)

    def telling_columns(self) -> list[Column]:
        """Return the fewest columns that tell the rows of a sample apart, or as nearly as a few can."""
        places = self._places(self.columns)
        sample = [cells for _, cells in islice(self._sent.rows(), SAMPLE_ROWS)]
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
            [cells[place] for place in places]
            for (_, cells), row in zip(self._sent.rows(), self.found, strict=True)
            if row is None
        )
        theirs = sums(
            [line[file.place(column.name)] for column in self.columns] for file, _, line in self._lines_left()
        )
        return [column for column, mine, other in zip(self.columns, ours, theirs, strict=True) if mine == other]

    def by_kind(self) -> None:
        """Give the rows that are left to each other when there are as many, and all in one file."""
        left = [number for number, row in enumerate(self.found) if row is None]
        results = list(self._results_left([], _fingerprint_of([])))
        if len(results) != len(left) or len({row.kind for _, row, _ in results}) != 1:
            return
        logger.warning("%d rows came back altered: their outcomes are sure, but not which Id is whose", len(left))
        errors = sorted({row.error for _, row, _ in results})
        error = errors[0] if len(errors) == 1 else f"one of these: {'; '.join(errors)}"
        for number, (place, row, _) in zip(left, results, strict=True):
            self._take(number, row._replace(id="", error=error), place)

    def _take(self, number: int, row: ResultRow, place: int) -> None:
        self.found[number] = row
        self._is_used[place] = 1

    def _give_back(self, number: int, place: int) -> None:
        self.found[number] = None
        self._is_used[place] = 0

    def _rows_left(
        self, columns: Sequence[Column], identity_of: IdentityOf
    ) -> Iterator[tuple[int, str | bytes, list[str]]]:
        """Yield each row of ours that was not found: its number, its fingerprint in these columns, and its cells."""
        places = self._places(columns)
        for number, cells in self._sent.rows():
            if self.found[number] is None:
                yield number, identity_of([cells[place] for place in places]), cells

    def _results_left(
        self, columns: Sequence[Column], identity_of: IdentityOf
    ) -> Iterator[tuple[int, ResultRow, str | bytes]]:
        """Yield each row of the files that was not found: its place, what it says, its fingerprint in these columns."""
        for file, lines in groupby(self._lines_left(), key=itemgetter(0)):
            places = [file.place(column.name) for column in columns]
            for _, place, line in lines:
                yield place, file.row(line), identity_of([line[cell] for cell in places])

    def _lines_left(self) -> Iterator[tuple[ResultFile, int, list[str]]]:
        lines = ((file, line) for file in self._files for line in file.lines())
        for place, (file, line) in enumerate(lines):
            if place == len(self._is_used):
                self._is_used.append(0)
            if not self._is_used[place]:
                yield file, place, line

    def _places(self, columns: Iterable[Column]) -> list[int]:
        names = [column.name for column in self._sent.destination.columns]
        return [names.index(column.name) for column in columns]


def _fingerprint_of(columns: Sequence[Column]) -> IdentityOf:
    forms = [canonical_form(column.type) for column in columns]
    fingerprint_of = fingerprint_after()
    return lambda cells: fingerprint_of(_encode([form(cell) for form, cell in zip(forms, cells, strict=True)]))


def _key_of(destination: Destination) -> IdentityOf:
    form = destination.key_form
    return lambda cells: form(cells[0])
