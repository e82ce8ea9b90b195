"""What makes two records the same: the values of the properties that are loaded, by name, in any order."""

from __future__ import annotations

from decimal import Decimal
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from salesforce_bulk_client import Operation
from salesforce_bulk_client.records.columns import Column
from salesforce_bulk_client.records.fingerprints import canonical_number
from salesforce_bulk_simulator import Fault, Org
from target_salesforce_bulk import journal
from target_salesforce_bulk.mapping.fingerprints import key_fingerprint, record_fingerprint, row_fingerprint
from target_salesforce_bulk.mapping.plan import Destination

from tests.target.conftest import TargetRunner, records, schema, state


def destination(**other: Any) -> Destination:
    chosen: dict[str, Any] = {
        "stream": "s",
        "object": "Account",
        "operation": Operation.UPSERT,
        "external_id_field": "Key",
        "assignment_rule_id": None,
        "columns": (Column("Key", "string"), Column("Name", "string")),
        "key_column": "Key",
        "parents": (),
        "key_properties": (),
        "stream_schema": {},
        "mapping": "Key→Key, Name→Name",
    }
    return Destination(**{**chosen, **other})


def test_the_order_of_properties_makes_no_difference() -> None:
    """JSON objects have none."""
    of_record = record_fingerprint(destination(), properties={"a", "b"})

    assert of_record({"a": {"x": 1, "y": 2}, "b": 3}) == of_record({"b": 3, "a": {"y": 2, "x": 1}})
    assert of_record({"a": 1, "b": 3}) != of_record({"a": 3, "b": 1})


def test_the_order_of_cells_makes_one() -> None:
    """And so does where one ends."""
    of_row = row_fingerprint(destination())

    assert of_row(["a", "b"]) != of_row(["b", "a"])
    assert of_row(["ab", ""]) != of_row(["a", "b"])


