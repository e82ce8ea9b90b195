"""Faults: each is met once, in order, and reported."""

from __future__ import annotations

import pytest
import requests
from salesforce_bulk_simulator import Fault, Org

from .api import Api


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault.html(503), 503),
        (Fault.html(404), 404),
        (Fault.not_found(), 404),
        (Fault.html(200), 200),
        (Fault.status(429, headers={"Retry-After": "0"}), 429),
        (Fault.status(406), 406),
        (Fault.status(500, json=[{"errorCode": "UNKNOWN_EXCEPTION", "message": "…"}]), 500),
        (Fault.request_limit_total(), 403),
        (Fault.request_limit_concurrent(), 403),
        (Fault.unauthorized(kills_token=False), 401),
    ],
    ids=[
        "html",
        "gateway's 404",
        "404",
        "page with 200",
        "429",
        "status",
        "json",
        "total",
        "concurrent",
        "unauthorized",
    ],
)
def test_an_answer_can_be_replaced(api: Api, org: Org, fault: Fault, status: int) -> None:
    """Once, and the request is not done."""
    org.faults.add("ingest.create", fault)

    refused = api("POST", "jobs/ingest", json={"object": "Account", "operation": "insert"})

    assert refused.status_code == status
    assert refused.content == fault.body
    assert org.jobs == []
    assert org.faults.completed == [("ingest.create", fault)]
    assert api.ingest_job("Account", "insert")


@pytest.mark.parametrize(
    ("fault", "jobs"),
    [
        (Fault.reset_before(), 0),
        (Fault.reset_after(), 1),
        (Fault.cut_after(bytes=20), 1),
        (Fault.wrong_length(), 1),
    ],
    ids=["reset before", "reset after", "cut", "wrong length"],
)
def test_a_connection_can_break(api: Api, org: Org, fault: Fault, jobs: int) -> None:
    """Before the work is done, or after it."""
    org.faults.add("ingest.create", fault)

    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        api("POST", "jobs/ingest", json={"object": "Account", "operation": "insert"})

    assert len(org.jobs) == jobs
    assert len(org.faults.completed) == 1


def test_a_compressed_page_can_break(api: Api, org: Org) -> None:
    """Chunked, without its end."""
    job = api.query_job("SELECT Id FROM Account")
    org.faults.add("query.results", Fault.cut_after(bytes=5))

    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        api("GET", f"jobs/query/{job}/results", headers={"Accept-Encoding": "gzip"})

    assert len(org.faults.completed) == 1


def test_a_header_can_be_missing(api: Api, org: Org) -> None:
    """The page is there, its locator is not."""
    job = api.query_job("SELECT Id FROM Account")
    org.faults.add("query.results", Fault.without_header("Sforce-Locator"))

    answer = api("GET", f"jobs/query/{job}/results")

    assert "Sforce-Locator" not in answer.headers
    assert answer.headers["Sforce-NumberOfRecords"] == "0"
    assert len(org.faults.completed) == 1


def test_an_answer_can_be_slow(api: Api, org: Org) -> None:
    """Slower than the client waits."""
    org.faults.add("limits", Fault.stall(30))

    with pytest.raises(requests.Timeout):
        api.session.get(f"{api.url}/services/data/v66.0/limits", timeout=0.05)

    assert len(org.faults.completed) == 1


def test_a_token_can_die(api: Api, org: Org) -> None:
    """401 from then on."""
    org.faults.add("limits", Fault.unauthorized())

    assert [api("GET", "limits").status_code for _ in range(2)] == [401, 401]
    assert len(org.faults.completed) == 1


def test_faults_are_met_in_order_and_as_often_as_queued(api: Api, org: Org) -> None:
    """Some requests may pass first; other operations pass by."""
    org.faults.add("limits", Fault.html(503), times=2, after=1)
    org.faults.add("any", Fault.html(502))

    statuses = [api("GET", "limits").status_code for _ in range(5)]

    assert statuses == [200, 503, 503, 502, 200]
    assert org.faults.pending == []


def test_an_unknown_operation_is_reported(org: Org) -> None:
    """A fault that nothing would ever meet is a mistake in the test."""
    with pytest.raises(ValueError, match="unknown operation 'query'"):
        org.faults.add("query", Fault.html(503))
