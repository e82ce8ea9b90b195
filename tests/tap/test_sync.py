"""Reading: whole objects, by pages, with exactly the selected fields, each value as Salesforce holds it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from salesforce_bulk_simulator import Org, running

from .conftest import BOTH_PATHS, TapRunner

pytestmark = BOTH_PATHS

Queries = Callable[[], list[str]]


def test_all_rows_are_read(tap: TapRunner, accounts: list[str]) -> None:
    """Each row once, with its Id."""
    run = tap.run("Account")

    assert run.error is None
    assert run.column("Account", "Name") == ["Ada", "Bob", "Cyd"]
    assert run.column("Account", "Id") == sorted(accounts)


def test_all_pages_are_read(org: Org, tap: TapRunner, accounts: list[str]) -> None:
    """Each page repeats the header, which is no row."""
    run = tap.run("Account", page_size=1)

    assert run.column("Account", "Name") == ["Ada", "Bob", "Cyd"]
    assert sum(path.endswith("/results") for _, path in org.requests) == 3


def test_no_rows_are_no_error(tap: TapRunner) -> None:
    """An empty object has a schema and no records."""
    run = tap.run("Account")

    assert run.error is None
    assert run.records["Account"] == []
    assert run.schema("Account")["properties"]["Name"]["type"] == ["string", "null"]


def test_only_selected_fields_are_asked_for(tap: TapRunner, accounts: list[str], queries: Queries) -> None:
    """Selection saves Salesforce's time too; the key and the cursor always come along."""
    run = tap.run(catalog=tap.catalog(Account=["Name"]))

    assert all(record.keys() == {"Id", "Name", "SystemModstamp"} for record in run.records["Account"])
    assert run.schema("Account")["properties"].keys() == {"Id", "Name", "SystemModstamp"}
    (query,) = queries()
    assert sorted(query.partition(" FROM ")[0].removeprefix("SELECT ").split(", ")) == ["Id", "Name", "SystemModstamp"]


def test_values_have_their_describe_types(org: Org, tap: TapRunner) -> None:
    """Text stays text, numbers are numbers, nulls are null."""
    org.insert(
        "Opportunity",
        [
            {
                "Name": "0012",
                "Description": 'line one\r\nline "two", NA',
                "Amount": 912260031.5,
                "Probability": 10,
                "CloseDate": "2024-02-29",
                "StageName": "Prospecting",
            }
        ],
    )

    (record,) = tap.run("Opportunity").records["Opportunity"]

    assert record["Name"] == "0012"
    assert record["Description"] == 'line one\r\nline "two", NA'
    assert record["Amount"] == 912260031.5
    assert record["Probability"] == 10.0
    assert record["CloseDate"] == "2024-02-29"
    assert record["IsDeleted"] is False
    assert record["NextStep"] is None


@pytest.mark.parametrize("text", ["NA", "#N/A", "null", "0", "a,b", "\u2028", "\x01", "emoji \U0001f600", "x" * 32000])
def test_texts_come_unchanged(org: Org, tap: TapRunner, text: str) -> None:
    """Also those that break line-wise readers and tools that guess."""
    org.insert("Account", [{"Name": "Ada", "Description": text}])

    (record,) = tap.run("Account").records["Account"]

    assert record["Description"] == text


def test_deleted_rows_come_with_their_mark(org: Org, tap: TapRunner, accounts: list[str]) -> None:
    """`queryAll` is the default."""
    org.delete("Account", accounts[:1])

    run = tap.run("Account")

    assert {record["Name"]: record["IsDeleted"] for record in run.records["Account"]} == {
        "Ada": True,
        "Bob": False,
        "Cyd": False,
    }


def test_deleted_rows_can_be_left_out(org: Org, tap: TapRunner, accounts: list[str]) -> None:
    """`include_deleted: false` is a plain query."""
    org.delete("Account", accounts[:1])

    run = tap.run("Account", include_deleted=False)

    assert run.column("Account", "Name") == ["Bob", "Cyd"]


def test_a_filter_chooses_rows(org: Org, tap: TapRunner, accounts: list[str]) -> None:
    """It is ANDed with the tap's own conditions, whatever is in it."""
    run = tap.run("Account", soql_filters={"Account": "Name = 'Ada' OR Name = 'Bob'"})

    assert run.column("Account", "Name") == ["Ada", "Bob"]


