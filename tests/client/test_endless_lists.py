"""Lists whose pages name each other: an end is found, and the quota is kept to between pages."""

from __future__ import annotations

from typing import Any

import pytest
from salesforce_bulk_client import (
    BrokenAnswer,
    ConnectionConfig,
    IncompleteResults,
    PollPolicy,
    QueryJob,
    QuotaReached,
    SalesforceClient,
    list_jobs,
    query_records,
)
from salesforce_bulk_simulator import Fault, Org

SOON = PollPolicy(min_s=0.01, max_s=0.02, timeout_s=10)
SOQL = "SELECT Name FROM Account"


@pytest.fixture
def job(org: Org, client: SalesforceClient) -> QueryJob:
    """A finished query of five accounts."""
    org.insert("Account", [{"Name": name} for name in "abcde"])
    job = QueryJob.create(client, SOQL, include_deleted=False)
    job.wait(SOON)
    return job


def read(job: QueryJob, *, concurrent: int = 1) -> list[str]:
    """The names in the job's result, read one row a page."""
    names = []
    for page in job.pages(max_records=1, concurrent=concurrent):
        with page:
            names += [row[0] for row in page.rows()]
    return sorted(names)


def unfinished(following: str) -> Fault:
    """An answer without records, that says where the next ones are."""
    return Fault.status(200, json={"records": [], "done": False, "nextRecordsUrl": following})


def listed(job: QueryJob, *locators: str, following: str) -> Fault:
    """An answer that lists these pages, and says where more are listed."""
    root = f"/services/data/v66.0/{job.path}"
    urls = [f"{root}/results?locator={locator}&maxRecords=1" for locator in locators]
    pages = [{"resultUrl": url} for url in urls]
    return Fault.status(200, json={"resultPages": pages, "nextRecordsUrl": f"{root}/{following}", "done": False})


def test_a_page_list_that_names_itself_ends_at_once(org: Org, job: QueryJob) -> None:
    """Not after as many requests as the network bears."""
    itself = listed(job, following="resultPages?locator=again&maxRecords=1")
    org.faults.add("query.result_pages", itself, times=100)

    with pytest.raises(IncompleteResults, match="lists a page of its results twice"):
        read(job, concurrent=2)
    assert len(org.faults.completed) == 2


def test_page_lists_that_name_each_other_end_at_once(org: Org, job: QueryJob) -> None:
    """A circle of three."""
    for name in ("one", "two", "three", "one", "two", "three"):
        org.faults.add("query.result_pages", listed(job, following=f"resultPages?locator={name}&maxRecords=1"))

    with pytest.raises(IncompleteResults, match="lists a page of its results twice"):
        read(job, concurrent=2)
    assert len(org.faults.completed) == 4


def test_a_page_that_is_listed_twice_ends_the_list(org: Org, job: QueryJob) -> None:
    """Its rows would come twice."""
    org.faults.add("query.result_pages", listed(job, "x", "MQ", "MQ", following="resultPages?locator=y"))

    with pytest.raises(IncompleteResults, match="lists a page of its results twice"):
        read(job, concurrent=8)
    assert org.faults.completed


@pytest.mark.parametrize("first", [0, 1])
def test_result_pages_that_name_each_other_end_at_once(org: Org, job: QueryJob, first: int) -> None:
    """A page names itself, or one before it: it is asked for three times, and then it is an error."""
    names = []
    for page in job.pages(max_records=1):
        with page:
            names.append(page.next_locator)
    org.requests.clear()
    circle = Fault.status(
        200,
        body='"Name"\n"x"\n',
        headers={"Content-Type": "text/csv", "Sforce-NumberOfRecords": "1", "Sforce-Locator": str(names[first])},
    )
    org.faults.add("query.results", circle, times=100, after=2)

    with pytest.raises(IncompleteResults, match="names an earlier page as its next one"):
        read(job)
    assert len(org.faults.completed) == 3


@pytest.mark.parametrize("names", [["one"], ["one", "two", "three"]])
def test_batches_of_a_rest_query_that_name_each_other_end_at_once(
    org: Org, client: SalesforceClient, names: list[str]
) -> None:
    """The same address again is no progress."""
    for name in names * 3:
        following = f"/services/data/v66.0/query/{name}"
        org.faults.add("rest.query", unfinished(following))

    with pytest.raises(BrokenAnswer, match="names an earlier batch as the next one"):
        list(query_records(client, SOQL, include_deleted=False))
    assert len(org.faults.completed) == len(names) + 1


@pytest.mark.parametrize("names", [["one"], ["one", "two", "three"]])
def test_pages_of_jobs_that_name_each_other_end_at_once(org: Org, client: SalesforceClient, names: list[str]) -> None:
    """The same locator again is no progress."""
    for name in names * 3:
        following = f"/services/data/v66.0/jobs/ingest?queryLocator={name}"
        org.faults.add("query.list", unfinished(following))

    with pytest.raises(BrokenAnswer, match="GET jobs/query names an earlier page as the next one"):
        list(list_jobs(client, "query"))
    assert len(org.faults.completed) == len(names) + 1


@pytest.fixture
def used_up(org: Org, settings: dict[str, Any]) -> SalesforceClient:
    """A client that has reached its quota."""
    client = SalesforceClient(ConnectionConfig.from_settings({**settings, "quota_percent_total": 0.000001}))
    client.limits()
    org.requests.clear()
    return client


def test_the_quota_is_kept_to_between_result_pages(org: Org, job: QueryJob, used_up: SalesforceClient) -> None:
    """The page that was asked for comes, the next one does not."""
    pages = QueryJob.find(used_up, job.id).pages(max_records=1)
    next(pages).close()

    with pytest.raises(QuotaReached):
        next(pages)
    assert sum(path.endswith("/results") for _, path in org.requests) == 1


def test_the_quota_is_kept_to_between_lists_of_result_pages(org: Org, job: QueryJob, used_up: SalesforceClient) -> None:
    """Five pages are listed at a time."""
    org.faults.add("query.result_pages", listed(job, following="resultPages?locator=more&maxRecords=1"))

    with pytest.raises(QuotaReached):
        next(QueryJob.find(used_up, job.id).pages(max_records=1, concurrent=2))
    assert sum("/resultpages" in path.lower() for _, path in org.requests) == 1
    assert org.faults.completed


def test_the_quota_is_kept_to_between_batches_of_a_rest_query(org: Org, used_up: SalesforceClient) -> None:
    """2000 rows come, the rest does not."""
    org.insert("Account", [{"Name": "a"}] * 2001)
    batches = query_records(used_up, SOQL, include_deleted=False)
    assert len(next(batches)) == 2000

    with pytest.raises(QuotaReached):
        next(batches)
    assert len(org.requests) == 1


def test_the_quota_is_kept_to_between_pages_of_jobs(org: Org, used_up: SalesforceClient) -> None:
    """1000 jobs come, the rest does not."""
    following = "/services/data/v66.0/jobs/ingest?queryLocator=more"
    org.faults.add("query.list", unfinished(following))

    with pytest.raises(QuotaReached):
        list(list_jobs(used_up, "query"))
    assert len(org.requests) == 1
    assert org.faults.completed
