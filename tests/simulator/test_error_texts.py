"""What a refusal says: Salesforce's words, never those of the language that the simulator is written in."""

from __future__ import annotations

import re
from typing import Any

import pytest
from salesforce_bulk_simulator import Org

from .api import Api

JSON = {"Content-Type": "application/json"}
OF_PYTHON = re.compile(
    r"\b(?:None|True|False|inf|dict|NoneType|codec|Expecting|Errno|Traceback|kwargs)\b"
    r"|keyword argument|invalid literal|<class|object at 0x|base 10|positional|recursion"
)
"""Words that only Python says."""


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"Name":', "Unexpected end-of-input at [line:1, column:9]"),
        (b'{"Name": }', "Unexpected character ('}' (code 125)): expected a valid value"),
        (b'{"Name" 1}', "Unexpected character ('1' (code 49)): was expecting a colon to separate field name and value"),
        (b'{"a": 1 "b"}', "Unexpected character ('\"' (code 34)): was expecting comma to separate entries"),
        (b"{'a': 1}", "Unexpected character (''' (code 39)): was expecting double-quote to start field name"),
        (b'{"a": "x', "Unexpected end-of-input: was expecting closing quote for a string value"),
        (b'{"a": "\n"}', "has to be escaped using backslash to be included in string value"),
        (b'{"a": "\\x"}', "Unrecognized character escape"),
        (b"{} {}", "Unexpected character ('{' (code 123))"),
        (b'\n{"a" 1}', "[line:2, column:6]"),
        (b'{"a": nan}', "Unexpected character ('n' (code 110))"),
        (b'{"a": NaN}', "Unrecognized token 'NaN': was expecting ('true', 'false' or 'null')"),
        (b'{"a": -Infinity}', "Unrecognized token 'Infinity'"),
        (b'{"a": ' + b"9" * 5000 + b"}", "Number value length (5000) exceeds the maximum allowed (1000)"),
        (b"\xff", "Invalid UTF-8 start byte 0xff"),
        (b"[" * 100_000, "Document nesting depth exceeds the maximum allowed"),
        (b"[]", "The request body is not a JSON object"),
        (b"", "Unexpected end-of-input"),
    ],
)
def test_bad_json_is_refused_in_the_parsers_words(api: Api, body: bytes, text: str) -> None:
    """JSON_PARSER_ERROR with the place; also for jobs, and in a multipart request."""
    parts = {"job": ("", body, "application/json"), "content": ("content", b"Name\nAda\n", "text/csv")}
    answers = [
        api("POST", "sobjects/Account", data=body, headers=JSON),
        api("POST", "jobs/query", data=body, headers=JSON),
        api("POST", "jobs/ingest", files=parts),
    ]

    for answer in answers:
        (error,) = answer.json()
        assert (answer.status_code, error["errorCode"]) == (400, "JSON_PARSER_ERROR")
        assert text in error["message"]


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("NumberOfEmployees", '"many"', "instance of int from VALUE_STRING value many"),
        ("NumberOfEmployees", "1.5", "instance of int from VALUE_NUMBER_FLOAT value 1.5"),
        ("NumberOfEmployees", "true", "instance of int from VALUE_TRUE value true"),
        ("AnnualRevenue", '"N01"', "instance of currency from VALUE_STRING value N01"),
        ("AnnualRevenue", '""', "instance of currency from VALUE_STRING value  or request may be missing"),
        ("Name", "false", "instance of string from VALUE_FALSE value false"),
        ("Name", "7", "instance of string from VALUE_NUMBER_INT value 7"),
        ("Name", '{"a": 1}', "instance of string from START_OBJECT value {"),
        ("Name", "[1]", "instance of string from START_ARRAY value ["),
    ],
)
def test_a_value_of_another_type_is_the_parsers_error(api: Api, field: str, value: str, text: str) -> None:
    """In a row and in a collection the whole request is refused; the row's error has the place."""
    row = f'{{"Name": "Ada",\n"{field}": {value}}}' if field != "Name" else f'{{"Rating": "Hot",\n"Name": {value}}}'
    many = f'{{"records": [{{"attributes": {{"type": "Account"}}, "{field}": {value}}}]}}'

    one = api("POST", "sobjects/Account", data=row.encode(), headers=JSON)
    several = api("POST", "composite/sobjects", data=many.encode(), headers=JSON)

    for answer in (one, several):
        assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "JSON_PARSER_ERROR")
        assert f"Cannot deserialize {text}" in answer.json()[0]["message"]
    assert f"[line:2, column:{len(field) + 5}]" in one.json()[0]["message"]


def test_numbers_written_as_text_are_numbers(api: Api, org: Org) -> None:
    """What reads as a number is one."""
    answer = api("POST", "sobjects/Account", json={"Name": "Ada", "AnnualRevenue": "12", "NumberOfEmployees": "7"})

    assert answer.status_code == 201
    assert (org.rows("Account")[0]["AnnualRevenue"], org.rows("Account")[0]["NumberOfEmployees"]) == (12.0, 7)


def test_half_a_surrogate_pair_is_a_question_mark(api: Api, org: Org) -> None:
    """Only a complete pair is a character."""
    api("POST", "sobjects/Account", data=rb'{"Name": "\ud83d\ude00 \ud83d"}', headers=JSON)

    assert org.rows("Account")[0]["Name"] == "\N{GRINNING FACE} ?"


