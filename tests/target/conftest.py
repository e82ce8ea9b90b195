"""Runs the target in this process against the simulated org, and reads what it leaves behind."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from target_salesforce_bulk.target import TargetSalesforceBulk

Command = Callable[..., subprocess.CompletedProcess[str]]
Message = dict[str, Any]


def schema(stream: str, *, key: Sequence[str] = (), **properties: str | list[str] | Mapping[str, Any]) -> Message:
    """A SCHEMA message; a property is its type, or its whole schema."""
    return {
        "type": "SCHEMA",
        "stream": stream,
        "key_properties": list(key),
        "schema": {
            "type": "object",
            "properties": {
                name: dict(kind) if isinstance(kind, Mapping) else {"type": kind} for name, kind in properties.items()
            },
        },
    }


def records(stream: str, *rows: Mapping[str, Any]) -> list[Message]:
    """RECORD messages."""
    return [{"type": "RECORD", "stream": stream, "record": dict(row)} for row in rows]


def state(value: Any) -> Message:
    """A STATE message."""
    return {"type": "STATE", "value": value}


def lines(messages: Iterable[Message | list[Message]]) -> bytes:
    """Messages as the lines of a tap."""
    flat = [one for entry in messages for one in (entry if isinstance(entry, list) else [entry])]
    return b"".join(json.dumps(message).encode() + b"\n" for message in flat)


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one run of the target gave."""

    states: list[Any]
    error: BaseException | None
    results_dir: Path

    @property
    def outcomes(self) -> list[dict[str, Any]]:
        """All outcomes in the folder, of earlier runs too, in the order of their keys."""
        found = [
            json.loads(line)
            for path in sorted(self.results_dir.glob("outcomes-*.jsonl"))
            for line in path.read_text().splitlines()
        ]
        return sorted(found, key=lambda outcome: json.dumps(outcome["key"]))

    @property
    def statuses(self) -> list[str]:
        """The status of each outcome, in the order of their keys."""
        return [outcome["status"] for outcome in self.outcomes]

    @property
    def error_codes(self) -> list[str | None]:
        """The error code of each outcome, in the order of their keys."""
        return [outcome["error_code"] for outcome in self.outcomes]

    @property
    def summary(self) -> dict[str, Any]:
        """The summary of the last run."""
        return dict(json.loads(max(self.results_dir.glob("summary-*.json"), key=_age).read_text()))

    @property
    def failed_file(self) -> bytes:
        """The failed records of the last run that had any."""
        return max(self.results_dir.glob("failed-*.singer.jsonl"), key=_age).read_bytes()


def _age(path: Path) -> int:
    return path.stat().st_mtime_ns


@dataclass(frozen=True, kw_only=True)
class TargetRunner:
    """Runs the target with the settings of the simulated org."""

    settings: Mapping[str, Any]
    results_dir: Path
    capsys: pytest.CaptureFixture[str]

    def config(self, **more: Any) -> dict[str, Any]:
        """The settings of a run; all polls are quick."""
        quick = {"poll_min_s": 0.01, "poll_max_s": 0.05}
        return {**self.settings, **quick, "results_dir": str(self.results_dir), **more}

    def run(self, *messages: Message | list[Message] | bytes, **more: Any) -> Run:
        """Feed the target messages (or raw lines); an error of the target's is part of the result."""
        data = b"".join(part if isinstance(part, bytes) else lines([part]) for part in messages)
        self.capsys.readouterr()
        error: BaseException | None = None
        try:
            TargetSalesforceBulk(config=self.config(**more)).listen(io.BytesIO(data))
        except Exception as caught:  # noqa: BLE001  the tests look at it
            error = caught
        states = [json.loads(line) for line in self.capsys.readouterr().out.splitlines()]
        return Run(states=states, error=error, results_dir=self.results_dir)


@pytest.fixture
def target(settings: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> TargetRunner:
    """The target, logging in to ``org``."""
    return TargetRunner(settings=settings, results_dir=tmp_path / "logs", capsys=capsys)


@pytest.fixture
def command(target: TargetRunner, tmp_path: Path) -> Command:
    """Runs the command with an input and settings."""

    def run(*messages: Any, **settings: Any) -> subprocess.CompletedProcess[str]:
        config = tmp_path / "config.json"
        config.write_text(json.dumps(target.config(**settings)))
        data = b"".join(part if isinstance(part, bytes) else lines([part]) for part in messages)
        done = subprocess.run(
            [Path(sys.executable).with_name("target-salesforce-bulk"), "--config", config],
            input=data,
            capture_output=True,
            check=False,
        )
        return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())

    return run
