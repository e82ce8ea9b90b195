"""Fields come and go in every org: changes are reported, and what is emitted fits its schema."""

from __future__ import annotations

import doctest
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from salesforce_bulk_simulator import Org
from tap_salesforce_bulk.discovery import schema_drift

from .conftest import TapRunner

pytestmark = pytest.mark.usefixtures("accounts")


def edited(catalog: dict[str, Any], **properties: dict[str, Any] | None) -> dict[str, Any]:
    """The catalog as it would have been made earlier: with these properties, or (None) without them."""
    for stream in catalog["streams"]:
        for name, schema in properties.items():
            if schema is None:
                stream["schema"]["properties"].pop(name, None)
            elif stream["tap_stream_id"] == "Account":
                stream["schema"]["properties"][name] = schema
    return catalog


def test_the_examples_in_the_docstrings_hold() -> None:
    """Each example in the module's docstrings gives what it says."""
    assert doctest.testmod(schema_drift).failed == 0


def test_a_changed_type_is_told_and_the_schema_follows(tap: TapRunner, caplog: pytest.LogCaptureFixture) -> None:
    """A record that does not fit its own schema would stop the target."""
    catalog = edited(tap.catalog(Account=["Name", "AnnualRevenue"]), AnnualRevenue={"type": ["string", "null"]})

    run = tap.run(catalog=catalog)

    assert run.error is None
    assert "Account has changed since the catalog was made: AnnualRevenue was string, and is number" in caplog.text
    assert run.schema("Account")["properties"]["AnnualRevenue"]["type"] == ["number", "null"]


def test_a_new_field_is_reported(tap: TapRunner, caplog: pytest.LogCaptureFixture) -> None:
    """It is no alert, and not read: the catalog says what is."""
    caplog.set_level(logging.INFO)

    run = tap.run(catalog=edited(tap.catalog(Account=["Name"]), Industry=None))

    assert run.error is None
    assert "Account has fields that are not in the catalog: Industry is new" in caplog.text
    assert "Industry" not in run.records["Account"][0]
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_gone_field_can_be_an_error(tap: TapRunner) -> None:
    """`schema_drift: error` reads nothing of a changed object."""
    catalog = edited(tap.catalog(Account=["Name", "Gone__c"]), Gone__c={"type": ["string", "null"]})

    run = tap.run(catalog=catalog, schema_drift="error")

    assert "Account has changed since the catalog was made: Gone__c is gone" in str(run.error)
    assert run.records["Account"] == []


def test_it_can_be_ignored(tap: TapRunner, caplog: pytest.LogCaptureFixture) -> None:
    """What cannot be read is left out all the same."""
    catalog = edited(
        tap.catalog(Account=["Name", "Gone__c", "Industry"]),
        Gone__c={"type": ["string", "null"]},
        Industry={"type": ["integer", "null"]},
    )

    run = tap.run(catalog=catalog, schema_drift="ignore")

    assert run.error is None
    assert "has changed" not in caplog.text
    assert run.schema("Account")["properties"]["Industry"]["type"] == ["string", "null"]


def test_a_catalog_that_still_fits_is_not_told_of(tap: TapRunner, caplog: pytest.LogCaptureFixture) -> None:
    """Discovery and reading agree on every field."""
    run = tap.run(catalog=tap.catalog(Account=None), schema_drift="error")

    assert run.error is None
    assert "catalog" not in caplog.text


class TestRegistry:
    """The folder with a versioned file per stream."""

    def test_each_stream_that_is_read_has_its_file(self, tap: TapRunner, tmp_path: Path) -> None:
        """The first version is no change."""
        run = tap.run("Account", "Lead", schema_registry=str(tmp_path / "schemas"))

        entry = json.loads((tmp_path / "schemas/Account.json").read_text())
        assert run.error is None
        assert sorted(path.name for path in (tmp_path / "schemas").iterdir()) == ["Account.json", "Lead.json"]
        assert (entry["stream"], entry["version"]) == ("Account", 1)
        assert entry["schema"]["properties"]["Name"]["maxLength"] == 255

    def test_nothing_is_written_when_nothing_changes(self, tap: TapRunner, tmp_path: Path) -> None:
        """A file under version control stays clean."""
        tap.run("Account", schema_registry=str(tmp_path))
        before = (tmp_path / "Account.json").read_text()

        tap.run("Account", schema_registry=str(tmp_path), schema_drift="error")

        assert (tmp_path / "Account.json").read_text() == before

    @pytest.fixture
    def changed(self, tap: TapRunner, tmp_path: Path) -> Path:
        """A registry that knows another Account: no Industry, a shorter Name, and a field that is gone."""
        tap.run("Account", schema_registry=str(tmp_path))
        entry = json.loads((tmp_path / "Account.json").read_text())
        properties = entry["schema"]["properties"]
        del properties["Industry"]
        properties["Name"]["maxLength"] = 80
        properties["Gone__c"] = {"type": ["boolean", "null"]}
        (tmp_path / "Account.json").write_text(json.dumps(entry))
        return tmp_path

    def test_a_change_is_told_once_and_makes_a_version(
        self, tap: TapRunner, changed: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The rows are read; the changes stay in the file."""
        first = tap.run("Account", schema_registry=str(changed))
        count = caplog.text.count("Account has changed since the registry last saw it")
        second = tap.run("Account", schema_registry=str(changed))

        entry = json.loads((changed / "Account.json").read_text())
        assert (first.error, second.error, count) == (None, None, 1)
        assert caplog.text.count("has changed") == 1
        assert entry["version"] == 2
        assert entry["changes"][-1]["fields"] == {
            "Gone__c": "is gone",
            "Industry": "is new: string(40)",
            "Name": "was string(80), and is string(255)",
        }

    def test_a_change_can_be_an_error_until_it_is_accepted(self, tap: TapRunner, changed: Path) -> None:
        """The file stays as it was, so the next run fails as well."""
        errors = [str(tap.run("Account", schema_registry=str(changed), schema_drift="error").error) for _ in range(2)]
        accepted = tap.run("Account", schema_registry=str(changed))
        after = tap.run("Account", schema_registry=str(changed), schema_drift="error")

        assert all("Gone__c is gone; Industry is new: string(40); Name was string(80)" in each for each in errors)
        assert (accepted.error, after.error) == (None, None)

    def test_a_file_of_something_else_is_not_overwritten(self, tap: TapRunner, tmp_path: Path, org: Org) -> None:
        """The folder may be a wrong one."""
        (tmp_path / "Account.json").write_text('{"Name": "Ada"}')

        run = tap.run("Account", schema_registry=str(tmp_path))

        assert "Account.json was not written by this tap" in str(run.error)
        assert (tmp_path / "Account.json").read_text() == '{"Name": "Ada"}'
        assert org.jobs == []
