"""The SDK's own tests for targets. They only assert that nothing raises, so each gets a look into the org here.

Each of their streams is loaded into a custom object, with the external id ``Key__c`` for its key; nested objects are
flattened, as the target advises.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from salesforce_bulk_simulator import Org, Progression
from singer_sdk.testing import SuiteConfig, TargetTestRunner
from singer_sdk.testing import target_tests as sdk
from singer_sdk.testing.suites import target_tests
from singer_sdk.testing.templates import TargetTestTemplate
from target_salesforce_bulk.errors import RecordsFailed
from target_salesforce_bulk.target import TargetSalesforceBulk

from tests.target.conftest import TargetRunner

Rows = Callable[[str], list[dict[str, Any]]]


def custom(name: str, **fields: str) -> dict[str, Any]:
    """A custom object with a number as its external id."""
    return {"name": name, "fields": {"Key__c": "double(18,0) externalId unique", **fields}}


TEXT = "textarea(32000)"
NESTED = {"info__name": "Name__c", "info__value": "Value__c"}
OBJECTS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "test_array_data": (custom("Fruits__c", Fruits__c="multipicklist(200)"), {"fruits": "Fruits__c"}),
    "TestCamelcase": (custom("Clients__c", Name__c=TEXT), {"Id": "Key__c", "clientName": "Name__c"}),
    "ForecastingTypeToCategory": (
        custom("Forecasts__c", Text__c="string(30) externalId", Age__c="int", New__c=TEXT, Score__c=TEXT),
        {"Id": "Text__c", "age": "Age__c", "NewCamelCasedAttribute": "New__c"},
    ),
    "test_duplicate_records": (custom("Doubles__c", Metric__c="int"), {"metric": "Metric__c"}),
    "test_strings": (custom("Strings__c", Info__c=TEXT), {"info": "Info__c"}),
    "test_strings_in_objects": (custom("Nested__c", Name__c=TEXT, Value__c=TEXT), NESTED),
    "test_strings_in_arrays": (custom("Arrays__c", Strings__c=TEXT), {"strings": "Strings__c"}),
    "test_no_pk": (custom("Plain__c", Metric__c="int"), {"metric": "Metric__c"}),
    "test_optional_attributes": (custom("Optional__c", Text__c=TEXT), {"optional": "Text__c"}),
    "example_stream": (custom("Examples__c", Text__c=TEXT, Email__c="email"), {"name": "Text__c", "email": "Email__c"}),
    "record_missing_fields": (custom("Missing__c", Text__c=TEXT), {"optional": "Text__c"}),
    "test_object_schema_with_properties": (
        custom("Stores__c", Metric__c="int"),
        {"object_store__id": "Key__c", "object_store__metric": "Metric__c"},
    ),
    "test_object_schema_no_properties": (custom("Blobs__c", Text__c=TEXT), {"object_store": "Text__c"}),
    "test_schema_updates": (
        custom(
            "Updates__c", A1__c="double(18,2)", A2__c=TEXT, A3__c="boolean", Value__c="int", A5__c=TEXT, A6__c="int"
        ),
        {"a1": "A1__c", "a2": "A2__c", "a3": "A3__c", "a4__value": "Value__c", "a5": "A5__c", "a6": "A6__c"},
    ),
    "test:SpecialChars!in?attributes": (
        custom("Specials__c", Text__c="string(30) externalId", Env__c=TEXT, Agent__c=TEXT),
        {"_id": "Text__c", "d__env": "Env__c", "d__agent:type": "Agent__c"},
    ),
    "test_record_missing_key_property": (custom("Keyless__c", Metric__c="int"), {"metric": "Metric__c"}),
}


@pytest.fixture
def org() -> Org:
    """An org with an object for each stream of the SDK's tests."""
    return Org(progression=Progression.immediate(), objects=[declaration for declaration, _ in OBJECTS.values()])


