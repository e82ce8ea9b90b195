"""The fast road makes the rows that the SDK's road makes, of any record; and whatever is wrong it leaves to that."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from salesforce_bulk_client import Operation
from salesforce_bulk_client.records.cells import converter, decode_json
from salesforce_bulk_client.records.column_conversion import ColumnConverter
from salesforce_bulk_client.records.columns import Column
from singer_sdk.exceptions import InvalidRecord
from target_salesforce_bulk.mapping.plan import ColumnMapping, Destination, Plan, Refusal
from target_salesforce_bulk.messages.fast_records import FastRecords
from target_salesforce_bulk.messages.record_types import record_type
from target_salesforce_bulk.messages.validation import RecordValidator

FIELD_TYPES = [
    *("string", "textarea", "picklist", "multipicklist", "combobox", "reference", "id", "email", "phone", "url"),
    *("int", "long", "double", "currency", "percent", "boolean", "date", "datetime", "time"),
    *("encryptedstring", "anyType", "datacategorygroupreference"),
]
"""Describe's types of fields that job data can carry."""
KINDS: list[dict[str, Any]] = [
    {"type": kind} for kind in ("string", "integer", "number", "boolean", ["string", "null"], ["null", "number"])
] + [{"type": ["integer", "null"], "minimum": -5}, {"type": ["boolean", "null"]}, {"type": "string", "maxLength": 12}]

texts = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        [
            *("", "#N/A", "2024-01-15", "2024-01-15T10:30:00.5+02:00", "10:30", "true", "0", "1.50", "a;b", '"'),
            *("001000000000001", "001000000000001AAA", "001000000000001,x", "001000000000001\n001000000000002"),
            *("sNaN", "-sNaN123", "NaN", "Infinity", "1_000", "١٢", "0x10", "1e999999999", "250.0", "-0", "1e3"),
            *('["a", "b"]', "[NaN]", "[[", "2024-01-15T24:00:00Z", "2024-01-15T10:30:00Z\n"),
        ]
    ),
    st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat()),
    st.dates().map(str),
)
values = st.one_of(
    st.none(),
    st.booleans(),
    texts,
    st.integers(),
    st.integers(min_value=-9, max_value=9),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-9, 999).map(float),
    st.sampled_from([Decimal("-0.0"), Decimal("1E+3"), Decimal("1E+999999999"), Decimal("0E+50"), -0.0, 10**45]),
    st.sampled_from([[1], ["a", "b"], {"a": ["sNaN", Decimal("1E+999999999")]}, [[None]]]),
)
MISSING = object()


def as_json(value: Any) -> str:
    """A value in JSON, a Decimal with all its digits."""
    return msgspec.json.Encoder(decimal_format="number").encode(value).decode()


def make_plan(schema: dict[str, Any], field_types: dict[str, str], *, key: str | None) -> Plan:
    """A plan in which each property fills a field of its own, of at most 18 characters if it is text."""
    return Plan(
        destination=Destination(
            stream="s",
            object="O",
            operation=Operation.UPSERT if key else Operation.INSERT,
            external_id_field=key,
            assignment_rule_id=None,
            columns=tuple(Column(name, kind) for name, kind in field_types.items()),
            key_column=key,
            parents=(),
            key_properties=(),
            stream_schema=schema,
        ),
        column_mappings=tuple(
            ColumnMapping(name, converter(kind, length=18), "" if name == key else "#N/A", 18)
            for name, kind in field_types.items()
        ),
        known_properties=frozenset(schema["properties"]),
        drops_unknown=False,
    )


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_both_roads_make_the_same_rows(data: st.DataObject) -> None:
    """Any types of fields, any schema, any records; where the fast road says nothing, the other one decides."""
    names = [f"p{n}" for n in range(data.draw(st.integers(1, 3)))]
    properties = {name: data.draw(st.sampled_from(KINDS)) for name in names}
    schema = {
        "type": "object",
        "properties": properties,
        "required": data.draw(st.lists(st.sampled_from(names), unique=True)),
    }
    field_types = {name: data.draw(st.sampled_from(FIELD_TYPES)) for name in names}
    plan = make_plan(schema, field_types, key=data.draw(st.sampled_from([None, names[0]])))
    one = st.fixed_dictionaries({name: st.one_of(values, st.just(MISSING)) for name in [*names, "other"]})
    lines = [
        "{" + ",".join(f'"{name}":{as_json(value)}' for name, value in row.items() if value is not MISSING) + "}"
        for row in data.draw(st.lists(one, min_size=1, max_size=6))
    ]
    fast = FastRecords.for_plan(plan, schema=schema, key_properties=[])
    assert fast

    validator = RecordValidator(schema)
    for line, row in zip(lines, fast.rows([msgspec.Raw(line.encode()) for line in lines]), strict=True):
        if row is not None:
            record = decode_json(line)
            validator.validate(record)
            other = plan.row(record)
            assert row == (other if isinstance(other, Refusal) else tuple(other))


