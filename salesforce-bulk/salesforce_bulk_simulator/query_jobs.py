"""Bulk 2.0 query jobs."""

from __future__ import annotations

import base64
import binascii
import gzip
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .errors import RequestRefused
from .jobs import (
    DELIMITERS,
    FINAL_STATES,
    LINE_ENDINGS,
    Job,
    check_format,
    find_job,
    list_answer,
    refuse_unknown_keys,
    wrong_state,
)
from .messages import Request, Response, csv_response, json_response
from .result_file import ResultFile
from .schema.model import Field
from .soql import syntax
from .soql.parser import parse
from .soql.to_sql import Statement, compile_query, find_object

if TYPE_CHECKING:
    from .org import Org

NULL_CELL = '""'
"""How a null stands in a result. [doc: all values are quoted]"""
PAGES_PER_ANSWER = 5
"""How many URLs one ``resultPages`` answer holds."""
_KEYS = {"operation", "query", "contentType", "columnDelimiter", "lineEnding"}
_ROWS_PER_FETCH = 5000


class QueryJob(Job):
    """One query, run as soon as the job is in progress; its result is a snapshot."""

    job_type = "V2Query"

    def __init__(self, org: Org, request: Request, *, statement: Statement, operation: str) -> None:
        super().__init__(org, request, sobject=statement.sobject.name, operation=operation, state="UploadComplete")
        self.statement = statement
        self.result: ResultFile | None = None

    def work(self, share: float) -> None:  # noqa: ARG002  a query is run whole
        if self.result is None:
            self.result = run(self.org, self.statement, delimiter=self.delimiter, line_ending=self.line_ending)
            self.processed = self.result.number_of_rows

    def info(self) -> dict[str, Any]:
        answer = self.brief() | {
            "jobType": self.job_type,
            "lineEnding": self.line_ending,
            "columnDelimiter": self.delimiter,
        }
        if self.state != "UploadComplete":
            answer["numberRecordsProcessed"] = self.processed if self.state == "JobComplete" else 0
        answer |= {"retries": 0, "totalProcessingTime": self.processing_ms(), "isPkChunkingSupported": True}
        return answer | ({"errorMessage": self.error_message} if self.error_message else {})


# --- the query ------------------------------------------------------------------------------------------------------


def run(org: Org, statement: Statement, *, delimiter: str, line_ending: str) -> ResultFile:
    """Run a query into a file of CSV rows. They come in no order, unless the query has one."""
    mark, end = DELIMITERS[delimiter], LINE_ENDINGS[line_ending]
    cells = [_cell(column.sql, column.field) for column in statement.columns]
    line = _concatenated([*_between(cells, _quoted_sql(mark)), _quoted_sql(end)])
    if statement.order_by:
        order = "ORDER BY " + ", ".join(statement.order_by)
    elif org.shuffle and statement.limit is None:
        order = f"ORDER BY (t0.rowid * 2654435761 + {org.seed} * 40503) & 1048575, t0.rowid"
    else:
        order = ""
    limit = f"LIMIT {statement.limit}" if statement.limit is not None else ""
    sql = f"SELECT CAST({line} AS BLOB) {statement.tail} {order} {limit}"
    header = mark.join(f'"{column.name}"' for column in statement.columns) + end

    def rows() -> Iterator[list[bytes]]:
        cursor = org.store.select(sql, statement.parameters)
        while found := cursor.fetchmany(_ROWS_PER_FETCH):
            yield [row[0] for row in found]

    with org.lock:
        return ResultFile(header.encode(), rows())


def _cell(sql: str, field: Field) -> str:
    """Return the SQL of one value as a quoted CSV cell."""
    if field.type == "boolean":
        return f"CASE {sql} WHEN 1 THEN '\"true\"' WHEN 0 THEN '\"false\"' ELSE '{NULL_CELL}' END"
    text = sql
    if field.type in ("double", "currency", "percent"):
        text = f"java_double({sql})"
    elif field.is_text or field.type == "anyType":
        text = f"replace({sql}, '\"', '\"\"')"
    return f"coalesce('\"' || {text} || '\"', '{NULL_CELL}')"


def _between(cells: list[str], mark: str) -> list[str]:
    return [part for cell in cells for part in (cell, mark)][:-1]


def _quoted_sql(text: str) -> str:
    return "char(" + ",".join(str(ord(character)) for character in text) + ")"


