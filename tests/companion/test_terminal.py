"""On a terminal: a question before anything is done, and colours."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from salesforce_bulk_client import IngestJob, IngestSpec, Operation, SalesforceClient
from salesforce_bulk_simulator import Org


@pytest.mark.parametrize(("answer", "state", "exit_code"), [("n", "Open", 1), ("y", "Aborted", 0)])
def test_it_asks_before_it_acts(
    client: SalesforceClient,
    org: Org,
    settings: dict[str, Any],
    folder: Path,
    answer: str,
    state: str,
    exit_code: int,
) -> None:
    """The jobs are shown first; any answer but yes leaves them alone."""
    IngestJob.create(client, IngestSpec(object="Contact", operation=Operation.INSERT))
    (folder / "config.json").write_text(json.dumps(settings))
    program = Path(sys.executable).parent / "salesforce-bulk"
    ours, its = pty.openpty()
    with subprocess.Popen(
        [program, "jobs", "abort", "--open", "--config", "config.json"],
        stdin=its,
        stdout=its,
        stderr=its,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    ) as process:
        os.close(its)
        shown = _read_to(ours, "[y/N]: ")
        os.write(ours, f"{answer}\n".encode())
        process.wait()
    os.close(ours)

    assert "insert" in shown
    assert "Abort 1 job?" in shown
    assert "\x1b[1m" in shown
    assert process.returncode == exit_code
    assert [job["state"] for job in org.jobs] == [state]


def _read_to(terminal: int, end: str) -> str:
    shown = ""
    while not shown.endswith(end):
        shown += os.read(terminal, 1000).decode()
    return shown
