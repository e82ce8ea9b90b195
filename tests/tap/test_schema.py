"""Describe answers become schemas: types, nullability, what is left out and why, and the cursor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from salesforce_bulk_client import Field, SObjectDescribe
from singer_sdk.typing import DEFAULT_JSONSCHEMA_VALIDATOR
from tap_salesforce_bulk.discovery.schema import (
    choose_replication_key,
    json_schema,
    property_schema,
    supported_fields,
    unsupported_reason,
)

RECORDED = Path(__file__).parents[3] / "shared" / "describes"
"""Describe answers of real orgs, where they are at hand; they are not part of this project."""


def described(*fields: dict[str, Any]) -> SObjectDescribe:
    return SObjectDescribe.from_json({"name": "Thing__c", "fields": list(fields)})


def recorded(name: str) -> SObjectDescribe:
    path = RECORDED / f"{name}.json"
    if not path.exists():
        pytest.skip(f"no recorded describe of {name} on this machine")
    return SObjectDescribe.from_json(json.loads(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        ("string", {"type": ["string", "null"]}),
        ("reference", {"type": ["string", "null"]}),
        ("multipicklist", {"type": ["string", "null"]}),
        ("anyType", {"type": ["string", "null"]}),
        ("boolean", {"type": ["boolean", "null"]}),
        ("int", {"type": ["integer", "null"]}),
        ("long", {"type": ["integer", "null"]}),
        ("double", {"type": ["number", "null"]}),
        ("currency", {"type": ["number", "null"]}),
        ("percent", {"type": ["number", "null"]}),
        ("date", {"type": ["string", "null"], "format": "date"}),
        ("datetime", {"type": ["string", "null"], "format": "date-time"}),
        ("time", {"type": ["string", "null"], "format": "time"}),
    ],
)
def test_each_describe_type_has_its_json_type(type_: str, expected: dict[str, Any]) -> None:
    """The type comes from describe, and null is always allowed."""
    field = Field.from_json({"name": "A__c", "label": "An A", "type": type_, "nillable": False})

    assert property_schema(field) == {**expected, "description": "An A"}


def test_only_the_id_is_never_null() -> None:
    """Describe's `nillable` binds what is written; rows older than the rule may lack the value."""
    schema = json_schema(
        described({"name": "Id", "type": "id", "length": 18}, {"name": "Name", "type": "string", "nillable": False})
    )

    assert schema["properties"]["Id"] == {"type": ["string"], "maxLength": 18, "description": "Id"}
    assert schema["properties"]["Name"]["type"] == ["string", "null"]


def test_picklist_values_annotate_and_do_not_bind() -> None:
    """Rows may hold values that are no longer in the list."""
    field = Field.from_json(
        {
            "name": "Stage",
            "label": "Stage",
            "type": "picklist",
            "length": 40,
            "picklistValues": [{"value": "Open", "active": True}, {"value": "Old", "active": False}, {"value": "Won"}],
        }
    )

    assert property_schema(field) == {
        "type": ["string", "null"],
        "maxLength": 40,
        "description": "Stage (picklist: Open; Won)",
    }


@pytest.mark.parametrize(
    ("type_", "soap_type"),
    [
        ("address", "urn:address"),
        ("location", "urn:location"),
        ("base64", "xsd:base64Binary"),
        ("json", "tns:json"),
        ("complexvalue", "urn:SearchLayoutField"),
        ("something", "urn:RecordTypesSupported"),
    ],
)
def test_what_bulk_cannot_return_is_left_out_with_the_reason(type_: str, soap_type: str) -> None:
    """One such field in a query would fail the whole job."""
    odd = {"name": "Odd", "type": type_, "soapType": soap_type}

    describe = described({"name": "Id", "type": "id"}, odd)

    assert unsupported_reason(describe.fields[1])
    assert list(json_schema(describe)["properties"]) == ["Id"]


def test_a_compound_name_is_plain_text() -> None:
    """`Contact.Name` is the compound of FirstName and LastName, and yet may be selected."""
    name = Field.from_json({"name": "Name", "type": "string", "soapType": "xsd:string", "compoundFieldName": "Name"})

    assert unsupported_reason(name) is None


@pytest.mark.parametrize(
    ("fields", "cursor"),
    [
        ([("CreatedDate", True), ("SystemModstamp", True)], "SystemModstamp"),
        ([("SystemModstamp", False), ("CreatedDate", True), ("LastModifiedDate", True)], "LastModifiedDate"),
        ([("LoginTime", True)], "LoginTime"),
        ([("SystemModstamp", False)], None),
        ([], None),
    ],
)
def test_the_cursor_is_the_first_that_may_be_filtered_by(fields: list[tuple[str, bool]], cursor: str | None) -> None:
    """`ActivityFieldHistory.SystemModstamp` exists and is not filterable."""
    describe = described(*({"name": name, "type": "datetime", "filterable": ok} for name, ok in fields))

    assert choose_replication_key(describe) == cursor


@pytest.mark.parametrize(
    ("name", "count", "left_out"),
    [
        ("Account", 66, {"BillingAddress", "ShippingAddress"}),
        ("Contact", 57, {"MailingAddress", "OtherAddress"}),
        ("Lead", 53, {"Address"}),
        ("Opportunity", 40, set()),
        ("Custom__c", 3, set()),
    ],
)
def test_recorded_describes_give_sane_schemas(name: str, count: int, left_out: set[str]) -> None:
    """Every field of real orgs is typed, or left out for a reason."""
    describe = recorded(name)

    schema = json_schema(describe)

    DEFAULT_JSONSCHEMA_VALIDATOR.check_schema(schema)
    assert len(schema["properties"]) == count
    assert {field.name for field in describe.fields} - schema["properties"].keys() == left_out
    assert all(property_["description"] for property_ in schema["properties"].values())
    assert len(supported_fields(describe)) == count


def test_a_recorded_opportunity_has_its_types() -> None:
    """A real object, field by field of each kind."""
    properties = json_schema(recorded("Opportunity"))["properties"]

    assert properties["Id"]["type"] == ["string"]
    assert properties["Name"] == {"type": ["string", "null"], "maxLength": 120, "description": "Name"}
    assert properties["Amount"]["type"] == ["number", "null"]
    assert properties["IsWon"]["type"] == ["boolean", "null"]
    assert properties["CloseDate"]["format"] == "date"
    assert properties["SystemModstamp"]["format"] == "date-time"
    assert properties["FiscalYear"]["type"] == ["integer", "null"]
    assert properties["Fiscal"]["type"] == ["string", "null"]
    assert choose_replication_key(recorded("Opportunity")) == "SystemModstamp"
