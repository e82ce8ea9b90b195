"""Clients that others wrote, installed on demand into a cache outside the repository.

Each client lives in an environment of its own, named by what is installed, so that it is made once per version.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import venv
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

INSTALL_TIMEOUT_S = 600


class CannotInstall(Exception):
    """A client cannot be had on this machine; the text says why."""


def python_with(*requirements: str, python: str | None = None) -> Path:
    """Return the interpreter of an environment that has these packages; ``python`` makes it, this one by default."""
    folder = _folder("python", *requirements, python or "")
    program = folder / "bin" / "python"

    def install() -> None:
        if python is None:
            venv.create(folder, with_pip=True)
        else:
            _run([python, "-m", "venv", str(folder)])
        _run([str(program), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements])

    return _once(folder, install, program)


def node_modules_with(dependencies: dict[str, str], *, overrides: dict[str, str] | None = None) -> Path:
    """Return a ``node_modules`` folder that has these packages."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise CannotInstall("there is no node, or no npm")
    package = {"name": "peer", "private": True, "dependencies": dependencies, "overrides": overrides or {}}
    folder = _folder("node", json.dumps(package))

    def install() -> None:
        (folder / "package.json").write_text(json.dumps(package))
        _run(["npm", "install", "--no-audit", "--no-fund", "--loglevel", "error"], cwd=folder)

    return _once(folder, install, folder / "node_modules")


def _folder(kind: str, *parts: str) -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    name = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
    return cache / "singer-salesforce-bulk" / "peers" / f"{kind}-{name}"


def _once(folder: Path, install: Callable[[], None], result: Path) -> Path:
    folder.parent.mkdir(parents=True, exist_ok=True)
    done = folder / ".installed"
    with FileLock(f"{folder}.lock"):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            install()
            done.touch()
    return result


def _run(command: list[str], *, cwd: Path | None = None) -> None:
    try:
        subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S)
    except subprocess.CalledProcessError as error:
        last = error.stderr.strip().splitlines()[-1:] or ["no message"]
        raise CannotInstall(f"{command[0]} failed: {last[0]}") from error
    except subprocess.TimeoutExpired as error:
        raise CannotInstall(f"{command[0]} took more than {INSTALL_TIMEOUT_S} s") from error
