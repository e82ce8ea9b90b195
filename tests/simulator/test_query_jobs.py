"""Bulk 2.0 query jobs: states, pages, locators and refusals."""

from __future__ import annotations

import pytest
from salesforce_bulk_simulator import Clock, Org, Progression, running

from .api import Api


@pytest.fixture
def accounts(org: Org) -> list[str]:
    return org.insert("Account", [{"Name": name} for name in ("Ada", "Bob", "Cyd", "Dee", "Eve")])


def test_a_job_is_created_queued_and_then_found_finished(api: Api, accounts: list[str]) -> None:
    """Creation answers 200 and UploadComplete; jobType and counts are only in later polls."""
    created = api("POST", "jobs/query", json={"operation": "query", "query": "SELECT Id FROM Account"})

    assert created.status_code == 200
    assert created.json() | {"id": "", "createdDate": "", "systemModstamp": "", "createdById": ""} == {
        "id": "",
        "operation": "query",
        "object": "Account",
        "createdById": "",
        "createdDate": "",
        "systemModstamp": "",
        "state": "UploadComplete",
        "concurrencyMode": "Parallel",
        "contentType": "CSV",
        "apiVersion": 66.0,
        "lineEnding": "LF",
        "columnDelimiter": "COMMA",
    }
    info = api("GET", f"jobs/query/{created.json()['id']}").json()
    assert (info["state"], info["jobType"], info["numberRecordsProcessed"]) == ("JobComplete", "V2Query", 5)


def test_a_result_is_quoted_csv_in_the_order_of_the_select(api: Api, org: Org) -> None:
    """Header in describe's case, every value quoted, numbers as Java writes them, datetimes with Z."""
    org.insert(
        "Account",
        [
            {
                "Name": 'Ada "& Sons"',
                "Description": "two\nlines",
                "AnnualRevenue": 912260031,
                "NumberOfEmployees": 7,
                "SystemModstamp": "2024-01-15T10:30:00.000Z",
            }
        ],
    )
    job = api.query_job(
        "SELECT annualrevenue, NAME, Description, NumberOfEmployees, IsDeleted, Rating, SystemModstamp, Owner.Name"
        " FROM Account"
    )

    answer = api("GET", f"jobs/query/{job}/results")

    assert answer.headers["Content-Type"] == "text/csv; charset=UTF-8"
    assert answer.text == (
        '"AnnualRevenue","Name","Description","NumberOfEmployees","IsDeleted","Rating","SystemModstamp","Owner.Name"\n'
        '"9.12260031E8","Ada ""& Sons""","two\nlines","7","false","","2024-01-15T10:30:00.000Z","Sim User"\n'
    )


def test_delimiter_and_line_ending_are_those_of_the_job(api: Api, org: Org) -> None:
    """PIPE and CRLF, as asked for."""
    org.insert("Account", [{"Name": "Ada"}])

    job = api.query_job("SELECT Name, Rating FROM Account", columnDelimiter="PIPE", lineEnding="CRLF")

    assert api("GET", f"jobs/query/{job}/results").text == '"Name"|"Rating"\r\n"Ada"|""\r\n'


def test_pages_repeat_the_header_and_end_with_the_word_null(api: Api, accounts: list[str]) -> None:
    """The locator is opaque, the count is the page's own, and a page can be asked for again."""
    job = api.query_job("SELECT Name FROM Account")
    pages, locator = [], None
    while locator != "null":
        query = {"maxRecords": "2"} | ({"locator": locator} if locator else {})
        page = api("GET", f"jobs/query/{job}/results", params=query)
        assert page.text == api("GET", f"jobs/query/{job}/results", params=query).text
        pages.append(page)
        locator = page.headers["Sforce-Locator"]

    assert [page.headers["Sforce-NumberOfRecords"] for page in pages] == ["2", "2", "1"]
    assert all(page.text.splitlines()[0] == '"Name"' for page in pages)
    rows = [row for page in pages for row in page.text.splitlines()[1:]]
    assert sorted(rows) == ['"Ada"', '"Bob"', '"Cyd"', '"Dee"', '"Eve"']
    assert rows != sorted(rows)  # unordered on purpose


