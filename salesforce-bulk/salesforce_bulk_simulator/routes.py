"""The table of routes: method and path, the operation that faults are queued for, and the function that answers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import unquote

from . import controls
from .auth import identity, oauth, soap
from .auth.errors import LoginRefused
from .http.errors import RequestRefused, method_not_allowed, not_found
from .http.messages import Request, Response, error_response
from .jobs.ingest import requests as ingest_requests
from .jobs.query import pages as query_pages
from .jobs.query import requests as query_requests
from .org import Org
from .rest import composite_batch, deleted_and_updated, describe, limits, sobject_collections, sobject_rows, versions
from .rest import query as rest_query

Handler = Callable[[Org, Request], Response]


@dataclass(frozen=True, slots=True)
class Route:
    """One line of the table. ``since`` is the first API version with the resource; ``is_open`` needs no session."""

    method: str
    pattern: re.Pattern[str]
    operation: str
    handler: Handler
    is_open: bool = False
    since: float = 0


def _route(
    method: str, path: str, operation: str, handler: Handler, *, is_open: bool = False, since: float = 0
) -> Route:
    if path.startswith("~"):
        path = r"/services/data/v{version}" + path[1:]
    pattern = re.sub(r"\{version\}", r"(?P<version>\\d{1,3}\\.\\d)", path)
    pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern)
    return Route(method, re.compile(pattern + "/?", re.IGNORECASE), operation, handler, is_open, since)


def _batch(org: Org, request: Request) -> Response:
    """Answer ``POST /composite/batch``; each of its requests takes its own route."""

    def answer(inner: Request) -> Response:
        try:
            match = find_route(inner.method, inner.path, inner.body)
            return match.route.handler(org, replace(inner, parts=match.parts, operation=match.operation))
        except RequestRefused as refused:
            return error_response(refused)

    return composite_batch.batch(request, answer=answer)


ROUTES = [
    _route("POST", "/services/oauth2/token", "login", oauth.token, is_open=True),
    _route("POST", "/services/oauth2/revoke", "revoke", oauth.revoke, is_open=True),
    _route("GET", "/services/oauth2/revoke", "revoke", oauth.revoke, is_open=True),
    _route("GET", "/services/oauth2/userinfo", "userinfo", identity.userinfo),
    _route("GET", "/id/{org_id}/{user_id}", "userinfo", identity.identity),
    _route("POST", "/services/oauth2/introspect", "introspect", oauth.introspect, is_open=True),
    _route("POST", "/services/soap/[uc]/{version}(?:/.*)?", "soap", soap.answer, is_open=True),
    _route("GET", "/services/data", "versions", versions.versions, is_open=True),
    _route("GET", "~", "version", versions.version_root),
    _route("GET", "~/jobs", "version", versions.directory("jobs", "ingest", "query")),
    _route("GET", "~/composite", "version", versions.directory("composite", "batch", "sobjects")),
    _route("GET", "~/sobjects", "describe_global", describe.describe_global),
    _route("GET", "~/limits", "limits", limits.limits),
    _route("GET", "~/limits/recordCount", "record_count", limits.record_count, since=40),
    _route("GET", "~/query", "rest.query", rest_query.query),
    _route("GET", "~/queryAll", "rest.query", rest_query.query_all),
    _route("GET", "~/query(?:All)?/{locator}", "rest.query", rest_query.next_batch),
    _route("POST", "~/jobs/query", "query.create", query_requests.create, since=47),
    _route("GET", "~/jobs/query", "query.list", query_requests.list_all, since=47),
    _route("GET", "~/jobs/query/{id}", "query.info", query_requests.info, since=47),
    _route("PATCH", "~/jobs/query/{id}", "query.patch", query_requests.change, since=47),
    _route("DELETE", "~/jobs/query/{id}", "query.delete", query_requests.delete, since=47),
    _route("GET", "~/jobs/query/{id}/results", "query.results", query_pages.results, since=47),
    _route("GET", "~/jobs/query/{id}/resultPages", "query.result_pages", query_pages.result_pages, since=58),
    _route("POST", "~/jobs/ingest", "ingest.create", ingest_requests.create, since=41),
    _route("GET", "~/jobs/ingest", "ingest.list", ingest_requests.list_all, since=41),
    _route("GET", "~/jobs/ingest/{id}", "ingest.info", ingest_requests.info, since=41),
    _route("PATCH", "~/jobs/ingest/{id}", "ingest.patch", ingest_requests.change, since=41),
    _route("DELETE", "~/jobs/ingest/{id}", "ingest.delete", ingest_requests.delete, since=41),
    _route("PUT", "~/jobs/ingest/{id}/batches", "ingest.upload", ingest_requests.upload, since=41),
    _route("GET", "~/jobs/ingest/{id}/successfulResults", "ingest.successful", ingest_requests.successful, since=41),
    _route("GET", "~/jobs/ingest/{id}/failedResults", "ingest.failed", ingest_requests.failed, since=41),
    _route("GET", "~/jobs/ingest/{id}/unprocessedRecords", "ingest.unprocessed", ingest_requests.unprocessed, since=41),
    _route("POST", "~/composite/sobjects", "collections", sobject_collections.create, since=42),
    _route("PATCH", "~/composite/sobjects", "collections", sobject_collections.update, since=42),
    _route("DELETE", "~/composite/sobjects", "collections", sobject_collections.delete, since=42),
    _route("GET", "~/composite/sobjects/{sobject}", "collections", sobject_collections.retrieve, since=42),
    _route("POST", "~/composite/sobjects/{sobject}", "collections", sobject_collections.retrieve, since=42),
    _route("PATCH", "~/composite/sobjects/{sobject}/{field}", "collections", sobject_collections.upsert, since=46),
    _route("POST", "~/composite/batch", "batch", _batch, since=34),
    _route("GET", "~/sobjects/{sobject}", "describe", describe.sobject_root),
    _route("POST", "~/sobjects/{sobject}", "row", sobject_rows.create),
    _route("GET", "~/sobjects/{sobject}/describe", "describe", describe.describe),
    _route("GET", "~/sobjects/{sobject}/deleted", "deleted", deleted_and_updated.deleted),
    _route("GET", "~/sobjects/{sobject}/updated", "updated", deleted_and_updated.updated),
    _route("GET", "~/sobjects/{sobject}/{id}", "row", sobject_rows.read),
    _route("POST", "~/sobjects/{sobject}/{id}", "row", sobject_rows.create_by_id, since=37),
    _route("PATCH", "~/sobjects/{sobject}/{id}", "row", sobject_rows.update),
    _route("DELETE", "~/sobjects/{sobject}/{id}", "row", sobject_rows.delete),
    _route("GET", "~/sobjects/{sobject}/{first}/{second}", "row", sobject_rows.read_below),
    _route("PATCH", "~/sobjects/{sobject}/{field}/{value}", "upsert", sobject_rows.upsert),
    _route("GET", "/_simulator", "controls", controls.state, is_open=True),
    _route("POST", "/_simulator/faults", "controls", controls.add_fault, is_open=True),
    _route("POST", "/_simulator/late", "controls", controls.carry_out_late_requests, is_open=True),
    _route("DELETE", "/_simulator/faults", "controls", controls.clear_faults, is_open=True),
]


@dataclass(frozen=True, slots=True)
class Match:
    """A request's route, the variable parts of its path, and its operation."""

    route: Route
    parts: dict[str, str]
    operation: str


