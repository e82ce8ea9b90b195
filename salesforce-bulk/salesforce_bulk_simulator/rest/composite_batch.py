"""Composite batch: up to 25 requests in one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from salesforce_bulk_simulator.http.errors import RequestRefused
from salesforce_bulk_simulator.http.messages import JSON_TYPE, Request, Response, json_response

MAX_REQUESTS = 25
"""Maximum number of requests in one batch (REST API guide, "Batch Resources")."""
_ALLOWED = ("limits", "query", "queryall", "search", "sobjects", "connect", "chatter")
"""Resources that a batch supports. [doc: Supported resources]"""

Answer = Callable[[Request], Response]


def batch(request: Request, *, answer: Answer) -> Response:
    """Answer ``POST /composite/batch``; ``answer`` answers one of its requests."""
    body = request.json_object()
    parts = body.get("batchRequests")
    if not isinstance(parts, list) or not parts or not all(isinstance(part, dict) for part in parts):
        raise RequestRefused(400, "JSON_PARSER_ERROR", "batchRequests is not a list of requests")
    if len(parts) > MAX_REQUESTS:
        raise RequestRefused(400, "LIMIT_EXCEEDED", f"Limit of {MAX_REQUESTS} requests per batch exceeded")
    results: list[dict[str, Any]] = []
    for part in parts:
        if body.get("haltOnError") is True and any(result["statusCode"] >= 400 for result in results):
            halted = [{"errorCode": "BATCH_PROCESSING_HALTED", "message": "Batch processing halted per request."}]
            results.append({"statusCode": 412, "result": halted})
            continue
        response = answer(_inner(request, part))
        is_json = response.headers.get("Content-Type") == JSON_TYPE and response.body
        results.append({"statusCode": response.status, "result": json.loads(response.body) if is_json else None})
    return json_response({"hasErrors": any(result["statusCode"] >= 400 for result in results), "results": results})


def _inner(request: Request, part: dict[str, Any]) -> Request:
    """Return the request that a part of a batch describes."""
    method, url = part.get("method"), part.get("url")
    if not isinstance(method, str) or not isinstance(url, str):
        raise RequestRefused(400, "JSON_PARSER_ERROR", "a request of a batch needs a method and a url")
    address = urlsplit(url)
    path = address.path if address.path.startswith("/services/data/") else f"/services/data/{address.path.lstrip('/')}"
    resource = (path.split("/")[4:5] or [""])[0].lower()
    if resource not in _ALLOWED:
        raise RequestRefused(400, "INVALID_BATCH_REQUEST", f"The resource {url} cannot be used in a batch")
    return replace(
        request,
        method=method.upper(),
        path=path,
        query=dict(parse_qsl(address.query, keep_blank_values=True)),
        headers={**request.headers, "content-type": "application/json"},
        body=json.dumps(part["richInput"]).encode() if "richInput" in part else b"",
        fault=None,
    )
