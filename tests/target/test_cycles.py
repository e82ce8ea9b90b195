"""Which lookups are deferred: enough of them to break each cycle, and none of a row that is on no cycle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from salesforce_bulk_client import Operation
from salesforce_bulk_client.records.columns import Column
from target_salesforce_bulk.batches.row_graph import RowGraph
from target_salesforce_bulk.mapping.plan import Destination

LATER, ALSO_LATER, AT_ONCE = "One__r.Key__c", "Two__r.Key__c", "Three__r.Key__c"
LOOKUPS = [LATER, ALSO_LATER, AT_ONCE]
DESTINATION = Destination(
    stream="units",
    object="Unit__c",
    operation=Operation.INSERT,
    external_id_field=None,
    assignment_rule_id=None,
    columns=(
        Column("Key__c", "string"),
        *(Column(name, "string", parent="Unit__c", is_deferrable=name != AT_ONCE) for name in LOOKUPS),
    ),
    key_column=None,
    parents=("Unit__c",),
    key_properties=(),
    stream_schema={},
)

Row = Mapping[str, int]
"""The number of the parent's row, by lookup; other numbers are no row's."""


def graph_of(rows: Iterable[Row]) -> RowGraph:
    """The graph of rows whose keys are their numbers."""
    graph = RowGraph([DESTINATION])
    graph.add(DESTINATION, ([str(n), *(str(row.get(name, "")) for name in LOOKUPS)] for n, row in enumerate(rows)))
    graph.defer()
    return graph


def is_on_cycle(rows: list[Row], row: int) -> bool:
    """Whether a row is among its own ancestors."""
    seen: set[int] = set()
    ahead = list(rows[row].values())
    while ahead:
        parent = ahead.pop()
        if parent < len(rows) and parent not in seen:
            seen.add(parent)
            ahead += rows[parent].values()
    return row in seen


def has_cycle(rows: list[Row]) -> bool:
    """Whether there is no order in which all parents come first."""
    try:
        TopologicalSorter({n: set(row.values()) for n, row in enumerate(rows)}).prepare()
    except CycleError:
        return True
    return any(n in row.values() for n, row in enumerate(rows))


ROWS = st.integers(1, 12).flatmap(
    lambda number: st.lists(
        st.dictionaries(st.sampled_from(LOOKUPS), st.integers(0, number + 1)), min_size=number, max_size=number
    )
)


@given(ROWS)
def test_every_cycle_that_can_be_is_broken_and_nothing_else(rows: list[Row]) -> None:
    """What is left is loaded parents first, but for cycles of lookups that cannot be filled later: those are named."""
    graph = graph_of(rows)

    deferred = dict(graph.deferred())
    left = [{name: to for name, to in row.items() if name not in deferred.get(n, ())} for n, row in enumerate(rows)]
    stuck = [{name: to for name, to in row.items() if name == AT_ONCE} for row in rows]
    assert all(is_on_cycle(rows, row) for row in deferred)
    assert all(AT_ONCE not in names for names in deferred.values())
    assert has_cycle(left) == has_cycle(stuck)
    assert graph.stuck == ({("units", AT_ONCE)} if has_cycle(stuck) else set())


@given(ROWS)
def test_a_row_is_one_level_above_its_highest_parent(rows: list[Row]) -> None:
    """But for parents whose lookup is deferred; where a cycle cannot be broken there is no such order."""
    graph = graph_of(rows)

    if graph.stuck:
        return
    deferred = dict(graph.deferred())
    for row, links in enumerate(rows):
        found = [to for name, to in links.items() if to < len(rows) and name not in deferred.get(row, ())]
        assert graph.levels[row] == max((graph.levels[to] + 1 for to in found), default=0)


def test_a_later_row_of_a_record_is_a_level_above_the_row_before_it() -> None:
    """Whatever its own parents, and those of the row before."""
    keyed = msgspec.structs.replace(DESTINATION, operation=Operation.UPSERT, key_column="Key__c")
    graph = RowGraph([keyed])
    earlier = [["a", "late", "", ""], ["child", "a", "", ""], ["late", "", "", ""]]
    later = [["A", "", "", ""], ["other", "", "", ""]]
    graph.note_later(keyed, later)
    graph.add(keyed, earlier)
    graph.add(keyed, later)
    graph.defer()

    assert list(graph.levels) == [1, 2, 0, 2, 0]


def test_one_row_of_a_ring_is_enough() -> None:
    """However many rows hang on it."""
    ring = [{LATER: (n + 1) % 1000} for n in range(1000)]
    hanging = [{LATER: n} for n in range(1000)]

    assert len(dict(graph_of([*ring, *hanging]).deferred())) == 1


@pytest.mark.parametrize("spelling", ["KEY", " key "])
def test_keys_are_compared_as_salesforce_does(spelling: str) -> None:
    """Without case and surrounding space."""
    graph = RowGraph([DESTINATION])
    graph.add(DESTINATION, [["key", spelling, "", ""]])
    graph.defer()

    assert list(graph.deferred()) == [(0, [LATER])]


def test_the_first_row_of_a_key_is_the_parent() -> None:
    """Later rows of the key are loaded after it."""
    graph = RowGraph([DESTINATION])
    graph.add(DESTINATION, [["a", "nobody", "", ""], ["b", "a", "", ""], ["a", "b", "", ""]])
    graph.defer()

    assert list(graph.deferred()) == []


def test_a_cleared_lookup_names_no_parent() -> None:
    """Neither does an empty cell."""
    graph = RowGraph([DESTINATION])
    graph.add(DESTINATION, [["#N/A", "#N/A", "", ""], ["", "", "#N/A", ""]])
    graph.defer()

    assert list(graph.deferred()) == []
