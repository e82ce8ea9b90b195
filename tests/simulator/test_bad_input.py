"""Whatever is sent, Salesforce's status and error shape come back: never a traceback, never a hang."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .nonsense import VERSION, Server

pytestmark = pytest.mark.filterwarnings("default::hypothesis.errors.NonInteractiveExampleWarning")


def is_salesforces(status: int, media_type: str, body: bytes) -> bool:
    """Whether an answer could be Salesforce's: below 500 (but for SOAP's faults), errors in the documented shapes."""
    if status >= 400 and PHRASES_OF_PYTHON.search(body):
        return False
    if status == 500 and media_type.startswith("text/xml"):
        return not body or b"<soapenv:Fault>" in body  # HEAD has no body
    if status >= 500:
        return False
    if status < 400 or not body or media_type.startswith("text/html"):
        return True
    errors = json.loads(body)
    if isinstance(errors, dict):
        return "error" in errors
    return bool(errors) and all({"errorCode", "message"} <= set(error) for error in errors)


PHRASES_OF_PYTHON = re.compile(
    rb"Expecting value|Expecting property|' delimiter: line|invalid literal|keyword argument|codec can't"
)
"""Longer than the texts that are sent, which a refusal may quote."""
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12)
PIECES = [
    *["sobjects", "Account", "describe", "query", "queryAll", "limits", "recordCount", "jobs", "ingest", "results"],
    *["resultPages", "batches", "successfulResults", "failedResults", "unprocessedrecords", "composite", "batch"],
    *["External_Id__c", "x1", "deleted", "updated", "{account}", "{query_job}", "{ingest_job}", "Id", "Name", "Body"],
]
PATHS = st.lists(st.sampled_from(PIECES) | TEXT.map(quote), max_size=5).map(lambda parts: "/".join([VERSION, *parts]))
OTHER_PATHS = st.sampled_from(["/services/oauth2/token", "/services/oauth2/revoke", "/services/Soap/u/60.0", "/", "//"])
QUERIES = st.dictionaries(
    st.sampled_from(["q", "ids", "fields", "locator", "maxRecords", "start", "end", "updateOnly", "queryLocator"]),
    TEXT | st.sampled_from(["SELECT Id FROM Account", "2026-01-01T00:00:00Z", "null", "-1", "MDo", "Id,Name"]),
    max_size=3,
).map(lambda pairs: "&".join(f"{key}={quote(value)}" for key, value in pairs.items()))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            TEXT
            | st.sampled_from(
                [
                    "operation",
                    "object",
                    "query",
                    "state",
                    "records",
                    "attributes",
                    "type",
                    "Id",
                    "Name",
                    "allOrNone",
                    "url",
                    "batchRequests",
                    "method",
                    "externalIdFieldName",
                    "lineEnding",
                    "columnDelimiter",
                    "AnnualRevenue",
                    "Owner",
                ]
            ),
            inner
            | st.sampled_from(
                ["insert", "upsert", "query", "Account", "Open", "Aborted", "UploadComplete", "GET", "Id"]
            ),
            max_size=4,
        )
    ),
    max_leaves=8,
)
BODIES = JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=60) | TEXT.map(str.encode)
MEDIA_TYPES = st.sampled_from(
    ["application/json", "text/csv", "multipart/form-data; boundary=x", "multipart/form-data", "text/xml", "", "/", "é"]
)
HEADERS = st.fixed_dictionaries(
    {"Content-Type": MEDIA_TYPES},
    optional={
        "Accept": st.sampled_from(["text/csv", "application/xml", "", "*/*"]),
        "If-Modified-Since": st.sampled_from(["x", "Tue, 10 Aug 2015 00:00:00 GMT", ""]),
        "If-Match": st.just('"x"'),
        "Sforce-Query-Options": st.sampled_from(["batchSize=0", "batchSize=x", "batchSize=999999999999"]),
        "Content-Encoding": st.sampled_from(["gzip", "br"]),
    },
)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    method=st.sampled_from(["GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS", "FROB"]),
    path=PATHS | OTHER_PATHS,
    query=QUERIES,
    headers=HEADERS,
    body=BODIES,
)
def test_no_request_breaks_it(
    server: Server, method: str, path: str, query: str, headers: dict[str, str], body: bytes
) -> None:
    """Any method, path, query, header and body."""
    for name in ("account", "query_job", "ingest_job"):
        path = path.replace(f"{{{name}}}", getattr(server, name))

    answer = server.send(
        method, f"{path}?{query}", body=body, headers={k: v for k, v in headers.items() if v.isascii()}
    )

    assert is_salesforces(*answer), answer


SOQL_WORDS = st.lists(
    st.sampled_from(
        [
            "SELECT",
            "FROM",
            "WHERE",
            "Account",
            "Id",
            "Name",
            "Owner.Name",
            "AnnualRevenue",
            "CreatedDate",
            "AND",
            "OR",
            "NOT",
            "IN",
            "LIKE",
            "=",
            "!=",
            "<",
            "(",
            ")",
            ",",
            "'a'",
            "'",
            "1",
            "1e999",
            "2024-01-01",
            "TODAY",
            "null",
            "LAST_N_DAYS:5",
            "LAST_N_YEARS:99999999",
            "2024-01-01T00:00:00Z",
            "9999-99-99",
            "ORDER",
            "BY",
            "LIMIT",
            "99999999999999999999",
            "OFFSET",
            "COUNT()",
            "FIELDS(ALL)",
            "GROUP",
            "TYPEOF",
            "END",
            "BillingAddress",
            "true",
        ]
    )
    | TEXT,
    max_size=12,
).map(" ".join)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(soql=SOQL_WORDS | SOQL_WORDS.map(lambda words: f"SELECT Id FROM Account WHERE {words}"))
def test_no_query_breaks_it(server: Server, soql: str) -> None:
    """Neither over REST nor in bulk."""
    bulk = json.dumps({"operation": "query", "query": soql}).encode()
    headers = {"Content-Type": "application/json"}

    answers = [
        server.send("GET", f"{VERSION}/query?q={quote(soql)}", body=b"", headers={}),
        server.send("POST", f"{VERSION}/jobs/query", body=bulk, headers=headers),
    ]

    assert all(is_salesforces(*answer) for answer in answers), answers
    states = {job["state"]: job.get("errorMessage") for job in server.org.jobs if job["jobType"] == "V2Query"}
    assert "Failed" not in states, states


CSV_CELLS = st.lists(
    st.sampled_from(['"', ",", "\n", "\r", "\r\n", "Id", "Name", "Owner.Username", "#N/A", "1", "x", "﻿", "\0", "é"])
    | TEXT,
    max_size=25,
).map("".join)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    data=(CSV_CELLS.map(lambda text: f"Name,AnnualRevenue,CreatedDate\n{text}") | CSV_CELLS).map(str.encode)
    | st.binary(max_size=80),
    operation=st.sampled_from(["insert", "update", "upsert", "delete", "hardDelete"]),
    line_ending=st.sampled_from(["LF", "CRLF"]),
)
def test_no_job_data_breaks_it(server: Server, data: bytes, operation: str, line_ending: str) -> None:
    """A job ends complete or failed with a message, and all of its rows are in one of the three result files."""
    json_type = {"Content-Type": "application/json"}
    body: dict[str, Any] = {"object": "Account", "operation": operation, "lineEnding": line_ending}
    if operation == "upsert":
        body["externalIdFieldName"] = "External_Id__c"
    created = server.send("POST", f"{VERSION}/jobs/ingest", body=json.dumps(body).encode(), headers=json_type)
    path = f"{VERSION}/jobs/ingest/{json.loads(created[2])['id']}"
    upload = server.send("PUT", f"{path}/batches", body=data, headers={"Content-Type": "text/csv"})
    server.send("PATCH", path, body=b'{"state": "UploadComplete"}', headers=json_type)
    info = json.loads(server.send("GET", path, body=b"", headers={})[2])
    results = [
        server.send("GET", f"{path}/{kind}", body=b"", headers={})
        for kind in ("successfulResults", "failedResults", "unprocessedrecords")
    ]

    assert upload[0] == 201
    assert info["state"] in ("JobComplete", "Failed")
    assert not info.get("errorMessage", "").startswith("InternalServerError")
    assert [status for status, _, _ in results] == [200, 200, 200]