def test_the_key_of_the_path_is_refused_in_the_body(api: Api, org: Org) -> None:
    """INVALID_FIELD, with the field's name."""
    (ada,) = org.insert("Account", [{"Name": "Ada", "External_Id__c": "a"}])

    by_id = api("PATCH", f"sobjects/Account/{ada}", json={"Id": ada, "Name": "Ann"})
    by_key = api("PATCH", "sobjects/Account/External_Id__c/a", json={"External_Id__c": "a"})
    id_too = api("PATCH", "sobjects/Account/External_Id__c/a", json={"Id": ada})

    for answer, name in ((by_id, "Id"), (by_key, "External_Id__c"), (id_too, "Id")):
        message = f"The {name} field should not be specified in the sobject data."
        assert (answer.status_code, answer.json()) == (400, [{"message": message, "errorCode": "INVALID_FIELD"}])


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PATCH", "sobjects/Account", "HEAD,GET,POST"),
        ("POST", "sobjects/Account/001000000000000AAA", "HEAD,GET,PATCH,DELETE"),
        ("POST", "limits", "HEAD,GET"),
        ("GET", "composite/batch", "POST"),
    ],
)
def test_a_wrong_method_lists_the_right_ones(api: Api, method: str, path: str, allowed: str) -> None:
    """Without blanks, HEAD first."""
    answer = api(method, path, json={})

    assert answer.status_code == 405
    assert answer.json()[0]["message"] == f"HTTP Method '{method}' not allowed. Allowed are {allowed}"


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_what_is_no_id_is_named(api: Api, method: str) -> None:
    """It is taken for the name of a key."""
    answer = api(method, "sobjects/Account/foo", json={})

    message = "Provided external ID field does not exist or is not accessible: foo"
    assert (answer.status_code, answer.json()) == (404, [{"message": message, "errorCode": "NOT_FOUND"}])


ODD_VALUES: list[Any] = [None, True, [], {}, 1.5, "x", 10**20]
JOB = {"object": "Account", "operation": "insert"}


@pytest.mark.parametrize("value", ODD_VALUES, ids=repr)
def test_no_answer_speaks_python(api: Api, org: Org, value: Any) -> None:
    """Odd values at every key that is read, and in the simulator's own controls."""
    (ada,) = org.insert("Account", [{"Name": "Ada"}])
    job, query_job = api.ingest_job("Account", "insert"), api.query_job("SELECT Id FROM Account")
    record = {"attributes": {"type": "Account"}}
    bodies = [
        *(
            ("POST", "jobs/ingest", {**JOB, key: value})
            for key in (*JOB, "lineEnding", "columnDelimiter", "contentType")
        ),
        ("POST", "jobs/ingest", {**JOB, "operation": "upsert", "externalIdFieldName": value}),
        *(
            ("POST", "jobs/query", {"operation": "query", "query": "SELECT", key: value})
            for key in ("operation", "query")
        ),
        *(("PATCH", f"jobs/{kind}", {"state": value}) for kind in (f"ingest/{job}", f"query/{query_job}")),
        *(("POST", "sobjects/Account", {key: value}) for key in ("Name", "OwnerId", "Parent", "AnnualRevenue")),
        *(("POST", "composite/sobjects", {"records": each}) for each in (value, [value], [{"attributes": value}])),
        ("POST", "composite/sobjects", {"records": [{"attributes": {"type": value}}]}),
        ("POST", "composite/sobjects", {"records": [record], "allOrNone": value}),
        ("PATCH", "composite/sobjects", {"records": [{**record, "Id": value}]}),
        ("POST", "composite/sobjects", {"records": [{**record, "Parent": {"External_Id__c": value}}]}),
        ("POST", "composite/sobjects", {"records": [{**record, "Parent": {"attributes": {"type": value}, "Id": ada}}]}),
        ("POST", "composite/sobjects/Account", {"ids": value, "fields": value}),
        *(("POST", "composite/batch", {"batchRequests": each}) for each in (value, [{"method": value, "url": value}])),
        *(
            ("POST", "/_simulator/faults", {"fault": "stall", "operation": "deleted", key: value})
            for key in ("fault", "seconds", "times", "nope")
        ),
        ("POST", "/_simulator/faults", {"fault": "lock_rows", "operation": value, "where": value}),
    ]

    for method, path, body in bodies:
        answer = api(method, path, json=body)
        text = answer.text.replace(str(body), "")
        assert answer.status_code < 500, (path, body, text)
        assert not (answer.status_code >= 400 and OF_PYTHON.search(text)), (path, body, text)


@pytest.mark.parametrize(
    "soql",
    [
        "SELECT Id FROM Account WHERE CreatedDate > LAST_N_DAYS:99999999999999999999",
        "SELECT Id FROM Account WHERE CreatedDate > LAST_N_DAYS:" + "9" * 5000,
        "SELECT Id FROM Account WHERE CreatedDate > NEXT_N_YEARS:9000",
        "SELECT Id FROM Account LIMIT " + "9" * 5000,
        "SELECT Id FROM Account WHERE CreatedDate > 2024-13-01T00:00:00Z",
        "SELECT Id FROM Account WHERE AnnualRevenue > \u0663",
    ],
)
def test_no_refusal_of_a_query_speaks_python(api: Api, soql: str) -> None:
    """Numbers that are too great, and digits of other scripts."""
    answer = api("GET", "query", params={"q": soql})

    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "MALFORMED_QUERY")
    assert not OF_PYTHON.search(answer.json()[0]["message"])


def test_a_value_longer_than_pythons_csv_reader_takes_fails_its_row(api: Api) -> None:
    """And neither the job nor the simulator."""
    info = api.load("Account", "insert", "Name\n" + "x" * 140_000 + "\nAda\n")

    assert (info["state"], info["numberRecordsProcessed"], info["numberRecordsFailed"]) == ("JobComplete", 2, 1)
