"""Windows and halves: together exactly what they were made of, and nothing twice."""

from __future__ import annotations

import doctest
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tap_salesforce_bulk import parts
from tap_salesforce_bulk.parts import Part, halves_by_cursor, halves_by_id, windows

BEGIN = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_the_examples_in_the_docstrings_hold() -> None:
    """Each example in the module's docstrings gives what it says."""
    assert doctest.testmod(parts).failed == 0


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
    assert list(windows(BEGIN, BEGIN + SECOND, days=None)) == [Part(lower=BEGIN, upper=BEGIN + SECOND)]
    assert list(windows(None, BEGIN, days=1)) == [Part(upper=BEGIN)]


@given(seconds=st.integers(2, 10**9))
def test_halves_in_time_meet_on_a_whole_second(seconds: int) -> None:
    """Salesforce's stamps have no smaller part."""
    part = Part(lower=BEGIN, upper=BEGIN + timedelta(seconds=seconds))

    halves = halves_by_cursor(part, earliest=BEGIN, step=SECOND)

    assert halves
    assert (halves[0].lower, halves[0].upper, halves[1].upper) == (part.lower, halves[1].lower, part.upper)
    assert halves[0].upper
    assert halves[0].upper.microsecond == 0


@pytest.mark.parametrize(
    "part", [Part(), Part(lower=BEGIN, upper=BEGIN + SECOND), Part(upper=BEGIN - SECOND), Part(upper=BEGIN)]
)
def test_a_moment_has_no_halves(part: Part) -> None:
    """Nor has what ends before its first row."""
    assert halves_by_cursor(part, earliest=BEGIN, step=SECOND) is None


def test_a_part_without_a_beginning_keeps_none() -> None:
    """Its first half goes on to begin before the first row that is known."""
    halves = halves_by_cursor(Part(upper=BEGIN), earliest=BEGIN - 100 * SECOND, step=SECOND)

    assert halves == (Part(upper=BEGIN - 50 * SECOND), Part(lower=BEGIN - 50 * SECOND, upper=BEGIN))


IDS = st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", min_size=12, max_size=12)


@given(one=IDS, other=IDS)
def test_halves_by_id_lie_between_the_ids(one: str, other: str) -> None:
    """In the order of their characters, which is Salesforce's."""
    first, last = sorted(["001" + one, "001" + other])
    part = Part(lower=BEGIN)

    halves = halves_by_id(part, first=first, last=last)

    if halves:
        middle = halves[0].id_upper
        assert middle
        assert first < middle < last
        assert halves == (Part(lower=BEGIN, id_upper=middle), Part(lower=BEGIN, id_lower=middle))


def test_the_checksum_of_an_id_does_not_count() -> None:
    """Ids come in 18 characters, of which 15 tell where they are."""
    halves = halves_by_id(Part(), first="001000000000000AAA", last="001000000000004AAA")

    assert halves == (Part(id_upper="001000000000002"), Part(id_lower="001000000000002"))


def test_two_neighbours_have_no_halves() -> None:
    """There is nothing between them."""
    assert halves_by_id(Part(), first="001000000000000AAA", last="001000000000001AAA") is None
