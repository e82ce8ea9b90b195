"""The org as an ASGI application: sessions, limits and faults around the routes."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Mapping
from dataclasses import replace
from email.utils import format_datetime

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest
from starlette.types import Receive, Scope, Send

from .http.compression import TooLarge, accepts_gzip, compress, decompressed
from .http.connections import reset_connection
from .http.errors import RequestRefused
from .http.faults import Fault
from .http.messages import Request, Response, error_response
from .http.size_limits import MAX_BODY_BYTES, read_body, refuse_too_large, too_large
from .org import Org
from .routes import Match, error_response_at, find_route

logger = logging.getLogger(__name__)

_FREE_OPERATIONS = ("login", "revoke", "introspect", "versions", "controls")
"""Operations that do not count against the org's API requests, and whose responses do not report them."""


class App:
    """Serves one org."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._limit_lock = threading.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        http = HttpRequest(scope, receive)
        body = None
        if (refused := refuse_too_large(scope)) is None:
            body = await read_body(http)
        if body is None:
            await _send(refused or too_large(413), None, scope, send)
            return
        request = Request(
            method=scope["method"],
            path=scope["raw_path"].decode("latin-1"),
            query=dict(http.query_params),
            headers=http.headers,
            body=body,
            base_url=_base_url(http),
        )
        self._org.requests.append((request.method, scope["path"]))
        fault, response = await self._respond(request)
        if response is None or (fault and fault.kind == "reset_after"):
            reset_connection(scope)
        else:
            if self._org.lower_case_headers:
                response.headers = {key.lower(): value for key, value in response.headers.items()}
            await _send(response, fault, scope, send)

    async def _respond(self, request: Request) -> tuple[Fault | None, Response | None]:
        """Decompress a request, then return the fault that its response meets, and the response."""
        try:
            body = await run_in_threadpool(decompressed, request.body, request.headers, max_bytes=MAX_BODY_BYTES)
        except TooLarge:
            return None, too_large(413)
        except RequestRefused as refused:
            return None, error_response_at(request, refused)
        return await self._respond_to_plain(replace(request, body=body))

    async def _respond_to_plain(self, request: Request) -> tuple[Fault | None, Response | None]:
        """Return the fault that the response meets, and the response; None if none is to be sent."""
        try:
            match = find_route(request.method, request.path, request.body)
        except RequestRefused as refused:
            return None, error_response(refused)
        for carry_out in self._org.late_requests.due() if match.operation != "controls" else ():
            await run_in_threadpool(carry_out)
        fault = self._org.faults.take(match.operation)
        if fault and fault.kind == "reset_before":
            return fault, None
        if fault and fault.kind == "answer":
            return None, Response(fault.status_code, fault.body, dict(fault.headers))
        if fault and fault.kind == "stall":
            await asyncio.sleep(fault.seconds)
        own_fault = fault if fault and fault.is_met_while_processing else None
        request = replace(request, parts=match.parts, operation=match.operation, fault=own_fault)
        if fault and fault.kind == "late":
            self._org.late_requests.add(lambda: self._handle(request, match), after=fault.count or None)
            return fault, None
        if fault and fault.kind == "unauthorized":
            self._org.sessions.end(bearer_token(request.headers) or "")
        response = await run_in_threadpool(self._handle, request, match)
        if fault and fault.kind == "answer_after":
            return fault, Response(fault.status_code, fault.body, dict(fault.headers))
        return fault, response

    def _handle(self, request: Request, match: Match) -> Response:
        """Answer a request that arrived in full."""
        try:
            if not match.route.is_open:
                self._check_session(request)
            response = match.route.handler(self._org, request)
        except RequestRefused as refused:
            response = error_response(refused)
        except Exception:
            logger.exception("%s %s", request.method, request.path)
            message = "An unexpected error occurred. Please include this ErrorId if you contact support: 1-1 (1)"
            response = error_response(RequestRefused(500, "UNKNOWN_EXCEPTION", message))
        response.headers = dict(response.headers)
        if match.operation not in _FREE_OPERATIONS:
            limit = self._org.limits["DailyApiRequests"]
            response.headers["Sforce-Limit-Info"] = f"api-usage={int(limit.used)}/{limit.max}"
        if response.body and self._org.gzip_results and accepts_gzip(request.headers):
            compress(response)
        response.headers["Date"] = format_datetime(self._org.clock.now().replace(microsecond=0), usegmt=True)
        return response

    def _check_session(self, request: Request) -> None:
        """Refuse a request without a valid session, or over the daily limit of requests."""
        authorization = request.headers.get("authorization", "")
        token = bearer_token(request.headers)
        if authorization and token is None:
            raise RequestRefused(401, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE")
        if token is None or not self._org.sessions.use(token):
            raise RequestRefused(401, "INVALID_SESSION_ID", "Session expired or invalid")
        limit = self._org.limits["DailyApiRequests"]
        with self._limit_lock:
            if limit.is_used_up:
                raise RequestRefused(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
            limit.used += 1


def bearer_token(headers: Mapping[str, str]) -> str | None:
    """Return the access token of a request. REST also accepts the older scheme ``OAuth``."""
    kind, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() in ("bearer", "oauth") and token else None


def _base_url(http: HttpRequest) -> str:
    return f"{http.url.scheme}://{http.headers.get('host') or http.url.netloc}"


async def _send(response: Response, fault: Fault | None, scope: Scope, send: Send) -> None:
    """Send a response, in full or as its fault demands."""
    headers = dict(response.headers)
    kind = fault.kind if fault else ""
    if fault and kind == "without_header":
        headers = {key: value for key, value in headers.items() if key.lower() != fault.header.lower()}
    has_body = scope["method"] != "HEAD" and response.status not in (204, 304)
    body = response.body if has_body else b""
    if (not response.is_chunked or kind == "wrong_length") and response.status not in (204, 304):
        headers["Content-Length"] = str(len(response.body) + (1000 if kind == "wrong_length" else 0))
    is_cut = kind in ("cut", "wrong_length") and has_body
    if fault and kind == "cut":
        body = body[: fault.bytes_sent]
    raw = [(key.encode("latin-1"), value.encode("latin-1")) for key, value in headers.items()]
    await send({"type": "http.response.start", "status": response.status, "headers": raw})
    # a body shorter than its Content-Length ends with the server closing the connection
    await send({"type": "http.response.body", "body": body, "more_body": is_cut})