def _concatenated(parts: list[str]) -> str:
    """Join SQL texts as a balanced tree, since SQLite bounds the depth of an expression."""
    if len(parts) == 1:
        return parts[0]
    middle = len(parts) // 2
    return f"({_concatenated(parts[:middle])} || {_concatenated(parts[middle:])})"


def _refuse_what_bulk_cannot(query: syntax.Query, statement: Statement | None) -> None:
    if any(isinstance(item, syntax.Subquery) for item in query.select):
        raise RequestRefused(400, "API_ERROR", "Aggregate Relationships not supported in Bulk Query")
    if query.has_aggregates or query.offset is not None or query.has_typeof:
        # the guide names what is not supported, no source its text
        raise RequestRefused(
            400, "API_ERROR", "GROUP BY, OFFSET, TYPEOF and aggregate functions not supported in Bulk Query"
        )
    if query.fields_group:
        message = "The SOQL FIELDS function must have a LIMIT of at most 200 and is not supported in Bulk Query"
        raise RequestRefused(400, "MALFORMED_QUERY", message)
    for column in statement.columns if statement else []:
        if column.field.is_compound:
            raise RequestRefused(400, "API_ERROR", "Selecting compound data not supported in Bulk Query")
        if column.field.type == "base64":
            raise RequestRefused(400, "API_ERROR", "Selecting base64 data not supported in Bulk Query")


# --- requests -------------------------------------------------------------------------------------------------------


def create(org: Org, request: Request) -> Response:
    """Answer ``POST /jobs/query``."""
    body = request.json_object()
    refuse_unknown_keys(body, _KEYS)
    operation, soql = body.get("operation"), body.get("query")
    if operation not in ("query", "queryAll"):
        raise RequestRefused(400, "INVALIDJOB", f"InvalidJob : Invalid operation: {operation}")
    if not isinstance(soql, str) or not soql.strip():
        raise RequestRefused(400, "MALFORMED_QUERY", "A query string has to be specified")
    delimiter, line_ending = check_format(body)
    query = parse(soql)
    sobject = find_object(query, org.objects)
    if not sobject.is_in_bulk:
        raise RequestRefused(400, "INVALIDENTITY", f"Entity '{sobject.name}' is not supported by the Bulk API.")
    _refuse_what_bulk_cannot(query, None)
    statement = compile_query(
        query, objects=org.objects, today=org.clock.now().date(), include_deleted=operation == "queryAll"
    )
    _refuse_what_bulk_cannot(query, statement)
    _refuse_without_filter(statement, query)
    limit = org.limits["DailyBulkV2QueryJobs"]
    if limit.is_used_up:
        message = f"Max bulk v2 query jobs ({limit.max}) per 24 hrs has been reached"
        raise RequestRefused(400, "LIMIT_EXCEEDED", message)
    limit.used += 1
    job = QueryJob(org, request, statement=statement, operation=operation)
    job.delimiter, job.line_ending = delimiter, line_ending
    org.add_job(job)
    answer = json_response(job.brief() | {"lineEnding": line_ending, "columnDelimiter": delimiter})
    if org.progression.is_immediate:
        job.look()
    return answer


def _refuse_without_filter(statement: Statement, query: syntax.Query) -> None:
    needed = statement.sobject.filter_needed
    if needed and not any(
        re.search(rf"\b{name}\b", query.text.partition(" WHERE ")[2], re.IGNORECASE) for name in needed
    ):
        message = (
            f"Implementation restriction: {statement.sobject.name} requires a filter by a single Id on"
            f" {' or '.join(needed)} using the equals operator or multiple Id's using the IN operator."
        )
        raise RequestRefused(400, "MALFORMED_QUERY", message)


def _find(org: Org, request: Request) -> QueryJob:
    job = find_job(org, request.parts["id"], job_type="V2Query")
    assert isinstance(job, QueryJob)
    return job


def info(org: Org, request: Request) -> Response:
    """Answer ``GET /jobs/query/{id}``."""
    job = _find(org, request)
    job.look()
    return json_response(job.info())


def list_all(org: Org, request: Request) -> Response:
    """Answer ``GET /jobs/query``. Its next URL points to the ingest list, as documented."""
    return json_response(list_answer(org, request, path="ingest"))


def change(org: Org, request: Request) -> Response:
    """Answer ``PATCH /jobs/query/{id}``, which can only abort."""
    job = _find(org, request)
    state = request.json_object().get("state")
    if state == "UploadComplete":
        raise wrong_state("Closing", job.state)
    if state != "Aborted":
        raise RequestRefused(400, "INVALIDJOBSTATE", f"InvalidJobState : Invalid state: {state}")
    job.abort()
    return json_response(job.brief())


