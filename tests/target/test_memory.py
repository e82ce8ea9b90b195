"""Memory does not grow with the input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from salesforce_bulk_simulator import Org

from tests.target.conftest import TargetRunner, lines, records, schema

PEOPLE = schema("Contact", key=["n"], n="integer", LastName=["string", "null"], Description="string")


def peak_kilobytes(target: TargetRunner, folder: Path, *, rows: int) -> int:
    """The most memory that the command had while it loaded so many rows, of which every tenth is refused."""
    folder.mkdir()
    config = target.config(
        operation="insert",
        unknown_fields="drop",
        on_record_failure="ignore",
        batch_size_rows=3000,
        max_concurrent_jobs=2,
        results_dir=str(folder / "logs"),
    )
    (folder / "config.json").write_text(json.dumps(config))
    with (folder / "input").open("wb") as file:
        file.write(lines([PEOPLE]))
        for n in range(rows):
            row = {"n": n, "LastName": f"Ada {n}" if n % 10 else None, "Description": "lorem ipsum " * 20}
            file.write(lines([records("Contact", row)]))
    command = [Path(sys.executable).with_name("target-salesforce-bulk"), "--config", folder / "config.json"]
    with (folder / "input").open("rb") as file:
        process = subprocess.Popen(command, stdin=file, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss


def test_ten_times_the_rows_take_no_more_memory(org: Org, target: TargetRunner, tmp_path: Path) -> None:
    """A tenth more at most, with jobs of one size; the org has all rows but those refused."""
    few = peak_kilobytes(target, tmp_path / "few", rows=3_000)
    many = peak_kilobytes(target, tmp_path / "many", rows=30_000)

    assert len(org.rows("Contact")) == 29_700
    assert many < 1.25 * few