def test_an_empty_result_is_a_header(api: Api) -> None:
    """Zero rows: the header, a count of 0 and the locator null."""
    job = api.query_job("SELECT Id FROM Account")

    answer = api("GET", f"jobs/query/{job}/results")

    assert answer.text == '"Id"\n'
    assert (answer.headers["Sforce-NumberOfRecords"], answer.headers["Sforce-Locator"]) == ("0", "null")


def test_result_pages_lists_five_addresses_at_a_time(org: Org, api: Api) -> None:
    """All pages together hold every row once."""
    org.default_max_records = 2
    org.insert("Account", [{"Name": f"{number:02}"} for number in range(11)])
    job = api.query_job("SELECT Name FROM Account")

    first = api("GET", f"jobs/query/{job}/resultPages").json()
    second = api("GET", first["nextRecordsUrl"]).json()

    assert (first["done"], len(first["resultPages"])) == (False, 5)
    assert (second["done"], len(second["resultPages"])) == (True, 1)
    rows = []
    for page in first["resultPages"] + second["resultPages"]:
        rows += api("GET", page["resultUrl"]).text.splitlines()[1:]
    assert sorted(rows) == [f'"{number:02}"' for number in range(11)]


def test_result_pages_of_a_size_do_not_overlap(org: Org, api: Api) -> None:
    """A page's address holds the size that was asked for, and so does that of the next list."""
    org.insert("Account", [{"Name": f"{number:02}"} for number in range(17)])
    job = api.query_job("SELECT Name FROM Account")

    first = api("GET", f"jobs/query/{job}/resultPages?maxRecords=3").json()
    second = api("GET", first["nextRecordsUrl"]).json()

    pages = [api("GET", page["resultUrl"]) for page in first["resultPages"] + second["resultPages"]]
    assert [page.headers["Sforce-NumberOfRecords"] for page in pages] == ["3"] * 5 + ["2"]
    rows = [row for page in pages for row in page.text.splitlines()[1:]]
    assert sorted(rows) == [f'"{number:02}"' for number in range(17)]
    assert second["done"] is True


@pytest.mark.parametrize(
    "accept", ["text/csv", "application/json", "*/*", "text/plain;q=0.5, application/json", "", "x"]
)
def test_results_are_csv_whatever_is_accepted(api: Api, accounts: list[str], accept: str) -> None:
    """Of queries and of loads: clients that accept JSON get CSV."""
    query_job = api.query_job("SELECT Name FROM Account")
    loaded = api.load("Account", "insert", "Name\nAda\n")["id"]

    paths = [f"jobs/query/{query_job}/results"]
    paths += [f"jobs/ingest/{loaded}/{kind}" for kind in ("successfulResults", "failedResults", "unprocessedrecords")]
    for path in paths:
        answer = api("GET", path, headers={"Accept": accept})
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/csv; charset=UTF-8")


def test_results_are_compressed_only_for_who_asks(api: Api, accounts: list[str]) -> None:
    """Compressed pages come chunked; any other value of Accept-Encoding gives plain text."""
    job = api.query_job("SELECT Name FROM Account")

    packed = api("GET", f"jobs/query/{job}/results", headers={"Accept-Encoding": "gzip"})
    plain = api("GET", f"jobs/query/{job}/results", headers={"Accept-Encoding": "deflate"})

    assert (packed.headers["Content-Encoding"], packed.headers["Transfer-Encoding"]) == ("gzip", "chunked")
    assert "Content-Encoding" not in plain.headers
    assert packed.text == plain.text


