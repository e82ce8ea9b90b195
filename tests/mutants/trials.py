"""Trials: a module's tests run against a private copy of the packages, so the working tree is never touched."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]
"""The folder from which ``tests.mutants`` is imported."""


@dataclass(frozen=True, kw_only=True)
class Project:
    """What is mutated: ``modules`` maps a name to the file and to pytest's arguments, in which files may be globs."""

    root: Path
    package_folders: tuple[str, ...]
    modules: dict[str, tuple[str, str]]

    def pytest_arguments(self, module: str) -> list[str]:
        """The arguments for a module's tests; globs as the files they stand for."""
        words = shlex.split(self.modules[module][1])
        found = {
            word: sorted(str(f.relative_to(self.root)) for f in self.root.glob(word)) for word in words if "*" in word
        }
        return [file for word in words for file in found.get(word, [word])]


class Trial:
    """One run of a module's tests with ``source`` in place of the file at ``path``; it begins at once."""

    def __init__(self, project: Project, module: str, source: str, *, durations: Path, timeout_s: float) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="mutant-", ignore_cleanup_errors=True)
        copy = Path(self._folder.name) / "packages"
        for name in project.package_folders:
            shutil.copytree(project.root / name, copy / name)  # with compiled files, which save seconds
        file = copy / project.modules[module][0]
        file.write_text(source, "utf-8")
        for compiled in file.parent.glob(f"__pycache__/{file.stem}.*"):
            compiled.unlink()
        # PYTHONPATH comes before the editable install, in the commands that the tests start too.
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([*(str(copy / name) for name in project.package_folders), str(HERE)]),
            "HYPOTHESIS_STORAGE_DIRECTORY": str(copy / "hypothesis"),
            "MUTANTS_DURATIONS": str(durations),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # a third of the time that it takes to begin
        }
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-x",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "tests.mutants.fastest_first",
        ]
        command += [f"--basetemp={self._folder.name}/tmp", *project.pytest_arguments(module)]
        self._output = (copy / "output").open("w+", encoding="utf-8", errors="replace")
        self._process = subprocess.Popen(
            command,
            cwd=project.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # its whole group can be killed
        )
        self._begun, self._timeout_s = time.monotonic(), timeout_s

    @property
    def seconds(self) -> float:
        """How long it has run."""
        return time.monotonic() - self._begun

    @property
    def is_over(self) -> bool:
        """Whether the tests have ended or run too long."""
        return self._process.poll() is not None or self.seconds > self._timeout_s

    def end(self) -> tuple[bool, str]:
        """Stop what still runs; return whether the tests passed, and what they printed."""
        passed = self._process.poll() == 0
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._output.seek(0)
        output = self._output.read()
        self._output.close()
        self._folder.cleanup()
        return passed, output


def run_all(
    begin: Iterable[Callable[[], Trial]], *, jobs: int, when_over: Callable[[int, bool, float, str], None]
) -> None:
    """Run up to ``jobs`` trials at once; ``when_over`` gets index, whether the tests passed, seconds and output."""
    waiting = deque(enumerate(begin))
    running: dict[int, Trial] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                index, start = waiting.popleft()
                running[index] = start()
            time.sleep(0.02)
            for index in [index for index, trial in running.items() if trial.is_over]:
                seconds = running[index].seconds
                passed, output = running.pop(index).end()
                when_over(index, passed, seconds, output)
    finally:
        for trial in running.values():
            trial.end()
