"""Cells become values by describe type alone, and no value changes on the way."""

from __future__ import annotations

import doctest
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from salesforce_bulk_client import Field
from singer_sdk.contrib.msgspec import serialize_jsonl
from tap_salesforce_bulk.output import cells


def field(type_: str, *, name: str = "Some__c") -> Field:
    """A field of one describe type."""
    return Field.from_json({"name": name, "type": type_})


def read(type_: str, cell: str) -> cells.Value:
    return cells.converter_for(field(type_))(cell)


def as_written(value: cells.Value) -> str:
    """The JSON text of a value, as it goes down the pipe."""
    return bytes(serialize_jsonl(value)).decode().rstrip("\n")


def test_the_examples_in_the_docstrings_hold() -> None:
    """Each example in the module's docstrings gives what it says."""
    assert doctest.testmod(cells).failed == 0


@pytest.mark.parametrize(
    "type_",
    [
        "string",
        "picklist",
        "textarea",
        "reference",
        "id",
        "anyType",
        "boolean",
        "int",
        "long",
        "double",
        "date",
        "time",
    ],
)
def test_an_empty_cell_is_null(type_: str) -> None:
    """Salesforce writes null as an empty cell, whatever the type."""
    assert read(type_, "") is None


@pytest.mark.parametrize(
    "cell", ["NA", "N/A", "#N/A", "null", "0012", "1e5", "true", " x ", "a\r\nb", 'say "hi"', "\u2028"]
)
def test_text_stays_text(cell: str) -> None:
    """What reads like a null, a number or a boolean is text where describe says text."""
    assert read("string", cell) == cell


@given(st.text(min_size=1))
def test_any_text_comes_through_the_pipe_unchanged(cell: str) -> None:
    """Any Unicode text is read and written as it is."""
    assert msgspec.json.decode(as_written(read("textarea", cell))) == cell


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("0", 0),
        ("42", 42),
        ("-7", -7),
        ("0.0", 0),
        ("9.12260031E8", 912260031),
        ("1.0E3", 1000),
        ("2147483648.0", 2147483648),
    ],
)
def test_an_int_is_whole_however_it_is_written(cell: str, value: int) -> None:
    """Salesforce writes whole numbers as Java doubles now and then."""
    assert read("int", cell) == value
    assert isinstance(read("int", cell), int)


@given(st.integers(min_value=-(2**63), max_value=2**63 - 1))
def test_every_long_is_exact(whole: int) -> None:
    """64 bits do not fit a float, and need not."""
    assert read("long", str(whole)) == whole
    assert as_written(read("long", str(whole))) == str(whole)


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("0.1", "0.1"),
        ("3.0", "3.0"),
        ("950000000.0", "950000000.0"),
        ("9.12260031E8", "912260031.0"),
        ("1234567890123456.78", "1234567890123456.78"),
        ("0.123456789012345678", "0.123456789012345678"),
    ],
)
def test_a_number_is_exact(cell: str, written: str) -> None:
    """A double that a float cannot hold as it is written is not rounded."""
    assert as_written(read("currency", cell)) == written


@given(st.decimals(allow_nan=False, allow_infinity=False, places=None, min_value=-(10**18), max_value=10**18))
def test_every_decimal_keeps_its_value(exact: Decimal) -> None:
    """The number in the pipe, read without rounding, is the number in the cell."""
    written = as_written(read("double", str(exact)))

    assert Decimal(written) == exact


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_keeps_its_value(nearest: float) -> None:
    """What Java writes of a double is read as that double."""
    assert float(as_written(read("percent", repr(nearest)))) == nearest


@pytest.mark.parametrize(("cell", "value"), [("true", True), ("false", False)])
def test_a_boolean_is_true_or_false(cell: str, value: bool) -> None:  # noqa: FBT001
    """Bulk writes booleans in small letters."""
    assert read("boolean", cell) is value


@pytest.mark.parametrize(
    "cell",
    [
        "2023-10-22T06:25:12.000Z",
        "2023-10-22T06:25:12.000+0000",
        "2023-10-22T06:25:12.000+00:00",
        "2023-10-22T06:25:12Z",
        "2023-10-22T08:25:12.000+0200",
    ],
)
def test_an_instant_has_one_form(cell: str) -> None:
    """REST and Bulk, and versions of them, write the same instant differently."""
    assert read("datetime", cell) == "2023-10-22T06:25:12.000Z"


@given(
    st.datetimes(min_value=datetime(1700, 1, 2), max_value=datetime(3999, 12, 30)),  # noqa: DTZ001
    st.integers(min_value=-14 * 60, max_value=14 * 60),
)
def test_instants_compare_as_their_texts_do(naive: datetime, offset_minutes: int) -> None:
    """The bookmark is the greatest text, and so the latest instant, whatever offset it came with."""
    instant = naive.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=offset_minutes)))
    text = read("datetime", instant.isoformat())
    later = read("datetime", (instant + timedelta(seconds=1)).isoformat())

    assert isinstance(text, str)
    assert isinstance(later, str)
    assert text < later
    assert datetime.fromisoformat(text) == instant.astimezone(UTC)


def test_dates_and_times_stay_as_they_are() -> None:
    """A date has no time, and a time no date."""
    assert read("date", "2020-11-16") == "2020-11-16"
    assert read("time", "10:30:00.000Z") == "10:30:00.000Z"


@pytest.mark.parametrize(
    ("type_", "cell"),
    [
        ("int", "2.5"),
        ("int", "1_000"),
        ("int", "\u0661"),
        ("int", "abc"),
        ("long", " 1"),
        ("double", "NaN"),
        ("double", "Infinity"),
        ("double", "1,5"),
        ("boolean", "TRUE"),
        ("boolean", "1"),
        ("date", "2020-11-16T00:00:00Z"),
        ("datetime", "yesterday"),
        ("time", "noon"),
    ],
)
def test_what_a_type_cannot_hold_is_refused(type_: str, cell: str) -> None:
    """A wrong value is never passed on."""
    with pytest.raises(ValueError):  # noqa: PT011
        read(type_, cell)
