"""What the requests of query jobs and ingest jobs share: unknown keys, finding one job, listing all."""

from __future__ import annotations

from typing import Any, Protocol

from salesforce_bulk_simulator.http.errors import RequestRefused, not_found
from salesforce_bulk_simulator.http.messages import Request

from .job import Job
from .org_protocol import JobOrg
from .registry import JobRegistry


class JobsOrg(JobOrg, Protocol):
    """An org as the requests of its jobs see it. ``Org`` says what each attribute is."""

    job_registry: JobRegistry
    jobs_per_list_page: int
    default_max_records: int
    not_ready_status: int
    allows_hard_delete: bool

    def locator_id(self) -> str:
        """Return the id of a new query locator."""


def refuse_unknown_keys(body: dict[str, Any], known: set[str]) -> None:
    """Refuse a job whose JSON has an unknown key."""
    unknown = sorted(set(body) - known)
    if unknown:
        raise RequestRefused(400, "JSON_PARSER_ERROR", f'Unrecognized field "{unknown[0]}"')


def find_job(org: JobsOrg, job_id: str, *, job_type: str) -> Job:
    """Return the job of that id.

    Raises:
        RequestRefused: 404, if there is no such job of this type, or it has expired.
    """
    job = org.job_registry.find(job_id)
    if job is None or job.job_type != job_type or job.is_expired():
        raise not_found()
    return job


def list_answer(org: JobsOrg, request: Request, *, path: str) -> dict[str, Any]:
    """Return one page of the org's jobs, of all types."""
    start = 0
    if locator := request.query.get("queryLocator"):
        number = locator.rpartition("-")[2]
        if not number.isdigit():
            raise RequestRefused(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        start = int(number)
    wanted_type = request.query.get("jobType")
    wanted_mode = request.query.get("concurrencyMode", "parallel").lower()
    jobs = [
        job
        for job in org.job_registry.all()
        if not job.is_expired() and wanted_type in (None, job.job_type) and wanted_mode == "parallel"
    ]
    end = start + org.jobs_per_list_page
    is_done = end >= len(jobs)
    next_url = (
        None if is_done else f"/services/data/v{request.version}/jobs/{path}?queryLocator={org.locator_id()}-{end}"
    )
    return {"done": is_done, "records": [_listed(job) for job in jobs[start:end]], "nextRecordsUrl": next_url}


def _listed(job: Job) -> dict[str, Any]:
    return {**job.brief(), "jobType": job.job_type, "lineEnding": job.line_ending, "columnDelimiter": job.delimiter}