@pytest.fixture
def run(target: TargetRunner) -> Callable[[type[TargetTestTemplate]], None]:
    """Runs one of the SDK's tests."""
    mappings = {
        stream: {"object": declaration["name"], "external_id_field": "Key__c", "fields": {"id": "Key__c", **fields}}
        for stream, (declaration, fields) in OBJECTS.items()
    }
    for stream in ("ForecastingTypeToCategory", "test:SpecialChars!in?attributes"):
        mappings[stream]["external_id_field"] = "Text__c"
    for stream in ("test_no_pk", "test_object_schema_with_properties", "test_object_schema_no_properties"):
        mappings[stream]["operation"] = "insert"
    config = target.config(mappings=mappings, unknown_fields="drop", flattening_enabled=True, flattening_max_depth=2)

    def run_test(test: type[TargetTestTemplate]) -> None:
        runner = TargetTestRunner(TargetSalesforceBulk, config=config)
        try:
            test().run(SuiteConfig(), None, runner)
        finally:
            if runner.target_input:
                runner.target_input.close()  # the SDK leaves it open

    return run_test


@pytest.fixture
def rows(org: Org) -> Rows:
    """Gives an object's rows in the order of their keys, only with the fields that are loaded."""

    def read(name: str) -> list[dict[str, Any]]:
        found = [{field: value for field, value in row.items() if field.endswith("__c")} for row in org.rows(name)]
        return sorted(found, key=lambda row: row["Key__c"] or 0)

    return read


@pytest.mark.parametrize(
    "test",
    [
        sdk.TargetCliPrintsTest,
        sdk.TargetInvalidSchemaTest,
        sdk.TargetRecordBeforeSchemaTest,
    ],
    ids=lambda test: test.name,
)
def test_broken_input(run: Callable[[type], None], org: Org, test: type[TargetTestTemplate]) -> None:
    """The SDK asserts the error; the org stays as it was."""
    run(test)

    assert all(org.rows(declaration["name"]) == [] for declaration, _ in OBJECTS.values())


def test_array_data(run: Callable[[type], None], rows: Rows) -> None:
    """A list of texts is a multi-select picklist."""
    run(sdk.TargetArrayData)

    assert [row["Fruits__c"] for row in rows("Fruits__c")] == [
        "apple;orange;pear",
        "banana;apple",
        "pear",
        "orange;banana;apple;pear",
    ]


def test_camelcase(run: Callable[[type], None], rows: Rows) -> None:
    """Names in any case; text that is a number fills a number."""
    run(sdk.TargetCamelcaseTest)

    assert rows("Clients__c") == [
        {"Key__c": 1.0, "Name__c": "Gitter Windows Desktop App"},
        {"Key__c": 2.0, "Name__c": "Gitter iOS App"},
    ]


def test_camelcase_complex_schema(run: Callable[[type], None], rows: Rows) -> None:
    """Two schemas without a record: they are checked, and nothing is loaded."""
    run(sdk.TargetCamelcaseComplexSchema)

    assert rows("Forecasts__c") == []


def test_duplicate_records(run: Callable[[type], None], rows: Rows) -> None:
    """The last row of a key wins."""
    run(sdk.TargetDuplicateRecords)

    assert rows("Doubles__c") == [{"Key__c": 1.0, "Metric__c": 100}, {"Key__c": 2.0, "Metric__c": 20}]


def test_encoded_string_data(run: Callable[[type], None], rows: Rows) -> None:
    """Quotes, line breaks, any script, in texts, objects and lists."""
    run(sdk.TargetEncodedStringData)

    strings = [row["Info__c"] for row in rows("Strings__c")]
    assert strings[:6] == [
        "simple string 2837",
        "απλή συμβολοσειρά",
        "简单的字串",
        "chaîne simple",
        'quoted "string"',
        'various " \\ / \n escape sequences',
    ]
    assert len(strings) == 11
    assert [row["Value__c"] for row in rows("Nested__c")][1:4] == strings[1:4]
    assert json.loads(rows("Arrays__c")[0]["Strings__c"]) == ["simple string", "απλή συμβολοσειρά", "简单的字串"]
    assert len(rows("Arrays__c")) == 6


