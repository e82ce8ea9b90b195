"""REST ``query`` and ``queryAll``, answered in batches of records."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from salesforce_bulk_simulator.data.schema.model import SObject
from salesforce_bulk_simulator.http.errors import RequestRefused, not_in_simulator
from salesforce_bulk_simulator.http.messages import Request, Response, json_response
from salesforce_bulk_simulator.soql import syntax
from salesforce_bulk_simulator.soql.parser import parse
from salesforce_bulk_simulator.soql.statement import Statement, compile_query, find_object

from .org_protocol import RestOrg
from .query_records import Selection, records_of, select

DEFAULT_BATCH = 2000
"""Maximum number of records in one response; the minimum is 200 (REST API guide, "Query Options Header")."""

MAX_FIELDS_ROWS = 200
"""Maximum LIMIT of a query with FIELDS(ALL) or FIELDS(CUSTOM) (SOQL guide, "FIELDS()")."""


def query(org: RestOrg, request: Request) -> Response:
    """Answer ``GET /query?q=``, and ``?explain=`` with a plan."""
    return _answer(org, request, include_deleted=False)


def query_all(org: RestOrg, request: Request) -> Response:
    """Answer ``GET /queryAll?q=``."""
    return _answer(org, request, include_deleted=True)


def _answer(org: RestOrg, request: Request, *, include_deleted: bool) -> Response:
    is_explained = "explain" in request.query
    soql = request.query.get("explain" if is_explained else "q")
    if not soql:
        raise RequestRefused(400, "MALFORMED_QUERY", "A query string has to be specified")
    parsed = parse(soql)
    if parsed.fields_group:
        parsed = _with_fields(parsed, find_object(parsed, org.objects))

    def compiled(query: syntax.Query) -> Statement:
        today = org.clock.now().date()
        return compile_query(query, objects=org.objects, today=today, include_deleted=include_deleted)

    statement = compiled(parsed)
    _refuse_unsupported(parsed, compiled)
    with org.lock:
        if is_explained or parsed.is_count:
            count = org.store.select(f"SELECT count(*) {statement.tail}", statement.parameters).fetchone()[0]
            if is_explained:
                return json_response(_plan(statement, cardinality=count, of=org.store.count(statement.sobject)))
            return json_response({"totalSize": count, "done": True, "records": []})
        rest = f"ORDER BY {', '.join(statement.order_by)}" if statement.order_by else ""
        if statement.limit is not None or statement.offset is not None:
            rest += f" LIMIT {-1 if statement.limit is None else statement.limit} OFFSET {statement.offset or 0}"
        selection = select(org, statement, rest=rest)
    return _batch(org, request, selection, start=0, locator=None)


def _refuse_unsupported(parsed: syntax.Query, compiled: Callable[[syntax.Query], Statement]) -> None:
    """Refuse a valid query that uses a feature of SOQL that the simulator lacks."""
    calls = [item for item in parsed.select if isinstance(item, syntax.Call)]
    for path in [*parsed.group_by, *(call.argument for call in calls if call.argument)]:
        compiled(replace(parsed, select=(path,), order_by=()))
    if any(isinstance(item, syntax.Subquery) for item in parsed.select):
        raise not_in_simulator("subqueries of SELECT in SOQL")
    if parsed.has_typeof:
        raise not_in_simulator("TYPEOF in SOQL")
    if parsed.group_by:
        raise not_in_simulator("GROUP BY in SOQL")
    if calls and not parsed.is_count:
        raise not_in_simulator(f"{calls[0].function}() in SOQL")


def _plan(statement: Statement, *, cardinality: int, of: int) -> dict[str, Any]:
    """Return a query plan (REST API guide, "Get Feedback on Query Performance"); it is always a table scan."""
    plan = {
        "cardinality": cardinality,
        "fields": [],
        "leadingOperationType": "TableScan",
        "notes": [],
        "relativeCost": 1.0,
        "sobjectCardinality": of,
        "sobjectType": statement.sobject.name,
    }
    return {"plans": [plan]}


def _with_fields(query: syntax.Query, sobject: SObject) -> syntax.Query:
    """Return a query with its ``FIELDS()`` expanded."""
    if (
        query.fields_group != "STANDARD"
        and not 0 <= (query.limit if query.limit is not None else -1) <= MAX_FIELDS_ROWS
    ):
        message = f"The SOQL FIELDS function must have a LIMIT of at most {MAX_FIELDS_ROWS}"
        raise RequestRefused(400, "MALFORMED_QUERY", message)
    wanted = {"ALL": (True, False), "STANDARD": (False,), "CUSTOM": (True,)}[str(query.fields_group)]
    names = [each.name for each in sobject.fields.values() if each.describe["custom"] in wanted]
    return replace(query, select=(*query.select, *(syntax.FieldPath((name,), 0) for name in names)), fields_group=None)


def next_batch(org: RestOrg, request: Request) -> Response:
    """Answer ``GET /query/{locator}-{start}``."""
    locator, _, start = request.parts["locator"].rpartition("-")
    selection = org.query_locators.get(locator)
    if selection is None or not start.isdigit() or int(start) > len(selection.rows):
        raise RequestRefused(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
    return _batch(org, request, selection, start=int(start), locator=locator)


def _batch(org: RestOrg, request: Request, selection: Selection, *, start: int, locator: str | None) -> Response:
    end = min(start + _batch_size(request), len(selection.rows))
    answer: dict[str, Any] = {
        "totalSize": len(selection.rows),
        "done": end >= len(selection.rows),
        "records": records_of(org, request, selection, start=start, end=end),
    }
    if not answer["done"]:
        if locator is None:
            locator = org.locator_id()
            org.query_locators[locator] = selection
        answer["nextRecordsUrl"] = f"/services/data/v{request.version}/query/{locator}-{end}"
    return json_response(answer)


def _batch_size(request: Request) -> int:
    match = re.search(r"batchSize\s*=\s*(\d{1,9})", request.headers.get("sforce-query-options", ""), re.IGNORECASE)
    return min(max(int(match[1]), 200), DEFAULT_BATCH) if match else DEFAULT_BATCH
