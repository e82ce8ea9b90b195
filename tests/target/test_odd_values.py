"""Values and names that no field expects: they fail their row, or are loaded as they are, and never end the run."""

from __future__ import annotations

from typing import Any

import pytest
from salesforce_bulk_simulator import Org
from target_salesforce_bulk.errors import RecordsFailed

from tests.target.conftest import Message, Run, TargetRunner, records, schema, state

FAST = {"type": "string"}
SLOW = {"type": "string", "pattern": "^"}
"""A schema of a text that the fast path takes, and one that it leaves."""

both_paths = pytest.mark.parametrize("text", [FAST, SLOW], ids=["fast", "slow"])


def accounts(text: dict[str, Any], **properties: Any) -> Message:
    """The SCHEMA of accounts with some more properties."""
    return schema("Account", key=["External_Id__c"], External_Id__c="string", Name=text, **properties)


def raw(record: str) -> bytes:
    """A RECORD line with a record as it is."""
    return f'{{"type": "RECORD", "stream": "Account", "record": {record}}}\n'.encode()


def only_ada_is_loaded(org: Org, run: Run, code: str) -> None:
    """One record is in the org, the other one has failed with this code, and the run has ended in order."""
    assert isinstance(run.error, RecordsFailed)
    assert run.states == [{"n": 1}]
    assert run.error_codes == [None, code]
    assert [row["Name"] for row in org.rows("Account")] == ["Ada"]


@both_paths
@pytest.mark.parametrize("small_batch_rows", [0, 200])
def test_an_id_with_a_comma_fails_its_row(
    org: Org, target: TargetRunner, text: dict[str, Any], small_batch_rows: int
) -> None:
    """A delete that would join it to the other Ids would delete a record that nobody has named."""
    ada, bob, cyd = org.insert("Account", [{"Name": name} for name in ("Ada", "Bob", "Cyd")])

    run = target.run(
        schema("Account", key=["Id"], Id=text),
        records("Account", {"Id": ada[:15]}, {"Id": f"{bob[:15]},{cyd}"}, {"Id": "1,234"}),
        state({"n": 1}),
        operation="delete",
        small_batch_rows=small_batch_rows,
    )

    assert isinstance(run.error, RecordsFailed)
    assert run.states == [{"n": 1}]
    assert sorted(run.statuses) == ["deleted", "failed", "failed"]
    failed = [outcome for outcome in run.outcomes if outcome["status"] == "failed"]
    assert {outcome["error_code"] for outcome in failed} == {"MALFORMED_ID"}
    assert {outcome["error_message"] for outcome in failed} == {
        "'Id': the value is not an Id, which has 15 or 18 letters and digits"
    }
    assert [row["Name"] for row in org.rows("Account")] == ["Bob", "Cyd"]


@both_paths
def test_a_malformed_id_in_a_lookup_fails_its_row(org: Org, target: TargetRunner, text: dict[str, Any]) -> None:
    """The rows of the same batch are loaded."""
    (boss,) = org.insert("Account", [{"Name": "Boss"}])

    run = target.run(
        accounts(text, ParentId="string"),
        records("Account", {"External_Id__c": "a", "Name": "Ada", "ParentId": boss}),
        records("Account", {"External_Id__c": "b", "Name": "Bob", "ParentId": f"{boss},{boss}"}),
        state({"n": 1}),
    )

    assert isinstance(run.error, RecordsFailed)
    assert run.error_codes == [None, "MALFORMED_ID"]
    assert run.outcomes[1]["error_fields"] == ["ParentId"]
    assert [(row["Name"], row["ParentId"]) for row in org.rows("Account")] == [("Boss", None), ("Ada", boss)]


@both_paths
@pytest.mark.parametrize(("kind", "small_batch_rows"), [("integer", 0), ("number", 0), ("number", 200)])
def test_a_whole_number_with_a_point_fills_an_int_field(
    org: Org, target: TargetRunner, text: dict[str, Any], kind: str, small_batch_rows: int
) -> None:
    """JSON holds 250.0 and 250 equal; 2.5 fails as its row."""
    run = target.run(
        accounts(text, NumberOfEmployees=kind),
        raw('{"External_Id__c": "a", "Name": "Ada", "NumberOfEmployees": 250.0}'),
        raw('{"External_Id__c": "b", "Name": "Bob", "NumberOfEmployees": 2.5}'),
        state({"n": 1}),
        small_batch_rows=small_batch_rows,
    )

    only_ada_is_loaded(org, run, "INVALID_RECORD" if kind == "integer" else "INVALID_VALUE")
    assert org.rows("Account")[0]["NumberOfEmployees"] == 250


