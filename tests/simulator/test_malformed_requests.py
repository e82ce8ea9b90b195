"""Malformed requests, and what Salesforce answers to each."""

from __future__ import annotations

import json
import socket

import pytest

from .nonsense import VERSION, Server


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status", "code"),
    [
        ("POST", "/jobs/query", {"Content-Type": "application/json"}, b'{"operation":', 400, "JSON_PARSER_ERROR"),
        ("POST", "/jobs/query", {"Content-Type": "text/plain"}, b"{}", 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("POST", "/jobs/query", {"Content-Type": "application/json"}, b"[]", 400, "JSON_PARSER_ERROR"),
        ("GET", "/jobs/query/750000000000000AAA", {}, b"", 404, "NOT_FOUND"),
        ("GET", "/jobs/query/..%2F..%2Fetc", {}, b"", 404, "NOT_FOUND"),
        ("PUT", "/limits", {}, b"", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/sobjects//Account", {}, b"", 404, "NOT_FOUND"),
        ("GET", "/sobjects/Account/%00", {}, b"", 404, "NOT_FOUND"),
    ],
)
def test_malformed_requests_have_salesforces_errors(
    server: Server, method: str, path: str, headers: dict[str, str], body: bytes, status: int, code: str
) -> None:
    """Status and errorCode."""
    answer = server.send(method, VERSION + path, body=body, headers=headers)

    assert (answer[0], json.loads(answer[2])[0]["errorCode"]) == (status, code)


@pytest.mark.parametrize(
    ("path", "header", "status"),
    [("/query?q=" + "x" * 16_400, "", 414), ("/limits", "x" * 17_000, 431), ("/limits", "x" * 60_000, 431)],
    ids=["address", "headers", "large headers"],
)
def test_a_head_too_large_is_refused_with_a_web_page(server: Server, path: str, header: str, status: int) -> None:
    """414 for the address, 431 for address and headers, as the servlet container words it."""
    answer = server.send("GET", VERSION + path, body=b"", headers={"X-Large": header})

    assert answer[0] == status
    assert answer[2].startswith(f"<h1>Bad Message {status}</h1>".encode())


def test_a_header_without_end_is_refused_early(server: Server) -> None:
    """A gigabyte of header is not read: the answer comes, and the connection ends, after a little of it."""
    host, _, port = server.host.partition(":")
    sent = 0
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(b"GET /services/data HTTP/1.1\r\nHost: x\r\nX-Large: ")
        try:
            while sent < 1_000_000_000:
                sent += connection.send(b"x" * 65_536)
        except ConnectionError:
            pass

    assert sent < 20_000_000


def test_a_body_too_large_is_refused_before_it_is_sent(server: Server) -> None:
    """By its announced length alone."""
    host, _, port = server.host.partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(b"PUT /services/data HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000000\r\n\r\n")

        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")
