"""Which rows share a job, and which jobs wait for which."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from salesforce_bulk_client import Operation
from salesforce_bulk_client.records.columns import Column
from target_salesforce_bulk.batches.batch import Batch, BatchLimits
from target_salesforce_bulk.batches.batcher import Batcher
from target_salesforce_bulk.batches.job_data_files import Entry
from target_salesforce_bulk.journal import Journal
from target_salesforce_bulk.mapping.plan import Destination


class Loads:
    """A batcher, and what it has submitted; nothing of it is ever finished unless told."""

    def __init__(self, folder: Path, *, max_rows: int) -> None:
        self._folder = folder
        self._limits = BatchLimits(max_rows=max_rows, max_bytes=10_000)
        self.begun = 0
        self.submitted: list[Batch] = []
        self.finished: set[Batch] = set()
        self.batcher = Batcher(begin=self._begin, under_way=self.under_way, submit=self.submitted.append, small_rows=2)

    def _begin(self, destination: Destination) -> Batch:
        self.begun += 1
        return Batch.begin(
            str(self.begun),
            destination=destination,
            directory=self._folder,
            limits=self._limits,
            journal=Journal(None, org="o"),
        )

    def under_way(self) -> list[Batch]:
        return [batch for batch in self.submitted if batch not in self.finished]

    def add(self, key: str, *, stream: str = "s", sobject: str = "O", parents: tuple[str, ...] = ()) -> None:
        destination = Destination(
            stream=stream,
            object=sobject,
            operation=Operation.UPSERT,
            external_id_field="Key",
            assignment_rule_id=None,
            columns=(Column("Key", "string"),),
            key_column="Key",
            parents=parents,
            key_properties=(),
            stream_schema={},
        )
        entry = Entry([key], None, b"{}")
        self.batcher.add(entry, destination=destination, key_text=key)

    def close(self) -> list[tuple[str, list[str], list[str]]]:
        """Close everything; each batch's name, keys, and the batches it waits for."""
        self.batcher.close_all()
        return [
            (batch.id, [cells[0] for _, cells in batch.files.rows()], sorted(other.id for other in batch.after))
            for batch in self.submitted
        ]


@pytest.fixture
def loads(tmp_path: Path) -> Iterator[Callable[..., Loads]]:
    """Makes a batcher."""
    made: list[Loads] = []

    def make(*, max_rows: int = 100) -> Loads:
        made.append(Loads(tmp_path, max_rows=max_rows))
        return made[-1]

    yield make
    for each in made:
        each.batcher.abandon()
        for batch in each.submitted:
            batch.discard()


def test_rows_of_one_key_go_into_units_that_wait_for_each_other(loads: Callable[..., Loads]) -> None:
    """First occurrences share a batch, second ones the next."""
    here = loads()
    for key in ("a", "b", "a", "c", "b", "a"):
        here.add(key)

    assert here.close() == [("1", ["a", "b", "c"], []), ("2", ["a", "b"], ["1"]), ("3", ["a"], ["2"])]


def test_a_key_under_way_is_waited_for(loads: Callable[..., Loads]) -> None:
    """A full batch is on its way; a later row of one of its keys must not overtake it, other rows need not wait."""
    here = loads(max_rows=2)
    for key in ("a", "b", "c", "a", "d"):
        here.add(key)

    assert here.close() == [("1", ["a", "b"], []), ("2", ["c", "a"], ["1"]), ("3", ["d"], [])]


def test_a_finished_unit_is_not_waited_for(loads: Callable[..., Loads]) -> None:
    """Its rows are in the org."""
    here = loads(max_rows=1)
    here.add("a")
    here.add("b")
    here.finished.update(here.submitted)
    here.add("a")

    assert here.close()[-1] == ("3", ["a"], [])


def test_two_streams_into_one_object_share_its_keys(loads: Callable[..., Loads]) -> None:
    """Whatever order their rows come in, no two open batches wait for each other."""
    here = loads()
    here.add("a", stream="s")
    here.add("b", stream="t")
    here.add("b", stream="s")
    here.add("a", stream="t")

    assert here.close() == [("2", ["b"], []), ("1", ["a", "b"], ["2"]), ("3", ["a"], ["1"])]


def test_children_wait_for_parents(loads: Callable[..., Loads]) -> None:
    """Parents that came before are sent first, and waited for."""
    here = loads()
    here.add("parent", stream="parents", sobject="P")
    here.add("child", stream="children", sobject="C", parents=("P",))
    here.batcher.close_stream("children")

    assert here.close() == [("1", ["parent"], []), ("2", ["child"], ["1"])]


def test_a_few_parents_need_no_job_whether_or_not_children_wait(loads: Callable[..., Loads]) -> None:
    """How a parent's batch is sent does not depend on whether its children were closed before it was sent."""
    here = loads()
    here.add("a", stream="parents", sobject="P")
    here.add("x", stream="children", parents=("P",))
    here.close()

    parents, children = here.submitted
    assert set(children.after) == {parents}
    assert (parents.may_skip_job, parents.is_awaited) == (True, False)


def test_objects_that_are_each_others_parents_do_not_wait_in_a_circle(loads: Callable[..., Loads]) -> None:
    """One of the two goes first; none waits for one that waits for it."""
    here = loads()
    for _ in range(2):
        here.add("a", stream="as", sobject="A", parents=("B",))
        here.add("b", stream="bs", sobject="B", parents=("A",))
    here.close()

    for place, batch in enumerate(here.submitted):
        assert batch.after.keys() <= set(here.submitted[:place])


def test_a_record_that_changes_often_keeps_few_units_open(loads: Callable[..., Loads]) -> None:
    """Each change needs a job of its own; the first are sent while others are still gathered."""
    here = loads()
    for _ in range(10):
        here.add("a")

    assert len(here.submitted) == 6
    assert [keys for _, keys, _ in here.close()] == [["a"]] * 10
