"""`Batcher`: puts rows into batches so that rows that can name the same record keep the order of the input.

A row whose key is already in an open batch of its stream goes into the next one, so one stream may have several open
batches, each of which waits for the one before. Children wait for the parents that came before them. Batches on one
object whose keys cannot be compared, because they are of different columns, wait for each other completely.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

import msgspec
from salesforce_bulk_client import Operation

from target_salesforce_bulk.batches.batch import Batch, Wait
from target_salesforce_bulk.batches.job_data_files import Entry, fingerprint_of
from target_salesforce_bulk.mapping.plan import Destination, Refusal

MAX_OPEN_BATCHES = 4
"""Open batches of one stream: a record that changes more often than that closes the first of them."""

LOOK_EVERY = 1000
"""Rows after which it is checked again which batches are still in progress."""

TOO_LARGE = Refusal("ROW_TOO_LARGE", "the row alone is larger than job_data_max_bytes")

_DELETES = frozenset({Operation.DELETE, Operation.HARD_DELETE})


class Batcher:
    """Fills batches, and hands closed ones on in an order in which each can wait for those it depends on."""

    def __init__(
        self,
        *,
        begin: Callable[[Destination], Batch],
        under_way: Callable[[], Iterable[Batch]],
        submit: Callable[[Batch], None],
        small_rows: int,
    ) -> None:
        """``begin`` makes an empty batch; ``under_way`` gives the submitted ones that are not finished, oldest first.

        A stream that has no more than ``small_rows`` at the end of the input may do without a job.
        """
        self._begin = begin
        self._under_way = under_way
        self._submit = submit
        self._small_rows = small_rows
        self._open: defaultdict[str, list[Batch]] = defaultdict(list)
        """By stream, in the order in which they must be loaded."""
        self._closing: set[str] = set()
        self._candidates: list[Batch] = []
        """Batches with which a row may have to do, latest first; one that is finished meanwhile does no harm."""
        self._asked_for = 0
        self._has_more: set[str] = set()
        """Streams of which a full batch was handed on, since they were closed last."""

    def add(self, entry: Entry, *, destination: Destination, key_text: str | None) -> None:
        """Put one record into the batch where it belongs."""
        key = None if key_text is None else hash(key_text)
        while True:
            batch = self._batch_for(destination, key)
            if batch.add(entry, key_hash=key):
                return
            if batch.is_empty:
                identity = fingerprint_of(destination, entry)
                entry = msgspec.structs.replace(
                    entry, cells=None, refusal=TOO_LARGE, fingerprint=identity, key=key_text
                )
            else:
                self._has_more.add(destination.stream)
                self._close_through(batch)

    def close_stream(self, stream: str, *, is_at_end: bool = False) -> None:
        """Hand on all open batches of a stream; ``is_at_end`` says that no more records will come."""
        if batches := self._open[stream]:
            number_of_rows = sum(batch.number_of_rows for batch in batches)
            is_small = is_at_end and number_of_rows <= self._small_rows and stream not in self._has_more
            for batch in batches:
                batch.may_skip_job = is_small
            self._close_through(batches[-1])
        self._has_more.discard(stream)

    def close_all(self) -> None:
        """Hand on all open batches: the input has ended."""
        for stream in list(self._open):
            self.close_stream(stream, is_at_end=True)

    def abandon(self) -> None:
        """Delete what is open: it comes again."""
        for batches in self._open.values():
            for batch in batches:
                batch.discard()
        self._open.clear()

    def _batch_for(self, destination: Destination, key: int | None) -> Batch:
        """Return the first open batch of the stream in which a row of this key does not overtake an earlier one."""
        batches = self._open[destination.stream]
        if batches and batches[0].destination is not destination and batches[0].destination != destination:
            self.close_stream(destination.stream)  # its schema has changed
        place = 0
        earlier = self._last_with(destination, key)
        if earlier in batches:
            place = batches.index(earlier) + 1
        elif earlier is not None and earlier in self._open[earlier.destination.stream]:
            self._close_through(earlier)  # of another stream: two open batches must not wait for each other
        if place == MAX_OPEN_BATCHES:
            self._close_through(batches[0])
            place -= 1
        if place < len(batches):
            batch = batches[place]
        else:
            batch = self._begun(destination)
            batches.append(batch)
        if earlier is not None:
            batch.wait_for([earlier], Wait.SAME_KEYS)
        return batch

    def _begun(self, destination: Destination) -> Batch:
        """Return a new batch, after all those whose rows cannot be distinguished from its own by their keys."""
        for stream, others in list(self._open.items()):
            if stream != destination.stream and any(_is_ordered(other.destination, destination) for other in others):
                self._close_through(others[-1])
        batch = self._begin(destination)
        ordered = [other for other in self._under_way() if _is_ordered(other.destination, destination)]
        batch.wait_for(ordered, Wait.ALL_ROWS)
        self._asked_for = 0
        return batch

    def _last_with(self, destination: Destination, key: int | None) -> Batch | None:
        if key is None:
            return None
        if self._asked_for % LOOK_EVERY == 0:
            self._candidates = [*self._under_way(), *(batch for batches in self._open.values() for batch in batches)]
            self._candidates.reverse()
        self._asked_for += 1
        for batch in self._candidates:
            if key in batch.keys and _has_same_keys(batch.destination, destination):
                return batch
        return None

    def _close_through(self, last: Batch) -> None:
        """Close the open batches of a stream up to this one."""
        stream = last.destination.stream
        batches = self._open[stream]
        self._closing.add(stream)
        while last in batches:
            batch = batches.pop(0)
            batch.close()
            self._close_parents(batch)
            self._submit(batch)
        self._asked_for = 0
        self._closing.discard(stream)

    def _close_parents(self, batch: Batch) -> None:
        """Let a batch wait for the parents that came before it."""
        parents = batch.destination.parents
        for stream, others in list(self._open.items()):
            # Objects may be each other's parents: a stream that is being closed already is not waited for.
            if others and others[0].destination.object in parents and stream not in self._closing:
                self.close_stream(stream)
        batch.wait_for((other for other in self._under_way() if other.destination.object in parents), Wait.PARENTS)


def _has_same_keys(one: Destination, other: Destination) -> bool:
    one, other = one.of_records, other.of_records
    return (one.object, one.key_column) == (other.object, other.key_column)


def _is_ordered(earlier: Destination, later: Destination) -> bool:
    """Whether the later batch waits for the earlier one whatever their keys: their records cannot be distinguished."""
    earlier = earlier.of_records
    if earlier.object == later.object:
        both_insert = earlier.operation is later.operation is Operation.INSERT
        return not both_insert and earlier.key_column != later.key_column
    return later.operation in _DELETES and later.object in earlier.references
