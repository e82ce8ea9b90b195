"""The requests of Bulk API 2.0 ingest jobs."""

from __future__ import annotations

from dataclasses import replace
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any, NoReturn

from salesforce_bulk_simulator.data.records.keys import key_field
from salesforce_bulk_simulator.http.errors import RequestRefused
from salesforce_bulk_simulator.http.json_parser import json_text, parse_json
from salesforce_bulk_simulator.http.messages import (
    JSON_TYPE,
    NOT_AN_OBJECT,
    Request,
    Response,
    csv_response,
    json_response,
)
from salesforce_bulk_simulator.jobs.csv_format import check_format
from salesforce_bulk_simulator.jobs.job import wrong_state
from salesforce_bulk_simulator.jobs.requests import JobsOrg, find_job, list_answer, refuse_unknown_keys

from .job import IngestJob

OPERATIONS = ("insert", "update", "upsert", "delete", "hardDelete")
MAX_BASE64_BYTES = 150_000_000
"""Maximum size of job data, counted after base64 (App Limits, "Bulk API 2.0")."""
MAX_MULTIPART_CHARACTERS = 100_000
"""Maximum size of job data in a multipart request (Bulk API 2.0 guide, "Create a Multipart Job")."""
_KEYS = {
    "object",
    "operation",
    "externalIdFieldName",
    "assignmentRuleId",
    "contentType",
    "columnDelimiter",
    "lineEnding",
}


def create(org: JobsOrg, request: Request) -> Response:
    """Answer ``POST /jobs/ingest``, plain or multipart."""
    if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        return _create_multipart(org, request)
    job = _new_job(org, request, request.json_object())
    return json_response(job.with_format())


def _new_job(org: JobsOrg, request: Request, body: dict[str, Any]) -> IngestJob:
    refuse_unknown_keys(body, _KEYS)
    operation, name = body.get("operation"), body.get("object")
    if operation not in OPERATIONS:
        raise RequestRefused(400, "INVALIDJOB", f"InvalidJob : Invalid operation: {json_text(operation)}")
    if not isinstance(name, str) or not name:
        raise RequestRefused(400, "INVALIDJOB", "InvalidJob : No object specified")
    sobject = org.objects.get(name.lower())
    if sobject is None or not sobject.is_in_bulk:
        raise RequestRefused(400, "INVALIDENTITY", f"Entity '{name}' is not supported by the Bulk API.")
    delimiter, line_ending = check_format(body)
    key_name = body.get("externalIdFieldName")
    key = key_field(sobject, key_name)
    if operation == "upsert" and key is None:
        message = (
            f"InvalidJob : Field name provided, {json_text(key_name)} does not match an External ID, Salesforce Id, or"
            f" indexed field for {sobject.name}"
        )
        raise RequestRefused(400, "INVALIDJOB", message)
    if operation == "hardDelete" and not org.allows_hard_delete:
        message = (
            "hardDelete operation requires special user profile permission, please contact your system administrator"
        )
        raise RequestRefused(400, "FEATURENOTENABLED", message)
    job = IngestJob(
        org, request, job_id=org.job_registry.new_id(), sobject=sobject, operation=operation, key=key, body=body
    )
    job.delimiter, job.line_ending = delimiter, line_ending
    org.job_registry.add(job)
    return job


def _create_multipart(org: JobsOrg, request: Request) -> Response:
    """Create a job, upload its data and close it, in one request."""
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    message = BytesParser(policy=HTTP).parsebytes(head + request.body)
    parts = {str(part.get_param("name", header="content-disposition")): part for part in message.iter_parts()}
    if not {"job", "content"} <= set(parts):
        raise RequestRefused(400, "INVALIDJOB", "InvalidJob : A multipart request has the parts job and content")
    contents = {name: bytes(part.get_payload(decode=True) or b"") for name, part in parts.items()}
    body = parse_json(contents["job"])
    if not isinstance(body, dict):
        raise RequestRefused(400, "JSON_PARSER_ERROR", NOT_AN_OBJECT)
    if len(contents["content"]) > MAX_MULTIPART_CHARACTERS:
        raise RequestRefused(400, "CLIENTINPUTERROR", "ClientInputError : The data is larger than 100,000 characters")
    job = _new_job(org, request, body)
    job.data = contents["content"]
    return _close(org, job, request)


