"""Matches rows of result files with the rows that were sent: they come in any order, with values converted.

Memory holds a key or a hash and a number for each row that is not matched yet, and the result of those that
found.
"""

from __future__ import annotations

import itertools
import logging
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

import msgspec

from salesforce_bulk_client.records.canonical_form import CONVERTED_TYPES, canonical_form, canonical_key
from salesforce_bulk_client.records.columns import Column
from salesforce_bulk_client.records.fingerprints import fingerprint_after
from salesforce_bulk_client.records.result_files import ResultFile, ResultRow

logger = logging.getLogger(__name__)

SAMPLE_ROWS = 1000
MAX_DISTINGUISHING_COLUMNS = 3

Identity = str | bytes
"""A key's canonical text, or a fingerprint."""

OnRow = Callable[[Sequence[str], Identity], None]
"""Is given the cells of each row that was sent, in order, while they are read anyway, and what they are matched by."""

IdentityAt = Callable[[Sequence[int]], Callable[[Sequence[str]], Identity]]
"""Gives for the places of some columns what gives for a row's cells what the same row has on the other side as well."""

_encode = msgspec.json.Encoder().encode


class SentRows(Protocol):
    """The rows that were sent."""

    number_of_rows: int

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield each row's number, from 0, and its cells."""


def match(
    sent: SentRows,
    *,
    columns: Sequence[Column],
    key_column: str | None,
    files: Sequence[ResultFile],
    on_row: OnRow | None = None,
) -> list[ResultRow | None]:
    """Return the result of each row, by its number; None where no file has one.

    ``columns`` are those of the rows that were sent.

    Rows are matched by their key, or without one by a few columns that distinguish them; then by their whole
    canonical form as a multiset, then by the columns whose values agree as a whole (one may have been converted in a
    way that we do not know) where these leave no choice. What is left and of one kind is sure without pairing.
    Where a file lacks a column, the others have to distinguish the rows, and what they cannot stays unknown.
    """
    search = _Search(sent, columns=columns, files=files)
    key = next((column for column in search.columns if column.name == key_column), None)
    if key is not None:
        search.by_unique([key], identity_at=_key_at(key), on_row=on_row)
    else:
        search.by_unique_cells(search.distinguishing_columns(), on_row=on_row)
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

    def __init__(self, sent: SentRows, *, columns: Sequence[Column], files: Sequence[ResultFile]) -> None:
        self._sent = sent
        self._sent_columns = columns
        self._files = [file for file in files if not file.is_empty]
        self.found: list[ResultRow | None] = [None] * sent.number_of_rows
        self._is_used = bytearray()
        """For each row of the files, counted through all of them, whether it is found; grows when first read."""
        self.columns = [column for column in columns if all(column.name in file.columns for file in self._files)]
        """Those that all files have."""
        self.has_all_columns = len(self.columns) == len(columns)

    @property
    def is_open(self) -> bool:
        """Whether there is something left on both sides."""
        return None in self.found and 0 in self._is_used

    def by_unique_cells(self, columns: Sequence[Column], *, on_row: OnRow | None = None) -> None:
        """Pair the rows whose canonical form in these columns occurs once on either side."""
        self.by_unique(columns, identity_at=_fingerprint_at(columns), on_row=on_row)

    def by_unique(self, columns: Sequence[Column], *, identity_at: IdentityAt, on_row: OnRow | None = None) -> None:
        """Pair the rows whose identity in these columns occurs once on either side."""
        ours: dict[Identity, int | None] = {}
        for number, identity, cells in self._rows_left(columns, identity_at):
            ours[identity] = None if identity in ours else number
            if on_row:
                on_row(cells, identity)
        place_of = array("Q", [0]) * len(self.found)
        for place, row, identity in self._results_left(columns, identity_at):
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
        identity_at = _fingerprint_at(self.columns)
        wanted: dict[Identity, list[int]] = {}
        for number, identity, _ in self._rows_left(self.columns, identity_at):
            wanted.setdefault(identity, []).append(number)
        for numbers in wanted.values():
            numbers.reverse()  # the first is taken first
        for place, row, identity in self._results_left(self.columns, identity_at):
            if numbers := wanted.get(identity, []):
                self._take(numbers.pop(), row, place)

    def distinguishing_columns(self) -> list[Column]:
        """Return the fewest columns that distinguish the rows of a sample, or come near it."""
        places = self._places(self.columns)
        sample = [cells for _, cells in itertools.islice(self._sent.rows(), SAMPLE_ROWS)]
        most_distinct = sorted(
            zip(self.columns, places, strict=True),
            key=lambda each: (-len({cells[each[1]] for cells in sample}), each[0].type in CONVERTED_TYPES),
        )
        chosen = most_distinct[:1]
        for count in range(2, MAX_DISTINGUISHING_COLUMNS + 1):
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
            [line[file.place(column.name)] for column in self.columns]
            for file, lines in self._lines_left()
            for _, line in lines
        )
        return [column for column, mine, other in zip(self.columns, ours, theirs, strict=True) if mine == other]

    def by_kind(self) -> None:
        """Give the rows that are left to each other when there are as many, and all in one file."""
        left = [number for number, row in enumerate(self.found) if row is None]
        results = list(self._results_left([], _fingerprint_at([])))
        if len(results) != len(left) or len({row.kind for _, row, _ in results}) != 1:
            return
        logger.warning("%d rows came back altered: their outcomes are sure, but not which Id is whose", len(left))
        errors = sorted({row.error for _, row, _ in results})
        error = errors[0] if len(errors) == 1 else f"one of these: {'; '.join(errors)}"
        for number, (place, row, _) in zip(left, results, strict=True):
            self._take(number, msgspec.structs.replace(row, id="", error=error), place)

    def _take(self, number: int, row: ResultRow, place: int) -> None:
        self.found[number] = row
        self._is_used[place] = 1

    def _give_back(self, number: int, place: int) -> None:
        self.found[number] = None
        self._is_used[place] = 0

    def _rows_left(
        self, columns: Sequence[Column], identity_at: IdentityAt
    ) -> Iterator[tuple[int, str | bytes, list[str]]]:
        """Yield each row of ours that was not found: its number, its fingerprint in these columns, and its cells."""
        identity_of, found = identity_at(self._places(columns)), self.found
        for number, cells in self._sent.rows():
            if found[number] is None:
                yield number, identity_of(cells), cells

    def _results_left(
        self, columns: Sequence[Column], identity_at: IdentityAt
    ) -> Iterator[tuple[int, ResultRow, Identity]]:
        """Yield each row of the files that was not found: its place, what it says, its identity in these columns."""
        for file, lines in self._lines_left():
            identity_of = identity_at([file.place(column.name) for column in columns])
            for place, line in lines:
                yield place, file.row(line), identity_of(line)

    def _lines_left(self) -> Iterator[tuple[ResultFile, Iterator[tuple[int, list[str]]]]]:
        """Yield each file with its rows that were not found, and their places; the rows of one before the next file."""
        places = itertools.count()
        for file in self._files:
            yield file, self._unused(zip(file.lines(), places, strict=False))

    def _unused(self, lines: Iterable[tuple[list[str], int]]) -> Iterator[tuple[int, list[str]]]:
        is_used = self._is_used
        for line, place in lines:
            if place == len(is_used):
                is_used.append(0)
            if not is_used[place]:
                yield place, line

    def _places(self, columns: Iterable[Column]) -> list[int]:
        names = [column.name for column in self._sent_columns]
        return [names.index(column.name) for column in columns]


def _fingerprint_at(columns: Sequence[Column]) -> IdentityAt:
    forms = [canonical_form(column.type) for column in columns]
    fingerprint_of = fingerprint_after()

    def at(places: Sequence[int]) -> Callable[[Sequence[str]], Identity]:
        wanted = list(zip(forms, places, strict=True))
        return lambda cells: fingerprint_of(_encode([form(cells[place]) for form, place in wanted]))

    return at


def _key_at(key: Column) -> IdentityAt:
    form = canonical_key(key.type)
    return lambda places: lambda cells: form(cells[places[0]])
