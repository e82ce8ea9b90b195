"""The order of the input holds where rows can name the same record."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from salesforce_bulk_client import Operation
from salesforce_bulk_client.records.columns import Column
from target_salesforce_bulk.batches.batch import Batch, BatchLimits
from target_salesforce_bulk.batches.batcher import Batcher
from target_salesforce_bulk.batches.job_data_files import Entry
from target_salesforce_bulk.journal import Journal
from target_salesforce_bulk.mapping.plan import Destination


def _destination(stream: str) -> Destination:
    return Destination(
        stream=stream,
        object="Account",
        operation=Operation.UPSERT,
        external_id_field="Key",
        assignment_rule_id=None,
        columns=(Column("Key", "string"), Column("Number", "string")),
        key_column="Key",
        parents=(),
        key_properties=(),
        stream_schema={},
    )


@pytest.fixture
def submitted(tmp_path: Path) -> Iterator[list[Batch]]:
    """Takes the batches of a batcher, and deletes their files at the end."""
    batches: list[Batch] = []
    yield batches
    for batch in batches:
        batch.discard()


@pytest.mark.parametrize("seed", range(8))
def test_two_rows_of_one_key_never_share_a_job(tmp_path: Path, submitted: list[Batch], seed: int) -> None:
    """Salesforce refuses both, or keeps either. Any mix of keys, streams and finished batches keeps them apart.

    A batch waits for those that had its keys before, so that the last value of each key wins.
    """
    chance = random.Random(seed)
    finished: set[Batch] = set()
    journal = Journal(None, org="o")
    begun = 0

    def begin(destination: Destination) -> Batch:
        nonlocal begun
        begun += 1
        return Batch.begin(
            str(begun),
            destination=destination,
            directory=tmp_path,
            limits=BatchLimits(max_rows=7, max_bytes=10_000),
            journal=journal,
        )

    batcher = Batcher(
        begin=begin,
        under_way=lambda: [batch for batch in submitted if batch not in finished],
        submit=submitted.append,
        small_rows=0,
    )
    streams = {name: _destination(name) for name in ("one", "two")}

    for number in range(300):
        key = str(chance.randrange(12))
        destination = streams[chance.choice(["one", "two"])]
        batcher.add(Entry([key, str(number)], None, b"{}"), destination=destination, key_text=key)
        ready = [batch for batch in submitted if batch not in finished and batch.after.keys() <= finished]
        if ready and chance.random() < 0.3:
            finished.add(chance.choice(ready))
    batcher.close_all()

    last: dict[str, tuple[int, Batch]] = {}
    ancestors: defaultdict[Batch, set[Batch]] = defaultdict(set)
    for batch in submitted:
        ancestors[batch] = set(batch.after).union(*(ancestors[other] for other in batch.after))
        rows = [cells for _, cells in batch.files.rows()]
        assert len({key for key, _ in rows}) == len(rows)
        for key, text in rows:
            number, earlier = last.get(key, (-1, batch))
            assert int(text) > number
            assert earlier in ancestors[batch] | finished | {batch}
            last[key] = (int(text), batch)
    assert sum(batch.number_of_rows for batch in submitted) == 300