def test_a_filter_names_its_object_in_any_case(tap: TapRunner, accounts: list[str]) -> None:
    """As Salesforce reads names."""
    run = tap.run("Account", soql_filters={"account": "Name = 'Ada'"})

    assert run.column("Account", "Name") == ["Ada"]


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        (
            {"Accounts": "Id != null"},
            "soql_filters names 'Accounts', but this user can see no such object (did you mean ",
        ),
        ({"Account": "Id != null", "x": ""}, "soql_filters names 'x', but this user can see no such object"),
        ({"Account": "Id != null", "account": "Id = null"}, "soql_filters names account twice, in different case"),
    ],
)
def test_a_filter_for_no_object_stops_the_run(
    tap: TapRunner, accounts: list[str], filters: dict[str, str], message: str
) -> None:
    """A misspelt name would else read everything."""
    catalog = tap.catalog(Account=["Name"])
    runs = [tap.run("Account", soql_filters=filters), tap.run(catalog=catalog, soql_filters=filters)]

    assert [str(run.error).startswith(message) for run in runs] == [True, True]
    assert [run.messages for run in runs] == [[], []]


def test_a_filter_for_an_object_that_is_not_selected_is_fine(tap: TapRunner, accounts: list[str]) -> None:
    """One config serves several catalogs."""
    filters = {"Lead": "Id = null", "contact": "Id = null"}
    catalog = tap.catalog(Account=["Name"])

    runs = [tap.run("Account", soql_filters=filters), tap.run(catalog=catalog, soql_filters=filters)]

    assert [run.column("Account", "Name") for run in runs] == [["Ada", "Bob", "Cyd"]] * 2


def test_an_object_without_a_cursor_is_read_whole_each_time(org: Org, tap: TapRunner) -> None:
    """There is nothing to resume from, so the state has no bookmark."""
    org.insert("CronJobDetail", [{"Name": "nightly", "JobType": "1"}])
    first = tap.run("CronJobDetail")

    second = tap.run("CronJobDetail", state=first.state)

    assert second.column("CronJobDetail", "Name") == ["nightly"]
    assert second.state == {"bookmarks": {"CronJobDetail": {}}}


def test_the_catalog_can_ask_for_everything_each_time(tap: TapRunner, accounts: list[str], queries: Queries) -> None:
    """FULL_TABLE in the metadata wins over the method that discovery wrote."""
    catalog = tap.catalog(root={"forced-replication-method": "FULL_TABLE"}, Account=["Name"])
    first = tap.run(catalog=catalog)

    second = tap.run(catalog=catalog, state=first.state)

    assert second.column("Account", "Name") == ["Ada", "Bob", "Cyd"]
    assert len(queries()) == 2
    assert not any("WHERE" in query for query in queries())


def test_stream_maps_are_applied(tap: TapRunner, accounts: list[str]) -> None:
    """Names, values, filters and aliases, as the SDK has them."""
    run = tap.run(
        "Account",
        stream_maps={
            "Account": {
                "__alias__": "customers",
                "__filter__": "Name != 'Bob'",
                "id": "Id",
                "loud": "Name.upper()",
                "__key_properties__": ["id"],
                "__else__": None,
            }
        },
    )

    assert run.column("customers", "loud") == ["ADA", "CYD"]
    assert run.schema("customers")["properties"].keys() == {"id", "loud"}


def test_several_objects_are_read(org: Org, tap: TapRunner, accounts: list[str]) -> None:
    """One after the other, each with its own job and bookmark."""
    org.insert("Lead", [{"LastName": "Eve", "Company": "E"}])

    run = tap.run("Account", "Lead")

    assert run.column("Account", "Name") == ["Ada", "Bob", "Cyd"]
    assert run.column("Lead", "LastName") == ["Eve"]
    assert run.state["bookmarks"].keys() == {"Account", "Lead"}