@both_paths
def test_texts_that_are_no_values_of_their_fields_fail_their_rows(
    org: Org, target: TargetRunner, text: dict[str, Any]
) -> None:
    """Whatever Python would make of them."""
    fields = ("NumberOfEmployees", "AnnualRevenue", "ParentId")
    values = ("sNaN", "NaN", "Infinity", "-sNaN123", "1_000", "١٢", "0x10", "1e999999999", "1e99999999999999999999")
    odd = [{"External_Id__c": f"{field} {value}", field: value} for field in fields for value in values]

    run = target.run(
        accounts(text, **dict.fromkeys(fields, "string")),
        records("Account", *odd, {"External_Id__c": "Z", "Name": "Ada"}),
        state({"n": 1}),
    )

    assert isinstance(run.error, RecordsFailed)
    assert run.states == [{"n": 1}]
    assert run.error_codes == ["INVALID_VALUE"] * 18 + ["MALFORMED_ID"] * 9 + [None]
    assert [row["Name"] for row in org.rows("Account")] == ["Ada"]


@both_paths
def test_a_number_beyond_all_doubles_fails_its_row(org: Org, target: TargetRunner, text: dict[str, Any]) -> None:
    """Written out it would fill the memory; where it is not loaded it does no harm."""
    run = target.run(
        accounts(text, NumberOfEmployees="number", AnnualRevenue="number", BillingCity="number", dropped="number"),
        raw('{"External_Id__c": "a", "Name": "Ada", "dropped": 1e999999999}'),
        *(
            raw(f'{{"External_Id__c": "{field}", "Name": "Bob", "{field}": 1e999999999}}')
            for field in ("NumberOfEmployees", "AnnualRevenue", "BillingCity")
        ),
        state({"n": 1}),
        unknown_fields="drop",
    )

    assert isinstance(run.error, RecordsFailed)
    assert run.error_codes == ["INVALID_VALUE"] * 3 + [None]
    assert [row["Name"] for row in org.rows("Account")] == ["Ada"]


@both_paths
@pytest.mark.parametrize("value", ['{"a": [{"b": "sNaN", "c": 1e999999999}]}', '["sNaN", 1e999999999, [[]]]'])
def test_odd_values_deep_inside_fail_their_row(
    org: Org, target: TargetRunner, text: dict[str, Any], value: str
) -> None:
    """No field takes an object, and only multi-select picklists take a list."""
    run = target.run(
        accounts(text, BillingCity=["object", "array", "string", "null"]),
        records("Account", {"External_Id__c": "a", "Name": "Ada", "BillingCity": "sNaN"}),
        raw(f'{{"External_Id__c": "b", "Name": "Bob", "BillingCity": {value}}}'),
        state({"n": 1}),
    )

    only_ada_is_loaded(org, run, "NESTED_VALUE")
    assert org.rows("Account")[0]["BillingCity"] == "sNaN"


NAMES = [
    *('a"b', "a\\b", "a\tb", "a\nb", "a\0b", "é東京", "", " ", "__class__", "p0", "{x}", "{", "%s", "a.b", "$ref"),
    *("\x7f", "\ufeffName", "it's", "required", "None"),
]


@both_paths
def test_properties_that_are_dropped_may_have_any_names(org: Org, target: TargetRunner, text: dict[str, Any]) -> None:
    """A record that breaks its schema in one of them fails alone."""
    run = target.run(
        accounts(text, **dict.fromkeys(NAMES, "string")),
        records("Account", {"External_Id__c": "a", "Name": "Ada", **dict.fromkeys(NAMES, "x")}),
        *(records("Account", {"External_Id__c": "b", "Name": "Bob", name: 5}) for name in NAMES),
        state({"n": 1}),
        unknown_fields="drop",
    )

    assert isinstance(run.error, RecordsFailed)
    assert run.states == [{"n": 1}]
    assert run.error_codes == [None] + ["INVALID_RECORD"] * len(NAMES)
    assert [row["Name"] for row in org.rows("Account")] == ["Ada"]


@both_paths
@pytest.mark.parametrize("name", ['a"b', "a\\b\t\n\0", "é東京", "", "__class__", "p0", "{x}%s"])
def test_a_property_that_is_loaded_may_have_any_name(
    org: Org, target: TargetRunner, text: dict[str, Any], name: str
) -> None:
    """Its value reaches its field."""
    run = target.run(
        accounts(text, **{name: "string"}),
        records("Account", {"External_Id__c": "a", "Name": "Ada", name: "Berlin"}),
        mappings={"Account": {"fields": {name: "BillingCity"}}},
    )

    assert run.error is None
    assert [(row["Name"], row["BillingCity"]) for row in org.rows("Account")] == [("Ada", "Berlin")]
