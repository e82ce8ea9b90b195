"""The private names of the Singer SDK that our code rests on: they are there, and all of them are known."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest
from singer_sdk import Stream, Tap

from tests import sdk_names
from tests.sdk_names import PAGE, Use, is_in_sdk, names_on_page, table, table_on_page, uses


def test_the_installed_sdk_has_each_name_of_the_page() -> None:
    """What is gone is listed with the classes that need it."""
    gone = [f"{name}: {users}" for name, users in names_on_page().items() if not is_in_sdk(name)]

    assert gone == [], f"the installed singer-sdk lacks names that our code rests on ({PAGE.name})"


def test_the_page_has_each_name_that_the_code_uses() -> None:
    """And none that it does not use any more."""
    assert table_on_page() == table(uses()), "write the table again: .venv/bin/python -m tests.sdk_names"
    assert len(names_on_page()) == table_on_page().count("\n") - 2


SOURCE = """
from singer_sdk import Stream, Tap
from singer_sdk.helpers._util import dump_json

class Mixin:
    def read(self):
        return self._metadata

class Ours(Mixin, Stream):
    @property
    def _private(self):
        return self._own

    def _write_state_message(self):
        super()._write_starting_replication_value(None)

class OurTap(Tap):
    def sync_all(self):
        return getattr(self.stream, "_sync_records")
"""


def test_each_kind_of_use_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Imports, overrides, uses in a class or in a base of it, final methods, names in texts; but not our own names."""
    (tmp_path / "our_package").mkdir()
    (tmp_path / "our_package" / "__init__.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sdk_names, "PACKAGES", ("our_package",))

    found = uses()

    stream, tap = f"{Stream.__module__}:Stream", f"{Tap.__module__}:Tap"
    assert found == {
        Use("singer_sdk.helpers._util:dump_json", "our_package", "imports it"),
        Use(f"{stream}._metadata", "our_package: Mixin", "uses it"),
        Use(f"{stream}._write_state_message", "our_package: Ours", "replaces it"),
        Use(f"{stream}._write_starting_replication_value", "our_package: Ours", "uses it"),
        Use(f"{tap}.sync_all", "our_package: OurTap", "replaces it, though it is final"),
        Use(f"{stream}._sync_records", "our_package", "uses it"),
    }


def test_the_examples_in_the_docstrings_hold() -> None:
    """Each gives what it says."""
    assert doctest.testmod(sdk_names).failed == 0
