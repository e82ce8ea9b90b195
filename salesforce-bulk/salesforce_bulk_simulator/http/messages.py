"""The request that a handler receives, and the response that it returns."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from .errors import RequestRefused
from .faults import Fault
from .json_parser import parse_json

JSON_TYPE = "application/json;charset=UTF-8"
NOT_AN_OBJECT = "The request body is not a JSON object"
CSV_TYPE = "text/csv; charset=UTF-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request. Header names are in lower case; ``parts`` are the variable parts of its path, decoded."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    base_url: str
    parts: Mapping[str, str] = field(default_factory=dict)
    operation: str = ""
    fault: Fault | None = None
    """A fault of this request that its job or records meet later."""

    @property
    def label(self) -> str:
        """Method and path, as in ``Org.requests``."""
        return f"{self.method} {unquote(self.path)}"

    @property
    def version(self) -> str:
        """The API version in the path, such as ``66.0``."""
        return self.parts.get("version", "")

    def json(self) -> Any:
        """Return the body as JSON.

        Raises:
            RequestRefused: JSON_PARSER_ERROR, or 415 for another media type.
        """
        media_type = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            message = f"Content-Type: {media_type or 'none'} is not supported for this resource"
            raise RequestRefused(415, "UNSUPPORTED_MEDIA_TYPE", message)
        return parse_json(self.body)

    def json_object(self) -> dict[str, Any]:
        """Return the body, which must be a JSON object.

        Raises:
            RequestRefused: JSON_PARSER_ERROR.
        """
        body = self.json()
        if not isinstance(body, dict):
            raise RequestRefused(400, "JSON_PARSER_ERROR", NOT_AN_OBJECT)
        return body


@dataclass(slots=True)
class Response:
    """One response. ``is_chunked`` sends it without a Content-Length."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    is_chunked: bool = False


def json_response(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a response with a JSON body."""
    body = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    return Response(status, body, {"Content-Type": JSON_TYPE, **(headers or {})})


def csv_response(body: bytes, *, headers: Mapping[str, str] | None = None) -> Response:
    """Return a response with a CSV body."""
    return Response(200, body, {"Content-Type": CSV_TYPE, **(headers or {})})


def error_response(error: RequestRefused) -> Response:
    """Return the response to a refused request."""
    return json_response(error.body(), status=error.status)
