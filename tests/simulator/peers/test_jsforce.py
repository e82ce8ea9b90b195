"""jsforce on node, unchanged, at Salesforce's own host names."""

from __future__ import annotations

from pathlib import Path

from salesforce_bulk_simulator import Org

from .installed import node_modules_with
from .scripts import install, run_script

SCRIPT = Path(__file__).with_name("jsforce_script.cjs")


def test_it_logs_in_loads_and_queries(org: Org, at_salesforce_hosts: dict[str, str]) -> None:
    """SOAP and OAuth login, Bulk 2.0 ingest in one step and in many, Bulk 2.0 query."""
    modules = install(lambda: node_modules_with({"jsforce": "3.10.16"}))

    seen = run_script("node", str(SCRIPT), str(modules.parent), environment=at_salesforce_hosts)

    assert seen == {
        "instance": "https://sim.my.salesforce.com",
        "user": "sim@example.com",
        "versions": True,
        "successful": [["true", "A0", ""], ["true", "A1", ""], ["true", "A2", ""]],
        "failed": [["", "REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --", "x9"]],
        "unprocessed": [],
        "upsert": [2, 0],
        "upserted": [["false", "B0"], ["true", "B7"]],
        "gone": "NOT_FOUND",
        "deleted": 1,
        "aborted": "Aborted",
        "bad_header": "Ingest job failed to complete due to: InvalidBatch : Field name not found : Nope",
        "query": 3,
        "query_all": 4,
        "refused": "INVALID_FIELD",
        "rest_query": 3,
        "describe": "currency",
        "logged_out": ["INVALID_SESSION_ID", "INVALID_SESSION_ID"],
    }
    assert len(org.rows("Account")) == 3


def test_it_cannot_read_a_query_of_several_pages(org: Org, at_salesforce_hosts: dict[str, str]) -> None:
    """Its own fault, in one of three forms: a write after the end, rows mixed up, or headers as records, silently."""
    modules = install(lambda: node_modules_with({"jsforce": "3.10.16"}))
    org.insert("Account", [{"Name": f"A{number}"} for number in range(5)])
    org.default_max_records = 2

    seen = run_script("node", str(SCRIPT), str(modules.parent), "pages", environment=at_salesforce_hosts)

    is_loud = str(seen.get("error", "")).startswith(("ERR_STREAM", "CSV_"))
    assert is_loud or seen == {"headers": 2, "rows": 7}
    assert [path.rpartition("/")[2] for _, path in org.requests].count("results") > 1
