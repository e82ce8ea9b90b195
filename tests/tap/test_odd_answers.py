"""One stream's odd answer ends that stream, by name; the others are read."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from salesforce_bulk_client import ConnectionFailed
from salesforce_bulk_simulator import Fault, Org, Progression
from tap_salesforce_bulk.errors import StreamsFailed
from tap_salesforce_bulk.tap import TapSalesforceBulk

from .conftest import BOTH_PATHS, Pipe, Run, TapRunner

pytestmark = pytest.mark.usefixtures("accounts", "lead")


@pytest.fixture
def lead(org: Org) -> None:
    """A row of the stream that is read after the odd one."""
    org.insert("Lead", [{"LastName": "Eve", "Company": "E"}])


def read_both(tap: TapRunner, org: Org, *, account: list[str] | None, **more: Any) -> Run:
    """Read accounts, whose answers are odd, and after them leads; one request at a time."""
    return tap.run(
        catalog=tap.catalog(Account=account, Lead=["LastName"]), max_concurrent_jobs=1, retry_total_s=0.3, **more
    )


def only_account_failed(run: Run, *, why: str) -> bool:
    """Whether the error names the stream and says why, and the other one was read to its end."""
    bookmarks = run.state["bookmarks"]
    return (
        str(run.error).startswith("1 of 2 streams failed: Account: ")
        and why in str(run.error)
        and run.column("Lead", "LastName") == ["Eve"]
        and "replication_key_value" in bookmarks["Lead"]
        and "replication_key_value" not in bookmarks.get("Account", {})
    )


def page(**cells: str) -> Fault:
    """A result page with one row."""
    row = {"Id": "001000000000001AAA", "SystemModstamp": "2024-01-15T10:30:00.000Z", **cells}
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([row.keys(), row.values()])
    headers = {"Content-Type": "text/csv", "Sforce-Locator": "null", "Sforce-NumberOfRecords": "1"}
    return Fault.status(200, body=text.getvalue(), headers=headers)


def job(records: int = 1) -> Fault:
    """The info of a finished job that has counted so many records."""
    info = {
        "id": "750000000000001AAA",
        "state": "JobComplete",
        "object": "Account",
        "operation": "queryAll",
        "numberRecordsProcessed": records,
        "apiVersion": 66.0,
    }
    return Fault.status(200, json=info)


@BOTH_PATHS
@pytest.mark.parametrize(
    ("field", "cell"),
    [
        ("NumberOfEmployees", "abc"),
        ("NumberOfEmployees", "1.5"),
        ("NumberOfEmployees", "1e999999999"),
        ("NumberOfEmployees", "1e99999999999999999999"),
        ("NumberOfEmployees", "9" * 5000),
        ("AnnualRevenue", "NaN"),
        ("AnnualRevenue", "1e99999999999999999999"),
        ("IsDeleted", "yes"),
        ("LastActivityDate", "2024-02-31"),
        ("LastActivityDate", "01/31/2024"),
        ("CreatedDate", "2024-13-01T00:00:00.000Z"),
        ("CreatedDate", "yesterday"),
        ("SystemModstamp", "2024-02-31T00:00:00.000Z"),
        ("SystemModstamp", "2024-01-15T25:00:00.000Z"),
    ],
)
def test_a_value_that_its_column_cannot_hold(org: Org, tap: TapRunner, field: str, cell: str) -> None:
    """The error names the field, and not the value."""
    org.faults.add("query.info", job())
    org.faults.add("query.results", page(**{field: cell}))

    run = read_both(tap, org, account=[field])

    assert only_account_failed(run, why=f"a value of {field} is not of type ")
    assert cell not in str(run.error)
    assert len(org.faults.completed) == 2


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"Nothing__c": "x"}, "the result's columns are not the fields that were queried"),
        ({}, "the result's columns are not the fields that were queried"),
    ],
)
def test_a_page_with_other_columns(org: Org, tap: TapRunner, fields: dict[str, str], why: str) -> None:
    """What belongs where cannot be known."""
    org.faults.add("query.info", job())
    org.faults.add("query.results", page(**fields))

    run = read_both(tap, org, account=["Name"])

    assert only_account_failed(run, why=why)
    assert len(org.faults.completed) == 2


def test_a_web_page_in_place_of_a_result_page_is_asked_for_again(org: Org, tap: TapRunner) -> None:
    """Also one of as many lines as the page has rows."""
    body = "<html>\n<p>one</p>\n<p>two</p>\n</html>\n"
    for headers in ({"Content-Type": "text/html"}, {"Content-Type": "text/csv"}):
        org.faults.add("query.results", Fault.status(200, body=body, headers={**headers, "Sforce-Locator": "null"}))

    run = tap.run("Account")

    assert run.error is None
    assert run.column("Account", "Name") == ["Ada", "Bob", "Cyd"]
    assert len(org.faults.completed) == 2


ODD_DESCRIBES: dict[str, Any] = {
    "a list": [],
    "no fields": {"name": "Account"},
    "fields by name": {"name": "Account", "fields": {"Id": {"name": "Id", "type": "id"}}},
    "a field without a type": {"name": "Account", "fields": [{"name": "Id"}]},
    "a type that is a list": {"name": "Account", "fields": [{"name": "Id", "type": ["id"]}]},
    "a name that is a number": {"name": "Account", "fields": [{"name": 5, "type": "id"}]},
    "a name that is null": {"name": "Account", "fields": [{"name": None, "type": "id"}]},
    "a label that is an object": {"name": "Account", "fields": [{"name": "Id", "type": "id", "label": {"a": 1}}]},
    "odd picklist values": {
        "name": "Account",
        "fields": [{"name": "Id", "type": "id"}, {"name": "A", "type": "picklist", "picklistValues": [{"value": 5}]}],
    },
}


@pytest.mark.parametrize("odd", ODD_DESCRIBES)
def test_a_describe_of_another_form(org: Org, tap: TapRunner, odd: str) -> None:
    """It is asked for again, and then fails its stream."""
    catalog = tap.catalog(Account=["Name"])
    org.faults.add("describe", Fault.status(200, json=ODD_DESCRIBES[odd]), times=50)

    run = tap.run(catalog=catalog, retry_total_s=0.3)

    assert str(run.error).startswith("1 of 1 streams failed: Account: GET ")
    assert "/sobjects/Account/describe answered 200 with JSON of another form" in str(run.error)
    assert org.faults.completed


@pytest.mark.parametrize(
    "fault",
    [
        Fault.html(200),
        Fault.status(200, body='{"name": "Acc'),
        Fault.cut_after(bytes=100),
        Fault.reset_before(),
        Fault.html(502),
    ],
    ids=["html", "half of it", "cut", "reset", "gateway"],
)
def test_one_object_that_cannot_be_described_at_all(org: Org, tap: TapRunner, fault: Fault) -> None:
    """The other one is described and read."""
    catalog = tap.catalog(Account=["Name"], Lead=["LastName"])
    org.faults.add("describe", fault)

    run = tap.run(catalog=catalog, retry_total_s=0.05)

    (read,) = run.records
    failed = {"Account": "Lead", "Lead": "Account"}[read]
    assert str(run.error).startswith(f"1 of 2 streams failed: {failed}: GET ")
    assert f"/sobjects/{failed}/describe" in str(run.error)
    assert org.faults.completed


def test_a_network_that_is_down_is_no_objects_failure(org: Org, tap: TapRunner) -> None:
    """The run ends at once, instead of waiting for each object in turn."""
    catalog = tap.catalog(Account=["Name"], Lead=["LastName"])
    org.faults.add("describe", Fault.reset_before(), times=2)
    org.faults.add("versions", Fault.reset_before(), times=9)

    run = tap.run(catalog=catalog, retry_total_s=0.05)

    assert isinstance(run.error, ConnectionFailed)
    assert "/services/data" in str(run.error)
    assert run.messages == []
    assert org.faults.completed


@pytest.fixture
def by_rest(org: Org) -> None:
    """Bulk refuses the first job, so accounts are read by REST."""
    refused = Fault.status(400, json=[{"errorCode": "INVALIDENTITY", "message": "not supported by the Bulk API"}])
    org.faults.add("query.create", refused)


def batch(*records: dict[str, Any]) -> Fault:
    """A batch of REST records."""
    return Fault.status(200, json={"done": True, "records": [{"attributes": {}, **record} for record in records]})


GOOD = {"Id": "001000000000001AAA", "SystemModstamp": "2024-01-15T10:30:00.000+0000", "Name": "Ada"}


@pytest.mark.usefixtures("by_rest")
@pytest.mark.parametrize(
    "record",
    [
        {"Id": GOOD["Id"], "Name": "Ada"},
        {"Id": GOOD["Id"], "SystemModstamp": GOOD["SystemModstamp"]},
        {**GOOD, "Name": {"first": "Ada"}},
        {**GOOD, "Name": ["Ada"]},
        {**GOOD, "SystemModstamp": 5},
        {**GOOD, "Id": None, "SystemModstamp": None, "Name": []},
    ],
    ids=str,
)
def test_a_rest_record_of_another_form(org: Org, tap: TapRunner, record: dict[str, Any]) -> None:
    """A field that is not there is no null."""
    org.faults.add("rest.query", batch(record))

    run = read_both(tap, org, account=["Name"])

    assert only_account_failed(run, why="")
    assert len(org.faults.completed) == 2


@pytest.mark.usefixtures("by_rest")
@pytest.mark.parametrize("missing", ["Id", "SystemModstamp"])
def test_rest_records_that_cannot_be_put_together(org: Org, tap: TapRunner, missing: str) -> None:
    """Many fields are read by several queries, whose rows belong together by Id."""
    record = {name: value for name, value in GOOD.items() if name != missing}
    org.faults.add("rest.query", batch(record), times=2)
    long = {"Account": " OR ".join(f"Name = '{number:040}'" for number in range(190))}

    run = read_both(tap, org, account=None, soql_filters=long)

    assert only_account_failed(run, why="")
    assert len(org.faults.completed) == 3


@pytest.mark.parametrize("record", [{}, {"SystemModstamp": 5}, {"SystemModstamp": "soon"}, {"SystemModstamp": None}])
def test_an_odd_first_value(org: Org, tap: TapRunner, record: dict[str, Any]) -> None:
    """Windows begin with the first row, which a REST query finds."""
    org.faults.add("rest.query", batch(record))

    run = read_both(tap, org, account=["Name"], window_days=36_500)

    assert only_account_failed(run, why="SystemModstamp")
    assert len(org.faults.completed) == 1


def test_odd_ids_when_a_job_is_cut_in_halves(org: Org, tap: TapRunner) -> None:
    """The first and the last Id are asked for by REST."""
    org.progression = Progression.looks(1_000)
    org.faults.add("rest.query", batch({"Id": "001-odd"}), times=2)

    run = tap.run(
        catalog=tap.catalog(root={"forced-replication-method": "FULL_TABLE"}, Account=["Name"]), job_timeout_s=0.05
    )

    assert str(run.error).startswith("1 of 1 streams failed: Account: ")
    assert "Id" in str(run.error)
    assert org.faults.completed


class FussyPipe(Pipe):
    """Cannot write a certain record."""

    def write_lines(self, lines: bytes) -> None:
        """Write the lines, but not those of Bob."""
        if b"Bob" in lines:
            raise ValueError(lines.decode())
        super().write_lines(lines)


def test_what_nobody_has_thought_of_ends_its_stream_only(tap: TapRunner, caplog: pytest.LogCaptureFixture) -> None:
    """The error says where in the code it arose, and no value."""
    catalog = tap.catalog(Account=["Name"], Lead=["LastName"])
    pipe = FussyPipe()

    with pytest.raises(StreamsFailed) as caught:
        TapSalesforceBulk(config=tap.config(), catalog=catalog, message_writer=pipe).sync_all()

    assert str(caught.value) == (
        "1 of 2 streams failed: Account: the tap could not continue after ValueError in tests.tap.test_odd_answers,"
        f" line {FussyPipe.write_lines.__code__.co_firstlineno + 3}: please report this"
    )
    assert only_account_failed(Run(messages=pipe.messages, error=caught.value), why="")
    assert "Traceback" not in caplog.text
    assert "Bob" not in caplog.text