def find_route(method: str, raw_path: str, body: bytes) -> Match:
    """Return the route of a request; ``raw_path`` is still percent-encoded.

    Raises:
        RequestRefused: 404, 405, or 410 for a retired version.
    """
    method = "GET" if method == "HEAD" else method
    # the Salesforce CLI starts its paths with two slashes, which Salesforce accepts; anywhere else they are a 404
    raw_path = "/" + raw_path.lstrip("/")
    matches = [(route, match) for route in ROUTES if (match := route.pattern.fullmatch(raw_path))]
    allowed = [(route, match) for route, match in matches if route.method == method]
    if not matches:
        raise not_found()
    if not allowed:
        raise method_not_allowed(method, [route.method for route, _ in matches])
    route, match = allowed[0]
    parts = {name: unquote(value) for name, value in match.groupdict().items()}
    if raw_path.lower().startswith("/services/data/v"):
        _check_version(parts["version"], route)
    return Match(route, parts, _operation(route, body))


def error_response_at(request: Request, refused: RequestRefused) -> Response:
    """Return an error in the format of the API that the path belongs to."""
    path = request.path.lower()
    if path.startswith("/services/soap/"):
        return soap.fault(request, soap.client_fault(refused.message))
    if path.startswith("/services/oauth2/"):
        return oauth.error_response(LoginRefused("invalid_request", refused.message, status=refused.status))
    return error_response(refused)


def _check_version(version: str, route: Route) -> None:
    number = float(version)
    if 1 <= number < versions.OLDEST_VERSION:
        message = f"The requested API version {version} has been retired"
        raise RequestRefused(410, "UNSUPPORTED_API_VERSION", message)
    if not version.endswith(".0") or not max(route.since, 1) <= number <= versions.NEWEST_VERSION:
        raise not_found()


_SOAP_OPERATIONS = {"logout": "revoke", "getUserInfo": "userinfo"}


def _operation(route: Route, body: bytes) -> str:
    """Return the operation of a request: PATCH closes or aborts a job, and all SOAP calls share one path."""
    if route.operation == "soap":
        return _SOAP_OPERATIONS.get(soap.call_of(body), "login")
    if not route.operation.endswith(".patch"):
        return route.operation
    kind = route.operation.partition(".")[0]
    try:
        state = json.loads(body)["state"]
    except (ValueError, TypeError, KeyError, RecursionError):
        state = None
    return f"{kind}.abort" if state == "Aborted" else f"{kind}.close"
