"""`Filler`: puts rows into units so that no two rows of one record are ever under way at once, and none out of order.

A row whose key is already in an open unit of its stream goes into the next one, so one stream may have several open
units, each of which waits for the one before. Children wait for the parents that came before them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

from target_salesforce_bulk.plan import Destination, Refusal
from target_salesforce_bulk.spool import Entry
from target_salesforce_bulk.unit import Unit

MOST_OPEN_UNITS = 4
"""Open units of one stream: a record that changes more often than that closes the first of them."""

LOOK_EVERY = 1000
"""Rows between two looks at which units are still under way, if there is no other reason to look."""

TOO_LARGE = Refusal("ROW_TOO_LARGE", "the row alone is larger than job_data_max_bytes")


class Filler:
    """Fills units, and hands closed ones on in an order in which each can wait for those it depends on."""

    def __init__(
        self,
        *,
        begin: Callable[[Destination], Unit],
        under_way: Callable[[], Iterable[Unit]],
        submit: Callable[[Unit], None],
        small_rows: int,
    ) -> None:
        """``begin`` makes an empty unit; ``under_way`` gives the submitted ones that are not finished, oldest first.

        A stream that has no more than ``small_rows`` for Salesforce may do without a job.
        """
        self._begin = begin
        self._under_way = under_way
        self._submit = submit
        self._small_rows = small_rows
        self._open: defaultdict[str, list[Unit]] = defaultdict(list)
        """By stream, in the order in which they must be loaded."""
        self._closing: set[str] = set()
        self._candidates: list[Unit] = []
        """Units with which a row may have to do, latest first; one that is finished meanwhile does no harm."""
        self._asked_for = 0
        self._has_more: set[str] = set()
        """Streams of which a full unit was handed on, since they were closed last."""

    def add(self, entry: Entry, *, destination: Destination, key_text: str | None) -> None:
        """Put one record into the unit where it belongs."""
        key = None if key_text is None else hash(key_text)
        while True:
            unit = self._unit_for(destination, key)
            if unit.add(entry, key_hash=key):
                return
            if unit.is_empty:
                entry, key = Entry(None, TOO_LARGE, entry.record), None
            else:
                self._has_more.add(destination.stream)
                self._close_through(unit)

    def close_stream(self, stream: str) -> None:
        """Hand on all open units of a stream."""
        if units := self._open[stream]:
            number_of_rows = sum(unit.number_of_rows for unit in units)
            is_small = number_of_rows <= self._small_rows and stream not in self._has_more
            for unit in units:
                unit.is_small = is_small
            self._close_through(units[-1])
        self._has_more.discard(stream)

    def close_all(self) -> None:
        """Hand on all open units."""
        for stream in list(self._open):
            self.close_stream(stream)

    def let_go(self) -> None:
        """Give up what is open."""
        for units in self._open.values():
            for unit in units:
                unit.discard()
        self._open.clear()

    def _unit_for(self, destination: Destination, key: int | None) -> Unit:
        """Return the first open unit of the stream in which a row of this key does not overtake an earlier one."""
        units = self._open[destination.stream]
        place = 0
        earlier = self._last_with(destination, key)
        if earlier in units:
            place = units.index(earlier) + 1
        elif earlier is not None and earlier in self._open[earlier.destination.stream]:
            self._close_through(earlier)  # of another stream: two open units must not wait for each other
        if place == MOST_OPEN_UNITS:
            self._close_through(units[0])
            place -= 1
        if place == len(units):
            units.append(self._begin(destination))
            self._asked_for = 0
        if earlier is not None:
            units[place].after.add(earlier)
        return units[place]

    def _last_with(self, destination: Destination, key: int | None) -> Unit | None:
        if key is None:
            return None
        if self._asked_for % LOOK_EVERY == 0:
            self._candidates = [*self._under_way(), *(unit for units in self._open.values() for unit in units)]
            self._candidates.reverse()
        self._asked_for += 1
        for unit in self._candidates:
            if key in unit.keys and _names_records_like(unit.destination, destination):
                return unit
        return None

    def _close_through(self, last: Unit) -> None:
        """Close the open units of a stream up to this one."""
        stream = last.destination.stream
        units = self._open[stream]
        self._closing.add(stream)
        while last in units:
            unit = units.pop(0)
            unit.close()
            self._close_parents(unit)
            self._submit(unit)
        self._asked_for = 0
        self._closing.discard(stream)

    def _close_parents(self, unit: Unit) -> None:
        """Let a unit wait for the parents that came before it."""
        parents = unit.destination.parents
        for stream, others in list(self._open.items()):
            # Objects may be each other's parents: a stream that is being closed already is not waited for.
            if others and others[0].destination.object in parents and stream not in self._closing:
                self.close_stream(stream)
        unit.after.update(other for other in self._under_way() if other.destination.object in parents)


def _names_records_like(one: Destination, other: Destination) -> bool:
    return (one.object, one.key_column) == (other.object, other.key_column)
