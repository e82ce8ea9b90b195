"""The Salesforce CLI, unchanged: export, upsert, results. Run by name: ``pytest tests/simulator/peers/check_*.py``.

Its 700 packages are too heavy for every run of the tests.
"""

from __future__ import annotations

import csv
import json
import subprocess
from pathlib import Path
from typing import Any

from salesforce_bulk_simulator import Org

from .installed import node_modules_with
from .scripts import install

CLI = {"@salesforce/cli": "2.150.6"}
FOR_NODE_20 = {"undici": "7.16.0"}


def test_it_exports_upserts_and_fetches_results(org: Org, at_salesforce_hosts: dict[str, str], tmp_path: Path) -> None:
    """``sf org login access-token``, ``data export bulk``, ``data upsert bulk``, ``data bulk results``."""
    org.insert("Account", [{"Name": f"A{number}", "External_Id__c": f"x{number}"} for number in range(3)])
    program = install(lambda: node_modules_with(CLI, overrides=FOR_NODE_20)) / ".bin" / "sf"
    environment = at_salesforce_hosts | {
        "HOME": str(tmp_path),
        "SF_ACCESS_TOKEN": org.sessions.open(),
        "SF_USE_GENERIC_UNIX_KEYCHAIN": "true",
        "SF_DISABLE_TELEMETRY": "true",
        "SF_AUTOUPDATE_DISABLE": "true",
        "SF_ORG_API_VERSION": "66.0",
    }

    def sf(*arguments: str) -> dict[str, Any]:
        command = [str(program), *arguments, "--json"]
        done = subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=100
        )
        answer: dict[str, Any] = json.loads(done.stdout)
        assert done.returncode in (0, 1), done.stdout
        return answer

    login = sf(
        "org", "login", "access-token", "--instance-url", "https://sim.my.salesforce.com", "--no-prompt", "-a", "sim"
    )
    assert login["result"]["username"] == "sim@example.com", login

    soql = "SELECT Name, External_Id__c FROM Account ORDER BY Name"
    export = sf("data", "export", "bulk", "-o", "sim", "-q", soql, "--output-file", "out.csv", "--wait", "1")
    assert export["result"]["totalSize"] == 3, export
    with (tmp_path / "out.csv").open() as file:
        assert list(csv.reader(file)) == [["Name", "External_Id__c"], ["A0", "x0"], ["A1", "x1"], ["A2", "x2"]]

    (tmp_path / "in.csv").write_text("External_Id__c,Name\nx0,B0\nx7,B7\nx8,\n")
    upsert = sf(
        "data", "upsert", "bulk", "-o", "sim", "-s", "Account", "-i", "External_Id__c", "-f", "in.csv", "--wait", "1"
    )
    assert upsert["message"] == "Job finished being processed but failed to process 1 records."

    job = upsert["data"]["jobId"]
    result = sf("data", "bulk", "results", "-o", "sim", "--job-id", job)["result"]
    assert [result[key] for key in ("processedRecords", "successfulRecords", "failedRecords")] == [3, 2, 1]
    successes = (tmp_path / result["successFilePath"]).read_text().splitlines()
    assert successes[0] == '"sf__Id","sf__Created",External_Id__c,Name'
    assert sorted(line.split(",")[1:] for line in successes[1:]) == [
        ['"false"', '"x0"', '"B0"'],
        ['"true"', '"x7"', '"B7"'],
    ]
    assert "REQUIRED_FIELD_MISSING" in (tmp_path / result["failedFilePath"]).read_text()
