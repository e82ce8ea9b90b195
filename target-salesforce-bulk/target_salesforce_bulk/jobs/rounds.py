"""Plans in which rounds rows are sent that wait for their parents, or for earlier rows of the same record.

A plan gives each row that is left of some batches a level: those of the first are sent first, and so on.
"""

from __future__ import annotations

import logging
from array import array
from collections.abc import Iterator, Sequence

from target_salesforce_bulk.batches.batch import Batch, Part, Wait
from target_salesforce_bulk.batches.row_graph import RowGraph

logger = logging.getLogger(__name__)


def plan_by_parents(batches: Sequence[Batch]) -> None:
    """Let each row come after its parents; lookups of rows that wait for each other, or themselves, are deferred."""
    graph = _graph(batches, with_parents=True)
    for stream, column in sorted(graph.stuck):
        logger.warning(
            "stream %s: rows point to each other, or to themselves, by %s, which Salesforce does not let be filled"
            " later: they cannot be loaded",
            stream,
            column,
            extra={"stream_name": stream},
        )
    _note_levels(batches, graph)
    deferred = graph.deferred()
    row, names = next(deferred, (-1, []))
    for batch, part, start, end in _places(batches):
        columns = {}
        while 0 <= row < end:
            columns[row - start] = names
            row, names = next(deferred, (-1, []))
        if columns:
            batch.defer_lookups(part, columns)


def plan_at_once(batches: Sequence[Batch]) -> None:
    """Let each row come after earlier ones of its record, whatever its parents."""
    _note_levels(batches, _graph(batches, with_parents=False))


def plan_free_first(batch: Batch, followed: Sequence[Batch]) -> None:
    """Let the rows that a batch was to send come first which do not name the same record as rows of others."""
    keys = [keys for other in followed for keys in other.keys_left()]
    part = batch.parts[-1]
    part.plan(array("l", (1 if any(key in its for its in keys) else 0 for key in _key_hashes(batch, part))))


def plan_repeated_first(batches: Sequence[Batch], followers: Sequence[tuple[Batch, Part]]) -> None:
    """Let the rows come first that rows of ``followers`` must not overtake, parents first; all others at once."""
    graph = _graph(batches, with_parents=True)
    last = max(graph.levels, default=0) + 1
    for batch, part, start, end in _places(batches):
        levels = graph.levels[start:end]
        keys = [each.keys for follower, each in followers if follower.must_follow(batch, each)]
        if not keys:
            part.plan(array("l", [last]) * len(levels))
        elif batch.destination.first_pass or any(each.follows_all_rows_of(batch) for each, _ in followers):
            part.plan(array("l", [min(levels, default=0)]) * len(levels))
        else:
            hashes = zip(_key_hashes(batch, part), levels, strict=True)
            part.plan(array("l", (level if any(key in its for its in keys) else last for key, level in hashes)))


def _graph(batches: Sequence[Batch], *, with_parents: bool) -> RowGraph:
    graph = RowGraph((batch.destination for batch in batches), with_parents=with_parents)
    for batch in batches:
        if Wait.SAME_KEYS in batch.after.values():
            for part in batch.parts:
                graph.note_later(batch.destination, _cells(part))
    for batch in batches:
        for part in batch.parts:
            graph.add(batch.destination, _cells(part), key_texts=_keys_of_first_pass(batch, part))
    graph.defer()
    return graph


def _keys_of_first_pass(batch: Batch, part: Part) -> Iterator[str] | None:
    if batch.destination.first_pass is None:
        return None
    return (entry.deferred.key for entry in part.files.entries() if entry.deferred)


def _note_levels(batches: Sequence[Batch], graph: RowGraph) -> None:
    for batch, part, start, end in _places(batches):
        levels = graph.levels[start:end]
        if batch.destination.first_pass:  # what the journal knows of its records is of all together
            levels = array("l", [max(levels, default=0)]) * len(levels)
        part.plan(levels)


def _places(batches: Sequence[Batch]) -> Iterator[tuple[Batch, Part, int, int]]:
    """Yield each part with the numbers that its first row, and the one after its last, have in the graph."""
    start = 0
    for batch in batches:
        for part in list(batch.parts):
            end = start + part.files.number_of_rows
            yield batch, part, start, end
            start = end


def _cells(part: Part) -> Iterator[list[str]]:
    return (cells for _, cells in part.files.rows())


def _key_hashes(batch: Batch, part: Part) -> Iterator[int]:
    """Yield the hash of each row's key, as `Part.keys` has them."""
    key_text = batch.destination.key_text
    return (hash(key_text(cells)) for cells in _cells(part))
