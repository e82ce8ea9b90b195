"""A stream's plan is checked against describe, and every problem is told at once."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from msgspec import Raw
from salesforce_bulk_client import ConfigError, Operation, SalesforceClient, describe
from target_salesforce_bulk.mapping.plan import Plan, Refusal
from target_salesforce_bulk.mapping.plan_builder import make_plan
from target_salesforce_bulk.mapping.sources import Source
from target_salesforce_bulk.mapping.stream_settings import NullPolicy, StreamSettings
from target_salesforce_bulk.messages.fast_records import FastRecords

from tests.target.conftest import schema

MakePlan = Callable[..., Plan]


@pytest.fixture
def plan(client: SalesforceClient) -> MakePlan:
    """Makes the plan of a stream with text properties of these names."""

    def make(*properties: str, key: tuple[str, ...] = (), **settings: Any) -> Plan:
        stream = settings.pop("stream", "people")
        return make_plan(
            stream,
            schema=schema(stream, **dict.fromkeys(properties, "string"))["schema"],
            key_properties=key,
            settings=StreamSettings.for_stream(
                stream, settings={"object": "Contact", "operation": "insert"} | settings
            ),
            describe=lambda name: describe(client, name),
        )

    return make


def columns(plan: Plan) -> list[str]:
    """The headers of a plan's job data."""
    return [column.name for column in plan.destination.columns]


def test_a_property_fills_the_field_of_its_name(plan: MakePlan) -> None:
    """In any case, and with the field's own spelling in the header."""
    assert columns(plan("lastname", "FirstName")) == ["LastName", "FirstName"]


def test_fields_maps_properties(plan: MakePlan) -> None:
    """To another field, to a parent's external id, or to nothing."""
    mapping = {
        "fields": {"family": "LastName", "company": "account.external_id__c", "boss": "ReportsTo.Email", "x": None}
    }

    made = plan("family", "company", "boss", "x", mappings={"people": mapping})

    assert columns(made) == ["LastName", "Account.External_Id__c", "ReportsTo.Email"]
    assert made.destination.parents == ("Account", "Contact")


def test_the_exact_name_wins_over_a_glob(plan: MakePlan) -> None:
    """Among globs it is the first that matches."""
    mappings = {"p*": {"object": "Lead"}, "people": {"object": "Account"}, "*": {"object": "Case"}}

    assert StreamSettings.for_stream("people", settings={"mappings": mappings}).object == "Account"
    assert StreamSettings.for_stream("plants", settings={"mappings": mappings}).object == "Lead"
    assert StreamSettings.for_stream("cases", settings={"mappings": mappings}).object == "Case"


def test_read_only_fields_are_left_out_with_one_warning(plan: MakePlan, caplog: pytest.LogCaptureFixture) -> None:
    """Formulas, audit fields and the Id of an insert cannot be written."""
    with caplog.at_level(logging.WARNING):
        made = plan("Id", "LastName", "CreatedDate")

    assert columns(made) == ["LastName"]
    assert [record.getMessage() for record in caplog.records] == [
        "stream 'people': these properties are not loaded, because they are read-only in Contact: 'Id', 'CreatedDate'"
    ]


@pytest.mark.parametrize("chosen", [{"unknown_fields": "drop"}, {"mappings": {"p*": {"unknown_fields": "drop"}}}])
def test_unknown_fields_may_be_dropped(
    plan: MakePlan, caplog: pytest.LogCaptureFixture, chosen: dict[str, Any]
) -> None:
    """With one warning that names them; of all streams, or of one."""
    with caplog.at_level(logging.WARNING):
        made = plan("LastName", "Shoe_Size", **chosen)

    assert columns(made) == ["LastName"]
    assert "these properties are not loaded, because Contact has no such field: 'Shoe_Size'" in caplog.text


@pytest.mark.parametrize("nowhere", [None, ""], ids=["null", "empty text"])
def test_a_property_may_be_sent_nowhere(plan: MakePlan, caplog: pytest.LogCaptureFixture, nowhere: str | None) -> None:
    """Without a warning, since the user has named it; Meltano drops nulls, so an empty text does the same."""
    settings = {"mappings": {"people": {"fields": {"updated_at": nowhere}}}}

    with caplog.at_level(logging.WARNING):
        made = plan("LastName", "updated_at", **settings)

    assert columns(made) == ["LastName"]
    assert caplog.records == []


