"""In which order rows that wait can be loaded, and which of them have to be loaded without a lookup first. Pure.

`RowGraph` has a row for each row that waits, and a link for each of its relationship columns whose parent is such a row
too. A lookup is deferred only where its row is on a cycle, and one for each cycle is enough: what merely hangs on a
cycle is loaded after it. A later row of a record has a link to the row before it. The level of a row is 0 if it has no
link, and else one more than that of the highest row that it is linked to. All is kept in arrays, some 70 bytes for each
row and lookup.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence

from salesforce_bulk_client.records.canonical_form import canonical_key
from salesforce_bulk_client.records.columns import Column

from target_salesforce_bulk.batches.key_set import KeySet
from target_salesforce_bulk.mapping.plan import Destination

_NEW, _ON_PATH, _DONE = range(3)

_NOT_AMONG_ROWS, _IN_SALESFORCE = -1, -2
"""In place of a parent's row."""

_EARLIER_ROW = -1
"""In place of a column: the link leads to the row before of the same record."""

Hash = Callable[[str], int | None]
"""Gives the hash of a parent that a cell names, or of the record whose key it is; None for no value."""


class RowGraph:
    """First `note_later` and `add` all rows, then `defer`."""

    def __init__(self, destinations: Iterable[Destination], *, with_parents: bool = True) -> None:
        """``destinations`` are those of all rows; without parents, rows are only linked to those before them."""
        destinations = list(destinations) if with_parents else []
        self._with_parents = with_parents
        columns = {column for each in destinations for column in each.columns if column.is_relationship}
        self._fields = {(column.parent, column.parent_key) for column in columns}
        """Objects, and the fields by which their records are named as parents."""
        self._columns: list[tuple[Destination, Column]] = []
        self._can_be_deferred: list[bool] = []
        """Whether these lookups can be filled later."""
        self._first = array("q", [0])
        """For each row, and for one after the last, its first link."""
        self._column_of = array("q")
        """For each link, its place in `_columns`."""
        self._wanted = array("q")
        """For each link, the hash of the parent."""
        self._parent_of = array("q")
        """For each link, the parent's row, or why there is none."""
        self._offered = array("q")
        """Hashes of rows' own keys."""
        self._offered_by = array("q")
        """The row of each."""
        self._is_deferred = bytearray()
        """For each link."""
        self._repeated = KeySet()
        """Hashes of the records that several rows may name."""
        self._last_of: array[int] | None = None
        """For each of them, by its slot, the last row that names it so far, or -1."""
        self.levels = array("l")
        """The level of each row."""
        self.stuck: set[tuple[str, str]] = set()
        """Streams and columns of cycles that cannot be broken."""

    def note_later(self, destination: Destination, rows: Iterable[Sequence[str]]) -> None:
        """Note rows, to be added after these calls, which must not be loaded before earlier rows of their records."""
        for cells in rows:
            self._repeated.add(_record_hash(destination, destination.key_text(cells)))

    def add(
        self, destination: Destination, rows: Iterable[Sequence[str]], *, key_texts: Iterable[str] | None = None
    ) -> None:
        """Take rows of one destination, in the order of the input; ``key_texts`` are of rows of a second pass."""
        if self._last_of is None:
            self._last_of = array("q", [-1]) * self._repeated.number_of_slots
        has_repeated = len(self._repeated) > 0 and destination.of_records.key_column is not None
        texts = iter(key_texts) if key_texts is not None else None
        loaded_hash = self._loaded_hash(destination.first_pass) if destination.first_pass else None
        links, keys = self._places(destination)
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
            text = next(texts) if texts else destination.key_text(cells) if has_repeated else None
            if has_repeated:
                self._link_to_earlier(row, _record_hash(destination.of_records, text))
            if loaded_hash and text and (offered := loaded_hash(text)) is not None:
                self._offered.append(offered)
                self._offered_by.append(_IN_SALESFORCE)
            self._first.append(len(self._wanted))

    def _places(self, destination: Destination) -> tuple[list[tuple[int, int, Hash]], list[tuple[int, Hash]]]:
        """Return where rows have the keys of their parents, each with its place in `_columns`, and their own."""
        links: list[tuple[int, int, Hash]] = []
        keys: list[tuple[int, Hash]] = []
        for place, column in enumerate(destination.columns):
            if column.is_relationship and self._with_parents:
                links.append((place, len(self._columns), _hash(column.parent, column.parent_key, column.type)))
                self._columns.append((destination, column))
                self._can_be_deferred.append(column.is_deferrable and not destination.first_pass)
            elif (destination.object, column.name) in self._fields:
                keys.append((place, _hash(destination.object, column.name, column.type)))
        return links, keys

    def _loaded_hash(self, first_pass: Destination) -> Hash | None:
        """Return what gives the hash of a record that is loaded already, if its key can name it as a parent."""
        index = first_pass.key_index
        if index is None or (first_pass.object, first_pass.columns[index].name) not in self._fields:
            return None
        column = first_pass.columns[index]
        return _hash(first_pass.object, column.name, column.type)

    def _link_to_earlier(self, row: int, record: int) -> None:
        """Let a row come after the row before it of the same record."""
        slot = self._repeated.slot(record)
        if slot is None or self._last_of is None:
            return
        if self._last_of[slot] >= 0:
            self._wanted.append(self._last_of[slot])
            self._column_of.append(_EARLIER_ROW)
        self._last_of[slot] = row

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
                if self._is_deferred[link]  # never one to an earlier row
            ]
            if names:
                yield row, names

    def _find_parents(self) -> None:
        """Find the first row with each parent's key: later ones of its key are loaded after it."""
        keys = KeySet()
        for wanted in self._wanted:
            keys.add(wanted)
        row_of = array("q", [_NOT_AMONG_ROWS]) * keys.number_of_slots
        for offered, row in zip(self._offered, self._offered_by, strict=True):
            slot = keys.slot(offered)
            if slot is not None and row_of[slot] == _NOT_AMONG_ROWS:
                row_of[slot] = row
        self._parent_of = array(
            "q",
            (
                wanted if column == _EARLIER_ROW else row_of[keys.slot(wanted) or 0]
                for wanted, column in zip(self._wanted, self._column_of, strict=True)
            ),
        )

    def _walk(self) -> bool:
        """Walk along all links, depth first, and defer one of each cycle that closes; return whether any was.

        If none was, the levels are right, but for rows on a cycle that is stuck and those that hang on it.
        """
        has_deferred = False
        state = bytearray(len(self._first) - 1)
        levels = self.levels = array("l", bytes(self.levels.itemsize * len(state)))
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
                    if path:
                        levels[path[-1]] = max(levels[path[-1]], levels[row] + 1)
                    continue
                next_link[row] += 1
                parent = self._parent_of[link]
                if parent < 0 or self._is_deferred[link]:
                    continue
                if state[parent] == _DONE:
                    levels[row] = max(levels[row], levels[parent] + 1)
                elif state[parent] == _NEW:
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
            column = self._column_of[link]
            if column != _EARLIER_ROW and self._can_be_deferred[column]:
                is_broken = bool(self._is_deferred[link])
                self._is_deferred[link] = True
                return not is_broken
            links.append(link)
            if row == start:
                break
        for column in {self._column_of[link] for link in links} - {_EARLIER_ROW}:
            destination, lookup = self._columns[column]
            self.stuck.add((destination.stream, lookup.name))
        return False


def _hash(sobject: str, field: str, field_type: str) -> Hash:
    form = canonical_key(field_type)
    seed = f"{sobject}.{field}="

    def hash_of(cell: str) -> int | None:
        text = form(cell)
        return hash(seed + text) if text else None

    return hash_of


def _record_hash(destination: Destination, key_text: str | None) -> int:
    return hash((destination.object, destination.key_column, key_text))