Seen = str | tuple[str, str]


def seen(row: Any) -> Seen:
    """The only cell of a row, or the code and the message of its refusal."""
    return (row.code, row.message) if isinstance(row, Refusal) else row[0]


def on_both_paths(plan: Plan, schema: dict[str, Any], values: list[Any]) -> tuple[list[Seen], list[Seen]]:
    """What records with these values of ``p`` become: by the fast path with the other one behind it; by that alone."""
    fast = FastRecords.for_plan(plan, schema=schema, key_properties=[])
    assert fast
    validator = RecordValidator(schema)
    lines = [f'{{"p":{as_json(value)}}}'.encode() for value in values]

    def slow(line: bytes) -> Any:
        record = decode_json(line)
        try:
            validator.validate(record)
        except InvalidRecord as error:
            return Refusal("INVALID_RECORD", error.error_message)
        return plan.row(record)

    rows = fast.rows([msgspec.Raw(line) for line in lines])
    one_by_one = [slow(line) for line in lines]
    return [seen(row or other) for row, other in zip(rows, one_by_one, strict=True)], [seen(row) for row in one_by_one]


@pytest.mark.parametrize("field_type", FIELD_TYPES)
@settings(max_examples=25, deadline=None)
@given(st.lists(values, min_size=1, max_size=5), st.sampled_from(KINDS))
def test_any_value_has_one_spelling(field_type: str, values: list[Any], kind: dict[str, Any]) -> None:
    """For every type of field, any JSON value gives one cell, or one refusal, whichever path its record takes."""
    schema = {"type": "object", "properties": {"p": kind}}

    fast, slow = on_both_paths(make_plan(schema, {"p": field_type}, key=None), schema, values)

    assert fast == slow


@pytest.mark.parametrize(
    ("field_type", "values", "cells"),
    [
        ("int", ["250.0", "7", "-0", "2.5e2"], ["250", "7", "0", "250"]),
        ("long", ["9007199254740993", "-9007199254740993.0"], ["9007199254740993", "-9007199254740993"]),
        ("double", ["250.0", "1.50", "-0", "1e3"], ["250.0", "1.50", "0", "1000"]),
        ("currency", ["123456789012345678.123456789"], ["123456789012345678.123456789"]),
        ("string", ["250.0", "9007199254740993"], ["250.0", "9007199254740993"]),
    ],
)
def test_numbers_on_the_fast_path(field_type: str, values: list[str], cells: list[str]) -> None:
    """A whole number for an int field goes without its point, any other keeps all of its digits."""
    schema = {"properties": {"p": {"type": "number"}}}
    fast = FastRecords.for_plan(make_plan(schema, {"p": field_type}, key=None), schema=schema, key_properties=[])
    assert fast

    assert fast.rows([msgspec.Raw(f'{{"p":{value}}}'.encode()) for value in values]) == [(cell,) for cell in cells]


def test_a_fraction_for_an_int_field_fails_its_row_only() -> None:
    """Salesforce would refuse the row with a text about its type; here its neighbours stay on the fast path."""
    schema = {"properties": {"p": {"type": "number"}}}
    fast = FastRecords.for_plan(make_plan(schema, {"p": "int"}, key=None), schema=schema, key_properties=[])
    assert fast

    rows = fast.rows([msgspec.Raw(b'{"p":2.5}'), msgspec.Raw(b'{"p":3}')])

    message = "'p': the number has a fraction, the field takes whole numbers"
    assert rows == [Refusal("INVALID_VALUE", message, ("p",)), ("3",)]


def test_a_malformed_id_fails_its_row_on_the_fast_path() -> None:
    """Also one that has a line break where two good ones would be joined."""
    schema = {"properties": {"p": {"type": "string"}}}
    fast = FastRecords.for_plan(make_plan(schema, {"p": "reference"}, key=None), schema=schema, key_properties=[])
    assert fast
    ids = ["001000000000001", "001000000000001\n01", "001000000000001,x", "001000000000001AAA", ""]

    rows = fast.rows([msgspec.Raw(json.dumps({"p": value}).encode()) for value in ids])

    refusal = Refusal("MALFORMED_ID", "'p': the value is not an Id, which has 15 or 18 letters and digits", ("p",))
    assert rows == [("001000000000001",), refusal, refusal, ("001000000000001AAA",), ("#N/A",)]