def test_states_last_for_the_given_number_of_polls(accounts: list[str], org: Org, api: Api) -> None:
    """Queued, in progress, done; results before that are 204."""
    org.progression = Progression.looks(2)
    job = api.query_job("SELECT Id FROM Account")

    early = api("GET", f"jobs/query/{job}/results")
    states = [api("GET", f"jobs/query/{job}").json()["state"] for _ in range(5)]

    assert (early.status_code, early.content) == (204, b"")
    assert states == ["UploadComplete", "UploadComplete", "InProgress", "InProgress", "JobComplete"]


def test_states_take_the_seconds_they_are_given(org: Org, api: Api) -> None:
    """By the org's clock, which a test moves."""
    org.progression = Progression.seconds(60)
    job = api.query_job("SELECT Id FROM Account")
    states = []
    for _ in range(3):
        states.append(api("GET", f"jobs/query/{job}").json()["state"])
        org.clock.advance(61)

    assert states == ["UploadComplete", "InProgress", "JobComplete"]


def test_an_unfinished_job_can_be_aborted_and_a_finished_one_deleted(org: Org, api: Api) -> None:
    """And not the other way round."""
    finished = api.query_job("SELECT Id FROM Account")
    org.progression = Progression.looks(9)
    running_job = api.query_job("SELECT Id FROM Account")

    refused_abort = api("PATCH", f"jobs/query/{finished}", json={"state": "Aborted"})
    refused_delete = api("DELETE", f"jobs/query/{running_job}")
    abort = api("PATCH", f"jobs/query/{running_job}", json={"state": "Aborted"})
    delete = api("DELETE", f"jobs/query/{finished}")

    assert refused_abort.json() == [
        {"message": "Aborting already Completed Job not allowed", "errorCode": "INVALIDJOBSTATE"}
    ]
    assert refused_delete.json() == [
        {
            "message": "Error encountered when deleting the job because the job is not terminated",
            "errorCode": "API_ERROR",
        }
    ]
    assert (abort.status_code, abort.json()["state"], "lineEnding" in abort.json()) == (200, "Aborted", False)
    assert (delete.status_code, delete.content) == (204, b"")
    gone = api("GET", f"jobs/query/{finished}")
    assert (gone.status_code, gone.json()) == (
        404,
        [{"message": "The requested resource does not exist", "errorCode": "NOT_FOUND"}],
    )


def test_results_with_another_version_are_a_conflict(url: str, api: Api) -> None:
    """One version must be used for all calls of a job."""
    job = api.query_job("SELECT Id FROM Account")

    assert api("GET", f"/services/data/v65.0/jobs/query/{job}/results").status_code == 409


def test_a_job_is_kept_for_seven_days() -> None:
    """Then it is gone, with its results."""
    org = Org(clock=Clock())
    with running(org) as url:
        api = Api(url)
        job = api.query_job("SELECT Id FROM Account")
        org.clock.advance(6 * 24 * 3600)
        org.sessions.end_all()
        kept = Api(url)("GET", f"jobs/query/{job}").status_code
        org.clock.advance(24 * 3600 + 1)
        org.sessions.end_all()
        gone = Api(url)("GET", f"jobs/query/{job}").status_code

    assert (kept, gone) == (200, 404)


def test_the_list_of_jobs_comes_in_pages(org: Org, api: Api) -> None:
    """Query and ingest jobs together; the filter picks one kind; the next URL names the ingest list, as documented."""
    org.jobs_per_list_page = 2
    queries = [api.query_job("SELECT Id FROM Account") for _ in range(3)]
    api.ingest_job("Account", "insert")

    first = api("GET", "jobs/query?jobType=V2Query").json()
    second = api("GET", first["nextRecordsUrl"].replace("jobs/ingest", "jobs/query") + "&jobType=V2Query").json()

    assert (first["done"], second["done"], second["nextRecordsUrl"]) == (False, True, None)
    assert "/jobs/ingest?queryLocator=" in first["nextRecordsUrl"]
    assert [job["id"] for job in first["records"] + second["records"]] == queries


