"""Each call with each fault: exactly the rows that there are, and the fault was met."""

from __future__ import annotations

from collections import Counter
from functools import partial

import pytest
from salesforce_bulk_client import RetryPolicy
from salesforce_bulk_simulator import Fault, Org

from .conftest import TapRunner

CALLS = {
    "login": {},
    "describe_global": {},
    "describe": {},
    "limits": {},
    "query.create": {},
    "query.info": {},
    "query.results": {},
    "query.result_pages": {"max_concurrent_downloads": 2},
    "rest.query": {"object": "CaseStatus"},
}
FAULTS = {
    "406": Fault.html(406),
    "420": Fault.html(420),
    "429": Fault.status(429, headers={"Retry-After": "0"}),
    "500": Fault.status(500, json=[{"errorCode": "UNKNOWN_EXCEPTION", "message": "An unexpected error occurred."}]),
    "502": Fault.html(502),
    "503": Fault.html(503),
    "504": Fault.status(504),
    "no JSON": Fault.status(200, body="<html>Maintenance</html>"),
    "empty": Fault.status(200),
    "concurrent limit": Fault.request_limit_concurrent(),
    "query timeout": Fault.status(400, json=[{"errorCode": "QUERY_TIMEOUT", "message": "running for too long"}]),
    "401": Fault.unauthorized(),
    "reset before": Fault.reset_before(),
    "reset after": Fault.reset_after(),
    "cut": Fault.cut_after(bytes=60),
    "cut at once": Fault.cut_after(bytes=0),
    "wrong length": Fault.wrong_length(),
    "stall": Fault.stall(0.01),
}
ROWS = 7


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits are a hundredth: the formula has its own tests."""
    monkeypatch.setattr("salesforce_bulk_client.client.RetryPolicy", partial(RetryPolicy, first_wait_s=0.005))


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("call", CALLS)
def test_a_passing_fault_costs_no_row(org: Org, tap: TapRunner, call: str, fault: str) -> None:
    """Each row once, whatever happens to the first request of a kind."""
    if (call, fault) == ("login", "401"):
        pytest.skip("a login has no session that could end")
    settings = dict(CALLS[call])
    sobject = str(settings.pop("object", "Account"))
    name = "MasterLabel" if sobject == "CaseStatus" else "Name"
    org.insert(sobject, [{name: f"row {number}"} for number in range(ROWS)])
    org.faults.add(call, FAULTS[fault])

    run = tap.run(sobject, page_size=2, **settings)

    assert run.error is None
    assert Counter(record[name] for record in run.records[sobject]) == {f"row {number}": 1 for number in range(ROWS)}
    assert run.state["bookmarks"][sobject].keys() == {"replication_key", "replication_key_value"}
    assert org.faults.completed == [(call, FAULTS[fault])]


@pytest.mark.parametrize("after", [1, 3])
@pytest.mark.parametrize("fault", [*FAULTS, "no locator"])
def test_every_page_may_break(org: Org, tap: TapRunner, fault: str, after: int) -> None:
    """Each page is whole, or is asked for again."""
    met = FAULTS.get(fault, Fault.without_header("Sforce-Locator"))
    org.insert("Account", [{"Name": f"row {number}"} for number in range(ROWS)])
    org.faults.add("query.results", met, after=after)

    run = tap.run("Account", page_size=2)

    assert run.error is None
    assert Counter(run.column("Account", "Name")) == {f"row {number}": 1 for number in range(ROWS)}
    assert org.faults.completed == [("query.results", met)]


@pytest.mark.parametrize("call", ["login", "describe", "query.create", "query.info", "query.results", "rest.query"])
def test_a_fault_that_stays_ends_the_run_with_an_error(org: Org, tap: TapRunner, call: str) -> None:
    """Never as a success with rows missing; what the state says is true."""
    sobject = str(CALLS[call].get("object", "Account"))
    org.insert("Account", [{"Name": "Ada"}])
    org.insert("CaseStatus", [{"MasterLabel": "New"}])
    org.faults.add(call, Fault.html(503), times=1000)

    run = tap.run(sobject, retry_total_s=0.02, job_retries=0)

    assert run.error is not None
    assert run.records[sobject] == []
    assert not any("replication_key_value" in state["bookmarks"].get(sobject, {}) for state in run.states)
    assert org.faults.completed
