"""The requests of Bulk API 2.0 query jobs, except for their results."""

from __future__ import annotations

import re

from salesforce_bulk_simulator.http.errors import RequestRefused
from salesforce_bulk_simulator.http.json_parser import json_text
from salesforce_bulk_simulator.http.messages import Request, Response, json_response
from salesforce_bulk_simulator.jobs.csv_format import check_format
from salesforce_bulk_simulator.jobs.job import wrong_state
from salesforce_bulk_simulator.jobs.requests import JobsOrg, find_job, list_answer, refuse_unknown_keys
from salesforce_bulk_simulator.soql import syntax
from salesforce_bulk_simulator.soql.parser import parse
from salesforce_bulk_simulator.soql.statement import Statement, compile_query, find_object

from .job import QueryJob

FIRST_VERSION_IN_SELECT_ORDER = 50
"""Before this version the columns of a result are in alphabetical order (Bulk API 2.0 guide, release notes)."""
_KEYS = {"operation", "query", "contentType", "columnDelimiter", "lineEnding"}


def create(org: JobsOrg, request: Request) -> Response:
    """Answer ``POST /jobs/query``."""
    body = request.json_object()
    refuse_unknown_keys(body, _KEYS)
    operation, soql = body.get("operation"), body.get("query")
    if operation not in ("query", "queryAll"):
        raise RequestRefused(400, "INVALIDJOB", f"InvalidJob : Invalid operation: {json_text(operation)}")
    if not isinstance(soql, str) or not soql.strip():
        raise RequestRefused(400, "MALFORMED_QUERY", "A query string has to be specified")
    delimiter, line_ending = check_format(body)
    query = parse(soql)
    sobject = find_object(query, org.objects)
    if not sobject.is_in_bulk:
        raise RequestRefused(400, "INVALIDENTITY", f"Entity '{sobject.name}' is not supported by the Bulk API.")
    _refuse_unsupported_in_bulk(query, None)
    statement = compile_query(
        query, objects=org.objects, today=org.clock.now().date(), include_deleted=operation == "queryAll"
    )
    _refuse_unsupported_in_bulk(query, statement)
    _refuse_without_filter(statement, query)
    if float(request.version) < FIRST_VERSION_IN_SELECT_ORDER:
        statement.columns.sort(key=lambda column: column.name)
    limit = org.limits["DailyBulkV2QueryJobs"]
    if limit.is_used_up:
        message = f"Max bulk v2 query jobs ({limit.max}) per 24 hrs has been reached"
        raise RequestRefused(400, "LIMIT_EXCEEDED", message)
    if org.limits["DailyBulkV2QueryFileStorageMB"].is_used_up:
        message = "Max bulk v2 query result size stored (1000000000) kb per 24 hrs has been exceeded"
        raise RequestRefused(400, "LIMIT_EXCEEDED", message)
    limit.used += 1
    job = QueryJob(org, request, job_id=org.job_registry.new_id(), soql=soql, statement=statement, operation=operation)
    job.delimiter, job.line_ending = delimiter, line_ending
    answer = json_response(job.brief() | {"lineEnding": line_ending, "columnDelimiter": delimiter})
    org.job_registry.add(job)
    org.job_registry.catch_up(job)
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


def find_query_job(org: JobsOrg, request: Request) -> QueryJob:
    job = find_job(org, request.parts["id"], job_type="V2Query")
    assert isinstance(job, QueryJob)
    return job


def info(org: JobsOrg, request: Request) -> Response:
    """Answer ``GET /jobs/query/{id}``."""
    job = find_query_job(org, request)
    org.job_registry.poll(job)
    return json_response(job.info())


def list_all(org: JobsOrg, request: Request) -> Response:
    """Answer ``GET /jobs/query``. Its ``nextRecordsUrl`` points to the list of ingest jobs, as documented."""
    return json_response(list_answer(org, request, path="ingest"))


def change(org: JobsOrg, request: Request) -> Response:
    """Answer ``PATCH /jobs/query/{id}``, which can only abort a job."""
    job = find_query_job(org, request)
    state = request.json_object().get("state")
    if state == "UploadComplete":
        raise wrong_state("Closing", job.state)
    if state != "Aborted":
        raise RequestRefused(400, "INVALIDJOBSTATE", f"InvalidJobState : Invalid state: {json_text(state)}")
    job.abort()
    return json_response(job.brief())


def delete(org: JobsOrg, request: Request) -> Response:
    """Answer ``DELETE /jobs/query/{id}``."""
    job = find_query_job(org, request)
    if not job.is_final:
        message = "Error encountered when deleting the job because the job is not terminated"
        raise RequestRefused(400, "API_ERROR", message)
    org.job_registry.remove(job)
    return Response(204)


def _refuse_unsupported_in_bulk(query: syntax.Query, statement: Statement | None) -> None:
    if any(isinstance(item, syntax.Subquery) for item in query.select):
        raise RequestRefused(400, "API_ERROR", "Aggregate Relationships not supported in Bulk Query")
    if query.has_aggregates or query.offset is not None or query.has_typeof:
        # the guide lists what is not supported; the message is inferred
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
