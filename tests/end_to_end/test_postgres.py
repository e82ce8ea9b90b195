"""Both pipelines with a real PostgreSQL server, as docs/meltano.md leads through them."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from salesforce_bulk_simulator import Org

from examples.nycflights13.postgres import connection_string
from examples.nycflights13.sandbox import PROJECT
from tests.end_to_end.conftest import Project
from tests.end_to_end.debian_postgres import find_programs, running_server
from tests.end_to_end.pages import examples

PAGE = PROJECT / "docs" / "meltano.md"
ACCOUNT = ("External_Id__c", "Name", "Industry", "NumberOfEmployees", "Website", "Phone", "IsDeleted")
CONTACT = ("External_Id__c", "AccountId", "LastName", "Email", "Birthdate", "IsDeleted")
HOUR_S = 3600


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[psycopg.Connection]:
    """An empty database of a server that runs for this test; the PG… variables name it."""
    programs = find_programs()
    if programs is None:
        pytest.skip("no PostgreSQL server is installed (Debian: apt-get install postgresql)")
    with (
        # Not below tmp_path: as root, PostgreSQL becomes another user, who may not look there.
        tempfile.TemporaryDirectory(prefix="postgres-", ignore_cleanup_errors=True) as folder,
        running_server(programs, folder=Path(folder), log=tmp_path / "postgres.log") as variables,
    ):
        # A number with a fraction in a variable: as `kind: decimal` Meltano 4.4 cannot hand it on.
        for name, value in {**variables, "TAP_SALESFORCE_BULK_RETRY_TOTAL_S": "59.5"}.items():
            monkeypatch.setenv(name, value)
        with psycopg.connect(connection_string(variables), autocommit=True) as connection:
            yield connection


def in_salesforce(org: Org, sobject: str, fields: tuple[str, ...]) -> list[list[Any]]:
    """All records of an object, deleted ones too, in the order of their external ids."""
    rows = org.rows(sobject, include_deleted=True)
    return sorted([row[field] for field in fields] for row in rows)


def in_warehouse(database: psycopg.Connection, sobject: str, fields: tuple[str, ...]) -> list[list[Any]]:
    """All rows of the table that the tap has filled, likewise; dates as Salesforce writes them."""
    columns = ", ".join(f'"{field}"' + ("::date::text" if field == "Birthdate" else "") for field in fields)
    rows = database.execute(f'SELECT {columns} FROM salesforce."{sobject}"').fetchall()
    return sorted(list(row) for row in rows)


def last_outcomes(project: Project, *, runs: int) -> list[tuple[str, str]]:
    """What the last runs of the target did to which record: its key and a word."""
    files = sorted(
        (project.folder / "salesforce/logs").glob("outcomes-*.jsonl"), key=lambda file: file.stat().st_mtime_ns
    )
    outcomes = [json.loads(line) for file in files[-runs:] for line in file.read_text().splitlines()]
    return sorted((next(iter(each["key"].values())), each["status"]) for each in outcomes)


def records_read(log: str) -> dict[str, int]:
    """How many records the tap has read, by object."""
    return {sobject: int(count) for sobject, count in re.findall(r"(\w+): (\d+) records in", log)}


def test_a_warehouse_and_an_org_follow_each_other(org: Org, database: psycopg.Connection, project: Project) -> None:
    """All rows, then those that changed, both ways; then deletes, both ways. Every row is compared each time."""
    make, load, read, change, name_deletes, delete = examples(PAGE, section="With a PostgreSQL server of your own")

    # From the warehouse to Salesforce, all rows
    database.execute(make.text)
    project.run(load)
    ids = {row["External_Id__c"]: row["Id"] for row in [*org.rows("Account"), *org.rows("Contact")]}

    assert last_outcomes(project, runs=2) == [(key, "created") for key in ("A-1", "A-2", "A-3", "C-1", "C-2", "C-3")]
    assert in_salesforce(org, "Account", ACCOUNT) == [
        ["A-1", "Ada & Söhne", "Banking", 12, "https://ada.example", None, False],
        ["A-2", "NA", None, 0, None, None, False],
        ["A-3", 'two\nlines, "quoted"', "Energy", None, None, None, False],
    ]
    assert in_salesforce(org, "Contact", CONTACT) == [
        ["C-1", ids["A-1"], "Lovelace", "ada@example.com", "1815-12-10", False],
        ["C-2", ids["A-1"], "Byron", None, None, False],
        ["C-3", None, "Nobody", "nobody@example.com", "1900-02-28", False],
    ]

    # Back, all records, with what people have changed meanwhile
    org.clock.advance(HOUR_S)
    org.update("Account", [{"Id": ids["A-3"], "Phone": "+43 1 234"}])
    org.update("Contact", [{"Id": ids["C-3"], "Email": None}])
    log = project.run(read)

    assert records_read(log) == {"Account": 3, "Contact": 3}
    assert in_warehouse(database, "Account", ACCOUNT) == in_salesforce(org, "Account", ACCOUNT)
    assert in_warehouse(database, "Contact", CONTACT) == in_salesforce(org, "Contact", CONTACT)

    # Again, what has changed in the warehouse: with the last row of each table, whose moment is the bookmark
    database.execute(change.text)
    org.clock.advance(HOUR_S)
    log = project.run(load)

    assert "[warning" not in log
    assert last_outcomes(project, runs=2) == [
        ("A-1", "updated"), ("A-3", "updated"), ("C-3", "updated"), ("C-4", "created")
    ]  # fmt: skip
    assert in_salesforce(org, "Account", ACCOUNT) == [
        ["A-1", "Ada & Daughters", "Banking", 12, None, None, False],
        ["A-2", "NA", None, 0, None, None, False],
        ["A-3", 'two\nlines, "quoted"', "Energy", None, None, "+43 1 234", False],
    ]

    # Deletes: one that the warehouse asks for, and one that somebody makes in Salesforce
    database.execute(name_deletes.text)
    project.run(delete)
    org.delete("Contact", [ids["C-3"]])

    assert last_outcomes(project, runs=1) == [(ids["C-2"], "deleted")]

    # Back, only what has changed since the last time
    log = project.run(read)

    assert records_read(log) == {"Account": 2, "Contact": 3}
    assert in_warehouse(database, "Account", ACCOUNT) == in_salesforce(org, "Account", ACCOUNT)
    assert in_warehouse(database, "Contact", CONTACT) == in_salesforce(org, "Contact", CONTACT)
    assert [(row[0], row[-1]) for row in in_warehouse(database, "Contact", CONTACT)] == [
        ("C-1", False), ("C-2", True), ("C-3", True), ("C-4", False)
    ]  # fmt: skip

    # And what Meltano remembers of all that
    (state,) = examples(PAGE, section="State")
    project.run(state)
