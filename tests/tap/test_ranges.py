"""Windows and halves: together exactly what they were made of, and nothing twice."""

from __future__ import annotations

import doctest
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tap_salesforce_bulk.query import ranges
from tap_salesforce_bulk.query.ranges import QueryRange, split_by_id, split_by_key, windows

BEGIN = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_the_examples_in_the_docstrings_hold() -> None:
    """Each example in the module's docstrings gives what it says."""
    assert doctest.testmod(ranges).failed == 0


@given(seconds=st.integers(1, 10**8), days=st.floats(0.5, 400))
def test_windows_follow_one_another(seconds: int, days: float) -> None:
    """The first begins where the range does, the last ends where it does, and each where the one before it ended."""
    until = BEGIN + timedelta(seconds=seconds)

    found = list(windows(BEGIN, until, days=days))

    assert (found[0].lower, found[-1].upper) == (BEGIN, until)
    assert all(one.upper == other.lower for one, other in pairwise(found))
    assert all(each.lower and each.upper and each.lower < each.upper for each in found)


def test_without_days_there_is_one_window() -> None:
    """So there is without a beginning."""
    assert list(windows(BEGIN, BEGIN + SECOND, days=None)) == [QueryRange(lower=BEGIN, upper=BEGIN + SECOND)]
    assert list(windows(None, BEGIN, days=1)) == [QueryRange(upper=BEGIN)]


@given(seconds=st.integers(2, 10**9))
def test_halves_in_time_meet_on_a_whole_second(seconds: int) -> None:
    """Salesforce's stamps have no smaller part."""
    query_range = QueryRange(lower=BEGIN, upper=BEGIN + timedelta(seconds=seconds))

    halves = split_by_key(query_range, earliest=BEGIN, step=SECOND)

    assert halves
    assert (halves[0].lower, halves[0].upper) == (query_range.lower, halves[1].lower)
    assert halves[1].upper == query_range.upper
    assert halves[0].upper
    assert halves[0].upper.microsecond == 0


@pytest.mark.parametrize(
    "query_range",
    [
        QueryRange(),
        QueryRange(lower=BEGIN, upper=BEGIN + SECOND),
        QueryRange(upper=BEGIN - SECOND),
        QueryRange(upper=BEGIN),
    ],
)
def test_a_moment_has_no_halves(query_range: QueryRange) -> None:
    """Nor has what ends before its first row."""
    assert split_by_key(query_range, earliest=BEGIN, step=SECOND) is None


def test_a_part_without_a_beginning_keeps_none() -> None:
    """Its first half goes on to begin before the first row that is known."""
    halves = split_by_key(QueryRange(upper=BEGIN), earliest=BEGIN - 100 * SECOND, step=SECOND)

    assert halves == (QueryRange(upper=BEGIN - 50 * SECOND), QueryRange(lower=BEGIN - 50 * SECOND, upper=BEGIN))


IDS = st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", min_size=12, max_size=12)


@given(one=IDS, other=IDS)
def test_halves_by_id_lie_between_the_ids(one: str, other: str) -> None:
    """In the order of their characters, which is Salesforce's."""
    first, last = sorted(["001" + one, "001" + other])
    query_range = QueryRange(lower=BEGIN)

    halves = split_by_id(query_range, first=first, last=last)

    if halves:
        middle = halves[0].id_upper
        assert middle
        assert first < middle < last
        assert halves == (QueryRange(lower=BEGIN, id_upper=middle), QueryRange(lower=BEGIN, id_lower=middle))


def test_the_checksum_of_an_id_does_not_count() -> None:
    """Ids come in 18 characters, of which 15 tell where they are."""
    halves = split_by_id(QueryRange(), first="001000000000000AAA", last="001000000000004AAA")

    assert halves == (QueryRange(id_upper="001000000000002"), QueryRange(id_lower="001000000000002"))


def test_two_neighbours_have_no_halves() -> None:
    """There is nothing between them."""
    assert split_by_id(QueryRange(), first="001000000000000AAA", last="001000000000001AAA") is None