def test_deleted_rows_come_with_query_all(api: Api, org: Org, accounts: list[str]) -> None:
    """A deleted row stays in the recycle bin, with a new SystemModstamp."""
    org.delete("Account", accounts[:4])

    assert api.query("SELECT Name, IsDeleted FROM Account") == ['"Name","IsDeleted"', '"Eve","false"']
    assert api.query("SELECT Name FROM Account WHERE IsDeleted = true", operation="queryAll") == [
        '"Name"',
        '"Ada"',
        '"Bob"',
        '"Cyd"',
        '"Dee"',
    ]


@pytest.mark.parametrize(
    ("soql", "code", "message"),
    [
        ("SELECT BillingAddress FROM Account", "API_ERROR", "Selecting compound data not supported in Bulk Query"),
        ("SELECT Id FROM Attachment", "INVALIDENTITY", "Entity 'Attachment' is not supported by the Bulk API."),
        (
            "SELECT Id, (SELECT Id FROM Contacts) FROM Account",
            "API_ERROR",
            "Aggregate Relationships not supported in Bulk Query",
        ),
        (
            "SELECT Id FROM ActivityHistory",
            "INVALID_TYPE_FOR_OPERATION",
            "entity type ActivityHistory does not support query",
        ),
    ],
)
def test_what_bulk_cannot_is_refused(api: Api, soql: str, code: str, message: str) -> None:
    """With the words that connectors know."""
    assert api.refused_query(soql) == (code, message)


@pytest.mark.parametrize("soql", ["SELECT COUNT() FROM Account", "SELECT Id FROM Account OFFSET 5"])
def test_counting_and_skipping_are_refused_in_bulk(api: Api, soql: str) -> None:
    """REST can, Bulk cannot."""
    assert api.refused_query(soql)[0] == "API_ERROR"


def test_the_daily_number_of_jobs_is_kept(org: Org, api: Api) -> None:
    """The message has the limit, which is counted down."""
    org.limits["DailyBulkV2QueryJobs"].used = 9_999
    api.query_job("SELECT Id FROM Account")

    assert api.refused_query("SELECT Id FROM Account") == (
        "LIMIT_EXCEEDED",
        "Max bulk v2 query jobs (10000) per 24 hrs has been reached",
    )
    assert api("GET", "limits").json()["DailyBulkV2QueryJobs"] == {"Max": 10000, "Remaining": 0}


def test_cells_can_be_as_awkward_as_reported(api: Api, org: Org) -> None:
    """Nulls without quotes, ints with a fraction."""
    org.insert("Account", [{"Name": "Ada", "NumberOfEmployees": 7}])
    soql = "SELECT NumberOfEmployees, Phone FROM Account"
    usual = api.query(soql)
    org.quote_nulls, org.ints_as_decimals = False, True

    assert usual == ['"NumberOfEmployees","Phone"', '"7",""']
    assert api.query(soql) == ['"NumberOfEmployees","Phone"', '"7.0",']


def test_old_versions_have_other_columns_and_locators(org: Org, url: str) -> None:
    """Columns by the alphabet up to v49, locators that are numbers up to v48."""
    org.insert("Account", [{"Name": name, "Phone": "1"} for name in ("Ada", "Bob", "Cyd")])
    old = Api(url, version="48.0")
    job = old.query_job("SELECT Phone, Name FROM Account")

    first = old("GET", f"jobs/query/{job}/results?maxRecords=2")
    last = old("GET", f"jobs/query/{job}/results?maxRecords=2&locator=2")
    old.session.close()

    assert first.text.splitlines()[0] == '"Name","Phone"'
    assert (first.headers["Sforce-Locator"], last.headers["Sforce-Locator"]) == ("2", "null")
    assert last.headers["Sforce-NumberOfRecords"] == "1"
