"""The size limits of a request: one that exceeds them is refused before its body is kept."""

from __future__ import annotations

from starlette.requests import Request as HttpRequest
from starlette.types import Scope

from .messages import Response

MAX_URI_BYTES = MAX_HEAD_BYTES = 16_384
"""Size of the URI, and of the URI with all headers (REST API guide, "Request Limits"; App Limits)."""
MAX_BODY_BYTES = 150_000_000
"""Maximum size of a body: a job's data is limited to 150 MB after base64."""
_REASONS = {
    413: "Request Entity Too Large",
    414: "URI Too Long",
    431: "Request Header Fields Too Large",
}


def refuse_too_large(scope: Scope) -> Response | None:
    """Return the error response to a request that is too large; None for all others."""
    uri = len(scope["raw_path"]) + len(scope["query_string"])
    head = uri + sum(len(name) + len(value) + 4 for name, value in scope["headers"])
    if uri > MAX_URI_BYTES:
        return too_large(414)
    if head > MAX_HEAD_BYTES:
        return too_large(431)
    length = dict(scope["headers"]).get(b"content-length", b"0")
    return too_large(413) if int(length) > MAX_BODY_BYTES else None


async def read_body(http: HttpRequest) -> bytes | None:
    """Return a request's body; None if it is too large and did not declare its length."""
    parts, size = [], 0
    async for part in http.stream():
        parts.append(part)
        size += len(part)
        if size > MAX_BODY_BYTES:
            return None
    return b"".join(parts)


def too_large(status: int) -> Response:
    """Return an error response as the servlet container sends it: an HTML page, not JSON."""
    page = f"<h1>Bad Message {status}</h1><pre>reason: {_REASONS[status]}</pre>"
    return Response(status, page.encode(), {"Content-Type": "text/html;charset=iso-8859-1", "Connection": "close"})
