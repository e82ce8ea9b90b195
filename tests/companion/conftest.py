"""Runs ``salesforce-bulk`` in this process against the simulated org, in an empty folder and environment."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from salesforce_bulk_companion.command import main

Run = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: empty, with no setting in the environment."""
    for name in os.environ:
        if name.startswith(("TAP_SALESFORCE_BULK_", "TARGET_SALESFORCE_BULK_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def bare(folder: Path) -> Run:
    """Runs the command as it is given."""
    return lambda *arguments: CliRunner().invoke(main, arguments)


@pytest.fixture
def companion(bare: Run, folder: Path, settings: dict[str, Any]) -> Run:
    """Runs a command with the settings that log in to ``org``, and more of them."""

    def run(*arguments: str, **more: Any) -> Result:
        config = folder / "config.json"
        config.write_text(json.dumps({**settings, "poll_min_s": 0.01, **more}))
        return bare(*arguments, "--config", str(config))

    return run
