"""simple-salesforce, unchanged, at Salesforce's own host names."""

from __future__ import annotations

import sys
from pathlib import Path

from salesforce_bulk_simulator import Org

from .installed import python_with
from .scripts import install, run_script

SCRIPT = Path(__file__).with_name("simple_salesforce_script.py")


def test_it_logs_in_describes_queries_and_loads(org: Org, at_salesforce_hosts: dict[str, str]) -> None:
    """Three kinds of login, describe, REST, all Bulk 2.0 operations and all three result files."""
    python = install(lambda: python_with("simple-salesforce==1.12.9", python=sys.executable))

    seen = run_script(str(python), str(SCRIPT), environment=at_salesforce_hosts)

    assert seen == {
        "soap_instance": "sim.my.salesforce.com",
        "sessions": [0, 0, 0],
        "refused_login": "INVALID_LOGIN",
        "describe_global": True,
        "describe": "currency",
        "created": True,
        "read": "Ada's",
        "updated": 204,
        "upserted": 200,
        "query": "Ada L",
        "deleted": 204,
        "limits": 100_000,
        "usage": ["api-usage"],
        "refused_query": "INVALID_FIELD",
        "insert": {"numberRecordsFailed": 1, "numberRecordsProcessed": 6, "numberRecordsTotal": 6},
        "successful": [["true", "A0"], ["true", "A1"], ["true", "A2"], ["true", "A3"], ["true", "A4"]],
        "failed": [["REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --", "x9"]],
        "unprocessed": ["External_Id__c", "Name"],
        "all_results": {"successfulRecords": 5, "failedRecords": 1, "unprocessedRecords": 0},
        "update": [1, 0],
        "upsert": [2, 0],
        "delete": [1, 0],
        "hard_delete": [1, 0],
        "query_pages": 2,
        "query_rows": [
            ["x0", "B0", "false"],
            ["x1", "B1", "false"],
            ["x4", "A4", "false"],
            ["x7", "B7", "false"],
        ],
        "query_all_rows": [
            ["rest-1", "Ada L", "true"],
            ["x0", "B0", "false"],
            ["x1", "B1", "false"],
            ["x2", "A2", "true"],
            ["x4", "A4", "false"],
            ["x7", "B7", "false"],
        ],
    }
    assert {row["External_Id__c"] for row in org.rows("Account")} == {"x0", "x1", "x4", "x7"}