def _find(org: JobsOrg, request: Request) -> IngestJob:
    job = find_job(org, request.parts["id"], job_type="V2Ingest")
    assert isinstance(job, IngestJob)
    return job


def upload(org: JobsOrg, request: Request) -> Response:
    """Answer ``PUT /jobs/ingest/{id}/batches``: the only upload of a job."""
    job = _find(org, request)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "text/csv":
        message = f"Content-Type: {media_type or 'none'} is not supported for this resource"
        raise RequestRefused(415, "UNSUPPORTED_MEDIA_TYPE", message)
    if -(-len(request.body) // 3) * 4 > MAX_BASE64_BYTES:
        message = "ClientInputError : The job's data is larger than 150 MB after base64 encoding"
        raise RequestRefused(400, "CLIENTINPUTERROR", message)
    with job.lock:
        _refuse_upload(job)
        job.data = request.body
    return Response(201, b"", {"Content-Type": JSON_TYPE})


def _refuse_upload(job: IngestJob) -> None:
    """Refuse data for a job that is not open, or already has data."""
    if job.state != "Open":
        message = f"InvalidJobState : Uploading data is not allowed in state {job.state}"
        raise RequestRefused(400, "INVALIDJOBSTATE", message)
    if job.data is not None:
        message = (
            f"Found multiple contents for job: <{job.id}>, please 'Close' / 'Abort' / 'Delete' the current Job then"
            " create a new Job and make sure you only do 'PUT' once on a given Job."
        )
        raise RequestRefused(400, "CLIENTINPUTERROR", message)


def change(org: JobsOrg, request: Request) -> Response:
    """Answer ``PATCH /jobs/ingest/{id}``: close or abort."""
    job = _find(org, request)
    state = request.json_object().get("state")
    if state == "Aborted":
        if request.fault and request.fault.kind == "close_wins":
            org.faults.complete(request.operation, request.fault)
            _close_before_abort(org, job, request)
        job.abort()
        return json_response(job.brief())
    if state != "UploadComplete":
        raise RequestRefused(400, "INVALIDJOBSTATE", f"InvalidJobState : Invalid state: {json_text(state)}")
    return _close(org, job, request)


def _close_before_abort(org: JobsOrg, job: IngestJob, request: Request) -> NoReturn:
    """Close the job if it is still open, and refuse the abort."""
    if job.state == "Open":
        job.close(replace(request, fault=None))
        org.job_registry.catch_up(job)
    raise wrong_state("Aborting", "JobComplete")


def _close(org: JobsOrg, job: IngestJob, request: Request) -> Response:
    job.close(request)
    answer = json_response(job.brief())
    org.job_registry.catch_up(job)
    return answer


def info(org: JobsOrg, request: Request) -> Response:
    """Answer ``GET /jobs/ingest/{id}``."""
    job = _find(org, request)
    org.job_registry.poll(job)
    return json_response(job.info())


def list_all(org: JobsOrg, request: Request) -> Response:
    """Answer ``GET /jobs/ingest``."""
    return json_response(list_answer(org, request, path="ingest"))


def delete(org: JobsOrg, request: Request) -> Response:
    """Answer ``DELETE /jobs/ingest/{id}``."""
    job = _find(org, request)
    if not job.is_final and job.state != "UploadComplete":
        message = "Error encountered when deleting the job because the job is not terminated"
        raise RequestRefused(400, "API_ERROR", message)
    org.job_registry.remove(job)
    return Response(204)


def successful(org: JobsOrg, request: Request) -> Response:
    """Answer ``GET /jobs/ingest/{id}/successfulResults``."""
    job = _find(org, request)
    return csv_response(job.successful_results()) if job.is_final else Response(204)


def failed(org: JobsOrg, request: Request) -> Response:
    """Answer ``GET /jobs/ingest/{id}/failedResults``."""
    job = _find(org, request)
    return csv_response(job.failed_results()) if job.is_final else Response(204)


def unprocessed(org: JobsOrg, request: Request) -> Response:
    """Answer ``GET /jobs/ingest/{id}/unprocessedrecords``."""
    job = _find(org, request)
    return csv_response(job.unprocessed_records()) if job.is_final else Response(204)
