"""Query jobs: whole pages, or asked for again."""

from __future__ import annotations

import gc
import threading
import time
import warnings
from dataclasses import replace
from typing import Any, ClassVar

import pytest
import requests
from salesforce_bulk_client import (
    BrokenAnswer,
    IncompleteResults,
    IngestJob,
    IngestSpec,
    JobAborted,
    JobFailed,
    JobGone,
    JobTimedOut,
    Operation,
    PollPolicy,
    QueryJob,
    RequestRefused,
    SalesforceClient,
    csv_pages,
    list_jobs,
)
from salesforce_bulk_simulator import Fault, Org, Progression

SOON = PollPolicy(min_s=0.01, max_s=0.02, timeout_s=10)
NAMES = ["Ada", "Bob", "Cyd", "Dan", "Eve"]


@pytest.fixture
def job(org: Org, client: SalesforceClient) -> QueryJob:
    """A query over five accounts, ready to be read."""
    org.insert("Account", [{"Name": name} for name in NAMES])
    job = QueryJob.create(client, "SELECT Id, Name FROM Account", include_deleted=False, poll=SOON)
    job.wait(SOON)
    return job


def names_by_page(job: QueryJob, **reading: Any) -> list[list[str]]:
    """The names on each page."""
    pages = []
    for page in job.pages(**reading):
        with page:
            assert page.columns == ["Id", "Name"]
            pages.append([row[1] for row in page.rows()])
    return pages


def read(job: QueryJob, *, max_records: int | None = 2, **reading: Any) -> list[str]:
    """The names on all pages, sorted."""
    return sorted(name for names in names_by_page(job, max_records=max_records, **reading) for name in names)


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

    found = QueryJob.find(job.client, job.id)
    for page in found.pages(max_records=2, start=first.next_locator, rows_before=2):
        with page:
            names += [row[1] for row in page.rows()]

    assert sorted(names) == NAMES


def pages_read(org: Org) -> int:
    """How many result pages were asked for."""
    return sum(path.partition("?")[0].endswith("/results") for _, path in org.requests)


@pytest.mark.parametrize("max_records", [1, 2, None])
def test_pages_read_in_parallel_come_in_order_and_once(org: Org, job: QueryJob, max_records: int | None) -> None:
    """The server's list says which pages there are; each is asked for once, and none is missing."""
    one_by_one = names_by_page(job, max_records=max_records)
    org.requests.clear()

    in_parallel = names_by_page(job, max_records=max_records, concurrent=4)

    assert in_parallel == one_by_one
    assert len(in_parallel) == pages_read(org) == {1: 5, 2: 3, None: 1}[max_records]
    assert any("resultPages" in path for _, path in org.requests)


def test_all_lists_of_pages_are_followed(org: Org, client: SalesforceClient) -> None:
    """A list holds five pages and names the next list, without the size of the pages: that is for us to say again."""
    org.insert("Account", [{"Name": f"Account {number}"} for number in range(12)])
    job = QueryJob.create(client, "SELECT Id, Name FROM Account", include_deleted=False)
    job.wait(SOON)
    org.requests.clear()

    assert len(read(job, max_records=1, concurrent=2)) == pages_read(org) == 12
    assert sum("/resultpages" in path.lower() for _, path in org.requests) == 3


def test_parallel_reading_goes_on_from_any_page(org: Org, job: QueryJob) -> None:
    """Pages before the start are listed, but not read again."""
    with next(job.pages(max_records=1)) as first:
        pass
    org.requests.clear()

    rest = read(job, max_records=1, start=first.next_locator, rows_before=1, concurrent=4)

    assert len(rest) == pages_read(org) == 4


@pytest.mark.parametrize("key", ["nextRecordsUrl", "nextRecordUrl"])
def test_the_next_list_of_pages_has_two_names(org: Org, job: QueryJob, key: str) -> None:
    """One in the guide's table, and another in its sample."""
    following = f"/services/data/v66.0/{job.path}/resultPages?locator=more&maxRecords=1"
    first = {"resultUrl": f"/services/data/v66.0/{job.path}/results?maxRecords=1"}
    org.faults.add("query.result_pages", Fault.status(200, json={"resultPages": [first], key: following}))
    org.requests.clear()

    assert read(job, max_records=1, concurrent=4) == NAMES
    assert org.faults.completed
    assert sum("/resultpages" in path.lower() for _, path in org.requests) == 2


def test_the_next_pages_come_while_one_is_being_read(org: Org, job: QueryJob) -> None:
    """As many as may be downloaded at a time."""
    org.requests.clear()
    pages = job.pages(max_records=1, concurrent=2)

    next(pages).close()
    deadline = time.monotonic() + 10
    while pages_read(org) < 3 and time.monotonic() < deadline:
        time.sleep(0.001)

    assert pages_read(org) == 3
    assert sum(page.number_of_records for page in pages) == 4


def test_pages_that_are_not_listed_are_read_one_by_one(org: Org, job: QueryJob) -> None:
    """Parallel reading is a matter of speed: without the list the result is the same."""
    org.faults.add("query.result_pages", Fault.status(404, json=[{"errorCode": "NOT_FOUND", "message": "no"}]))

    assert read(job, concurrent=4) == NAMES
    assert org.faults.completed


