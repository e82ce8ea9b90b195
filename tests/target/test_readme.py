"""The target's README tells what is true."""

from __future__ import annotations

import doctest
import importlib
import json
import pkgutil
from pathlib import Path

import target_salesforce_bulk
from target_salesforce_bulk.settings import CONFIG_JSONSCHEMA

README = (Path(__file__).parents[2] / "target-salesforce-bulk" / "README.md").read_text()


def test_every_setting_is_in_the_table() -> None:
    """With its default and its description, word for word."""
    for name, setting in CONFIG_JSONSCHEMA["properties"].items():
        default = setting.get("default")
        shown = "" if default is None else f" `{default if isinstance(default, str) else json.dumps(default)}`"
        if name in {"add_record_metadata", "validate_records"} or name.startswith(
            ("stream_map", "faker", "flattening")
        ):
            assert f"`{name}`" in README
        else:
            assert f"| `{name}` |{shown} | {setting['description']} |" in README


def test_every_error_code_of_ours_is_explained() -> None:
    """Those that stand in the code stand in the README."""
    folder = Path(target_salesforce_bulk.__file__).parent
    code = "".join(path.read_text() for path in folder.glob("*.py"))

    for word in ("INVALID_RECORD", "UNDECLARED_PROPERTY", "INVALID_VALUE", "NESTED_VALUE", "STRING_TOO_LONG",
                 "TEXT_MEANS_NULL", "MISSING_KEY", "ROW_TOO_LARGE", "NOT_PROCESSED", "NO_OUTCOME"):  # fmt: skip
        assert f'"{word}"' in code
        assert f"`{word}`" in README


def test_the_examples_in_docstrings_are_true() -> None:
    """Every doctest of the package."""
    tried = 0
    for module in pkgutil.iter_modules(target_salesforce_bulk.__path__):
        result = doctest.testmod(importlib.import_module(f"target_salesforce_bulk.{module.name}"))
        assert result.failed == 0
        tried += result.attempted

    assert tried > 10
