"""Installing a peer and running its script."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .installed import CannotInstall


def install(make: Callable[[], Path]) -> Path:
    """Return an installed client, or skip the test where it cannot be had."""
    try:
        return make()
    except CannotInstall as error:
        pytest.skip(str(error))


def run_script(*command: str, environment: dict[str, str], timeout_s: float = 100) -> Any:
    """Run a peer's script and return the JSON that it prints."""
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=timeout_s)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)
