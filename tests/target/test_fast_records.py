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
from singer_sdk.exceptions import InvalidRecord
from target_salesforce_bulk.columns import ColumnConverter
from target_salesforce_bulk.fast_records import FastRecords
from target_salesforce_bulk.plan import Column, Destination, Filling, Plan, Refusal
from target_salesforce_bulk.record_types import record_type
from target_salesforce_bulk.rows import converter
from target_salesforce_bulk.validation import RecordValidator

FIELD_TYPES = [
    *("string", "textarea", "picklist", "multipicklist", "reference", "id", "email"),
    *("int", "long", "double", "currency", "percent", "boolean", "date", "datetime", "time"),
]
KINDS: list[dict[str, Any]] = [
    {"type": kind} for kind in ("string", "integer", "number", "boolean", ["string", "null"], ["null", "number"])
] + [{"type": ["integer", "null"], "minimum": -5}, {"type": ["boolean", "null"]}, {"type": "string", "maxLength": 12}]

texts = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["", "#N/A", "2024-01-15", "2024-01-15T10:30:00.5+02:00", "10:30", "true", "0", "1.50", "a;b", '"']
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
    st.just([1]),
)
MISSING = object()


def as_json(value: Any) -> str:
    """A value in JSON, a Decimal with all its digits."""
    return str(value).replace("E+", "e") if isinstance(value, Decimal) else json.dumps(value)


def make_plan(schema: dict[str, Any], field_types: dict[str, str], *, key: str | None) -> Plan:
    """A plan in which each property fills a field of its own, of at most ten characters if it is text."""
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
        fillings=tuple(
            Filling(name, converter(kind, length=10), "" if name == key else "#N/A", 10)
            for name, kind in field_types.items()
        ),
        known_properties=frozenset(schema["properties"]),
        drops_unknown=False,
    )


@settings(max_examples=300, deadline=None)
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

    decode = msgspec.json.Decoder(float_hook=Decimal).decode
    validator = RecordValidator(schema)
    for line, row in zip(lines, fast.rows([msgspec.Raw(line.encode()) for line in lines]), strict=True):
        if row is not None:
            record = decode(line)
            validator.validate(record)
            other = plan.row(record)
            assert row == (other if isinstance(other, Refusal) else tuple(other))


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
