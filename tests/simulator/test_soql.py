"""The SOQL that the simulator knows, by what it finds."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from salesforce_bulk_simulator import Clock, Org, running
from salesforce_bulk_simulator.soql.date_literals import span_of

from .api import Api


@pytest.fixture
def org() -> Org:
    org = Org(clock=Clock(frozen_at=datetime(2024, 3, 15, 12, tzinfo=UTC)))
    ada, bob = org.insert(
        "Account",
        [
            {"Name": "Ada", "Rating": "Hot", "AnnualRevenue": 100, "External_Id__c": "x_1"},
            {"Name": "Bob's", "Rating": "Cold", "NumberOfEmployees": 5, "ParentId": None, "External_Id__c": "xy1"},
        ],
    )
    org.insert("Account", [{"Name": "ada the second", "ParentId": ada, "CreatedDate": "2024-02-29T10:00:00.000Z"}])
    org.insert("Contact", [{"LastName": "Lovelace", "AccountId": bob, "Birthdate": "1815-12-10"}])
    org.insert("Task", [{"Subject": "Call", "WhatId": ada}])
    return org


@pytest.mark.parametrize(
    ("where", "names"),
    [
        ("Name = 'ADA'", ["Ada"]),
        ("Name LIKE 'a%'", ["Ada", "ada the second"]),
        (r"Name = 'Bob\'s'", ["Bob's"]),
        (r"External_Id__c LIKE 'x\_1'", ["Ada"]),
        ("External_Id__c LIKE 'x_1'", ["Ada", "Bob's"]),
        ("Rating != 'Hot'", ["Bob's", "ada the second"]),
        ("Rating = null", ["ada the second"]),
        ("Rating IN ('Hot', 'Cold')", ["Ada", "Bob's"]),
        ("Rating NOT IN ('Hot', 'Cold')", ["ada the second"]),
        ("NOT Rating = 'Hot'", ["Bob's", "ada the second"]),
        ("AnnualRevenue >= 1e2 AND AnnualRevenue < 100.5", ["Ada"]),
        ("Rating = 'Hot' OR (NumberOfEmployees = 5 AND IsDeleted = false)", ["Ada", "Bob's"]),
        ("Parent.Name = 'Ada'", ["ada the second"]),
        ("Parent.Owner.Name LIKE 'sim%'", ["ada the second"]),
        ("CreatedDate < 2024-03-01T01:00:00+01:00", ["ada the second"]),
        ("CreatedDate = LAST_MONTH", ["ada the second"]),
        ("CreatedDate = TODAY", ["Ada", "Bob's"]),
        ("CreatedDate >= LAST_N_DAYS:20", ["Ada", "Bob's", "ada the second"]),
        ("Id IN (SELECT AccountId FROM Contact WHERE Birthdate < 1900-01-01)", ["Bob's"]),
        ("Id NOT IN (SELECT AccountId FROM Contact)", ["Ada", "ada the second"]),
        ("SystemModstamp > 2030-01-01T00:00:00Z", []),
    ],
)
def test_a_condition_finds_its_rows(org: Org, where: str, names: list[str]) -> None:
    """Text is compared without regard to case, and null is a value like any other."""
    with running(org) as url:
        api = Api(url)
        found = api.query(f"SELECT Name FROM Account WHERE {where}")
        api.session.close()

    assert [line.strip('"') for line in found[1:]] == names


def test_order_and_limit_are_kept(api: Api) -> None:
    """Rows with an order are not shuffled; nulls come first by default."""
    job = api.query_job("SELECT Name FROM Account ORDER BY Rating DESC NULLS LAST, Name LIMIT 2")

    assert api("GET", f"jobs/query/{job}/results").text == '"Name"\n"Ada"\n"Bob\'s"\n'


def test_a_polymorphic_parent_has_the_fields_of_all_its_types(api: Api) -> None:
    """Task.What is an Account here."""
    assert api.query("SELECT Subject, What.Name FROM Task") == ['"Subject","What.Name"', '"Call","Ada"']


@pytest.mark.parametrize(
    ("soql", "code", "message"),
    [
        ("SELECT Id FORM Account", "MALFORMED_QUERY", "unexpected token: 'FORM'"),
        ("SELECT Id FROM Account WHERE", "MALFORMED_QUERY", "unexpected token: '<EOF>'"),
        ("SELECT Id FROM Account WHERE Name = Ada", "MALFORMED_QUERY", "unexpected token: 'Ada'"),
        ("SELECT Id FROM Account WHERE A = 1 AND B = 2 OR C = 3", "MALFORMED_QUERY", "unexpected token: 'OR'"),
        ("SELECT Id FROM Account; DROP TABLE x", "MALFORMED_QUERY", "unexpected token: ';'"),
        ("SELECT Id, Id FROM Account", "MALFORMED_QUERY", "duplicate field selected: Id"),
        (
            "SELECT Foo__c FROM Account",
            "INVALID_FIELD",
            (
                "No such column 'Foo__c' on entity 'Account'. If you are attempting to use a custom field, be sure to"
                " append the '__c' after the custom field name. Please reference your WSDL or the describe call for the"
                " appropriate names."
            ),
        ),
        (
            "SELECT Id FROM XYZZY",
            "INVALID_TYPE",
            (
                "sObject type 'XYZZY' is not supported. If you are attempting to use a custom object, be sure to append"
                " the '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate"
                " names."
            ),
        ),
        (
            "SELECT Id FROM Account WHERE Description = 'x'",
            "INVALID_FIELD",
            "field 'Description' can not be filtered in a query call",
        ),
        (
            "SELECT Id FROM Account WHERE SystemModstamp > '2024-01-01'",
            "INVALID_FIELD",
            (
                "value of filter criterion for field 'SystemModstamp' must be of type dateTime"
                " and should not be enclosed in quotes"
            ),
        ),
        (
            "SELECT Id FROM Account WHERE Name = 5",
            "INVALID_FIELD",
            "value of filter criterion for field 'Name' must be of type string and should be enclosed in quotes",
        ),
        (
            "SELECT Id FROM Account WHERE IsDeleted > true",
            "INVALID_QUERY_FILTER_OPERATOR",
            "invalid operator on boolean field",
        ),
    ],
)
def test_what_is_not_understood_is_refused(api: Api, soql: str, code: str, message: str) -> None:
    """Never guessed; the message says what stands where."""
    assert api.refused_query(soql) == (code, message)


UNBUILT = [
    ("SELECT COUNT(Id) FROM Account", "COUNT()"),
    ("SELECT COUNT_DISTINCT(Name) FROM Account", "COUNT_DISTINCT()"),
    ("SELECT Name, MAX(AnnualRevenue) FROM Account GROUP BY Name", "GROUP BY"),
    ("SELECT Name n, COUNT(Id) c FROM Account GROUP BY Name", "GROUP BY"),
    ("SELECT Name, COUNT(Id) FROM Account GROUP BY ROLLUP(Name)", "GROUP BY"),
    ("SELECT Name, COUNT(Id) FROM Account GROUP BY Name HAVING COUNT(Id) > 1", "HAVING"),
    ("SELECT Name FROM Account GROUP BY Name ORDER BY COUNT(Id)", "COUNT() in ORDER BY"),
    (
        "SELECT CALENDAR_YEAR(CreatedDate), COUNT(Id) FROM Account GROUP BY CALENDAR_YEAR(CreatedDate)",
        "CALENDAR_YEAR()",
    ),
    ("SELECT Id, (SELECT Id FROM Contacts) FROM Account", "subqueries of SELECT"),
    ("SELECT TYPEOF Who WHEN Contact THEN Email END FROM Task", "TYPEOF"),
    ("SELECT toLabel(Rating) FROM Account", "toLabel()"),
    ("SELECT Id FROM Account WHERE DAY_ONLY(CreatedDate) = 2024-01-01", "DAY_ONLY()"),
    ("SELECT Id FROM Account USING SCOPE mine", "USING"),
    ("SELECT Id FROM Account WITH SECURITY_ENFORCED", "WITH"),
    ("SELECT Id FROM Account WHERE Name = 'x' WITH USER_MODE", "WITH"),
    ("SELECT Id FROM Account LIMIT 1 FOR VIEW", "FOR"),
    ("SELECT Id FROM Account UPDATE TRACKING", "UPDATE"),
    ("SELECT a.Id FROM Account a, a.Owner o", "several objects after FROM"),
    ("SELECT Id FROM Account WHERE CreatedDate = THIS_FISCAL_QUARTER", "THIS_FISCAL_QUARTER"),
    ("SELECT Id FROM Account WHERE CreatedDate = LAST_N_FISCAL_YEARS:2", "LAST_N_FISCAL_YEARS:2"),
    ("SELECT Id FROM Account WHERE AnnualRevenue > USD5000", "USD5000"),
]


@pytest.mark.parametrize(("soql", "what"), UNBUILT, ids=[soql for soql, _ in UNBUILT])
def test_soql_that_is_not_built_is_no_mistake_of_the_clients(api: Api, soql: str, what: str) -> None:
    """A code that Salesforce does not have, and a text that names what is missing, and where."""
    answer = api("GET", "query", params={"q": soql})

    message = f"Salesforce serves {what} in SOQL, the simulator does not."
    assert (answer.status_code, answer.json()) == (400, [{"message": message, "errorCode": "NOT_IN_SIMULATOR"}])


@pytest.mark.parametrize(
    ("soql", "code"),
    [
        ("SELECT Nope, COUNT(Id) FROM Account GROUP BY Nope", "INVALID_FIELD"),
        ("SELECT MAX(Nope) FROM Account", "INVALID_FIELD"),
        ("SELECT COUNT(Id) FROM Nope", "INVALID_TYPE"),
        ("SELECT Id, (SELECT Id FROM Contacts) FROM Nope", "INVALID_TYPE"),
        ("SELECT frobnicate(Name) FROM Account", "MALFORMED_QUERY"),
        ("SELECT Name n FROM Account", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account HAVING COUNT(Id) > 1", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account WITH nonsense", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account WHERE COUNT(Id) > 1", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE"),
    ],
)
def test_a_mistake_stays_a_mistake(api: Api, soql: str, code: str) -> None:
    """Also next to what is not built."""
    answer = api("GET", "query", params={"q": soql})

    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, code)


def test_an_offset_goes_up_to_2000(api: Api) -> None:
    """The message names the limit."""
    beyond = api("GET", "query", params={"q": "SELECT Id FROM Account OFFSET 2001"})

    assert api("GET", "query", params={"q": "SELECT Id FROM Account OFFSET 2000"}).status_code == 200
    assert beyond.json()[0]["message"] == "Maximum SOQL offset allowed is 2000"


def test_a_malformed_query_shows_the_place(api: Api) -> None:
    """A line of the query, a caret, row and column."""
    answer = api("POST", "jobs/query", json={"operation": "query", "query": "SELECT Id FORM Account"})

    assert answer.json()[0]["message"] == (
        "\nSELECT Id FORM Account\n          ^\nERROR at Row:1:Column:11\nunexpected token: 'FORM'"
    )


@pytest.mark.parametrize(
    ("name", "n", "span"),
    [
        ("YESTERDAY", 0, ("2024-03-14", "2024-03-15")),
        ("THIS_WEEK", 0, ("2024-03-10", "2024-03-17")),
        ("LAST_QUARTER", 0, ("2023-10-01", "2024-01-01")),
        ("NEXT_YEAR", 0, ("2025-01-01", "2026-01-01")),
        ("LAST_N_DAYS", 2, ("2024-03-13", "2024-03-16")),
        ("NEXT_N_MONTHS", 2, ("2024-04-01", "2024-06-01")),
        ("N_DAYS_AGO", 3, ("2024-03-12", "2024-03-13")),
        ("LAST_90_DAYS", 0, ("2023-12-16", "2024-03-16")),
    ],
)
def test_relative_dates_are_spans_of_days(name: str, n: int, span: tuple[str, str]) -> None:
    """The first day, and the day after the last."""
    assert tuple(day.isoformat() for day in span_of(name, n=n, today=date(2024, 3, 15))) == span