def test_a_field_that_the_object_has_lost_is_left_out(
    tap: TapRunner, accounts: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """A query that names it would fail; the rest is read, with a warning."""
    catalog = tap.catalog(Account=["Name", "Gone__c"])
    for stream in catalog["streams"]:
        stream["schema"]["properties"]["Gone__c"] = {"type": ["string", "null"]}

    run = tap.run(catalog=catalog)

    assert run.error is None
    assert run.records["Account"][0].keys() == {"Id", "Name", "SystemModstamp"}
    assert "Account has no field Gone__c that can be read" in caplog.text


@pytest.mark.parametrize("lost", ["Id", "SystemModstamp"])
def test_a_catalog_without_the_key_or_the_cursor_is_an_error(tap: TapRunner, accounts: list[str], lost: str) -> None:
    """Records without them could be neither merged nor gone on from."""
    run = tap.run(catalog=tap.catalog(Account=["Name"], without=[lost]))

    assert f"the catalog's schema has no {lost}: discover again" in str(run.error)
    assert run.records["Account"] == []


@pytest.mark.parametrize(
    ("root", "message"),
    [
        ({"forced-replication-method": "LOG_BASED"}, "the catalog asks for replication method LOG_BASED"),
        ({"forced-replication-method": "INCREMENTAL"}, "the catalog asks to read incrementally by no replication key"),
    ],
)
def test_a_catalog_that_asks_for_what_cannot_be_is_an_error(
    org: Org, tap: TapRunner, root: dict[str, str], message: str
) -> None:
    """It is not read in some other way instead."""
    run = tap.run(catalog=tap.catalog(root=root, CronJobDetail=None))

    assert message in str(run.error)
    assert org.jobs == []


def test_pages_are_downloaded_at_once_and_emitted_in_order(org: Org, tap: TapRunner) -> None:
    """A state may say no more than what went before it, however quick a later page was."""
    org.insert("Account", [{"Name": f"Account {number}"} for number in range(40)])

    run = tap.run("Account", page_size=3, max_concurrent_downloads=4)

    assert run.error is None
    assert len(set(run.column("Account", "Id"))) == 40
    assert any(path.lower().endswith("/resultpages") for _, path in org.requests)
    jobs = [state["bookmarks"]["Account"].get("job") for state in run.states]
    assert [job["records"] for job in jobs if job] == list(range(0, 40, 3))


WIDE = {
    "objects": [
        {
            "name": "Value__c",
            "prefix": "a0V",
            "fields": {"Text__c": "textarea(131072)", "Number__c": "double(18,4)", "Count__c": "int", "Day__c": "date"},
        }
    ]
}


@pytest.fixture(scope="module")
def wide() -> Iterator[tuple[Org, str]]:
    """An org with an object of long texts and many kinds of numbers, and its address."""
    org = Org(objects=[WIDE])
    with running(org) as address:
        yield org, address


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=200)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(TEXTS.map(str.strip).filter(bool), min_size=1, max_size=20),
    number=st.integers(-(10**14), 10**14),
    count=st.integers(-(10**8) + 1, 10**8 - 1),
)
def test_any_value_comes_through_the_whole_way(
    wide: tuple[Org, str], tap: TapRunner, texts: list[str], number: int, count: int
) -> None:
    """From the org by CSV, gzip and pages to the line in the pipe."""
    org, address = wide
    rows = [{"Text__c": text, "Number__c": number / 10_000, "Count__c": count} for text in texts]
    ids = org.insert("Value__c", rows)
    runner = TapRunner(settings={**tap.settings, "login_url": address})

    run = runner.run("Value__c", page_size=7, include_deleted=False)
    org.delete("Value__c", ids)

    found = {record["Id"]: record for record in run.records["Value__c"]}
    assert run.error is None
    assert [found[each]["Text__c"] for each in ids] == texts
    assert {record["Number__c"] for record in found.values()} == {number / 10_000}
    assert {record["Count__c"] for record in found.values()} == {count}


def test_the_longest_text_comes_whole(wide: tuple[Org, str], tap: TapRunner) -> None:
    """131,072 characters, with line breaks, quotes and what breaks line-wise readers."""
    org, address = wide
    text = ('line\r\n"two", \u2028 \U0001f600 \n' * 10_000)[:131_071] + "x"
    (id_,) = org.insert("Value__c", [{"Text__c": text}])

    run = TapRunner(settings={**tap.settings, "login_url": address}).run("Value__c", include_deleted=False)
    org.delete("Value__c", [id_])

    (record,) = run.records["Value__c"]
    assert len(text) == 131_072
    assert record["Text__c"] == text
