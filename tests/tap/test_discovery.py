"""Discovery: which objects there are, with which fields, keys and cursors."""

from __future__ import annotations

import doctest
from typing import Any

import pytest
from salesforce_bulk_client import ConfigError
from salesforce_bulk_simulator import Fault, Org
from tap_salesforce_bulk.discovery import objects

from .conftest import TapRunner


def streams(catalog: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {stream["tap_stream_id"]: stream for stream in catalog["streams"]}


def metadata(stream: dict[str, Any]) -> dict[tuple[str, ...], dict[str, Any]]:
    return {tuple(entry["breadcrumb"]): entry["metadata"] for entry in stream["metadata"]}


def test_all_objects_that_may_be_queried_are_found(tap: TapRunner) -> None:
    """An object whose `queryable` is false is no stream."""
    names = streams(tap.discover()).keys()

    assert {"Account", "Contact", "Lead", "Opportunity", "User"} <= names
    assert "ActivityHistory" not in names


def test_an_object_has_its_key_and_cursor(tap: TapRunner) -> None:
    """The key is the Id, the cursor SystemModstamp; both are always included."""
    account = streams(tap.discover(streams_to_discover=["Account"]))["Account"]

    assert account["key_properties"] == ["Id"]
    assert account["replication_method"] == "INCREMENTAL"
    assert account["replication_key"] == "SystemModstamp"
    assert metadata(account)["properties", "Id"]["inclusion"] == "automatic"
    assert metadata(account)["properties", "SystemModstamp"]["inclusion"] == "automatic"
    assert metadata(account)["properties", "Name"]["inclusion"] == "available"


@pytest.mark.parametrize(
    ("name", "cursor"),
    [("AccountHistory", "CreatedDate"), ("AccountShare", "LastModifiedDate"), ("CronJobDetail", None)],
)
def test_objects_without_a_systemmodstamp_have_another_cursor_or_none(
    tap: TapRunner, name: str, cursor: str | None
) -> None:
    """History objects have only a creation date, some objects not even that."""
    stream = streams(tap.discover(streams_to_discover=[name]))[name]

    assert stream.get("replication_key") == cursor
    assert stream["replication_method"] == ("INCREMENTAL" if cursor else "FULL_TABLE")


def test_fields_that_bulk_cannot_return_are_listed_with_the_reason(tap: TapRunner) -> None:
    """They are no properties, so that no target makes a column of them."""
    account = streams(tap.discover(streams_to_discover=["Account"]))["Account"]

    assert "BillingAddress" not in account["schema"]["properties"]
    assert metadata(account)["properties", "BillingAddress"] == {
        "inclusion": "unsupported",
        "unsupported-description": (
            "a compound field: Bulk queries return its parts, such as the street and the city, instead"
        ),
    }


def test_fields_can_be_left_to_the_user_to_select(tap: TapRunner) -> None:
    """With `select_fields_by_default: false` only the key and the cursor are read."""
    account = streams(tap.discover(streams_to_discover=["Account"], select_fields_by_default=False))["Account"]

    assert metadata(account)["properties", "Name"]["selected-by-default"] is False


@pytest.mark.parametrize(
    ("patterns", "found"),
    [
        (["Account"], ["Account"]),
        (["account*"], ["Account", "AccountHistory", "AccountShare"]),
        (["Lead", "Opp*nity"], ["Lead", "Opportunity"]),
    ],
)
def test_objects_are_chosen_by_name_or_glob(tap: TapRunner, patterns: list[str], found: list[str]) -> None:
    """Case does not matter, as in Salesforce."""
    assert sorted(streams(tap.discover(streams_to_discover=patterns))) == found


@pytest.mark.parametrize("names", [["Account", "Nothing*"], ["Nothing__c"], ["ActivityHistory", "Nothing__c"]])
def test_a_glob_that_matches_nothing_is_an_error(tap: TapRunner, names: list[str]) -> None:
    """So are names when there is none of them: a run that quietly reads nothing would look like success."""
    with pytest.raises(ConfigError, match=r"streams_to_discover names '.*', but this user can query no such object"):
        tap.discover(streams_to_discover=names)


@pytest.mark.parametrize("missing", ["Nothing__c", "ActivityHistory"])
def test_a_named_object_that_does_not_exist_fails_the_sync_and_the_others_are_read(
    tap: TapRunner, accounts: list[str], missing: str
) -> None:
    """It is that stream's failure, by name."""
    run = tap.run("Account", missing)

    assert str(run.error).startswith(f"1 of 2 streams failed: {missing}: streams_to_discover names it, but ")
    assert run.column("Account", "Name") == ["Ada", "Bob", "Cyd"]


def test_a_named_object_that_cannot_be_described_fails_the_sync(org: Org, tap: TapRunner, accounts: list[str]) -> None:
    """Also when the catalog of an earlier discovery selects it; the others are read."""
    catalog = tap.catalog(Account=["Name"], Lead=["LastName"])
    refusal = Fault.status(400, json=[{"errorCode": "INVALID_TYPE", "message": "no"}])
    errors = []
    for more in ({"streams_to_discover": ["Lead", "Account"]}, {"catalog": catalog}):
        org.faults.add("describe", refusal, times=2)
        run = tap.run(**more)
        errors.append(str(run.error))
        org.faults.clear()

    assert all("2 of 2 streams failed: " in error and "INVALID_TYPE" in error for error in errors)
    assert len(org.faults.completed) == 4


def test_a_name_that_the_catalog_lacks_fails_the_sync(tap: TapRunner, accounts: list[str]) -> None:
    """Its describe has failed when the catalog was made: a schedule that reads the rest must not look like success."""
    catalog = tap.discover(streams_to_discover=["Account"])

    run = tap.run("account", "Lead", catalog=catalog)

    assert str(run.error) == (
        "1 of 2 streams failed: Lead: streams_to_discover names it, but the catalog does not have it: discover again"
    )
    assert run.column("Account", "Name") == ["Ada", "Bob", "Cyd"]


def test_an_object_that_cannot_be_described_does_not_stop_the_others(
    org: Org, tap: TapRunner, caplog: pytest.LogCaptureFixture
) -> None:
    """It is reported, and the catalog has the rest."""
    org.faults.add("describe", Fault.status(400, json=[{"errorCode": "INVALID_TYPE", "message": "no"}]))

    found = streams(tap.discover(streams_to_discover=["Account", "Contact", "Lead"]))

    assert len(found) == 2
    assert org.faults.completed
    assert "cannot be described" in caplog.text


def test_a_version_that_the_org_does_not_have_is_said(tap: TapRunner) -> None:
    """In the words of `salesforce-bulk check`, for discovery and for a sync."""
    catalog = tap.catalog(Account=["Name"])
    runs = [tap.run("Account", api_version="99.0"), tap.run(catalog=catalog, api_version="99.0")]

    assert {str(run.error) for run in runs} == {
        "api_version is 99.0, but this org offers 31.0 to 67.0: set one of them"
    }


def test_a_describe_that_is_refused_for_haste_is_asked_for_again(org: Org, tap: TapRunner) -> None:
    """Salesforce answers quick describes with 406 and no body."""
    org.faults.add("describe", Fault.status(406), times=2)

    found = streams(tap.discover(streams_to_discover=["Account", "Lead"]))

    assert sorted(found) == ["Account", "Lead"]
    assert len(org.faults.completed) == 2


def test_only_selected_streams_are_described_during_a_sync(org: Org, tap: TapRunner) -> None:
    """A catalog of a thousand objects costs as many describes as it selects."""
    catalog = tap.catalog(Account=["Name"])
    before = len(org.requests)

    tap.run(catalog=catalog)

    assert [path for _, path in org.requests[before:] if path.endswith("/describe")] == [
        "/services/data/v66.0/sobjects/Account/describe"
    ]


def test_the_examples_in_the_docstrings_hold() -> None:
    """Each example in the module's docstrings gives what it says."""
    assert doctest.testmod(objects).failed == 0