def test_no_primary_keys(run: Callable[[type], None], rows: Rows) -> None:
    """Records without a key can only be inserted."""
    run(sdk.TargetNoPrimaryKeys)

    assert [row["Metric__c"] for row in rows("Plain__c")] == [11, 22, 33]


def test_optional_attributes(run: Callable[[type], None], rows: Rows) -> None:
    """A missing property is no null."""
    run(sdk.TargetOptionalAttributes)

    assert [row["Text__c"] for row in rows("Optional__c")] == ["This is optional", None, "Also optional", None]


def test_primary_key_updates(run: Callable[[type], None], rows: Rows) -> None:
    """The SDK's test has its key properties in the wrong place; the external id of the mapping is the key."""
    run(sdk.TargetPrimaryKeyUpdates)

    assert [row["Email__c"] for row in rows("Examples__c")] == ["alice@example.com", "bob@example.com"]


def test_record_missing_key_property(run: Callable[[type], None], rows: Rows) -> None:
    """The SDK wants the run to end there (sdk.TargetRecordMissingKeyProperty); here the record fails alone."""
    test = type("Test", (sdk.TargetFileTestTemplate,), {"name": sdk.TargetRecordMissingKeyProperty.name})

    with pytest.raises(RecordsFailed):
        run(test)

    assert rows("Keyless__c") == []


def test_record_missing_fields(run: Callable[[type], None], rows: Rows) -> None:
    """A record may lack what its schema does not require."""
    run(sdk.TargetRecordMissingOptionalFields)

    assert [row["Text__c"] for row in rows("Missing__c")] == ["now you see me", None]


def test_schema_no_properties(run: Callable[[type], None], rows: Rows) -> None:
    """Objects are flattened by the SDK; one without declared properties cannot be, so it is text."""
    run(sdk.TargetSchemaNoProperties)

    assert [row["Metric__c"] for row in rows("Stores__c")] == [187, 203]


def test_schema_updates(run: Callable[[type], None], rows: Rows) -> None:
    """What a later schema adds is loaded from then on."""
    run(sdk.TargetSchemaUpdates)

    assert [(row["A1__c"], row["A3__c"], row["Value__c"], row["A6__c"]) for row in rows("Updates__c")] == [
        (101.0, False, None, None),
        (102.0, True, None, None),
        (103.0, False, 1, None),
        (104.0, True, 22, None),
        (105.0, False, 33, 985),
        (106.0, True, 444, 341),
    ]


def test_special_chars_in_attributes(run: Callable[[type], None], rows: Rows) -> None:
    """Names of streams and properties that no field can have are mapped."""
    run(sdk.TargetSpecialCharsInAttributes)

    assert rows("Specials__c")[0] | {"Key__c": None} == {
        "Key__c": None,
        "Text__c": "a2e98886",
        "Env__c": "prod",
        "Agent__c": "desktop",
    }


def test_multiple_state_messages(run: Callable[[type], None], target: TargetRunner, rows: Rows) -> None:
    """The SDK leaves its own test of this out: it expects a STATE for each time that its sinks are drained.

    Ours passes the newest STATE whose records have outcomes, so the last one is what can be relied on.
    """
    folder = Path(sdk.__file__).with_name("target_test_streams")
    first = target.run(
        (folder / "multiple_state_messages.singer").read_bytes(),
        unknown_fields="drop",
        operation="insert",
        mappings={"test_multiple_state_messages_*": {"object": "Plain__c", "fields": {"metric": "Metric__c"}}},
    )

    assert first.error is None
    assert first.states[-1] == {"test_multiple_state_messages_a": 5, "test_multiple_state_messages_b": 6}
    assert len(rows("Plain__c")) == 12


def test_every_test_of_the_suite_is_here() -> None:
    """None of the SDK's tests of targets is left out."""
    here = Path(__file__).read_text()

    assert [test.__name__ for test in target_tests.tests if f"sdk.{test.__name__}" not in here] == []
