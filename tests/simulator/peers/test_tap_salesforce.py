"""singer-io's tap-salesforce, unchanged, over REST. (MeltanoLabs' fork is in no registry.)"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from salesforce_bulk_simulator import Org

from .installed import python_with
from .scripts import install


def test_it_discovers_and_reads_over_rest(org: Org, at_salesforce_hosts: dict[str, str], tmp_path: Path) -> None:
    """Every object is described; the selected one is read whole, with its values, and bookmarked."""
    org.insert("Account", [{"Name": f"A{n}", "AnnualRevenue": 2000, "External_Id__c": f"x{n}"} for n in range(3)])
    python = install(lambda: python_with("tap-salesforce==2.8.1", python=sys.executable))
    config = {
        "client_id": "sim-client",
        "client_secret": "sim-secret",
        "refresh_token": "sim-refresh",
        "start_date": "2000-01-01T00:00:00Z",
        "api_type": "REST",
    }
    (tmp_path / "config.json").write_text(json.dumps(config))

    def tap(*arguments: str) -> str:
        command = [str(python.with_name("tap-salesforce")), "--config", "config.json", *arguments]
        done = subprocess.run(
            command, env=at_salesforce_hosts, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=100
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    catalog = json.loads(tap("--discover"))
    account = next(stream for stream in catalog["streams"] if stream["stream"] == "Account")
    for entry in account["metadata"]:
        entry["metadata"]["selected"] = True
        if not entry["breadcrumb"]:
            entry["metadata"] |= {"replication-key": "SystemModstamp", "replication-method": "INCREMENTAL"}
    (tmp_path / "catalog.json").write_text(json.dumps({"streams": [account]}))
    messages: list[dict[str, Any]] = [json.loads(line) for line in tap("--properties", "catalog.json").splitlines()]

    records = [message["record"] for message in messages if message["type"] == "RECORD"]
    state = [message["value"] for message in messages if message["type"] == "STATE"][-1]
    stamp = records[0]["SystemModstamp"]
    assert [(r["Name"], r["AnnualRevenue"], r["IsDeleted"]) for r in records] == [
        ("A0", 2000.0, False),
        ("A1", 2000.0, False),
        ("A2", 2000.0, False),
    ]
    assert state["bookmarks"]["Account"]["SystemModstamp"] == stamp
    assert len(catalog["streams"]) == 20