def delete(org: Org, request: Request) -> Response:
    """Answer ``DELETE /jobs/query/{id}``."""
    job = _find(org, request)
    if job.state not in FINAL_STATES:
        message = "Error encountered when deleting the job because the job is not terminated"
        raise RequestRefused(400, "API_ERROR", message)
    org.remove_job(job)
    return Response(204)


def results(org: Org, request: Request) -> Response:
    """Answer ``GET /jobs/query/{id}/results``: one page."""
    job = _find(org, request)
    result = _finished_result(org, job, request)
    if result is None:
        return Response(204)
    accept = request.headers.get("accept", "*/*")
    if not re.search(r"text/csv|text/\*|\*/\*", accept):
        raise RequestRefused(406, "NOT_ACCEPTABLE", "Only text/csv is available")
    start = _row_of_locator(job, request.query.get("locator"), result)
    end = min(start + _max_records(org, request), result.number_of_rows)
    next_locator = _locator_of_row(job, end) if end < result.number_of_rows else "null"
    headers = {"Sforce-Locator": next_locator, "Sforce-NumberOfRecords": str(end - start)}
    page = result.page(start, end)
    if "gzip" in request.headers.get("accept-encoding", "") and org.gzip_results:
        answer = csv_response(gzip.compress(page, 1), headers=headers | {"Content-Encoding": "gzip"})
        answer.is_chunked = True
        return answer
    return csv_response(page, headers=headers)


def result_pages(org: Org, request: Request) -> Response:
    """Answer ``GET /jobs/query/{id}/resultPages``: the addresses of up to five pages."""
    job = _find(org, request)
    result = _finished_result(org, job, request)
    if result is None:
        return Response(204)
    start = _row_of_locator(job, request.query.get("locator"), result)
    size = _max_records(org, request)
    rows = range(start, max(result.number_of_rows, 1), size)
    base = f"/services/data/v{request.version}/jobs/query/{job.id}"
    pages = [{"resultUrl": f"{base}/results?locator={_locator_of_row(job, row)}"} for row in rows[:PAGES_PER_ANSWER]]
    answer: dict[str, Any] = {"resultPages": pages, "done": len(rows) <= PAGES_PER_ANSWER}
    if not answer["done"]:
        locator = _locator_of_row(job, rows[PAGES_PER_ANSWER])
        answer["nextRecordsUrl"] = f"{base}/resultpages?locator={locator}"
    return json_response(answer)


def _finished_result(org: Org, job: QueryJob, request: Request) -> ResultFile | None:
    """Return the result of a finished job; None when the answer is 204."""
    if request.version != job.version:
        message = f"The API version {request.version} does not match the job's version {job.version}"
        raise RequestRefused(409, "API_VERSION_MISMATCH", message)
    if job.state == "JobComplete" and job.result is not None:
        return job.result
    if org.not_ready_status == 412 or job.state in FINAL_STATES:
        word = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", job.state).upper()
        message = (
            "can only download query results of successfully completed bulk job with status: JOB_COMPLETE."
            f" Current status: {word}"
        )
        raise RequestRefused(412, "JOB_NOT_COMPLETE", message)
    return None


def _max_records(org: Org, request: Request) -> int:
    text = request.query.get("maxRecords")
    if text is None:
        return org.default_max_records
    if not re.fullmatch(r"[1-9]\d{0,9}", text):
        raise RequestRefused(400, "API_ERROR", f"Invalid value for maxRecords: {text}")
    return int(text)


def _locator_of_row(job: QueryJob, row: int) -> str:
    """Return the locator of a page: opaque to clients, as from version 49 on."""
    return base64.urlsafe_b64encode(f"0:{job.id}:{row}".encode()).decode().rstrip("=")


def _row_of_locator(job: QueryJob, locator: str | None, result: ResultFile) -> int:
    if locator is None:
        return 0
    try:
        text = base64.urlsafe_b64decode(locator + "=" * (-len(locator) % 4)).decode()
    except (binascii.Error, ValueError):
        text = ""
    match = re.fullmatch(r"0:(\w+):(\d{1,12})", text)
    if match is None or match[1] != job.id or int(match[2]) >= max(result.number_of_rows, 1):
        raise RequestRefused(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
    return int(match[2])
