"""Lets rows be loaded without a lookup first where their parent cannot come before them: they point to each other."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import accumulate

from target_salesforce_bulk.batches.batch import Batch
from target_salesforce_bulk.batches.row_graph import RowGraph

logger = logging.getLogger(__name__)


def defer_lookups(batches: Sequence[Batch]) -> bool:
    """Defer lookups of rows that wait for each other, or for themselves; return whether there are any.

    ``batches`` are all those whose rows wait for their parents.
    """
    graph = RowGraph(batch.destination for batch in batches)
    for batch in batches:
        graph.add(batch.destination, (cells for _, cells in batch.files.rows()))
    graph.defer()
    for stream, column in sorted(graph.stuck):
        logger.warning(
            "stream %s: rows point to each other, or to themselves, by %s, which Salesforce does not let be filled"
            " later: they cannot be loaded",
            stream,
            column,
            extra={"stream_name": stream},
        )
    deferred = graph.deferred()
    has_any = False
    row, names = next(deferred, (-1, []))
    ends = accumulate(batch.number_of_rows for batch in batches)
    for batch, end in zip(batches, ends, strict=True):
        columns = {}
        while 0 <= row < end:
            columns[row - end + batch.number_of_rows] = names
            row, names = next(deferred, (-1, []))
        if columns:
            has_any = True
            batch.defer_lookups(columns)
    return has_any
