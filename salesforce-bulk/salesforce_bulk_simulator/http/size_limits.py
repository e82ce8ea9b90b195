"""Requests that are too large to be read at all: refused by what their head says, before a byte of the body is kept."""

from __future__ import annotations

from starlette.requests import Request as HttpRequest
from starlette.types import Scope

from .messages import Response

MAX_URI_BYTES = MAX_HEAD_BYTES = 16_384
"""Address, and address with all headers (REST API guide, "Request Limits"; App Limits)."""
MAX_BODY_BYTES = 150_000_000
"""No request has a larger body: a job's data is limited to 150 MB after base64."""
_REASONS = {
    413: "Request Entity Too Large",
    414: "URI Too Long",
    431: "Request Header Fields Too Large",
}


def refuse_size(scope: Scope) -> Response | None:
    """Return the refusal of a request that is too large; None for others."""
    uri = len(scope["raw_path"]) + len(scope["query_string"])
    head = uri + sum(len(name) + len(value) + 4 for name, value in scope["headers"])
    if uri > MAX_URI_BYTES:
        return too_large(414)
    if head > MAX_HEAD_BYTES:
        return too_large(431)
    length = dict(scope["headers"]).get(b"content-length", b"0")
    return too_large(413) if int(length) > MAX_BODY_BYTES else None


async def read_body(http: HttpRequest) -> bytes | None:
    """Return a request's body; None when it goes on beyond all limits, without telling its length."""
    parts, size = [], 0
    async for part in http.stream():
        parts.append(part)
        size += len(part)
        if size > MAX_BODY_BYTES:
            return None
    return b"".join(parts)


def too_large(status: int) -> Response:
    """Return a refusal as the servlet container gives it: a web page, not JSON."""
    page = f"<h1>Bad Message {status}</h1><pre>reason: {_REASONS[status]}</pre>"
    return Response(status, page.encode(), {"Content-Type": "text/html;charset=iso-8859-1", "Connection": "close"})
