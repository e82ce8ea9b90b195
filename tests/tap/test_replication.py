"""How a stream is replicated is what its catalog asks for, in whichever words; or the stream fails and says why."""

from __future__ import annotations

import doctest
from collections.abc import Callable
from typing import Any

import pytest
from salesforce_bulk_simulator import Org, Progression
from tap_salesforce_bulk.discovery import replication

from .conftest import BOTH_PATHS, TapRunner

VISITS = {
    "objects": [
        {
            "name": "Visit__c",
            "prefix": "a0V",
            "fields": {"Seen__c": "datetime", "Day__c": "date", "Notes__c": "textarea(1000)", "Place__c": "string(80)"},
        }
    ]
}
STAMPS = ["2024-01-15T10:30:00.000Z", "2024-02-15T10:30:00.000Z", "2024-03-15T10:30:00.000Z"]


@pytest.fixture
def org() -> Org:
    """An org with three visits, in three months."""
    org = Org(objects=[VISITS], progression=Progression.immediate())
    org.insert("Visit__c", [{"Place__c": stamp[:7], "Seen__c": stamp, "Day__c": stamp[:10]} for stamp in STAMPS])
    return org


@pytest.fixture
def where(queries: Callable[[], list[str]]) -> Callable[[], str]:
    """Gives the conditions of the last query."""
    return lambda: queries()[-1].partition(" WHERE ")[2]


