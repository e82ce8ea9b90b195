"""A value that goes into the org, comes out by the tap, and goes in again is the same value: for every field type."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from salesforce_bulk_simulator import Org, Progression

from tests.tap.conftest import TapRunner
from tests.target.conftest import Message, TargetRunner, records, schema

FIELDS = {
    "Key__c": "string(30) externalId unique",
    "Text__c": "string(255)",
    "Area__c": "textarea(32000)",
    "Url__c": "url",
    "Phone__c": "phone",
    "Email__c": "email",
    "Choice__c": "picklist(red,green,blue)",
    "Choices__c": "multipicklist(red,green,blue)",
    "Count__c": "int",
    "Size__c": "double(18,4)",
    "Price__c": "currency(18,2)",
    "Share__c": "percent(16,2)",
    "Is_Red__c": "boolean",
    "Day__c": "date",
    "Moment__c": "datetime",
    "Hour__c": "time",
    "Account__c": "reference(Account)",
}
TYPES: dict[str, str] = {"Count__c": "integer", "Is_Red__c": "boolean"} | dict.fromkeys(
    ("Size__c", "Price__c", "Share__c"), "number"
)
OBJECTS = [{"name": name, "fields": FIELDS} for name in ("Thing__c", "Copy__c")]

characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
texts = st.text(characters, min_size=1, max_size=40).filter(lambda text: text.strip() == text and text != "#N/A")


def decimals(digits: int, places: int) -> st.SearchStrategy[float]:
    """Numbers that a field of so many digits holds exactly, and a double too."""
    most = 10 ** min(digits - places, 10)
    return st.decimals(-most + 1, most - 1, places=places).map(float)


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "Text__c": texts,
    "Area__c": texts,
    "Url__c": st.just("https://example.com/?a=b,c"),
    "Phone__c": st.sampled_from(["+49 30 1234", "0012"]),
    "Email__c": st.just("ada@example.com"),
    "Choice__c": st.sampled_from(["red", "green"]),
    "Choices__c": st.sampled_from(["red", "red;blue"]),
    "Count__c": st.integers(-(2**31), 2**31 - 1),
    "Size__c": decimals(18, 4),
    "Price__c": decimals(18, 2),
    "Share__c": decimals(16, 2),
    "Is_Red__c": st.booleans(),
    "Day__c": st.dates(date(1700, 1, 1), date(4000, 12, 31)).map(str),
    "Moment__c": st.datetimes(datetime(1700, 1, 1), datetime(4000, 12, 31), timezones=st.just(UTC)).map(  # noqa: DTZ001
        lambda moment: moment.replace(microsecond=0).isoformat()
    ),
    "Hour__c": st.times().map(lambda time: time.isoformat(timespec="milliseconds")),
}


def same(name: str, value: Any) -> Any:
    """A value in the spelling in which two spellings of it are equal."""
    if value is None:
        return None
    if name == "Moment__c":
        return datetime.fromisoformat(value)
    if name == "Hour__c":
        return value.removesuffix("Z")
    return Decimal(str(value)) if name in TYPES and name != "Is_Red__c" else value


@pytest.fixture
def org() -> Org:
    """An org with two objects that have a field of every type."""
    return Org(progression=Progression.immediate(), objects=OBJECTS)


THINGS: Message = schema(
    "Thing__c", key=["Key__c"], **{name: [TYPES.get(name, "string"), "null"] for name in FIELDS if name != "Account__c"}
)

row = st.fixed_dictionaries({name: st.one_of(st.none(), values) for name, values in VALUES.items()})


@pytest.mark.parametrize("small_batch_rows", [0, 200], ids=["by a job", "by a request"])
@settings(
    max_examples=20, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=st.lists(row, min_size=1, max_size=30))
def test_values_of_every_type_come_back(
    org: Org, target: TargetRunner, rows: list[dict[str, Any]], small_batch_rows: int
) -> None:
    """Target → org → tap → target → org: the record of the tap has the values that went in, and so has the copy."""
    for name in ("Thing__c", "Copy__c"):
        org.delete(name, [each["Id"] for each in org.rows(name)])
    sent = [{"Key__c": f"k{n}", **each, "Is_Red__c": bool(each["Is_Red__c"])} for n, each in enumerate(rows)]

    into = target.run(THINGS, records("Thing__c", *sent), small_batch_rows=small_batch_rows)
    assert into.error is None

    out = TapRunner(settings=target.settings).run("Thing__c", include_deleted=False)
    read = sorted(out.records["Thing__c"], key=lambda each: int(each["Key__c"][1:]))
    assert [{name: same(name, each[name]) for name in sent[0]} for each in read] == [
        {name: same(name, value) for name, value in each.items()} for each in sent
    ]

    messages = [json.dumps(message).encode() + b"\n" for message in out.messages]
    again = target.run(
        *messages,
        small_batch_rows=small_batch_rows,
        mappings={"Thing__c": {"object": "Copy__c", "external_id_field": "Key__c"}},
    )
    assert again.error is None
    originals, copies = (
        sorted(({field: each[field] for field in FIELDS} for each in org.rows(name)), key=lambda each: each["Key__c"])
        for name in ("Thing__c", "Copy__c")
    )
    assert copies == originals
