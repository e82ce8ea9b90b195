"""airbyte-source-salesforce, unchanged, over Bulk 2.0. Run by name: ``pytest tests/simulator/peers/check_*.py``.

Its packages are too heavy for every run of the tests.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from salesforce_bulk_simulator import Org

from .installed import python_with
from .scripts import install


def test_it_discovers_and_reads_in_bulk(org: Org, at_salesforce_hosts: dict[str, str], tmp_path: Path) -> None:
    """check, discover, and read a stream by incremental Bulk 2.0 queries."""
    org.insert("Account", [{"Name": f"A{n}", "AnnualRevenue": 2000, "External_Id__c": f"x{n}"} for n in range(3)])
    org.delete("Account", [org.rows("Account")[0]["Id"]])
    python = install(lambda: python_with("airbyte-source-salesforce==2.10.3", python=sys.executable))
    config = {
        "client_id": "sim-client",
        "client_secret": "sim-secret",
        "refresh_token": "sim-refresh",
        "start_date": org.clock.now().strftime("%Y-%m-01T00:00:00Z"),
        "force_use_bulk_api": True,
    }
    (tmp_path / "config.json").write_text(json.dumps(config))

    def source(*arguments: str) -> list[dict[str, Any]]:
        command = [str(python.with_name("source-salesforce")), *arguments, "--config", "config.json"]
        done = subprocess.run(
            command, env=at_salesforce_hosts, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=200
        )
        assert done.returncode == 0, done.stdout
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    (status,) = [message["connectionStatus"] for message in source("check") if message["type"] == "CONNECTION_STATUS"]
    assert status["status"] == "SUCCEEDED", status

    (catalog,) = [message["catalog"] for message in source("discover") if message["type"] == "CATALOG"]
    stream = next(stream for stream in catalog["streams"] if stream["name"] == "Account")
    configured = {
        "stream": stream,
        "sync_mode": "incremental",
        "destination_sync_mode": "append",
        "cursor_field": ["SystemModstamp"],
    }
    (tmp_path / "catalog.json").write_text(json.dumps({"streams": [configured]}))
    messages = source("read", "--catalog", "catalog.json")
    records = [message["record"]["data"] for message in messages if message["type"] == "RECORD"]
    assert sorted((r["Name"], r["AnnualRevenue"], r["IsDeleted"]) for r in records) == [
        ("A0", 2000.0, True),
        ("A1", 2000.0, False),
        ("A2", 2000.0, False),
    ]
    assert any(path.endswith("/results") for _, path in org.requests)