def test_listed_pages_of_another_size_are_not_mixed_with_ours(org: Org, job: QueryJob) -> None:
    """A server may list pages of its own size: the locators of the pages themselves are the truth."""
    listed = [
        {"resultUrl": f"/services/data/v66.0/jobs/query/{job.id}/results?locator={locator}"}
        for locator in ("MDow", "nonsense")
    ]
    org.faults.add("query.result_pages", Fault.status(200, json={"resultPages": listed, "done": True}))

    assert read(job, concurrent=4) == NAMES
    assert org.faults.completed


def test_a_broken_page_is_asked_for_again_in_parallel_too(org: Org, job: QueryJob) -> None:
    """Each download has the same retries."""
    org.faults.add("query.results", Fault.cut_after(bytes=30), times=3)

    assert read(job, max_records=1, concurrent=4) == NAMES
    assert len(org.faults.completed) == 3


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


def test_a_204_is_not_an_empty_page(org: Org, job: QueryJob) -> None:
    """The results are not ready yet; also where the job does not say how many rows there are."""
    org.faults.add("query.info", Fault.status(200, json={"id": job.id, "state": "JobComplete"}))
    uncounted = QueryJob.find(job.client, job.id)
    org.faults.add("query.results", Fault.status(204))

    assert uncounted.info.number_records_processed is None
    assert read(uncounted) == NAMES
    assert len(org.faults.completed) == 2


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


def test_polls_come_ever_more_rarely(org: Org, client: SalesforceClient) -> None:
    """Each wait is half again as long as the one before, less up to a fifth, and none is longer than the longest."""

    class Waits(threading.Event):
        seconds: ClassVar[list[float]] = []

        def wait(self, timeout: float | None = None) -> bool:
            self.seconds.append(timeout or 0)
            return False

    org.progression = Progression.looks(6)
    job = QueryJob.create(client, "SELECT Id FROM Account", include_deleted=False)

    job.wait_until_final(PollPolicy(min_s=8, max_s=20, timeout_s=1000), stop=Waits())

    assert len(Waits.seconds) >= 5
    for wait, longest in zip(Waits.seconds, (8, 12, 18, 20, 20), strict=False):
        assert longest * 0.8 <= wait <= longest


def test_a_job_is_waited_for_two_hours_unless_another_time_is_given() -> None:
    """Salesforce itself gives a job up only after days."""
    assert PollPolicy() == PollPolicy(min_s=0.5, max_s=30, timeout_s=7200)


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
        QueryJob.find(job.client, job.id, poll=SOON)
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


def test_a_list_of_jobs_holds_those_of_one_kind(client: SalesforceClient) -> None:
    """Ingest jobs are listed by themselves."""
    query = QueryJob.create(client, "SELECT Id FROM Account", include_deleted=False)
    ingest = IngestJob.create(client, IngestSpec(object="Account", operation=Operation.INSERT))

    assert [info.id for info in list_jobs(client, "query")] == [query.id]
    assert [info.id for info in list_jobs(client, "ingest")] == [ingest.id]


def test_pages_are_asked_for_compressed(job: QueryJob, sent: list[requests.PreparedRequest]) -> None:
    """Salesforce compresses CSV for plain gzip only."""
    read(job)

    assert [(each.headers["Accept"], each.headers["Accept-Encoding"]) for each in sent] == [("text/csv", "gzip")] * 3


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


def one_page(body: str, **headers: str) -> Fault:
    """A page of a result, given instead of the job's."""
    return Fault.status(200, body=body, headers={"Content-Type": "text/csv", **headers})


@pytest.fixture
def ada(org: Org, client: SalesforceClient) -> QueryJob:
    """A finished query of one account."""
    org.insert("Account", [{"Name": "Ada"}])
    job = QueryJob.create(client, "SELECT Name FROM Account", include_deleted=False)
    job.wait(SOON)
    return job


def only_row(job: QueryJob) -> list[str]:
    """The one row of a result."""
    (page,) = job.pages(max_records=None)
    with page:
        assert page.number_of_records == 1
        (row,) = page.rows()
    return row


@pytest.mark.parametrize(
    "value",
    ["x\n" * 700_000, 'x""' * 500_000, "\n" + "x" * (2 << 20) + "\n", "ü" * 700_000],
    ids=["line feeds", "quotes", "edges", "two bytes a character"],
)
def test_a_quoted_value_may_span_the_pieces_of_a_page(org: Org, ada: QueryJob, value: str) -> None:
    """A page of some megabytes comes in pieces, and its line feeds are still the value's own."""
    org.faults.add("query.results", one_page(f'"Name"\n"{value}"\n', **{"Sforce-NumberOfRecords": "1"}))

    assert only_row(ada) == [value.replace('""', '"')]
    assert len(org.faults.completed) == 1


def test_line_breaks_in_values_stay_as_they_are(org: Org, ada: QueryJob) -> None:
    """Those of Windows, of old Macs and of Unix."""
    org.faults.add("query.results", one_page('"Name"\r\n"a\r\nb\rc\nd"\r\n'))

    assert only_row(ada) == ["a\r\nb\rc\nd"]
    assert org.faults.completed


