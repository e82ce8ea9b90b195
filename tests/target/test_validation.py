"""What a stream's schema asks of its records; a check that cannot be made is left out, and never ends the load."""

from __future__ import annotations

import logging
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from singer_sdk.exceptions import InvalidRecord
from target_salesforce_bulk.messages.validation import RecordValidator


def problem(entry: Any, value: Any, **schema: Any) -> str | None:
    """What is wrong with a record whose property ``p`` has this schema and value."""
    try:
        RecordValidator({"properties": {"p": entry}, **schema}).validate({"p": value})
    except InvalidRecord as error:
        return error.error_message.removeprefix("data.p ")
    return None


@pytest.mark.parametrize(
    ("entry", "good", "bad", "told"),
    [
        ({"type": ["string", "null"]}, ["", "x", None], [1, True, [], {}], "must be string or null"),
        ({"type": "integer"}, [1, Decimal("250.0"), 2.0, -(10**30)], [2.5, "1", True, None], "must be integer"),
        ({"type": "number"}, [1, Decimal("0.1"), 2.5], ["1", False, float("nan"), None], "must be number"),
        ({"type": "boolean"}, [True, False], [1, 0, "true"], "must be boolean"),
        ({"type": "array"}, [[], [1]], ["a", {}], "must be array"),
        ({"type": "object"}, [{}, {"a": 1}], ["a", []], "must be object"),
        ({"minimum": 1}, [1, Decimal("1.0"), 2, "text"], [0, Decimal("0.99"), 0.5], "must be at least 1"),
        ({"maximum": 99.99}, [Decimal("99.99"), 99.99, 5], [Decimal("99.991"), 100], "must be at most 99.99"),
        ({"maximum": 9, "exclusiveMaximum": True}, [8, Decimal("8.9")], [9, 10], "must be less than 9"),
        ({"maximum": 9, "exclusiveMaximum": False}, [9], [10], "must be at most 9"),
        ({"minimum": 9, "exclusiveMinimum": True}, [10], [9, 8], "must be greater than 9"),
        ({"minimum": 9, "exclusiveMinimum": False}, [9], [8], "must be at least 9"),
        ({"exclusiveMaximum": 9}, [8], [9], "must be less than 9"),
        ({"exclusiveMinimum": 9}, [10], [9], "must be greater than 9"),
        ({"multipleOf": 0.01}, [Decimal("296.91"), 19.01, 0, 10**30], [Decimal("0.015")], "must be a multiple of 0.01"),
        ({"multipleOf": Decimal(3)}, [9, -3], [10, Decimal("3.5")], "must be a multiple of 3"),
        ({"enum": ["a", 1, None, [1, {"b": 2}]]}, ["a", 1.0, None, [Decimal(1), {"b": 2}]], ["b", True, 0, [1]],
         "must be one of the values in its enum"),
        ({"const": 1}, [1, Decimal("1.0")], [True, 2], "must be one of the values in its enum"),
        ({"minLength": 2}, ["ab", "abc", 1], ["a", ""], "has fewer than 2 characters"),
        ({"maxLength": Decimal(2)}, ["ab", "", 100], ["abc"], "has more than 2 characters"),
        ({"pattern": "^a"}, ["ab", 1], ["ba"], "must match the pattern of its schema"),
        ({"minItems": 1}, [[1], "x"], [[]], "has fewer than 1 items"),
        ({"maxItems": 1}, [[1], []], [[1, 2]], "has more than 1 items"),
        ({"uniqueItems": True}, [[1, True, "1"], "aa"], [[1, 1.0], [[2], [2]]], "must not have equal items"),
        ({"uniqueItems": False}, [[1, 1]], [], ""),
        ({"contains": {"type": "null"}}, [[1, None], "x"], [[1], []], "must contain an item that its schema describes"),
        ({"minProperties": 1}, [{"a": 1}], [{}], "has fewer than 1 properties"),
        ({"maxProperties": 1}, [{"a": 1}], [{"a": 1, "b": 2}], "has more than 1 properties"),
        ({"required": ["a", "b"]}, [{"a": 1, "b": 2}, 5], [{"b": 1}], "must contain ['a'] properties"),
        ({"allOf": [{"minimum": 1}, {"maximum": 2}]}, [1, 2], [3], "must be at most 2"),
        ({"anyOf": [{"type": "null"}, {"maximum": 2}]}, [None, 2], [3], "must fit one of the schemas in its anyOf"),
        ({"oneOf": [{"minimum": 1}, {"maximum": 2}]}, [0, 3], [1, 2],
         "must fit exactly one of the schemas in its oneOf"),
        ({"not": {"type": "string"}}, [1], ["x"], "must not fit the schema in its not"),
        ({"if": {"type": "string"}, "then": {"minLength": 1}, "else": {"minimum": 1}}, ["x", 1], [""],
         "has fewer than 1 characters"),
        ({"if": {"type": "string"}, "else": {"minimum": 1}}, ["", 1], [0], "must be at least 1"),
        (True, [1, "x"], [], ""),
        (False, [], [1], "is not allowed"),
        ({"$ref": "#/$defs/name"}, ["x"], [1], "must be string"),
    ],
)  # fmt: skip
def test_what_a_schema_asks_is_checked(entry: Any, good: list[Any], bad: list[Any], told: str) -> None:
    """Numbers by their value, whatever their spelling; and the message never holds the value."""
    definitions = {"$defs": {"name": {"type": "string"}}}

    assert [problem(entry, value, **definitions) for value in good] == [None] * len(good)
    assert [problem(entry, value, **definitions) for value in bad] == [told] * len(bad)


