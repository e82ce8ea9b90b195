"""What query jobs and ingest jobs share: states, progression, expiry and their JSON."""

from __future__ import annotations

from datetime import datetime, timedelta
from threading import RLock
from typing import Any

from salesforce_bulk_simulator.data.clock import stamp_of
from salesforce_bulk_simulator.http.errors import RequestRefused
from salesforce_bulk_simulator.http.faults import Fault
from salesforce_bulk_simulator.http.messages import Request

from .org_protocol import JobOrg

FINAL_STATES = ("JobComplete", "Failed", "Aborted")
RESULTS_KEPT_FOR = timedelta(days=7)
"""How long a finished job and its results are kept (App Limits, "Bulk API")."""
MAX_OPEN_TIME = timedelta(hours=24)
"""How long a job may stay open before it expires (App Limits, "Bulk API")."""


class Job:
    """One bulk job. Its lock keeps two requests from changing it at once."""

    job_type = ""

    def __init__(self, org: JobOrg, request: Request, *, job_id: str, sobject: str, operation: str, state: str) -> None:
        self.org = org
        self.lock = RLock()
        self.id = job_id
        self.created_by_id = org.user_id
        self.sobject = sobject
        self.operation = operation
        self.state = state
        self.version = request.version
        self.created = self.modified = org.clock.now()
        self.queued: datetime | None = self.created if state == "UploadComplete" else None
        self.polls = 0
        self._share = -1.0
        self.error_message: str | None = None
        self.processed = 0
        self.failed = 0
        self.delimiter = "COMMA"
        self.line_ending = "LF"
        self.fault: tuple[str, Fault] | None = None
        self.keep_fault(request)

    def keep_fault(self, request: Request) -> None:
        """Keep the fault of a request until it takes effect in the job's work."""
        if request.fault:
            self.fault = (request.operation, request.fault)

    def fault_of_kind(self, kind: str) -> Fault | None:
        """Return the job's fault, if it is of this kind."""
        return self.fault[1] if self.fault and self.fault[1].kind == kind else None

    def complete_fault(self) -> None:
        """Report the job's fault as met."""
        if self.fault:
            self.org.faults.complete(*self.fault)
            self.fault = None

    # --- states -----------------------------------------------------------------------------------------------------

    def close(self, request: Request) -> None:
        """Queue the job; it then progresses at the org's progression.

        Raises:
            RequestRefused: INVALIDJOBSTATE, if the job is not open.
        """
        with self.lock:
            if self.state != "Open":
                raise wrong_state("Closing", self.state)
            self.keep_fault(request)
            self.queued = self.org.clock.now()
            self._enter("UploadComplete")

    @property
    def is_final(self) -> bool:
        return self.state in FINAL_STATES

    def _share_due(self) -> float | None:
        """Return the share of the job's work that is due by now, 0.0 to 1.0; None while it is not in progress."""
        if self.is_final or self.queued is None:
            return None
        elapsed_s = (self.org.clock.now() - self.queued).total_seconds()
        return self.org.progression.share_done(polls=self.polls, elapsed_s=elapsed_s)

    def is_behind(self) -> bool:
        """Whether some work is due and not done."""
        share = self._share_due()
        return share is not None and (self.state == "UploadComplete" or self._share < share)

    def progresses_with_time(self) -> bool:
        """Whether the job progresses as time passes, without being polled."""
        return not self.is_final and self.queued is not None and self.org.progression.seconds_per_state > 0

    def advance(self) -> None:
        """Do one portion of the work that is due."""
        with self.lock:
            share = self._share_due()
            if share is None:
                return
            if self.state == "UploadComplete":
                self._enter("InProgress")
            fault = self.fault_of_kind("job_fails")
            if fault and share == 1.0:
                self.fail_by(fault)
            elif fault or self.work(share):
                self._share = share
                if share == 1.0 and not self.is_final:
                    self._enter("JobComplete")

    def work(self, share: float) -> bool:  # noqa: ARG002
        """Do one portion of the job's work; return whether this share of it is done."""
        raise AssertionError("each kind of job has its own")

    def fail_by(self, fault: Fault) -> None:
        """Fail as the job's fault demands."""
        self.complete_fault()
        if not self.is_final:
            self.fail(fault.message)

    def fail(self, message: str) -> None:
        """End the job with an error message."""
        self.error_message = message
        self._enter("Failed")

    def abort(self) -> None:
        """Abort the job.

        Raises:
            RequestRefused: INVALIDJOBSTATE, if the job is in a final state.
        """
        with self.lock:
            if self.is_final:
                raise wrong_state("Aborting", self.state)
            self._enter("Aborted")

    def _enter(self, state: str) -> None:
        self.state = state
        self.modified = self.org.clock.now()

    def is_expired(self) -> bool:
        """Whether the job has expired."""
        if self.state == "Open":
            return self.org.clock.now() - self.created >= MAX_OPEN_TIME
        return self.is_final and self.org.clock.now() - self.modified >= RESULTS_KEPT_FOR

    # --- JSON -----------------------------------------------------------------------------------------------------

    def brief(self) -> dict[str, Any]:
        """Return the keys that every response about a job has."""
        return {
            "id": self.id,
            "operation": self.operation,
            "object": self.sobject,
            "createdById": self.created_by_id,
            "createdDate": _json_date(self.created),
            "systemModstamp": _json_date(self.modified),
            "state": self.state,
            "concurrencyMode": "Parallel",
            "contentType": "CSV",
            "apiVersion": float(self.version),
        }

    def info(self) -> dict[str, Any]:
        """Return the response to a poll of the job."""
        raise AssertionError("each kind of job has its own")

    def processing_ms(self) -> int:
        return int((self.modified - (self.queued or self.modified)).total_seconds() * 1000)


def _json_date(moment: datetime) -> str:
    return stamp_of(moment).replace("Z", "+0000")


def wrong_state(verb: str, state: str) -> RequestRefused:
    """Return the error for a change of state that is no longer possible."""
    word = state if state in ("Aborted", "Failed") else "Completed"
    return RequestRefused(400, "INVALIDJOBSTATE", f"{verb} already {word} Job not allowed")