def test_a_value_may_be_longer_than_the_csv_module_allows_by_itself(org: Org, ada: QueryJob) -> None:
    """131,072 characters are less than a rich text with its markup."""
    value = "x" * 131_073
    org.faults.add("query.results", one_page(f'"Name"\n"{value}"\n'))

    assert only_row(ada) == [value]
    assert org.faults.completed


@pytest.mark.parametrize("body", ['"Name"\n"Ad', '"Name"\n"Ada""', '"Name"\n"Ada\n'])
def test_a_page_that_ends_inside_a_quoted_value_is_asked_for_again(org: Org, ada: QueryJob, body: str) -> None:
    """It has one record as promised, but not all of it."""
    org.faults.add("query.results", one_page(body))

    assert only_row(ada) == ["Ada"]
    assert len(org.faults.completed) == 1


@pytest.mark.parametrize("body", ['"Name"\n"Ada"', "Name\nAda"])
def test_a_last_record_without_a_line_feed_is_a_whole_one(org: Org, ada: QueryJob, body: str) -> None:
    """No file has to end with one: the record counts, and the page is not asked for again."""
    org.faults.add("query.results", one_page(body, **{"Sforce-NumberOfRecords": "1"}))
    org.requests.clear()

    assert only_row(ada) == ["Ada"]
    assert org.faults.completed
    assert pages_read(org) == 1


@pytest.mark.parametrize(
    "body", [b'"Name"\n"A"da\n', b'"Name"\n"' + b"x" * 10_000 + b'\xff"\n'], ids=["quotes", "not UTF-8"]
)
def test_a_page_that_cannot_be_read_is_an_error(org: Org, ada: QueryJob, body: bytes) -> None:
    """No value is guessed, and no row is left out."""
    org.faults.add("query.results", replace(one_page(""), body=body))

    with pytest.raises(BrokenAnswer, match="Salesforce answered CSV that cannot be read"):
        only_row(ada)
    assert org.faults.completed


@pytest.mark.parametrize(
    "fault",
    [
        Fault.cut_after(bytes=8),
        one_page('"Name"\n"Ad'),
        one_page('"Name"\n"Ada"\n', **{"Sforce-NumberOfRecords": "2"}),
        one_page('"Name"\n"Ada"\n"Bob"\n'),
    ],
    ids=["cut", "open quote", "too few", "too many"],
)
def test_a_page_that_is_asked_for_again_leaves_no_file_open(
    org: Org, ada: QueryJob, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    """Large pages are files on the disk, and a long run reads thousands of them."""
    monkeypatch.setattr(csv_pages, "IN_MEMORY_BYTES", 1)
    org.faults.add("query.results", fault)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        assert only_row(ada) == ["Ada"]
        gc.collect()

    assert len(org.faults.completed) == 1
    assert [str(each.message) for each in caught] == []


def test_a_page_that_was_closed_does_not_seem_to_be_at_its_end(job: QueryJob) -> None:
    """Its file is closed with it, whoever still holds the page."""
    page = next(job.pages(max_records=None))
    page.close()

    with pytest.raises(ValueError, match="closed"):
        list(page.rows())


@pytest.mark.parametrize("promised", ["0", "2", "many"])
def test_a_page_without_the_promised_number_of_records_is_asked_for_again(
    org: Org, ada: QueryJob, promised: str
) -> None:
    """`Sforce-NumberOfRecords` counts each page, also where nothing else tells."""
    org.faults.add("query.results", one_page('"Name"\n"Eve"\n', **{"Sforce-NumberOfRecords": promised}))

    assert only_row(ada) == ["Ada"]
    assert len(org.faults.completed) == 1


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("<html>\n<h1>Sign in</h1>\n", "text/html"),
        ("Name\nSign in\n", "text/html;charset=UTF-8"),
        ("<html>\n<h1>Sign in</h1>\n", "text/csv"),
    ],
)
def test_a_web_page_is_not_a_result_page(org: Org, ada: QueryJob, body: str, content_type: str) -> None:
    """It comes with status 200, and has as many lines as the result has rows."""
    org.faults.add("query.results", Fault.status(200, body=body, headers={"Content-Type": content_type}))

    assert only_row(ada) == ["Ada"]
    assert len(org.faults.completed) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"ok": True},
        ["odd"],
        "odd",
        {"resultPages": [5], "done": True},
        {"resultPages": [{"resultUrl": 5}], "done": True},
        {"resultPages": [{"resultUrl": "/a"}, {"resultUrl": "/b"}], "done": True},
        {"resultPages": [{"resultUrl": "/a"}, {"resultUrl": "//[?locator=x"}], "done": True},
    ],
    ids=str,
)
def test_an_odd_list_of_pages_is_left_aside(org: Org, job: QueryJob, body: object) -> None:
    """The pages are read one after another, as where there is no list."""
    org.faults.add("query.result_pages", Fault.status(200, json=body))

    assert read(job, concurrent=4) == NAMES
    assert org.faults.completed
