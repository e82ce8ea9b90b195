"""docs/api-costs.md: each number of requests on the page is the one that the simulator counts."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from salesforce_bulk_client import PollPolicy
from salesforce_bulk_simulator import Org

from tests.end_to_end.conftest import BIN, WriteJson

PAGE = (Path(__file__).parents[2] / "docs/api-costs.md").read_text(encoding="utf-8")
CUSTOMERS = {
    "type": "SCHEMA",
    "stream": "customers",
    "schema": {"properties": {"no": {"type": "string"}, "name": {"type": "string"}, "parent": {"type": "string"}}},
    "key_properties": ["no"],
}


def cost(step: str) -> int:
    """Return the number of requests in the row of the page that begins with ``step``."""
    (row,) = re.findall(rf"^\| {re.escape(step)}[^|]* \| (\d+)", PAGE, re.MULTILINE)
    return int(row)


@pytest.fixture
def api_calls(org: Org, settings: dict[str, Any], write_json: WriteJson, tmp_path: Path) -> Any:
    """Run a plugin and return its requests by operation, the login left out."""
    org.insert("Account", [{"Name": f"Account {number}"} for number in range(1200)])

    def run(plugin: str, *messages: dict[str, Any], **more: Any) -> Counter[str]:
        before = len(org.requests)
        own = {"results_dir": str(tmp_path / "results")} if plugin.startswith("target") else {}
        config = write_json("config.json", {**settings, **own, **more})
        lines = "".join(json.dumps(message) + "\n" for message in messages)
        command = [BIN / plugin, "--config", config]
        subprocess.run(command, input=lines, capture_output=True, text=True, check=True)
        paths = (f"{method} {path}" for method, path in org.requests[before:] if "/oauth2/" not in path)
        return Counter(re.sub(r"/services/data/v[\d.]+/|/750\w{15}", "", path).lower() for path in paths)

    return run


def test_a_query_job_costs_what_the_page_says(api_calls: Any) -> None:
    """One page, one poll: create, poll, page."""
    used = api_calls("tap-salesforce-bulk", streams_to_discover=["Account"])

    assert used == {
        "get sobjects": cost("list of the org's objects"),
        "get sobjects/account/describe": cost("describe of an object"),
        "get limits": cost("the org's limits"),
        "post jobs/query": cost("create a query job"),
        "get jobs/query": cost("poll a query job"),
        "get jobs/query/results": cost("page of results"),
    }


def test_pages_are_listed_five_at_a_time(api_calls: Any) -> None:
    """12 pages: 12 requests, and 3 for lists of 5; with a single download at a time there are no lists."""
    ahead = api_calls("tap-salesforce-bulk", streams_to_discover=["Account"], page_size=100)
    one_by_one = api_calls(
        "tap-salesforce-bulk", streams_to_discover=["Account"], page_size=100, max_concurrent_downloads=1
    )

    assert (ahead["get jobs/query/results"], ahead["get jobs/query/resultpages"]) == (12, 3)
    assert (one_by_one["get jobs/query/results"], one_by_one["get jobs/query/resultpages"]) == (12, 0)


def test_an_ingest_job_costs_what_the_page_says(api_calls: Any) -> None:
    """Describe and limits once, then seven requests with a single poll."""
    used = api_calls("target-salesforce-bulk", *_customers(300), mappings=_mappings())

    job = [name for name in used if "jobs/ingest" in name]
    assert sum(used[name] for name in job) == cost("one ingest job")
    assert {name: used[name] for name in used.keys() - set(job)} == {
        "get sobjects/account/describe": cost("describe of an object"),
        "get limits": cost("the org's limits"),
    }


def test_a_small_load_costs_one_request(api_calls: Any) -> None:
    """200 upserted rows at the end of the input, without a job and without a look at the limits."""
    used = api_calls("target-salesforce-bulk", *_customers(200), mappings=_mappings())

    assert used == {
        "get sobjects/account/describe": cost("describe of an object"),
        "patch composite/sobjects/account/external_id__c": cost("small load"),
    }


def test_a_dry_run_sends_no_rows(api_calls: Any) -> None:
    """It describes the objects and asks for the limits."""
    used = api_calls("target-salesforce-bulk", *_customers(300), mappings=_mappings(), dry_run=True)

    assert sorted(used) == ["get limits", "get sobjects/account/describe"]


def test_polls_are_as_many_as_the_page_says() -> None:
    """Without chance, which makes waits up to a fifth shorter, and so polls more."""
    rows = re.findall(r"^\| (\d+) (s|min|h) \| (\d+) to (\d+) \|", PAGE, re.MULTILINE)

    assert rows
    for number, unit, least, most in rows:
        seconds = int(number) * {"s": 1, "min": 60, "h": 3600}[unit]
        assert [_polls(seconds, chance=chance) for chance in (0, 1)] == [int(least), int(most)]


def _polls(seconds: int, *, chance: float) -> int:
    polls, waited = 1, 0.0
    while waited < seconds:
        waited += PollPolicy().delay(polls, chance=chance)
        polls += 1
    return polls


def _customers(number: int) -> list[dict[str, Any]]:
    rows = ({"no": f"C{row}", "name": "Acme"} for row in range(number))
    return [CUSTOMERS, *({"type": "RECORD", "stream": "customers", "record": row} for row in rows)]


def _mappings() -> dict[str, Any]:
    fields = {"no": "External_Id__c", "name": "Name", "parent": "Parent.External_Id__c"}
    return {"customers": {"object": "Account", "external_id_field": "External_Id__c", "fields": fields}}