@pytest.mark.parametrize("value", ["0010000000000011", "00100000000000é", "001000000000_01", "00100000000000,x,y"])
def test_one_malformed_id_among_good_ones_is_found(value: str) -> None:
    """By its length, by a letter that is not ASCII, or by what is no letter and no digit."""
    column = ColumnConverter(field_type="id", length=18, null_text="#N/A", is_raw=False, takes_null=True)

    cells, refused = column.cells(["001000000000001", value, "001000000000001AAA"])

    assert cells == ["001000000000001", "", "001000000000001AAA"]
    assert list(refused) == [1]


@pytest.mark.parametrize("name", ['"', "\\", "\t", "\n", "\0"])
def test_names_that_msgspec_cannot_decode_leave_the_fast_path(name: str) -> None:
    """The records go one by one then."""
    assert record_type({"properties": {name: {"type": "string"}}}, key_properties=[]) is None


@given(
    st.dictionaries(
        st.text(max_size=4) | st.sampled_from(["", "__class__", "p0", "p1", "{x}"]), st.just("x"), min_size=1
    )
)
def test_any_names_of_properties_are_read(record: dict[str, str]) -> None:
    """Whatever they are called, each value reaches the column of its property."""
    schema = {"properties": {name: {"type": "string"} for name in record}}
    plan = make_plan(schema, dict.fromkeys(record, "string"), key=None)
    fast = FastRecords.for_plan(plan, schema=schema, key_properties=[])

    assert plan.row(record) == list(record.values())
    assert not fast or fast.rows([msgspec.Raw(json.dumps(record).encode())]) == [tuple(record.values())]


@pytest.mark.parametrize(
    "entry",
    [
        {"type": "integer", "minimum": Decimal("0.5")},
        {"type": "integer", "maximum": 10**30},
        {"type": "integer", "minimum": True},
        {"type": "string", "maxLength": Decimal(12)},
        {"type": "string", "minLength": -1},
        {"type": ["string", {"type": "null"}], "enum": ["x"]},
        True,
    ],
)
def test_limits_that_msgspec_cannot_check_leave_the_fast_path(entry: Any) -> None:
    """They are checked one by one, or not at all; no schema ends the load."""
    assert record_type({"properties": {"a": entry}}, key_properties=[]) is None


@given(st.lists(st.fixed_dictionaries({"t": texts, "n": st.decimals(-1000, 1000), "d": st.datetimes()}), min_size=1))
def test_good_records_take_the_fast_road(rows: list[dict[str, Any]]) -> None:
    """Otherwise it would be for nothing."""
    schema = {"properties": {"t": {"type": "string"}, "n": {"type": "number"}, "d": {"type": "string"}}}
    plan = make_plan(schema, {"t": "string", "n": "double", "d": "datetime"}, key=None)
    fast = FastRecords.for_plan(plan, schema=schema, key_properties=[])
    assert fast
    lines = [f'{{"t":{json.dumps(row["t"])},"n":{as_json(row["n"])},"d":"{row["d"].isoformat()}"}}' for row in rows]

    assert None not in fast.rows([msgspec.Raw(line.encode()) for line in lines])


