"""What the end-to-end tests share: our commands as they are installed, and Singer programs that are not ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

WriteJson = Callable[[str, Any], Path]
BIN = Path(sys.executable).parent


@pytest.fixture(scope="session")
def singer_bin(request: pytest.FixtureRequest) -> Path:
    """The folder of target-jsonl and singer-check-tap; they need an old jsonschema, so an environment of their own."""
    venv = Path(request.config.cache.mkdir("singer-tools"))
    if not (venv / "bin" / "singer-check-tap").exists():
        run_uv("venv", "--clear", "--python", sys.executable, str(venv))
        run_uv("pip", "install", "--python", str(venv), "target-jsonl==0.1.4", "singer-tools==0.4.1", "setuptools<81")
    return venv / "bin"


def run_uv(*arguments: str) -> None:
    """Run uv. Where the package registry cannot be reached the test is skipped."""
    env = {"UV_SYSTEM_CERTS": "1", **os.environ}  # as scripts/install does
    done = subprocess.run([BIN / "uv", *arguments], capture_output=True, text=True, check=False, env=env)
    # uv has one exit code for all errors: only its words tell that nobody answered.
    if "error sending request" in done.stderr:
        pytest.skip(f"the package registry cannot be reached: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr


@pytest.fixture
def write_json(tmp_path: Path) -> WriteJson:
    """Writes a value into a file of that name, and gives its path."""

    def write(name: str, value: Any) -> Path:
        path = tmp_path / name
        path.write_text(json.dumps(value), encoding="utf-8")
        return path

    return write
