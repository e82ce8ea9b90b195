"""Query jobs: whole pages, or asked for again."""

from __future__ import annotations

import pytest
from salesforce_bulk_client import (
    IncompleteResults,
    JobAborted,
    JobFailed,
    JobGone,
    JobTimedOut,
    PollPolicy,
    QueryJob,
    RequestRefused,
    SalesforceClient,
    list_jobs,
)
from salesforce_bulk_simulator import Fault, Org, Progression

SOON = PollPolicy(min_s=0.01, max_s=0.02, timeout_s=10)
NAMES = ["Ada", "Bob", "Cyd", "Dan", "Eve"]


@pytest.fixture
def job(org: Org, client: SalesforceClient) -> QueryJob:
    """A query over five accounts, ready to be read."""
    org.insert("Account", [{"Name": name} for name in NAMES])
    job = QueryJob.create(client, "SELECT Id, Name FROM Account", include_deleted=False)
    job.wait(SOON)
    return job


def read(job: QueryJob, max_records: int = 2) -> list[str]:
    """The names on all pages, sorted."""
    names = []
    for page in job.pages(max_records=max_records):
        with page:
            assert page.columns == ["Id", "Name"]
            names += [row[1] for row in page.rows()]
    return sorted(names)


def test_all_pages_are_read(job: QueryJob) -> None:
    """Five rows in pages of two: three pages, each with its header, which is no row."""
    assert read(job) == NAMES
    assert job.info.number_records_processed == 5


def test_no_rows_are_one_empty_page(client: SalesforceClient) -> None:
    """Nothing found is a result too."""
    job = QueryJob.create(client, "SELECT Id, Name FROM Account", include_deleted=False)
    job.wait(SOON)

    assert read(job) == []


def test_reading_goes_on_from_any_page(job: QueryJob) -> None:
    """A locator is good as long as its job: that is what a resumed sync rests on."""
    with next(job.pages(max_records=2)) as first:
        names = [row[1] for row in first.rows()]

    found = QueryJob.find(job._client, job.id)
    for page in found.pages(max_records=2, start=first.next_locator, rows_before=2):
        with page:
            names += [row[1] for row in page.rows()]

    assert sorted(names) == NAMES


@pytest.mark.parametrize(
    "fault",
    [
        Fault.cut_after(bytes=30),
        Fault.cut_after(bytes=0),
        Fault.reset_before(),
        Fault.reset_after(),
        Fault.html(502),
        Fault.status(204),
        Fault.unauthorized(),
        Fault.without_header("Sforce-Locator"),
        Fault.wrong_length(),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status_code or fault.bytes_sent}",
)
def test_a_broken_page_is_asked_for_again(org: Org, job: QueryJob, fault: Fault) -> None:
    """However a page breaks, it costs a second request and no record."""
    org.faults.add("query.results", fault)

    assert read(job) == NAMES
    assert len(org.faults.completed) == 1


def test_pages_that_never_add_up_are_an_error(org: Org, job: QueryJob) -> None:
    """Success is never claimed over fewer rows than Salesforce has counted."""
    org.faults.add("query.results", Fault.without_header("Sforce-Locator"), times=5)

    with pytest.raises(IncompleteResults, match="has counted 5 records, but its pages hold 2"):
        read(job)


def test_a_waiting_job_is_looked_at_until_it_is_done(org: Org, client: SalesforceClient) -> None:
    """Its states are shown to who waits."""
    org.progression = Progression.looks(1)
    states = []

    job = QueryJob.create(client, "SELECT Id FROM Account", include_deleted=False)
    job.wait(SOON, on_look=lambda info: states.append(info.state.value))

    assert states[-1] == "JobComplete"
    assert "InProgress" in states


def test_a_failed_job_tells_why(org: Org, client: SalesforceClient) -> None:
    """Salesforce's own words, where there are any."""
    org.faults.add("query.create", Fault.job_fails("Retried more than fifteen times"))
    job = QueryJob.create(client, "SELECT Id FROM Account", include_deleted=False)

    with pytest.raises(JobFailed, match="Retried more than fifteen times"):
        job.wait(SOON)
    assert org.faults.completed


def test_an_aborted_job_ends_the_wait(org: Org, client: SalesforceClient) -> None:
    """Who waits only for JobComplete or Failed would wait for ever."""
    org.progression = Progression.seconds(60)
    job = QueryJob.create(client, "SELECT Id FROM Account", include_deleted=False)

    job.abort()

    with pytest.raises(JobAborted):
        job.wait(SOON)


def test_a_job_that_takes_too_long_is_left_running(org: Org, client: SalesforceClient) -> None:
    """The message says how long was waited, and by which setting."""
    org.progression = Progression.seconds(60)
    job = QueryJob.create(client, "SELECT Id FROM Account", include_deleted=False)

    with pytest.raises(JobTimedOut, match=r"after 0\.05 s \(job_timeout_s\); it is left running"):
        job.wait(PollPolicy(min_s=0.01, max_s=0.02, timeout_s=0.05))


def test_a_deleted_job_is_gone(job: QueryJob) -> None:
    """Deleting twice is fine; reading is not."""
    job.delete()
    job.delete()

    with pytest.raises(JobGone):
        QueryJob.find(job._client, job.id)
    with pytest.raises(JobGone):
        read(job)


def test_a_lost_answer_to_create_gives_a_job_all_the_same(org: Org, client: SalesforceClient) -> None:
    """The first job is an orphan that costs quota; the second one is read."""
    org.insert("Account", [{"Name": "Ada"}])
    org.faults.add("query.create", Fault.reset_after())

    job = QueryJob.create(client, "SELECT Id, Name FROM Account", include_deleted=False)
    job.wait(SOON)

    assert read(job) == ["Ada"]
    assert org.faults.completed
    assert job.id in {info.id for info in list_jobs(client, "query")}


def test_a_wrong_query_is_refused_with_salesforces_words(client: SalesforceClient) -> None:
    """Nobody else knows better what is wrong with it."""
    with pytest.raises(RequestRefused, match=r"INVALID_FIELD: .*No such column 'Nonsense__c' on entity 'Account'"):
        QueryJob.create(client, "SELECT Id, Nonsense__c FROM Account", include_deleted=False)


def test_nul_characters_are_removed_and_counted(org: Org, client: SalesforceClient) -> None:
    """They occur in real results, and no database takes them."""
    org.insert("Account", [{"Name": "A\0da"}])
    job = QueryJob.create(client, "SELECT Id, Name FROM Account", include_deleted=False)
    job.wait(SOON)

    with next(job.pages(max_records=10)) as page:
        assert [row[1] for row in page.rows()] == ["Ada"]
        assert page.nul_count == 1