@pytest.mark.parametrize(
    "properties",
    [
        {"a": {"enum": ["x"]}},
        {"a": {"type": "string", "pattern": "x"}},
        {"a": {"type": ["string", "integer"]}},
        {"a": {"type": "array", "items": {"type": "string"}}},
        {"a": {"type": "object", "properties": {}}},
        {"a": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
        {"a": {"type": "number", "minimum": 1}},
        {"a": {}},
    ],
)
def test_a_schema_that_asks_for_more_goes_the_other_road(properties: dict[str, Any]) -> None:
    """Nothing that a schema asks is left unchecked."""
    assert record_type({"properties": properties}, key_properties=[]) is None


def test_a_wrong_record_costs_only_itself() -> None:
    """One that breaks the schema, lacks its key, or has more than is declared is left to the other road."""
    schema = {"properties": {"k": {"type": "string"}, "n": {"type": ["number", "null"]}}}
    plan = make_plan(schema, {"k": "string", "n": "double"}, key="k")
    fast = FastRecords.for_plan(plan, schema=schema, key_properties=["k"])
    assert fast
    lines = [b'{"k":"a","n":1.50}', b'{"k":5}', b'{"n":1}', b'{"k":"a","x":1}', b'{"k":" "}', b'{"k":"b"}', b"{", b"[]"]

    rows = fast.rows([msgspec.Raw(line) for line in lines])

    assert rows == [
        ("a", "1.50"),
        None,
        None,
        None,
        Refusal("MISSING_KEY", "k is empty, and upsert needs it", ("k",)),
        ("b", ""),
        None,
        None,
    ]
    with pytest.raises(InvalidRecord):
        RecordValidator(schema).validate({"k": 5})


@pytest.mark.parametrize(
    ("values", "cells"),
    [
        (["2024-01-15T10:30:00Z", None], ["2024-01-15T10:30:00.000Z", "#N/A"]),
        (["2024-01-15T10:30:00.123456+00:00"], ["2024-01-15T10:30:00.123Z"]),
        (["2024-01-15T10:30:00.5Z", "2024-01-15"], ["2024-01-15T10:30:00.500Z", "2024-01-15T00:00:00.000Z"]),
        (["2024-01-15T10:30:00+00:00", "2024-01-15T12:30:00+02:00"], ["2024-01-15T10:30:00.000Z"] * 2),
        (["", "2024-01-15T10:30:00.000Z"], ["#N/A", "2024-01-15T10:30:00.000Z"]),
    ],
)
def test_columns_of_date_times(values: list[str | None], cells: list[str]) -> None:
    """Whole columns in UTC and mixed ones give what single values give."""
    column = ColumnConverter(field_type="datetime", length=0, null_text="#N/A", is_raw=False, takes_null=True)

    assert column.cells(values) == (cells, {})


def test_a_day_that_does_not_exist_is_refused_in_its_place() -> None:
    """The 30th of February looks like a date-time and is none."""
    column = ColumnConverter(field_type="datetime", length=0, null_text="#N/A", is_raw=False, takes_null=True)

    cells, refused = column.cells(["2024-01-15T10:30:00Z", "2024-02-30T10:30:00Z"])

    assert cells == ["2024-01-15T10:30:00.000Z", ""]
    assert list(refused) == [1]


@pytest.mark.parametrize("kind", ["string", "integer", "number", "boolean"])
@pytest.mark.parametrize("field_type", ["boolean", "string", "double", "int", "datetime", "date", "reference"])
def test_an_absent_property_is_not_cleared(kind: str, field_type: str) -> None:
    """Neither a checkbox nor any other field; a null clears it."""
    schema = {"properties": {"p": {"type": [kind, "null"]}, "q": {"type": "string"}}}
    plan = make_plan(schema, {"p": field_type, "q": "string"}, key=None)
    fast = FastRecords.for_plan(plan, schema=schema, key_properties=[])
    assert fast

    rows = fast.rows([msgspec.Raw(b'{"q":"a"}'), msgspec.Raw(b'{"q":"b","p":null}')])

    assert rows == [("", "a"), ("#N/A", "b")]
    assert [plan.row({"q": "a"}), plan.row({"q": "b", "p": None})] == [["", "a"], ["#N/A", "b"]]


@pytest.mark.parametrize("kind", ["string", "integer", "number", "boolean"])
@pytest.mark.parametrize("others", [b"", b"1.5e3"])
def test_a_null_that_the_schema_forbids_is_refused(kind: str, others: bytes) -> None:
    """It never becomes a cell; the other path says what is wrong."""
    schema = {"properties": {"p": {"type": kind}}}
    fast = FastRecords.for_plan(make_plan(schema, {"p": "double"}, key=None), schema=schema, key_properties=[])
    assert fast
    lines = [b'{"p":null}', *([b'{"p":%b}' % others] if others else [])]

    assert fast.rows([msgspec.Raw(line) for line in lines])[0] is None


@pytest.mark.parametrize("value", [b"null", b'""', b'"  "'])
def test_a_null_key_fails_its_row(value: bytes) -> None:
    """It is never sent as a null."""
    schema = {"properties": {"k": {"type": ["string", "null"]}}}
    fast = FastRecords.for_plan(make_plan(schema, {"k": "string"}, key="k"), schema=schema, key_properties=[])
    assert fast

    rows = fast.rows([msgspec.Raw(b'{"k":%b}' % value), msgspec.Raw(b'{"k":"a"}')])

    assert rows == [Refusal("MISSING_KEY", "k is empty, and upsert needs it", ("k",)), ("a",)]


@pytest.mark.parametrize("text", ["#N/A", "x" * 19])
def test_a_text_that_its_field_cannot_take_fails_its_row_only(text: str) -> None:
    """One that Salesforce would read as a null, and one that is too long."""
    schema = {"properties": {"p": {"type": "string"}}}
    plan = make_plan(schema, {"p": "string"}, key=None)
    fast = FastRecords.for_plan(plan, schema=schema, key_properties=[])
    assert fast

    rows = fast.rows([msgspec.Raw(json.dumps({"p": value}).encode()) for value in (text, "a", "x" * 18)])

    assert rows == [plan.row({"p": text}), ("a",), ("x" * 18,)]
    assert isinstance(rows[0], Refusal)