def test_a_mapping_may_wait_for_its_property(plan: MakePlan, caplog: pytest.LogCaptureFixture) -> None:
    """The stream's schema may grow, so what it does not have is only told."""
    with caplog.at_level(logging.WARNING):
        made = plan("LastName", mappings={"*": {"fields": {"phone": "Phone"}}})

    assert columns(made) == ["LastName"]
    assert "fields maps properties that its SCHEMA does not have: 'phone'" in caplog.text


@pytest.mark.parametrize(
    ("properties", "chosen", "message"),
    [
        (["LastName", "Shoe", "Hat"], {}, "Contact has no field 'Shoe', 'Hat' (or your user may not see it)"),
        (["a", "b"], {"mappings": {"*": {"fields": {"a": "LastName", "b": "lastname"}}}}, "'a' and 'b' both fill Last"),
        (["a"], {"mappings": {"*": {"fields": {"a": "CreatedDate"}}}}, "CreatedDate cannot be written by insert"),
        (["a"], {"mappings": {"*": {"fields": {"a": "Account.Name"}}}}, "Name is no external id of Account"),
        (["a"], {"mappings": {"*": {"fields": {"a": "Account.Nome"}}}}, "Nome is no field of Account"),
        (["a"], {"mappings": {"*": {"fields": {"a": "Akkount.Name"}}}}, "has no field 'a' → 'Akkount.Name'"),
        (["a"], {"mappings": {"*": {"fields": {"a": "Account:Account.External_Id__c"}}}}, "write Account.External_Id"),
        (["LastName"], {"operation": "upsert"}, 'needs an external id: set "external_id_field"'),
        (["LastName"], {"operation": "upsert", "external_id_field": "Phone"}, "Phone is not an external ID field"),
        (["LastName"], {"operation": "upsert", "external_id_field": "Nope"}, "has no field 'Nope' to upsert by"),
        (["LastName"], {"operation": "upsert", "external_id_field": "Email"}, "upsert needs Email, which no property"),
        (["LastName"], {"operation": "update"}, "update needs Id, which no property fills"),
        (["LastName"], {"operation": "delete"}, "delete needs Id, which no property fills"),
        (["CreatedDate"], {}, "no property fills any field"),
        (["Shoe"], {"unknown_fields": "drop"}, "no property fills any field"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told(plan: MakePlan, properties: list[str], chosen: dict[str, Any], message: str) -> None:
    """Before anything is sent, with the stream's name and what to do."""
    with pytest.raises(ConfigError) as told:
        plan(*properties, **chosen)

    assert str(told.value).startswith("stream 'people': ")
    assert message in str(told.value)


def test_all_problems_are_told_together(plan: MakePlan) -> None:
    """One run of the target tells them all."""
    with pytest.raises(ConfigError, match=r"no field 'Shoe' .*; update needs Id"):
        plan("Shoe", "LastName", operation="update")


def test_a_polymorphic_relation_needs_its_object(plan: MakePlan) -> None:
    """``Who`` of a Task may be a Lead or a Contact, so the column must say which."""
    with pytest.raises(
        ConfigError, match=r"Who.Email can point to several objects: write Contact:Who.Email or Lead:Who"
    ):
        plan("a", object="Task", mappings={"*": {"fields": {"a": "Who.Email"}}})

    made = plan("a", object="Task", mappings={"*": {"fields": {"a": "lead:Who.Email"}}})

    assert columns(made) == ["Lead:Who.Email"]
    assert made.destination.parents == ("Lead",)


def test_the_single_key_property_is_the_external_id(plan: MakePlan) -> None:
    """Also when it is mapped to a field of another name; ``Id`` will do as well."""
    mapping = {"fields": {"mail": "Email"}}

    assert plan(
        "mail", "LastName", key=("mail",), operation="upsert", mappings={"*": mapping}
    ).destination.key_column == ("Email")
    assert plan("Id", "LastName", key=("Id",), operation="upsert").destination.key_column == "Id"


def test_a_delete_sends_nothing_but_ids(plan: MakePlan) -> None:
    """Whatever else the records have."""
    made = plan("Id", "LastName", "Shoe", operation="delete")

    assert columns(made) == ["Id"]
    assert made.destination.operation is Operation.DELETE


def test_a_nested_property_is_refused_with_advice(plan: MakePlan, client: SalesforceClient) -> None:
    """No field can take an object; flattening or a stream map can take it apart."""
    with pytest.raises(ConfigError, match=r"'Description' is an object.*set flattening_enabled"):
        make_plan(
            "people",
            schema=schema("people", LastName="string", Description={"type": ["object", "null"]})["schema"],
            key_properties=(),
            settings=StreamSettings(object="Contact", operation=Operation.INSERT),
            describe=lambda name: describe(client, name),
        )


def nulls(plan: Plan, *, missing: bool = False) -> dict[str, str]:
    """What a record of nulls becomes, by column; or one that has only its key."""
    record = {filling.property: None for filling in plan.column_mappings if not missing} | {"mail": "k"}
    row = plan.row(record)
    assert not isinstance(row, Refusal)
    return dict(zip(columns(plan), row, strict=True))


NULLS = {"*": {"fields": {"mail": "Email", "boss": "ReportsTo.Email"}}}


def test_a_null_clears_its_field_in_an_update(plan: MakePlan) -> None:
    """Also a relationship; but neither the key, nor what cannot be null in Salesforce; what is missing stays."""
    made = plan("mail", "LastName", "Phone", "OwnerId", "boss", key=("mail",), operation="upsert", mappings=NULLS)

    assert nulls(made) == {"Email": "k", "LastName": "", "Phone": "#N/A", "OwnerId": "", "ReportsTo.Email": "#N/A"}
    assert set(nulls(made, missing=True).values()) == {"k", ""}


def test_a_null_in_an_insert_leaves_the_default(plan: MakePlan) -> None:
    """An empty cell: the owner is the user, and a checkbox has its default."""
    made = plan("mail", "Phone", "OwnerId", "boss", mappings=NULLS)

    assert nulls(made) == {"Email": "k", "Phone": "", "OwnerId": "", "ReportsTo.Email": ""}


def test_nulls_may_be_ignored(plan: MakePlan) -> None:
    """Then nothing is cleared."""
    made = plan("mail", "Phone", key=("mail",), operation="upsert", null_policy="ignore", mappings=NULLS)

    assert nulls(made) == {"Email": "k", "Phone": ""}


@pytest.mark.parametrize("value", [None, "", " "])
@pytest.mark.parametrize(("operation", "key"), [("upsert", "Email"), ("update", "Id"), ("delete", "Id")])
def test_a_null_key_is_never_sent_as_a_null(plan: MakePlan, operation: str, key: str, value: str | None) -> None:
    """The record fails, whatever the null policy says: `#N/A` would name no record, or be taken for one."""
    made = plan(key, "LastName", key=(key,), operation=operation)
    expected = f"{key} is empty, and {operation} needs it"
    if key == "Id" and value == " ":
        expected = "'Id': the value is not an Id, which has 15 or 18 letters and digits"

    row = made.row({key: value, "LastName": "Ada"})

    assert isinstance(row, Refusal)
    assert row.message == expected


def test_what_a_null_leaves_as_it_is_is_told_once(client: SalesforceClient, caplog: pytest.LogCaptureFixture) -> None:
    """Only where a null may come, and would have cleared the field."""
    properties = {"Email": ["string", "null"], "LastName": ["string", "null"], "OwnerId": "string", "Phone": "string"}

    def told(**chosen: Any) -> list[str]:
        caplog.clear()
        with caplog.at_level(logging.INFO, logger="target_salesforce_bulk"):
            make_plan(
                "people",
                schema=schema("people", **properties)["schema"],
                key_properties=("Email",),
                settings=StreamSettings(object="Contact", **chosen),
                describe=lambda name: describe(client, name),
            )
        return [record.getMessage() for record in caplog.records if record.name.startswith("target")]

    assert told(operation=Operation.UPSERT) == [
        "stream 'people': a null leaves these fields as they are, because they cannot be empty: LastName"
    ]
    assert told(operation=Operation.INSERT) == []
    assert told(operation=Operation.UPSERT, null_policy=NullPolicy.IGNORE) == []


LOOKUP = {"*": {"fields": {"contact": "Contact:Who.Email", "lead": "Lead:Who.Email", "id": "WhoId"}}}
WHO = "001000000000001"


@pytest.mark.parametrize(
    ("record", "row"),
    [
        ({"contact": "x@y.example", "lead": None}, ["x@y.example", "", ""]),
        ({"contact": None, "lead": "x@y.example"}, ["", "x@y.example", ""]),
        ({"contact": None, "lead": "", "id": WHO}, ["", "", WHO]),
        ({"id": WHO}, ["", "", WHO]),
        ({"contact": None, "lead": None, "id": None}, ["#N/A", "", ""]),
        ({"lead": None}, ["", "#N/A", ""]),
        ({}, ["", "", ""]),
        (
            {"contact": "a@y.example", "lead": None, "id": WHO},
            Refusal(
                "FIELD_FILLED_TWICE",
                "'contact' and 'id' have values for one field, which takes one",
                ("Contact:Who.Email", "WhoId"),
            ),
        ),
    ],
)
def test_several_columns_may_fill_one_lookup(plan: MakePlan, record: dict[str, Any], row: Any) -> None:
    """The one value that is there fills it, nulls clear it only together, and two values fail the row."""
    made = plan("contact", "lead", "id", "Subject", "Id", object="Task", operation="update", mappings=LOOKUP)
    expected = row if isinstance(row, Refusal) else [*row, "", "00T000000000001"]
    schema_ = made.destination.stream_schema
    fast = FastRecords.for_plan(made, schema=schema_, key_properties=[])
    full = {**record, "Id": "00T000000000001"}

    assert made.row(full) == expected
    assert fast
    no_nulls = {name: "" if value is None else value for name, value in full.items()}
    (quick,) = fast.rows([Raw(json.dumps(no_nulls).encode())])
    assert (quick if isinstance(quick, Refusal) else list(quick or ())) == expected


def test_two_properties_for_one_column_are_refused(plan: MakePlan) -> None:
    """A text column takes one property, whatever it holds."""
    with pytest.raises(ConfigError, match=r"'lead' and 'other' both fill Lead:Who\.Email"):
        plan(
            "lead",
            "other",
            object="Task",
            mappings={"*": {"fields": {**LOOKUP["*"]["fields"], "other": "lead:who.email"}}},
        )


def test_an_object_that_does_not_allow_the_operation_is_refused(plan: MakePlan) -> None:
    """Describe tells what the user may do."""
    with pytest.raises(ConfigError, match="delete is not possible for User"):
        plan("Id", object="User", operation="delete")


@pytest.mark.parametrize(
    ("flags", "operation", "is_placed"),
    [
        ({"createable": True, "updateable": False}, "insert", True),
        ({"createable": False, "updateable": True}, "insert", False),
        ({"createable": True, "updateable": False}, "update", False),
        ({"createable": False, "updateable": True}, "update", True),
        ({"createable": True, "updateable": False}, "upsert", True),
        ({"createable": False, "updateable": True}, "upsert", True),
        ({"createable": False, "updateable": False}, "upsert", False),
        ({"type": "address"}, "insert", False),
    ],
)
def test_a_field_is_written_where_the_operation_can(
    client: SalesforceClient, flags: dict[str, Any], operation: str, *, is_placed: bool
) -> None:
    """An upsert may create or update, so one of the two is enough; job data carries no compound fields."""
    described = describe(client, "Contact")
    fields = tuple(replace(field, **flags) if field.name == "Phone" else field for field in described.fields)
    key = {"upsert": "Email", "update": "Id"}.get(operation, "LastName")

    made = make_plan(
        "people",
        schema=schema("people", **{key: "string", "Phone": "string"})["schema"],
        key_properties=(key,),
        settings=StreamSettings(object="Contact", operation=Operation(operation)),
        describe=lambda _: replace(described, fields=fields),
    )

    assert columns(made) == [key, *(["Phone"] if is_placed else [])]


@pytest.mark.parametrize(
    ("flags", "operation"), [("createable", "insert"), ("updateable", "update"), ("createable", "upsert"),
                             ("updateable", "upsert"), ("deletable", "delete"), ("deletable", "hardDelete")]
)  # fmt: skip
def test_an_operation_that_the_user_may_not_do_is_refused(client: SalesforceClient, flags: str, operation: str) -> None:
    """Before anything is sent."""
    described = replace(describe(client, "Contact"), **{flags: False})

    with pytest.raises(ConfigError, match=f"{operation} is not possible for Contact"):
        make_plan(
            "people",
            schema=schema("people", Id="string", Email="string")["schema"],
            key_properties=("Email",),
            settings=StreamSettings(object="Contact", operation=Operation(operation)),
            describe=lambda _: described,
        )


def test_no_more_columns_than_salesforce_takes(plan: MakePlan, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many are fine, one more is told before anything is sent."""
    monkeypatch.setattr("target_salesforce_bulk.mapping.plan_builder.MAX_RECORD_FIELDS", 2)

    assert columns(plan("LastName", "Phone")) == ["LastName", "Phone"]
    with pytest.raises(ConfigError, match="3 columns are more than the 2 that Salesforce takes"):
        plan("LastName", "Phone", "Email")


def test_two_key_properties_name_no_external_id(plan: MakePlan) -> None:
    """The first of them alone would merge records that the second tells apart."""
    with pytest.raises(ConfigError, match="upsert into Contact needs an external id"):
        plan("Email", "LastName", key=("Email", "LastName"), operation="upsert")


def test_two_columns_share_one_lookup(plan: MakePlan) -> None:
    """A pair is a group already; a column that shares with none costs no row a check."""
    fields = {"contact": "Contact:Who.Email", "lead": "Lead:Who.Email"}

    made = plan("Subject", "contact", "lead", object="Task", mappings={"*": {"fields": fields}})

    assert made.shared_fields == ((1, 2),)


def test_a_plan_says_what_its_job_needs(plan: MakePlan) -> None:
    """The external id of an upsert alone, the assignment rule, and how much each field takes."""
    rule = {"*": {"assignment_rule_id": "01Q000000000001"}}

    upsert = plan("Email", "LastName", key=("Email",), operation="upsert", mappings=rule)
    update = plan("Id", "LastName", key=("Id",), operation="update")
    too_long = upsert.row({"Email": "a@b.example", "LastName": "x" * 81})

    assert (upsert.destination.external_id_field, upsert.destination.assignment_rule_id) == ("Email", "01Q000000000001")
    assert (update.destination.external_id_field, update.destination.assignment_rule_id) == (None, None)
    assert isinstance(too_long, Refusal)
    assert too_long.code == "STRING_TOO_LONG"
    assert upsert.row({"Email": "a@b.example", "LastName": "x" * 80}) == ["a@b.example", "x" * 80]


def test_the_order_of_settings_makes_no_other_destination(client: SalesforceClient) -> None:
    """Settings written in another order are the same settings: what an unfinished run has loaded is not sent again."""

    def destination_id(stream_map: dict[str, Any]) -> str:
        source = Source(stream="people", schema={}, key_properties=(), settings={"stream_maps": stream_map})
        made = make_plan(
            "people",
            schema=schema("people", **dict.fromkeys(stream_map, "string"))["schema"],
            key_properties=(),
            settings=StreamSettings(object="Contact", operation=Operation.INSERT),
            describe=lambda name: describe(client, name),
            source=source,
        )
        return made.destination.id

    of_settings = destination_id({"LastName": "name", "Phone": "phone"})

    assert destination_id({"Phone": "phone", "LastName": "name"}) == of_settings
    assert destination_id({"LastName": "phone", "Phone": "name"}) != of_settings


@pytest.mark.parametrize(("name", "shown"), [("LastName ", "'LastName '"), ("\ufeffLastName", "'\\ufeffLastName'")])
def test_what_cannot_be_seen_in_a_name_is_shown(plan: MakePlan, name: str, shown: str) -> None:
    """A blank at the end, or a byte order mark that a CSV file has left in its first column."""
    with pytest.raises(ConfigError) as told:
        plan(name, stream="people\u200b")

    assert f"Contact has no field {shown} (or" in str(told.value)
    assert "stream 'people\\u200b': " in str(told.value)


@pytest.mark.parametrize("kind", ["string", "object"])
def test_a_compound_field_is_left_out_with_the_names_of_its_parts(
    client: SalesforceClient, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    """An address, a geolocation or a person's name is loaded by its parts."""
    with caplog.at_level(logging.WARNING):
        make_plan(
            "people",
            schema=schema("people", LastName="string", MailingAddress=kind, Name=kind)["schema"],
            key_properties=(),
            settings=StreamSettings(object="Contact", operation=Operation.INSERT),
            describe=lambda name: describe(client, name),
        )

    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith(
        "stream 'people': these properties are not loaded, because they are compound fields of Contact:"
        " 'MailingAddress' (its parts: MailingStreet, MailingCity, "
    )
    assert line.endswith(", 'Name' (its parts: LastName, FirstName, Salutation)")


def test_a_compound_field_that_is_asked_for_is_refused_with_the_names_of_its_parts(plan: MakePlan) -> None:
    """What ``fields`` says cannot be left out."""
    with pytest.raises(ConfigError, match="MailingAddress cannot be written by insert: it is a compound field"):
        plan("a", mappings={"*": {"fields": {"a": "MailingAddress"}}})
