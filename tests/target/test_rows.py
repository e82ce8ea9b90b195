"""What a JSON value becomes in a cell, by describe's type of the field; and which values are refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from salesforce_bulk_client.records.canonical_form import canonical_form, canonical_key
from salesforce_bulk_client.records.cells import ValueRefused, converter, to_datetime
from salesforce_bulk_client.records.column_conversion import ColumnConverter


@pytest.mark.parametrize(
    ("field_type", "value", "cell"),
    [
        ("string", "0012", "0012"),
        ("string", "two\r\nlines", "two\r\nlines"),
        ("string", " spaces ", " spaces "),
        ("string", 12, "12"),
        ("string", Decimal("0.10"), "0.10"),
        ("string", False, "false"),
        ("picklist", "NA", "NA"),
        ("int", 250, "250"),
        ("int", Decimal("250.0"), "250"),
        ("int", "7", "7"),
        ("long", 9007199254740993, "9007199254740993"),
        ("double", Decimal("0.1"), "0.1"),
        ("double", 0.1, "0.1"),
        ("double", Decimal("1E-7"), "0.0000001"),
        ("double", Decimal("123456789012345678.123456789"), "123456789012345678.123456789"),
        ("currency", Decimal(912260031), "912260031"),
        ("percent", 50, "50"),
        ("double", Decimal("1E+300"), "1E+300"),
        ("boolean", True, "true"),
        ("boolean", "FALSE", "false"),
        ("boolean", 0, "false"),
        ("boolean", Decimal("1.0"), "true"),
        ("int", Decimal("2.5E+2"), "250"),
        ("int", 250.0, "250"),
        ("int", " 250.00 ", "250"),
        ("int", Decimal("-0.0"), "0"),
        ("double", Decimal("0E+999999999"), "0"),
        ("double", "+1.5e2", "150"),
        ("date", "2024-02-29", "2024-02-29"),
        ("date", "2024-02-29T00:00:00+09:00", "2024-02-29"),
        ("datetime", "2024-01-15T10:30:00Z", "2024-01-15T10:30:00.000Z"),
        ("datetime", "2024-01-15T10:30:00.999999+0530", "2024-01-15T05:00:00.999Z"),
        ("datetime", "2024-01-15T10:30:00", "2024-01-15T10:30:00.000Z"),
        ("datetime", "2024-01-15", "2024-01-15T00:00:00.000Z"),
        ("time", "10:30", "10:30:00.000Z"),
        ("time", "10:30:00.1234Z", "10:30:00.123Z"),
        ("multipicklist", ["red", "green"], "red;green"),
        ("multipicklist", "red;green", "red;green"),
        ("multipicklist", '["1.10", 1.10]', "1.10;1.10"),
        ("reference", "001000000000001AAA", "001000000000001AAA"),
        ("id", "001000000000001", "001000000000001"),
    ],
)
def test_a_value_becomes_its_cell(field_type: str, value: Any, cell: str) -> None:
    """Text stays text, numbers stay exact, moments become UTC milliseconds."""
    assert converter(field_type)(value) == cell


@pytest.mark.parametrize(
    ("field_type", "value", "code"),
    [
        ("int", Decimal("2.5"), "INVALID_VALUE"),
        ("int", "two", "INVALID_VALUE"),
        ("int", True, "INVALID_VALUE"),
        ("double", "1,5", "INVALID_VALUE"),
        ("double", float("nan"), "INVALID_VALUE"),
        ("boolean", "maybe", "INVALID_VALUE"),
        ("boolean", Decimal("1.5"), "INVALID_VALUE"),
        ("date", "15/01/2024", "INVALID_VALUE"),
        ("date", "2024-01-15T10:30:00Z", "INVALID_VALUE"),
        ("datetime", 1705314600, "INVALID_VALUE"),
        ("datetime", "0001-01-01T00:00:00+14:00", "INVALID_VALUE"),
        ("time", "10:30:00+02:00", "INVALID_VALUE"),
        ("multipicklist", ["a;b"], "INVALID_VALUE"),
        ("string", "#N/A", "TEXT_MEANS_NULL"),
        ("multipicklist", ["#N/A"], "TEXT_MEANS_NULL"),
        ("string", {"a": 1}, "NESTED_VALUE"),
        ("string", ["a"], "NESTED_VALUE"),
        ("date", ["2024-01-15"], "NESTED_VALUE"),
        ("time", {"hour": 10}, "NESTED_VALUE"),
        ("int", ["7"], "NESTED_VALUE"),
        ("boolean", [True], "NESTED_VALUE"),
        ("id", ["001000000000001"], "NESTED_VALUE"),
        ("textarea", "x" * 131_073, "STRING_TOO_LONG"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(field_type: str, value: Any, code: str) -> None:
    """The refusal has a code, and its text never holds the value."""
    with pytest.raises(ValueRefused) as refused:
        converter(field_type)(value)

    assert refused.value.code == code
    assert "15/01" not in str(refused.value)


@pytest.mark.parametrize("field_type", ["id", "reference"])
@pytest.mark.parametrize(
    "value",
    [
        "1,234",
        "001000000000001,x",
        "001000000000001,xy",
        "00100000000000",
        "0010000000000011",
        "0010000000000011A",
        "001000000000001AAAA",
        " 001000000000001",
        "00100000000000 ",
        "001000000000001\nAA",
        "00100000000000é",
        "00100000000000\u0661",
        "001000000000_01",
        True,
        7,
    ],
)
def test_an_id_has_15_or_18_letters_and_digits_or_it_is_refused(field_type: str, value: Any) -> None:
    """Ids are joined by commas in a request for many records, so a comma in one would name other records."""
    with pytest.raises(ValueRefused) as refused:
        converter(field_type)(value)

    assert refused.value.code == "MALFORMED_ID"
    assert str(refused.value) == "the value is not an Id, which has 15 or 18 letters and digits"


@pytest.mark.parametrize("field_type", ["int", "long", "double", "currency", "percent"])
@pytest.mark.parametrize(
    "value",
    [
        *("sNaN", "-sNaN123", "NaN", "Infinity", "-inf", "1_000", "0x10", "١٢", "1 2", "1,5", "1e", ".", "", "\uff11"),
        *("1e999999999", "-1e999999999", "1e99999999999999999999", "2e308"),
        *(Decimal("1E+999999999"), Decimal("sNaN"), Decimal("NaN"), float("inf"), float("nan")),
    ],
)
def test_what_no_number_field_can_hold_is_refused(field_type: str, value: Any) -> None:
    """Python reads more texts as numbers than Salesforce does, and no double is larger than 1.8e308."""
    with pytest.raises(ValueRefused, match=r"the value is not a (finite )?number"):
        converter(field_type)(value)


@pytest.mark.parametrize("value", ["[" * 100_000, '["a", NaN]', '["\\ud800"]', "[1e99999999999999999999]"])
def test_a_text_that_only_looks_like_a_list_is_a_text(value: str) -> None:
    """JSON that is nested too deeply, or that has what JSON cannot have, is not taken apart."""
    assert converter("multipicklist")(value) == value


def test_text_longer_than_its_field_is_refused() -> None:
    """Describe tells the length in characters."""
    assert converter("string", length=3)("äöü") == "äöü"
    with pytest.raises(ValueRefused, match="the text has 4 characters, the field takes 3"):
        converter("string", length=3)("äöüß")


@pytest.mark.parametrize(
    ("field_type", "sent", "echoed"),
    [
        ("double", "912260031", "9.12260031E8"),
        ("int", "250", "250.0"),
        ("currency", "0.10", "0.1"),
        ("datetime", "2024-01-15T10:30:00.000Z", "2024-01-15T10:30:00Z"),
        ("datetime", "2024-01-15T10:30:00.123Z", "2024-01-15T10:30:00.000+0000"),
        ("date", "2024-01-15", "2024-01-15Z"),
        ("time", "10:30:00.000Z", "10:30:00"),
        ("boolean", "true", "1"),
        ("id", "001000000000001", "001000000000001AAA"),
        ("multipicklist", "b;a", "a;b"),
        ("textarea", "a\r\nb ", "a\nb"),
        ("string", "#N/A", ""),
    ],
)
def test_an_echoed_value_is_known_again(field_type: str, sent: str, echoed: str) -> None:
    """Salesforce converts before it echoes; the canonical form is the same on both sides."""
    form = canonical_form(field_type)

    assert form(sent) == form(echoed)


@pytest.mark.parametrize(
    ("field_type", "one", "other", "are_equal"),
    [
        ("double", "9007199254740993", "9007199254740992", True),
        ("double", "0.1", "0.10000000000000001", True),
        ("double", "0.1", "0.1000000000000001", False),
        ("double", "-0.0", "0", True),
        ("long", "9007199254740993", "9007199254740992", False),
        ("long", "9007199254740993", "9.007199254740993E15", True),
        ("int", "7", "7.5", False),
        ("int", "-0", "0.0", True),
        ("int", "1e999999999", "1e999999998", False),
        ("int", "x", "y", False),
        ("double", "x", "y", False),
        ("string", "9007199254740993", "9007199254740992", False),
        ("string", "1.0", "1", False),
        ("string", "Ada", "ada", False),
        ("textarea", "a\0b", "ab", True),
        ("boolean", "TRUE", "true", True),
        ("boolean", "true", "false", False),
        ("date", "2024-01-15", "2024-01-16", False),
        ("datetime", "2024-01-15T10:30:00Z", "2024-01-15T10:30:01Z", False),
        ("datetime", "2024-01-15T10:30:00", "2024-01-15T10:30:00Z", True),
        ("datetime", "soon", "later", False),
        ("time", "10:30:00.123Z", "10:30:00.124Z", False),
        ("time", "soon", "later", False),
        ("id", "001000000000aAA", "001000000000aAa", False),
        ("reference", "001000000000001", "001000000000002AAA", False),
        ("multipicklist", "a;b", "a", False),
        ("multipicklist", "a;b;a", "b; a", True),
    ],
)
def test_what_salesforce_holds_equal_is_equal(field_type: str, one: str, other: str, *, are_equal: bool) -> None:
    """Fractions are doubles there, whole numbers and texts are exact."""
    form = canonical_form(field_type)

    assert (form(one) == form(other)) is are_equal


def test_ids_differ_by_case_and_external_ids_do_not() -> None:
    """Two spellings of an external id name one record, two cases of an Id name two."""
    assert canonical_key("string")("Ab") == canonical_key("string")("aB")
    assert canonical_key("id")("001A00000000001") != canonical_key("id")("001a00000000001")
    assert canonical_key("reference")("001A00000000001") != canonical_key("reference")("001a00000000001")


@given(st.decimals(Decimal("-1E+308"), Decimal("1E+308"), allow_nan=False))
def test_any_number_is_kept_exact(number: Decimal) -> None:
    """What is sent reads as the very same decimal number."""
    assert Decimal(converter("double")(number)) == number


@given(st.datetimes(timezones=st.timezones()))
def test_any_moment_is_kept_to_the_millisecond(moment: Any) -> None:
    """Whatever the zone, what is sent is the same moment in UTC."""
    try:
        cell = converter("datetime")(moment.isoformat())
    except ValueRefused:
        return  # UTC cannot express it: the first or last day of the calendar

    assert canonical_form("datetime")(cell) == canonical_form("datetime")(moment.isoformat())


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("2024-01-15T10:30:00Z", "2024-01-15T10:30:00.000Z"),
        ("2024-01-15T10:30:00.1Z", "2024-01-15T10:30:00.100Z"),
        ("2024-01-15T10:30:00.123999+00:00", "2024-01-15T10:30:00.123Z"),
        ("2024-01-15 10:30:00.5", "2024-01-15T10:30:00.500Z"),
        ("2024-01-15T10:30:00-00:30", "2024-01-15T11:00:00.000Z"),
        ("2024-01-15T103000Z", "2024-01-15T10:30:00.000Z"),
        ("2024-01-15T103000.1Z", "2024-01-15T10:30:00.100Z"),
        ("2024-W03-1T10:30:00Z", "2024-01-15T10:30:00.000Z"),
        ("20240115T103000.123Z", "2024-01-15T10:30:00.123Z"),
        ("2024-01-15T10:30Z", "2024-01-15T10:30:00.000Z"),
        ("2024-01-15", "2024-01-15T00:00:00.000Z"),
    ],
)
def test_date_times_in_every_spelling(value: str, cell: str) -> None:
    """What ISO 8601 allows, whichever way through the code it takes."""
    assert to_datetime(value) == cell


@pytest.mark.parametrize("value", ["2024-02-30T10:30:00Z", "2024-01-15T25:30:00Z", "2024-01-15T10:30:00Zulu", "soon"])
def test_what_is_no_date_time_is_refused(value: str) -> None:
    """Although it looks like one."""
    with pytest.raises(ValueRefused, match="the value is not a date-time"):
        to_datetime(value)


@pytest.mark.parametrize(
    ("key_prefix", "record_id", "is_own"),
    [
        ("001", "001000000000001", True),
        ("001", "001000000000001AAA", True),
        ("001", "003000000000001", False),
        ("001", "003000000000001AAA", False),
        ("a0B", "a0B00000000001X", True),
        ("a0B", "a0b00000000001X", False),
        ("a0B", "a0B00000000001XEAQ", True),
        ("a0B", "a0b00000000001xeaq", True),
        ("a0b", "a0b00000000001xeaq", False),
        ("a0b", "a0B00000000001XEAQ", False),
        ("a0b", "a0b00000000001XAAQ", True),
    ],
)
def test_an_id_begins_as_those_of_its_object_do(key_prefix: str, record_id: str, *, is_own: bool) -> None:
    """Letters by their case, which 18 characters keep even where somebody has changed it; one by one or together."""
    convert = converter("id", key_prefix=key_prefix)
    column = ColumnConverter(
        field_type="id", length=18, null_text="", is_raw=False, takes_null=False, key_prefix=key_prefix
    )

    cells, refused = column.cells([record_id, record_id])

    if is_own:
        assert (convert(record_id), list(cells), refused) == (record_id, [record_id, record_id], {})
    else:
        with pytest.raises(ValueRefused) as told:
            convert(record_id)
        assert told.value.code == "MALFORMED_ID"
        assert refused.keys() == {0, 1}


def test_no_field_takes_more_than_job_data_does() -> None:
    """Whatever describe says of its length."""
    convert = converter("textarea", length=200_000)

    assert convert("x" * 131_072) == "x" * 131_072
    with pytest.raises(ValueRefused, match="the field takes 131072"):
        convert("x" * 131_073)
