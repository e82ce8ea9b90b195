"""Which rows have to be loaded without a lookup first, because they point to themselves or to each other. Pure.

`RowGraph` has a row for each row that waits for its parent, and a link for each of its relationship columns whose
parent is such a row too. A lookup is deferred only where its row is on a cycle, and one for each cycle is enough: what
merely hangs on a cycle is loaded after it. All is kept in arrays, some 60 bytes for each row and lookup.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence

from salesforce_bulk_client.records.canonical_form import canonical_key
from salesforce_bulk_client.records.columns import Column

from target_salesforce_bulk.batches.key_set import KeySet
from target_salesforce_bulk.mapping.plan import Destination

_NEW, _ON_PATH, _DONE = range(3)

Hash = Callable[[str], int | None]
"""Gives the hash of a parent that a cell names, or of the record whose key it is; None for no value."""


class RowGraph:
    """First `add` all rows, then `defer`."""

    def __init__(self, destinations: Iterable[Destination]) -> None:
        """``destinations`` are those of all rows."""
        destinations = list(destinations)
        columns = {column for each in destinations for column in each.columns if column.is_relationship}
        self._fields = {(column.parent, column.parent_key) for column in columns}
        """Objects, and the fields by which their records are named as parents."""
        self._columns: list[tuple[Destination, Column]] = []
        self._first = array("q", [0])
        """For each row, and for one after the last, its first link."""
        self._column_of = array("q")
        """For each link, its place in `_columns`."""
        self._wanted = array("q")
        """For each link, the hash of the parent."""
        self._parent_of = array("q")
        """For each link, the parent's row, or -1."""
        self._offered = array("q")
        """Hashes of rows' own keys."""
        self._offered_by = array("q")
        """The row of each."""
        self._is_deferred = bytearray()
        """For each link."""
        self.stuck: set[tuple[str, str]] = set()
        """Streams and columns of cycles that cannot be broken."""

    def add(self, destination: Destination, rows: Iterable[Sequence[str]]) -> None:
        """Take rows of one destination."""
        links: list[tuple[int, int, Hash]] = []
        keys: list[tuple[int, Hash]] = []
        for place, column in enumerate(destination.columns):
            if column.is_relationship:
                links.append((place, len(self._columns), _hash(column.parent, column.parent_key, column.type)))
                self._columns.append((destination, column))
            elif (destination.object, column.name) in self._fields:
                keys.append((place, _hash(destination.object, column.name, column.type)))
        for cells in rows:
            row = len(self._first) - 1
            for place, column_number, hash_of in links:
                wanted = hash_of(cells[place])
                if wanted is not None:
                    self._wanted.append(wanted)
                    self._column_of.append(column_number)
            for place, hash_of in keys:
                offered = hash_of(cells[place])
                if offered is not None:
                    self._offered.append(offered)
                    self._offered_by.append(row)
            self._first.append(len(self._wanted))

    def defer(self) -> None:
        """Defer lookups until no cycle is left but those that are stuck."""
        self._find_parents()
        self._is_deferred = bytearray(len(self._wanted))
        while self._walk():
            pass  # a lookup that was not the last of its cycle may have been part of several

    def deferred(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the rows that lookups are deferred of, in order, with the names of these columns."""
        for row in range(len(self._first) - 1):
            names = [
                self._columns[self._column_of[link]][1].name
                for link in range(self._first[row], self._first[row + 1])
                if self._is_deferred[link]
            ]
            if names:
                yield row, names

    def _find_parents(self) -> None:
        """Find the first row with each parent's key: later ones of its key are loaded after it."""
        keys = KeySet()
        for wanted in self._wanted:
            keys.add(wanted)
        row_of = array("q", [-1]) * keys.number_of_slots
        for offered, row in zip(self._offered, self._offered_by, strict=True):
            slot = keys.slot(offered)
            if slot is not None and row_of[slot] < 0:
                row_of[slot] = row
        self._parent_of = array("q", (row_of[keys.slot(wanted) or 0] for wanted in self._wanted))

    def _walk(self) -> bool:
        """Walk along all links, depth first, and defer one of each cycle that closes; return whether any was."""
        has_deferred = False
        state = bytearray(len(self._first) - 1)
        next_link = self._first[:-1]
        for start in range(len(state)):
            if state[start] != _NEW:
                continue
            state[start] = _ON_PATH
            path = [start]
            while path:
                row = path[-1]
                link = next_link[row]
                if link == self._first[row + 1]:
                    state[row] = _DONE
                    path.pop()
                    continue
                next_link[row] += 1
                parent = self._parent_of[link]
                if parent < 0 or self._is_deferred[link] or state[parent] == _DONE:
                    continue
                if state[parent] == _NEW:
                    state[parent] = _ON_PATH
                    path.append(parent)
                else:
                    has_deferred |= self._break(path, parent, next_link)
        return has_deferred

    def _break(self, path: Sequence[int], start: int, next_link: Sequence[int]) -> bool:
        """Defer the last lookup that can be deferred of the cycle that the end of a path makes, from ``start`` on."""
        links = []
        for row in reversed(path):
            link = next_link[row] - 1
            if self._columns[self._column_of[link]][1].is_deferrable:
                is_broken = bool(self._is_deferred[link])
                self._is_deferred[link] = True
                return not is_broken
            links.append(link)
            if row == start:
                break
        for link in links:
            destination, column = self._columns[self._column_of[link]]
            self.stuck.add((destination.stream, column.name))
        return False


def _hash(sobject: str, field: str, field_type: str) -> Hash:
    form = canonical_key(field_type)
    seed = f"{sobject}.{field}="

    def hash_of(cell: str) -> int | None:
        text = form(cell)
        return hash(seed + text) if text else None

    return hash_of