@pytest.mark.parametrize(
    ("entry", "value", "told"),
    [
        ({"properties": {"a": {"properties": {"b": {"type": "null"}}}}}, {"a": {"b": 1}}, "data.p.a.b must be null"),
        ({"items": {"type": "string"}}, ["x", 1], "data.p[1] must be string"),
        ({"items": [{"type": "null"}], "additionalItems": {"type": "string"}}, [None, 1], "data.p[1] must be string"),
        ({"prefixItems": [{"type": "null"}], "items": {"type": "string"}}, [None, 1], "data.p[1] must be string"),
        ({"prefixItems": [{"type": "null"}]}, [1], "data.p[0] must be null"),
        ({"patternProperties": {"^a": {"type": "null"}}}, {"b": 1, "ab": 1}, "data.p.ab must be null"),
        ({"properties": {"a": {}}, "patternProperties": {"^b": {}}, "additionalProperties": False},
         {"a": 1, "b": 1, "c": 1}, "data.p.c is not allowed"),
        ({"properties": {"{x}%s\"\\": {"type": "null"}}}, {"{x}%s\"\\": 1}, "data.p['{x}%s\"\\\\'] must be null"),
    ],
)  # fmt: skip
def test_the_message_says_where(entry: Any, value: Any, told: str) -> None:
    """Properties inside others by their path, items by their place."""
    with pytest.raises(InvalidRecord) as caught:
        RecordValidator({"properties": {"p": entry}}).validate({"p": value})

    assert caught.value.error_message == told


@pytest.mark.parametrize(
    ("entry", "keyword"),
    [
        ({"pattern": "^\\p{L}+$"}, "pattern"),
        ({"pattern": "(?<x>a)"}, "pattern"),
        ({"pattern": "a{99999999999}"}, "pattern"),
        ({"multipleOf": 0}, "multipleOf"),
        ({"multipleOf": "1"}, "multipleOf"),
        ({"type": "float"}, "type"),
        ({"type": ["string", {"type": "null"}]}, "type"),
        ({"type": None}, "type"),
        ({"minimum": "1"}, "minimum"),
        ({"maxLength": None}, "maxLength"),
        ({"required": True}, "required"),
        ({"enum": 5}, "enum"),
        ({"items": {"pattern": "("}}, "pattern"),
        ({"properties": []}, "properties"),
        ({"dependencies": {"a": ["b"]}}, "dependencies"),
        ({"$ref": "#/nowhere"}, "$ref"),
        ({"$ref": "http://localhost:1/schema.json"}, "$ref"),
        ({"$ref": ["#"]}, "$ref"),
    ],
)
def test_a_check_that_cannot_be_made_is_left_out(entry: Any, keyword: str, caplog: pytest.LogCaptureFixture) -> None:
    """One warning names the stream and the keyword; no reference is fetched, and the other checks stay."""
    schema = {"properties": {"p": entry, "q": {"type": "string"}}}
    with caplog.at_level(logging.WARNING):
        validator = RecordValidator(schema, stream="people")

    validator.validate({"p": "a"})
    with pytest.raises(InvalidRecord):
        validator.validate({"p": "a", "q": 1})
    assert [record.getMessage() for record in caplog.records] == [
        f"stream 'people': its schema has checks that cannot be made, so they are left out: {keyword}"
    ]


def test_a_schema_may_refer_to_itself() -> None:
    """A tree of any depth is checked, and one that is too deep is refused."""
    node = {"type": "object", "properties": {"child": {"$ref": "#/$defs/node"}}, "additionalProperties": False}
    validator = RecordValidator({"properties": {"p": {"$ref": "#/$defs/node"}}, "$defs": {"node": node}})
    deep: dict[str, Any] = {}
    for _ in range(10_000):
        deep = {"child": deep}

    validator.validate({"p": {"child": {"child": {}}}})
    with pytest.raises(InvalidRecord, match=r"data\.p\.child\.child must be object"):
        validator.validate({"p": {"child": {"child": 5}}})
    with pytest.raises(InvalidRecord, match="is nested too deeply"):
        validator.validate({"p": deep})


def test_a_schema_may_be_nested_deeply() -> None:
    """What is too deep for Python is not checked."""
    entry: dict[str, Any] = {"type": "string"}
    for _ in range(1000):
        entry = {"items": entry}

    RecordValidator({"properties": {"p": entry}}).validate({"p": []})


def test_a_property_that_flattening_has_taken_apart_is_not_required() -> None:
    """The SDK leaves it among the required ones."""
    validator = RecordValidator({"properties": {"a": {}}, "required": ["a", "address"]})

    validator.validate({"a": 1})
    with pytest.raises(InvalidRecord, match=r"data must contain \['a'\] properties"):
        validator.validate({"address": 1})


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals() | st.text(max_size=3) | st.sampled_from(["#", "number"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.dictionaries(
        st.sampled_from(
            [
                *("type", "enum", "const", "minimum", "exclusiveMaximum", "multipleOf", "maxLength", "items", "anyOf"),
                *("required", "properties", "additionalProperties", "patternProperties", "not", "uniqueItems", "$ref"),
            ]
        ),
        anything,
        max_size=3,
    ),
    anything,
)
def test_no_schema_and_no_value_end_the_load(entry: dict[str, Any], value: Any) -> None:
    """A record fits or it does not; no other error comes out."""
    problem(entry, value)