@pytest.mark.parametrize(
    "other",
    [
        {"object": "Contact"},
        {"operation": Operation.UPDATE},
        {"external_id_field": "Other"},
        {"assignment_rule_id": "01Q000000000001AAA"},
        {"mapping": "Key→Key, Name→Site"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_equal_cells_for_another_destination_are_another_record(other: dict[str, Any]) -> None:
    """Other columns, another object: what was loaded there is not here."""
    assert row_fingerprint(destination())(["a", "b"]) != row_fingerprint(destination(**other))(["a", "b"])


def test_a_key_is_the_objects_whatever_the_stream() -> None:
    """Two streams that load one object can name the same record; a key of another object or column cannot."""
    of_key = key_fingerprint(destination())

    assert of_key("k") == key_fingerprint(destination(stream="t"))("k")
    assert of_key("k") != key_fingerprint(destination(object="Contact"))("k")
    assert of_key("k") != key_fingerprint(destination(key_column="Name"))("k")


NUMBER_LIKE = (
    st.text("0123456789.-,eE+ ", max_size=8)
    | st.from_regex(r"-?\d{0,45}(\.\d{0,45})?(e-?\d)?", fullmatch=True)
    | st.just("#N/A")
)


@given(st.lists(NUMBER_LIKE, min_size=3, max_size=3))
def test_a_row_has_the_fingerprint_of_its_canonical_numbers(cells: list[str]) -> None:
    """Whatever is in its cells: those that need no change are found in one look at all of them."""
    columns = tuple(Column(name, "double") for name in "cab")
    numbers = destination(columns=columns, key_column="a", number_columns=(0, 1, 2))
    texts = destination(columns=columns, key_column="a", number_columns=())

    canonical = [canonical_number(cell) if cell else cell for cell in cells]

    assert row_fingerprint(numbers)(cells) == row_fingerprint(texts)(canonical)


def test_an_insert_knows_no_difference_between_null_and_absent() -> None:
    """It starts from nothing. For an upsert a null clears the field."""
    insert = destination(operation=Operation.INSERT)
    of_insert = record_fingerprint(insert, properties={"a", "b"})
    of_upsert = record_fingerprint(destination(), properties={"a", "b"})

    assert of_insert({"a": 1, "b": None}) == of_insert({"a": 1})
    assert of_upsert({"a": 1, "b": None}) != of_upsert({"a": 1})
    assert row_fingerprint(insert)(["a", "#N/A"]) == row_fingerprint(insert)(["a", ""])
    assert row_fingerprint(destination())(["a", "#N/A"]) != row_fingerprint(destination())(["a", ""])


@pytest.mark.parametrize(
    "equal",
    [
        [1, 1.0, Decimal("1.00"), Decimal("1E+0")],
        [10, 10.0, Decimal("1E+1")],
        [0, -0.0, Decimal("0.00"), Decimal("0E+7")],
        [0.1, Decimal("0.1"), Decimal("0.10")],
        [-25, -25.0, Decimal("-2.5E+1")],
        [10**45, Decimal("1E+45"), Decimal("10E+44")],
        [[1, {"a": 2}], [1.0, {"a": Decimal("2.0")}]],
    ],
    ids=lambda equal: str(equal[0]),
)
def test_a_records_numbers_are_compared_by_value(equal: list[Any]) -> None:
    """However they are written, also inside a list or an object."""
    of_record = record_fingerprint(destination(), properties={"a"})

    assert len({of_record({"a": value}) for value in equal}) == 1


def test_values_that_only_look_alike_are_different() -> None:
    """A number is no text, no boolean and no list; and a double is not the whole number beside it."""
    of_record = record_fingerprint(destination(), properties={"a"})
    values: list[Any] = [1, "1", True, [1], ["1"], ["number", "1"], {"number": "1"}, 2, 0, "0", False, None, "", [], {}]
    values += [9007199254740992, 9007199254740993, 0.1, Decimal("0.1000000000000000055511151231257827"), "0.1"]

    for one, other in combinations(values, 2):
        assert of_record({"a": one}) != of_record({"a": other}), (one, other)


@pytest.mark.parametrize(
    ("spellings", "text"),
    [
        (["1" * 40, "1" * 40 + ".0"], "1" * 40),
        (["1" * 41, "1" * 41 + ".0"], "1" * 41 + "E0"),
        (["1e40", "1" + "0" * 40, "1" + "0" * 40 + ".0"], "1" + "0" * 40),
        (["1e41", "1" + "0" * 41, "10e40"], "1E41"),
        (["-1e999999", "-10e999998"], "-1E999999"),
        (["NaN"], "NaN"),
        (["-Infinity"], "-Infinity"),
        (["1.2.3"], "1.2.3"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_number_of_any_size_has_one_text(spellings: list[str], text: str) -> None:
    """A short one, so that `1e999999` does not become a million zeros."""
    assert {canonical_number(spelling) for spelling in spellings} == {text}


def test_an_upgrade_recognizes_what_an_older_version_has_loaded() -> None:
    """Fingerprints lie in the journal: other ones need another version of it, or an upgrade would load rows twice."""
    upsert, insert = destination(number_columns=(1,)), destination(operation=Operation.INSERT, key_column=None)
    record = {"Key": "k", "Name": None, "Size": Decimal("1.50"), "Tags": ["a", 2, True], "_at": "not loaded"}
    loaded = {"Key", "Name", "Size", "Tags"}

    found = [
        key_fingerprint(upsert)("k"),
        key_fingerprint(insert)("k"),
        row_fingerprint(upsert)(["k", "1.50"]),
        row_fingerprint(insert)(["k", "#N/A"]),
        record_fingerprint(upsert, properties=loaded)(record),
        record_fingerprint(insert, properties=loaded)(record),
    ]

    assert journal.VERSION == 3
    assert [print_.hex() for print_ in found] == [
        "04d2d2d04fee60042b663b81872f7364",
        "e9ccda87294f27eeef8d3a28661b3043",
        "9861cc22bb2c43b749d31c19b32ca1d7",
        "61a431f523c81c66a1140e8e15b9bb71",
        "269aaed04279bb22b570ee172baebfc1",
        "85d92ece73a50abbbeb01a8fcab0b1ba",
    ]


def test_the_order_of_a_schemas_properties_says_nothing(target: TargetRunner, org: Org) -> None:
    """A tap writes the same stream with its properties in another order after a crash: its records are recognized."""
    chosen: dict[str, Any] = {"operation": "insert", "batch_size_rows": 2, "max_concurrent_jobs": 1}
    rows = records("Account", *({"Name": str(n), "Site": "x"} for n in range(4)))
    org.faults.add("ingest.create", Fault.request_limit_total(), after=1)
    target.run(schema("Account", Name="string", Site="string"), rows, **chosen)

    run = target.run(schema("Account", Site="string", Name="string"), rows, state(4), **chosen)

    assert run.error is None
    assert run.states == [4]
    assert sorted(row["Name"] for row in org.rows("Account")) == ["0", "1", "2", "3"]
