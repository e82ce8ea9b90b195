"""What query jobs and ingest jobs have in common: states, progression, expiry and the list of jobs."""

from __future__ import annotations

from datetime import datetime, timedelta
from threading import RLock
from typing import TYPE_CHECKING, Any

from .clock import stamp_of
from .errors import RequestRefused, not_found
from .faults import Fault
from .messages import Request

if TYPE_CHECKING:
    from .org import Org

DELIMITERS = {"BACKQUOTE": "`", "CARET": "^", "COMMA": ",", "PIPE": "|", "SEMICOLON": ";", "TAB": "\t"}
LINE_ENDINGS = {"LF": "\n", "CRLF": "\r\n"}
FINAL_STATES = ("JobComplete", "Failed", "Aborted")
RESULTS_LIVE = timedelta(days=7)
"""How long a finished job and its results are kept (App Limits, "Bulk API")."""
OPEN_LIVES = timedelta(hours=24)
"""How long a job may stay open (App Limits, "Bulk API")."""


class Job:
    """One bulk job. Its lock keeps two looks at it from doing its work twice."""

    job_type = ""

    def __init__(self, org: Org, request: Request, *, sobject: str, operation: str, state: str) -> None:
        self.org = org
        self.lock = RLock()
        self.id = org.new_job_id()
        self.sobject = sobject
        self.operation = operation
        self.state = state
        self.version = request.version
        self.created = self.modified = org.clock.now()
        self.queued: datetime | None = self.created if state == "UploadComplete" else None
        self.looks = 0
        self.error_message: str | None = None
        self.processed = 0
        self.failed = 0
        self.delimiter = "COMMA"
        self.line_ending = "LF"
        self.fault: tuple[str, Fault] | None = None
        self.meet_later(request)

    def meet_later(self, request: Request) -> None:
        """Keep a fault that came with a request until the job's work meets it."""
        if request.fault:
            self.fault = (request.operation, request.fault)

    def fault_of_kind(self, kind: str) -> Fault | None:
        """Return the job's fault, if it is of this kind."""
        return self.fault[1] if self.fault and self.fault[1].kind == kind else None

    def fault_met(self) -> None:
        """Report the job's fault as met."""
        if self.fault:
            self.org.faults.complete(*self.fault)
            self.fault = None

    # --- life -----------------------------------------------------------------------------------------------------

    def enqueue(self) -> None:
        """Let the job's work begin, at the org's progression."""
        self.queued = self.org.clock.now()
        self._enter("UploadComplete")

    def look(self) -> None:
        """Bring the job to where it should be by now."""
        with self.lock:
            if self.state in FINAL_STATES or self.queued is None:
                return
            self.looks += 1
            elapsed_s = (self.org.clock.now() - self.queued).total_seconds()
            share = self.org.progression.share_done(looks=self.looks, elapsed_s=elapsed_s)
            if share is None:
                return
            if self.state == "UploadComplete":
                self._enter("InProgress")
            if fault := self.fault_of_kind("job_fails"):
                if share == 1.0:
                    self.fault_met()
                    self.fail(fault.message)
                return
            self.work(share)
            if share == 1.0 and self.state == "InProgress":
                self._enter("JobComplete")

    def work(self, share: float) -> None:
        """Do the job's work up to this share of it."""

    def fail(self, message: str) -> None:
        """End the job with an error message."""
        self.error_message = message
        self._enter("Failed")

    def abort(self) -> None:
        """End the job at a user's wish.

        Raises:
            RequestRefused: INVALIDJOBSTATE, when it has ended already.
        """
        with self.lock:
            if self.state in FINAL_STATES:
                raise wrong_state("Aborting", self.state)
            self._enter("Aborted")

    def _enter(self, state: str) -> None:
        self.state = state
        self.modified = self.org.clock.now()

    def is_gone(self) -> bool:
        """Whether the job has expired."""
        if self.state == "Open":
            return self.org.clock.now() - self.created >= OPEN_LIVES
        return self.state in FINAL_STATES and self.org.clock.now() - self.modified >= RESULTS_LIVE

    # --- JSON -----------------------------------------------------------------------------------------------------

    def brief(self) -> dict[str, Any]:
        """Return the keys that every answer about a job has."""
        return {
            "id": self.id,
            "operation": self.operation,
            "object": self.sobject,
            "createdById": self.org.user_id,
            "createdDate": _json_date(self.created),
            "systemModstamp": _json_date(self.modified),
            "state": self.state,
            "concurrencyMode": "Parallel",
            "contentType": "CSV",
            "apiVersion": float(self.version),
        }

    def info(self) -> dict[str, Any]:
        """Return the answer to a look at the job."""
        raise AssertionError("each kind of job has its own")

    def processing_ms(self) -> int:
        return int((self.modified - (self.queued or self.modified)).total_seconds() * 1000)


def _json_date(moment: datetime) -> str:
    return stamp_of(moment).replace("Z", "+0000")


def wrong_state(verb: str, state: str) -> RequestRefused:
    """Return the refusal of a state that a job cannot go to any more."""
    word = state if state in ("Aborted", "Failed") else "Completed"
    return RequestRefused(400, "INVALIDJOBSTATE", f"{verb} already {word} Job not allowed")


def check_format(body: dict[str, Any]) -> tuple[str, str]:
    """Return the column delimiter and line ending that a new job asks for, as words.

    Raises:
        RequestRefused: one of them, or the content type, is none of Salesforce's words.
    """
    words = {
        "contentType": (body.get("contentType", "CSV"), ["CSV"]),
        "columnDelimiter": (body.get("columnDelimiter", "COMMA"), list(DELIMITERS)),
        "lineEnding": (body.get("lineEnding", "LF"), list(LINE_ENDINGS)),
    }
    for key, (value, allowed) in words.items():
        if value not in allowed:
            message = f"{key}: {value!r} is not one of {', '.join(allowed)}"
            raise RequestRefused(400, "INVALIDJOB", f"InvalidJob : {message}")
    return words["columnDelimiter"][0], words["lineEnding"][0]


def refuse_unknown_keys(body: dict[str, Any], known: set[str]) -> None:
    """Refuse a job whose JSON has a key that Salesforce does not know."""
    unknown = sorted(set(body) - known)
    if unknown:
        raise RequestRefused(400, "JSON_PARSER_ERROR", f'Unrecognized field "{unknown[0]}"')


def find_job(org: Org, job_id: str, *, job_type: str) -> Job:
    """Return the job of that id.

    Raises:
        RequestRefused: 404, when there is none of this kind, or it has expired.
    """
    job = org.find_job(job_id)
    if job is None or job.job_type != job_type or job.is_gone():
        raise not_found()
    return job


def list_answer(org: Org, request: Request, *, path: str) -> dict[str, Any]:
    """Return one page of the org's jobs, of every kind."""
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
        for job in org.all_jobs()
        if not job.is_gone() and wanted_type in (None, job.job_type) and wanted_mode == "parallel"
    ]
    end = start + org.jobs_per_list_page
    is_done = end >= len(jobs)
    next_url = (
        None if is_done else f"/services/data/v{request.version}/jobs/{path}?queryLocator={org.locator_id()}-{end}"
    )
    return {"done": is_done, "records": [_listed(job) for job in jobs[start:end]], "nextRecordsUrl": next_url}


def _listed(job: Job) -> dict[str, Any]:
    return {**job.brief(), "jobType": job.job_type, "lineEnding": job.line_ending, "columnDelimiter": job.delimiter}
