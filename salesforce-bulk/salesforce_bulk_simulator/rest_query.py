"""REST ``query`` and ``queryAll``, answered in batches."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from .errors import RequestRefused
from .messages import Request, Response, json_response
from .schema.model import SObject
from .soql import syntax
from .soql.parser import parse
from .soql.statement import Column, compile_query, find_object
from .values import Value, to_json

if TYPE_CHECKING:
    from .org import Org

DEFAULT_BATCH = 2000
"""Records of one answer, at most; 200 at least (REST API guide, "Query Options Header")."""

MAX_FIELDS_ROWS = 200
"""The greatest LIMIT of a query with FIELDS(ALL) or FIELDS(CUSTOM) (SOQL guide, "FIELDS()")."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """The rest of a query's rows, waiting for ``nextRecordsUrl``."""

    sobject: SObject
    columns: list[Column]
    rows: list[tuple[Value, ...]]


def query(org: Org, request: Request) -> Response:
    """Answer ``GET /query?q=``."""
    return _answer(org, request, include_deleted=False)


def query_all(org: Org, request: Request) -> Response:
    """Answer ``GET /queryAll?q=``."""
    return _answer(org, request, include_deleted=True)


def _answer(org: Org, request: Request, *, include_deleted: bool) -> Response:
    soql = request.query.get("q")
    if not soql:
        raise RequestRefused(400, "MALFORMED_QUERY", "A query string has to be specified")
    parsed = parse(soql)
    is_subquery = any(isinstance(item, syntax.Subquery) for item in parsed.select)
    if parsed.has_typeof or is_subquery or (parsed.has_aggregates and not parsed.is_count):
        message = "the simulator does not know GROUP BY, TYPEOF, subqueries, and no aggregate function but COUNT()"
        raise RequestRefused(400, "MALFORMED_QUERY", message)
    if parsed.fields_group:
        parsed = _with_fields(parsed, find_object(parsed, org.objects))
    today = org.clock.now().date()
    statement = compile_query(parsed, objects=org.objects, today=today, include_deleted=include_deleted)
    with org.lock:
        if parsed.is_count:
            count = org.store.select(f"SELECT count(*) {statement.tail}", statement.parameters).fetchone()[0]
            return json_response({"totalSize": count, "done": True, "records": []})
        order = f"ORDER BY {', '.join(statement.order_by)}" if statement.order_by else ""
        limit = (
            ""
            if statement.limit is None and statement.offset is None
            else (f"LIMIT {-1 if statement.limit is None else statement.limit} OFFSET {statement.offset or 0}")
        )
        columns = ", ".join(['t0."Id"', *(column.sql for column in statement.columns)])
        sql = f"SELECT {columns} {statement.tail} {order} {limit}"
        rows = org.store.select(sql, statement.parameters).fetchall()
    cursor = Cursor(statement.sobject, statement.columns, rows)
    return _batch(org, request, cursor, start=0, locator=None)


def _with_fields(query: syntax.Query, sobject: SObject) -> syntax.Query:
    """Return a query with the fields that its ``FIELDS()`` stands for."""
    if (
        query.fields_group != "STANDARD"
        and not 0 <= (query.limit if query.limit is not None else -1) <= MAX_FIELDS_ROWS
    ):
        message = f"The SOQL FIELDS function must have a LIMIT of at most {MAX_FIELDS_ROWS}"
        raise RequestRefused(400, "MALFORMED_QUERY", message)
    wanted = {"ALL": (True, False), "STANDARD": (False,), "CUSTOM": (True,)}[str(query.fields_group)]
    names = [each.name for each in sobject.fields.values() if each.describe["custom"] in wanted]
    return replace(query, select=(*query.select, *(syntax.FieldPath((name,), 0) for name in names)), fields_group=None)


def more(org: Org, request: Request) -> Response:
    """Answer ``GET /query/{locator}-{start}``."""
    locator, _, start = request.parts["locator"].rpartition("-")
    cursor = org.cursors.get(locator)
    if cursor is None or not start.isdigit() or int(start) > len(cursor.rows):
        raise RequestRefused(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
    return _batch(org, request, cursor, start=int(start), locator=locator)


def _batch(org: Org, request: Request, cursor: Cursor, *, start: int, locator: str | None) -> Response:
    end = min(start + _batch_size(request), len(cursor.rows))
    answer: dict[str, Any] = {
        "totalSize": len(cursor.rows),
        "done": end >= len(cursor.rows),
        "records": [_record(row, cursor, request) for row in cursor.rows[start:end]],
    }
    if not answer["done"]:
        if locator is None:
            locator = org.locator_id()
            org.cursors[locator] = cursor
        answer["nextRecordsUrl"] = f"/services/data/v{request.version}/query/{locator}-{end}"
    return json_response(answer)


def _batch_size(request: Request) -> int:
    match = re.search(r"batchSize\s*=\s*(\d{1,9})", request.headers.get("sforce-query-options", ""), re.IGNORECASE)
    return min(max(int(match[1]), 200), DEFAULT_BATCH) if match else DEFAULT_BATCH


def _record(row: tuple[Value, ...], cursor: Cursor, request: Request) -> dict[str, Any]:
    address = attributes(cursor.sobject, str(row[0]), request)
    record: dict[str, Any] = {"attributes": address}
    for column, value in zip(cursor.columns, row[1:], strict=True):
        place = record
        *parents, name = column.name.split(".")
        for parent in parents:
            place = place.setdefault(parent, {})
        place[name] = to_json(column.field, value, url=address["url"])
    return record


def attributes(sobject: SObject, record_id: str, request: Request) -> dict[str, str]:
    """Return the ``attributes`` of a record in JSON."""
    url = f"/services/data/v{request.version}/sobjects/{sobject.name}/{record_id}"
    return {"type": sobject.name, "url": url}
