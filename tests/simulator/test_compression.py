"""Compressed requests and answers, at every address."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import pytest
import requests
from salesforce_bulk_simulator import Fault, Org

from .api import REFRESH, Api

JSON = {"Content-Type": "application/json"}
PACKED = {"Content-Encoding": "gzip"}


def packed(value: Any) -> bytes:
    return gzip.compress(json.dumps(value).encode())


def test_compressed_requests_are_read_everywhere(api: Api, org: Org) -> None:
    """Rows, jobs and their data, logins over OAuth and SOAP."""
    row = api("POST", "sobjects/Account", data=packed({"Name": "Ada"}), headers=JSON | PACKED)
    body = {"object": "Account", "operation": "insert"}
    job = api("POST", "jobs/ingest", data=packed(body), headers=JSON | PACKED).json()["id"]
    data = api(
        "PUT",
        f"jobs/ingest/{job}/batches",
        data=gzip.compress(b"Name\nBob\n"),
        headers={"Content-Type": "text/csv"} | PACKED,
    )
    closed = api("PATCH", f"jobs/ingest/{job}", data=packed({"state": "UploadComplete"}), headers=JSON | PACKED)
    form = "&".join(f"{key}={value}" for key, value in REFRESH.items()).encode()
    login = requests.post(
        f"{api.url}/services/oauth2/token",
        data=gzip.compress(form),
        headers={"Content-Type": "application/x-www-form-urlencoded"} | PACKED,
        timeout=30,
    )

    assert [answer.status_code for answer in (row, data, closed, login)] == [201, 201, 200, 200]
    assert [each["Name"] for each in org.rows("Account")] == ["Ada", "Bob"]


def test_deflate_is_read_as_well(api: Api, org: Org) -> None:
    """The other encoding of the guide."""
    body = zlib.compress(json.dumps({"Name": "Ada"}).encode())

    api("POST", "sobjects/Account", data=body, headers=JSON | {"Content-Encoding": "deflate"})

    assert [each["Name"] for each in org.rows("Account")] == ["Ada"]


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/services/data/v66.0/sobjects/Account", "array"),
        ("/services/oauth2/token", "object"),
        ("/services/Soap/u/60.0", ""),
    ],
    ids=["REST", "OAuth", "SOAP"],
)
@pytest.mark.parametrize("body", [b"nonsense", packed({"Name": "Ada"})[:-9]], ids=["other data", "cut"])
def test_broken_data_is_refused_in_the_shape_of_the_address(
    api: Api, org: Org, path: str, shape: str, body: bytes
) -> None:
    """With a status, a code and a text of Salesforce's kind."""
    answer = api("POST", path, data=body, headers=JSON | PACKED)
    text = "The request body is not in the format of its Content-Encoding: gzip"

    assert text in answer.text
    if shape == "array":
        assert (answer.status_code, answer.json()[0]["message"]) == (400, text)
    elif shape == "object":
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    else:
        assert (answer.status_code, "<faultcode>soapenv:Client</faultcode>" in answer.text) == (500, True)
    assert org.rows("Account") == []


def test_a_request_without_a_body_needs_no_compression(api: Api) -> None:
    """Whatever a session's headers say."""
    assert api("GET", "limits", headers=PACKED).status_code == 200


def test_another_encoding_is_refused(api: Api) -> None:
    """As a media type that is not served."""
    answer = api("POST", "sobjects/Account", data=b"x", headers=JSON | {"Content-Encoding": "br"})

    assert (answer.status_code, answer.json()[0]["errorCode"]) == (415, "UNSUPPORTED_MEDIA_TYPE")


def test_a_small_request_cannot_become_a_huge_one(api: Api) -> None:
    """What is larger than any body may be is refused, compressed or not."""
    answer = api("POST", "sobjects/Account", data=gzip.compress(bytes(151_000_000), 9), headers=JSON | PACKED)

    assert answer.status_code == 413


@pytest.mark.parametrize(
    "path", ["query?q=SELECT+Id+FROM+Account", "sobjects", "limits", "sobjects/Nope", "jobs/query"]
)
@pytest.mark.parametrize(("accepts", "is_packed"), [("gzip, deflate", True), ("gzip;q=0", False), ("deflate", False)])
def test_answers_are_compressed_for_who_accepts_gzip(api: Api, path: str, accepts: str, *, is_packed: bool) -> None:
    """JSON and refusals as well as CSV, in chunks."""
    answer = api("GET", path, headers={"Accept-Encoding": accepts})

    assert (answer.headers.get("Content-Encoding") == "gzip") == is_packed
    assert ("Content-Length" not in answer.headers) == is_packed
    assert answer.json()


def test_one_answers_compression_is_not_the_nexts(api: Api) -> None:
    """Each answer has headers of its own, faults of SOAP as well."""
    packed_one, plain_one = (
        api("POST", "/services/Soap/u/60.0", headers={"SOAPAction": "x", "Accept-Encoding": accepts})
        for accepts in ("gzip", "identity")
    )

    assert packed_one.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain_one.headers
    assert packed_one.text == plain_one.text


def test_compression_can_be_switched_off(api: Api, org: Org) -> None:
    """For a client that says it takes gzip, and does not."""
    org.gzip_results = False

    assert "Content-Encoding" not in api("GET", "limits").headers


def test_a_compressed_answer_can_break(api: Api, org: Org) -> None:
    """JSON, too, without its end."""
    org.faults.add("limits", Fault.cut_after(bytes=5))

    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        api("GET", "limits")

    assert len(org.faults.completed) == 1
