"""What the end-to-end tests share: our commands as they are installed, and Singer programs that are not ours."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from examples.nycflights13.sandbox import PLUGINS, PROJECT
from tests.end_to_end.pages import Example, run

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


@cache
def install_plugins() -> None:
    """Install the plugins of meltano.yml, each in an environment of its own below .meltano, once for all tests."""
    env = {"UV_SYSTEM_CERTS": "1", **os.environ, "MELTANO_PROJECT_ROOT": str(PROJECT)}
    done = subprocess.run(
        [BIN / "meltano", "install", *PLUGINS, "salesforce-bulk"], capture_output=True, text=True, check=False, env=env
    )
    # See run_uv.
    if "error sending request" in done.stderr:
        pytest.skip(f"the package registry cannot be reached: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr


@dataclass(frozen=True, kw_only=True)
class Project:
    """A copy of the Meltano project, with states and settings of its own, and the plugins that are installed."""

    folder: Path
    variables: dict[str, str]

    def run(self, example: Example) -> str:
        """Run the commands of a page's example; gives what they printed."""
        return run(example, cwd=self.folder, env={**os.environ, **self.variables})


MELTANO_FILES = ("meltano.yml", "plugins", "examples/nycflights13/dev.meltano.yml")
"""What makes the Meltano project: its main file, the lock files, and what it includes."""


@pytest.fixture
def project(tmp_path: Path, url: str) -> Iterator[Project]:
    """A project whose Salesforce is the simulated one at ``url``."""
    folder = tmp_path / "project"
    for name in MELTANO_FILES:
        copy = shutil.copytree if (PROJECT / name).is_dir() else shutil.copy
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        copy(PROJECT / name, folder / name)
    variables = {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "NO_COLOR": "1",
        "UV_SYSTEM_CERTS": os.environ.get("UV_SYSTEM_CERTS", "1"),
        "MELTANO_DATABASE_URI": f"sqlite:///{folder / 'meltano.db'}",
        "MELTANO_SYS_DIR_ROOT": str(PROJECT / ".meltano"),
        "TAP_SALESFORCE_BULK_LOGIN_URL": url,
        "TARGET_SALESFORCE_BULK_LOGIN_URL": url,
    }
    # Meltano itself keeps two runs of one project apart no better than by failing.
    with FileLock(PROJECT / ".demo.lock", timeout=600):
        install_plugins()
        yield Project(folder=folder, variables=variables)