@pytest.fixture
def catalog(tap: TapRunner) -> Callable[..., dict[str, Any]]:
    """Gives the discovered catalog of visits, with these words in the metadata, or ``beside`` it."""

    def catalog(beside: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
        found = tap.discover(streams_to_discover=["Visit__c"])
        (stream,) = found["streams"]
        stream.update(beside or {})
        for entry in stream["metadata"]:
            if not entry["breadcrumb"]:
                entry["metadata"] |= {
                    "selected": True,
                    **{name.replace("_", "-"): word for name, word in metadata.items()},
                }
        return found

    return catalog


BY_DATE = {
    "in the metadata": {"replication_key": "Seen__c"},
    "beside it": {"beside": {"replication_key": "Seen__c"}},
    "as Meltano writes it": {"replication_key": "Seen__c", "beside": {"replication_key": "Seen__c"}},
    "with the method": {"replication_key": "Seen__c", "replication_method": "INCREMENTAL"},
    "in another case": {"replication_key": "seen__C"},
}


@BOTH_PATHS
@pytest.mark.parametrize("words", BY_DATE.values(), ids=BY_DATE)
def test_a_replication_key_of_ones_own_choice(
    org: Org,
    tap: TapRunner,
    catalog: Callable[..., dict[str, Any]],
    where: Callable[[], str],
    words: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It has the filter, the bookmark and the lookback; what it may miss is said once."""
    first = tap.run(catalog=catalog(**words))
    first_where = where()
    org.insert("Visit__c", [{"Place__c": "late", "Seen__c": "2024-03-15T10:25:00.000Z"}])

    second = tap.run(catalog=catalog(**words), state=first.state)

    assert (first.error, second.error) == (None, None)
    assert first_where.startswith("Seen__c < ") or first_where == "Seen__c = null"
    assert first.state["bookmarks"]["Visit__c"] == {
        "replication_key": "Seen__c",
        "replication_key_value": "2024-03-15T10:30:00.000Z",
    }
    assert second.column("Visit__c", "Place__c") == ["2024-03", "late"]
    assert "Seen__c" in first.schema("Visit__c")["properties"]
    schemas = [message for message in first.messages if message["type"] == "SCHEMA"]
    assert schemas[0]["bookmark_properties"] == ["Seen__c"]
    warnings = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert warnings.count(
        "Visit__c is read incrementally by Seen__c instead of SystemModstamp: a change that does not move Seen__c past"
        " the bookmark is not read, and a row whose Seen__c lies in the future not before then"
    ) == len([first, second])


def test_a_replication_key_that_is_not_selected_comes_all_the_same(
    tap: TapRunner, catalog: Callable[..., dict[str, Any]]
) -> None:
    """In the records and in the SCHEMA."""
    found = catalog(replication_key="Seen__c")
    for entry in found["streams"][0]["metadata"]:
        if entry["breadcrumb"]:
            entry["metadata"]["selected"] = entry["breadcrumb"][1] == "Place__c"

    run = tap.run(catalog=found)

    assert run.error is None
    assert {*run.records["Visit__c"][0]} == {"Id", "Place__c", "Seen__c", "SystemModstamp"}
    assert run.schema("Visit__c")["properties"].keys() == run.records["Visit__c"][0].keys()


def test_the_default_key_warns_of_nothing(
    tap: TapRunner, catalog: Callable[..., dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    """Also when it is named."""
    run = tap.run(catalog=catalog(replication_key="SystemModstamp", replication_method="INCREMENTAL"))

    assert run.error is None
    assert "is read incrementally by" not in caplog.text


@pytest.mark.parametrize(
    "words",
    [
        {"replication_method": "FULL_TABLE"},
        {"forced_replication_method": "FULL_TABLE"},
        {"beside": {"replication_method": "FULL_TABLE"}},
        {"beside": {"forced_replication_method": "FULL_TABLE"}},
        {"replication_method": "FULL_TABLE", "forced_replication_method": "FULL_TABLE"},
        {"replication_method": "FULL_TABLE", "replication_key": "Seen__c"},
    ],
    ids=str,
)
def test_full_table_reads_everything(
    tap: TapRunner, catalog: Callable[..., dict[str, Any]], queries: Callable[[], list[str]], words: dict[str, Any]
) -> None:
    """Each time, whatever the state says."""
    first = tap.run(catalog=catalog())
    everything = tap.run(catalog=catalog(**words), state=first.state)

    assert everything.error is None
    assert everything.column("Visit__c", "Place__c") == [stamp[:7] for stamp in STAMPS]
    assert "WHERE" not in queries()[-1]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "LOG_BASED": (
        {"replication_method": "LOG_BASED"},
        (
            "the catalog asks for replication method LOG_BASED, but there is only INCREMENTAL, which also reads deleted"
            " rows, and FULL_TABLE"
        ),
    ),
    "LOG_BASED beside the metadata": (
        {"beside": {"replication_method": "LOG_BASED"}},
        "the catalog asks for replication method LOG_BASED, but",
    ),
    "no method": ({"forced_replication_method": "full"}, "the catalog asks for replication method full, but"),
    "two methods": (
        {"replication_method": "INCREMENTAL", "forced_replication_method": "FULL_TABLE"},
        "the catalog asks for replication-method INCREMENTAL and forced-replication-method FULL_TABLE: leave one out",
    ),
    "a method against the metadata": (
        {"replication_method": "INCREMENTAL", "beside": {"replication_method": "FULL_TABLE"}},
        "the catalog asks for replication-method INCREMENTAL and replication_method FULL_TABLE: leave one out",
    ),
    "two keys": (
        {"replication_key": "Seen__c", "beside": {"replication_key": "Day__c"}},
        "the catalog asks for replication-key Seen__c and replication_key Day__c: leave one out",
    ),
    "a text as key": ({"replication_key": "Place__c"}, "the catalog asks to read incrementally by Place__c, but"),
    "an unknown key": ({"replication_key": "Gone__c"}, "the catalog asks to read incrementally by Gone__c, but"),
    "a list as key": ({"replication_key": ["Seen__c"]}, "the catalog asks to read incrementally by ['Seen__c'], but"),
    "another primary key": (
        {"table_key_properties": ["Place__c"]},
        (
            "the catalog's table-key-properties is ['Place__c'], but the key of the object is ['Id']: leave it out;"
            " __key_properties__ in stream_maps gives the target other keys"
        ),
    ),
    "another primary key beside it": (
        {"beside": {"key_properties": ["Id", "Place__c"]}},
        "the catalog's key_properties is ['Id', 'Place__c'], but the key of the object is ['Id']",
    ),
    "no primary key": ({"beside": {"key_properties": []}}, "the catalog's key_properties is [], but"),
}


@pytest.mark.parametrize(("words", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_fails_the_stream(
    org: Org, tap: TapRunner, catalog: Callable[..., dict[str, Any]], words: dict[str, Any], message: str
) -> None:
    """It is not read in some other way instead."""
    run = tap.run(catalog=catalog(**words))

    assert str(run.error).startswith(f"1 of 1 streams failed: Visit__c: {message}")
    assert run.records["Visit__c"] == []
    assert org.jobs == []


def test_a_catalog_that_leaves_it_open_is_read_as_discovered(
    tap: TapRunner, catalog: Callable[..., dict[str, Any]]
) -> None:
    """Such as one that was written by hand."""
    found = catalog()
    for name in ("replication_key", "replication_method", "key_properties"):
        del found["streams"][0][name]
    for entry in found["streams"][0]["metadata"]:
        if not entry["breadcrumb"]:
            entry["metadata"] = {"selected": True}

    run = tap.run(catalog=found)

    assert run.error is None
    assert run.state["bookmarks"]["Visit__c"]["replication_key"] == "SystemModstamp"
    (schema,) = [message for message in run.messages if message["type"] == "SCHEMA"]
    assert schema["key_properties"] == ["Id"]


def test_the_examples_in_the_docstrings_hold() -> None:
    """Each example in the module's docstrings gives what it says."""
    assert doctest.testmod(replication).failed == 0
