"""The results of Bulk API 2.0 query jobs, page by page."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from salesforce_bulk_simulator.http.errors import RequestRefused
from salesforce_bulk_simulator.http.messages import Request, Response, csv_response, json_response
from salesforce_bulk_simulator.jobs.requests import JobsOrg

from .job import QueryJob
from .requests import find_query_job
from .result_file import ResultFile

FIRST_VERSION_WITH_OPAQUE_LOCATORS = 49
"""Bulk API 2.0 guide, "Get Results for a Query Job"."""
PAGES_PER_ANSWER = 5
"""Maximum number of URLs in one ``resultPages`` response."""


def results(org: JobsOrg, request: Request) -> Response:
    """Answer ``GET /jobs/query/{id}/results``: one page of CSV, regardless of the Accept header."""
    job = find_query_job(org, request)
    result = _finished_result(org, job, request)
    if result is None:
        return Response(204)
    start = _row_of_locator(job, request.query.get("locator"), result)
    end = min(start + _max_records(org, request), result.number_of_rows)
    next_locator = _locator_of_row(job, end) if end < result.number_of_rows else "null"
    headers = {"Sforce-Locator": next_locator, "Sforce-NumberOfRecords": str(end - start)}
    return csv_response(result.page(start, end), headers=headers)


def result_pages(org: JobsOrg, request: Request) -> Response:
    """Answer ``GET /jobs/query/{id}/resultPages``: the URLs of up to five pages."""
    job = find_query_job(org, request)
    result = _finished_result(org, job, request)
    if result is None:
        return Response(204)
    start = _row_of_locator(job, request.query.get("locator"), result)
    size = _max_records(org, request)
    rows = range(start, max(result.number_of_rows, 1), size)
    base = f"/services/data/v{request.version}/jobs/query/{job.id}"
    # the URLs repeat the maxRecords of the request, so that their rows do not overlap
    tail = "" if "maxRecords" not in request.query else f"&maxRecords={size}"
    pages = [
        {"resultUrl": f"{base}/results?locator={_locator_of_row(job, row)}{tail}"} for row in rows[:PAGES_PER_ANSWER]
    ]
    answer: dict[str, Any] = {"resultPages": pages, "done": len(rows) <= PAGES_PER_ANSWER}
    if not answer["done"]:
        locator = _locator_of_row(job, rows[PAGES_PER_ANSWER])
        answer["nextRecordsUrl"] = f"{base}/resultpages?locator={locator}{tail}"
    return json_response(answer)


def _finished_result(org: JobsOrg, job: QueryJob, request: Request) -> ResultFile | None:
    """Return the result of a finished job; None if the response is 204."""
    if request.version != job.version:
        message = f"The API version {request.version} does not match the job's version {job.version}"
        raise RequestRefused(409, "API_VERSION_MISMATCH", message)
    if job.state == "JobComplete" and job.result is not None:
        return job.result
    if org.not_ready_status == 412 or job.is_final:
        word = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", job.state).upper()
        message = (
            "can only download query results of successfully completed bulk job with status: JOB_COMPLETE."
            f" Current status: {word}"
        )
        raise RequestRefused(412, "JOB_NOT_COMPLETE", message)
    return None


def _max_records(org: JobsOrg, request: Request) -> int:
    text = request.query.get("maxRecords")
    if text is None:
        return org.default_max_records
    if not re.fullmatch(r"[1-9]\d{0,9}", text):
        raise RequestRefused(400, "API_ERROR", f"Invalid value for maxRecords: {text}")
    return int(text)


def _locator_of_row(job: QueryJob, row: int) -> str:
    """Return the locator of a page: opaque from API version 49 on, a number before."""
    if float(job.version) < FIRST_VERSION_WITH_OPAQUE_LOCATORS:
        return str(row)
    return base64.urlsafe_b64encode(f"0:{job.id}:{row}".encode()).decode().rstrip("=")


def _row_of_locator(job: QueryJob, locator: str | None, result: ResultFile) -> int:
    if locator is None:
        return 0
    if float(job.version) < FIRST_VERSION_WITH_OPAQUE_LOCATORS and locator.isascii() and locator.isdigit():
        locator = base64.urlsafe_b64encode(f"0:{job.id}:{locator}".encode()).decode()
    try:
        text = base64.urlsafe_b64decode(locator + "=" * (-len(locator) % 4)).decode()
    except (binascii.Error, ValueError):
        text = ""
    match = re.fullmatch(r"0:(\w+):(\d{1,12})", text)
    if match is None or match[1] != job.id or int(match[2]) >= max(result.number_of_rows, 1):
        raise RequestRefused(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
    return int(match[2])
