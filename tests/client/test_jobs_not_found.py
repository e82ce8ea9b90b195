"""A 404 proves that a job is gone only when it is Salesforce's own, and stays."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from salesforce_bulk_client import (
    ConnectionConfig,
    IngestJob,
    IngestSpec,
    JobGone,
    JobInfo,
    JobState,
    LoginError,
    NotFound,
    Operation,
    PollPolicy,
    QueryJob,
    ResultKind,
    SalesforceClient,
    auth,
)
from salesforce_bulk_client.jobs import NOT_FOUND_TRIES
from salesforce_bulk_simulator import Fault, Org

SOON = PollPolicy(min_s=0.01, max_s=0.02, timeout_s=10)
LATE = PollPolicy(min_s=3600, max_s=3600, timeout_s=36_000)
GONE = Fault.status(404, json=[{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}])
A_GATEWAYS = {
    "html": Fault.html(404),
    "empty": Fault.status(404),
    "json": Fault.status(404, json={"status": 404, "error": "Not Found", "message": "no route"}),
}

Step = Callable[[IngestJob, Path], object]
STEPS: dict[str, tuple[str, Step]] = {
    "find": ("ingest.info", lambda job, _: IngestJob.find(job.client, job.id, poll=SOON)),
    "refresh": ("ingest.info", lambda job, _: job.refresh()),
    "wait": ("ingest.info", lambda job, _: (job.abort(), job.wait_until_final(SOON))),
    "upload": ("ingest.upload", lambda job, _: job.upload(lambda: io.BytesIO(b'"Name"\n"Ada"\n'))),
    "close": ("ingest.close", lambda job, _: job.close()),
    "abort": ("ingest.abort", lambda job, _: job.abort()),
    "download": ("ingest.failed", lambda job, path: (job.abort(), job.download(ResultKind.FAILED, path / "failed"))),
}
EACH_STEP = pytest.mark.parametrize(("operation", "step"), STEPS.values(), ids=STEPS)


@pytest.fixture
def job(client: SalesforceClient) -> IngestJob:
    """An Open job."""
    return IngestJob.create(client, IngestSpec(object="Account", operation=Operation.INSERT), poll=SOON)


@EACH_STEP
@pytest.mark.parametrize("fault", A_GATEWAYS.values(), ids=A_GATEWAYS)
def test_a_gateways_404_is_asked_again(
    org: Org, job: IngestJob, tmp_path: Path, operation: str, step: Step, fault: Fault
) -> None:
    """Whatever a gateway does not find, Salesforce may have."""
    org.faults.add(operation, fault)

    step(job, tmp_path)

    assert len(org.faults.completed) == 1


@EACH_STEP
def test_a_404_that_passes_is_not_a_job_that_is_gone(
    org: Org, job: IngestJob, tmp_path: Path, operation: str, step: Step
) -> None:
    """Five times in a row Salesforce does not find the job, and then it does."""
    org.faults.add(operation, GONE, times=NOT_FOUND_TRIES - 1)

    step(job, tmp_path)

    assert len(org.faults.completed) == 5


@EACH_STEP
def test_a_404_that_stays_is_a_job_that_is_gone(
    org: Org, job: IngestJob, tmp_path: Path, operation: str, step: Step
) -> None:
    """At the sixth 404 in a row the job is given up, and not before."""
    org.faults.add(operation, GONE, times=NOT_FOUND_TRIES)

    with pytest.raises(JobGone, match=r"does not exist any more: .* \(6 requests in a row were answered 404 NOT_FOUND"):
        step(job, tmp_path)

    assert len(org.faults.completed) == 6


def test_only_404s_in_a_row_count(org: Org, client: SalesforceClient, job: IngestJob) -> None:
    """Any other answer in between begins the count anew."""
    for _ in range(3):
        org.faults.add("ingest.info", GONE, times=NOT_FOUND_TRIES - 1)
        assert job.refresh().state is JobState.OPEN

    assert len(org.faults.completed) == 15


def test_the_404s_that_count_are_spread_by_the_poll_policy() -> None:
    """By default they span some seconds, however quick the server."""
    waits = [PollPolicy().delay(tries, chance=1) for tries in range(1, NOT_FOUND_TRIES)]

    assert sum(waits) == pytest.approx(5.275)


def test_a_query_result_that_is_not_found_for_a_moment_is_read(org: Org, client: SalesforceClient) -> None:
    """Its pages have the same patience as its job."""
    org.insert("Account", [{"Name": "Ada"}])
    job = QueryJob.create(client, "SELECT Name FROM Account", include_deleted=False, poll=SOON)
    job.wait(SOON)
    org.faults.add("query.results", GONE, times=NOT_FOUND_TRIES - 1)

    with next(job.pages(max_records=10)) as page:
        assert list(page.rows()) == [["Ada"]]
    assert len(org.faults.completed) == 5


def test_stopping_ends_the_wait_for_a_job_that_is_not_found(org: Org, job: IngestJob) -> None:
    """Whoever waits may raise what ends it; the job is not taken for gone."""
    stop = threading.Event()
    stop.set()
    org.faults.add("ingest.info", GONE)
    seen: list[JobInfo] = []

    with pytest.raises(NotFound):
        job.wait_until_final(LATE, on_look=seen.append, stop=stop)

    assert [info.id for info in seen] == [job.id]
    assert len(org.faults.completed) == 1


def test_stopping_ends_the_search_for_a_job(org: Org, client: SalesforceClient, job: IngestJob) -> None:
    """Without an end to the search nothing is known: neither found nor gone."""
    stop = threading.Event()
    stop.set()
    org.faults.add("ingest.info", GONE)

    with pytest.raises(NotFound):
        IngestJob.find(client, job.id, poll=LATE, stop=stop)
    assert len(org.faults.completed) == 1


def test_a_login_at_a_host_that_is_not_salesforces_ends_soon(
    org: Org, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A 404 page there is asked again as any other, but not for ten minutes; host and setting are named."""
    monkeypatch.setattr(auth, "FIRST_LOGIN_TOTAL_S", 0.4)
    org.faults.add("login", Fault.html(404), times=100)

    with (
        SalesforceClient(ConnectionConfig.from_settings({**settings, "retry_total_s": 600})) as client,
        pytest.raises(
            LoginError, match=rf"^{settings['login_url']} answers 404 to a login.*check domain, or login_url"
        ),
    ):
        client.limits()

    assert len(org.faults.completed) in {1, 2}
