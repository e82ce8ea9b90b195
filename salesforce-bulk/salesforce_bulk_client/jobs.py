"""What query and ingest jobs have in common: their states, what Salesforce tells of them, and waiting."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from salesforce_bulk_client import telemetry
from salesforce_bulk_client.errors import BrokenAnswer, JobError, JobGone, JobTimedOut, NotFound, RequestRefused
from salesforce_bulk_client.instruments import JOB_DURATION, JOBS_COMPLETED, JOBS_FAILED

if TYPE_CHECKING:
    from salesforce_bulk_client.client import SalesforceClient

logger = logging.getLogger(__name__)


class JobState(Enum):
    """A job's states, in Salesforce's words. A query job is never ``Open``."""

    OPEN = "Open"
    UPLOAD_COMPLETE = "UploadComplete"
    IN_PROGRESS = "InProgress"
    JOB_COMPLETE = "JobComplete"
    FAILED = "Failed"
    ABORTED = "Aborted"

    @property
    def is_final(self) -> bool:
        """Whether the job will not change any more."""
        return self in {JobState.JOB_COMPLETE, JobState.FAILED, JobState.ABORTED}


@dataclass(frozen=True, kw_only=True)
class JobInfo:
    """What Salesforce tells of one job. ``JobComplete`` means processed: single records may have failed."""

    id: str
    state: JobState
    object: str | None
    operation: str
    created_date: str
    number_records_processed: int | None
    """Includes the failed ones; None while Salesforce does not say."""
    number_records_failed: int | None
    error_message: str | None
    total_processing_ms: int
    api_version: str
    """The only version in which this job may be used."""

    @classmethod
    def from_json(cls, answer: dict[str, Any]) -> Self:
        """Return the job of a job answer.

        Raises: BrokenAnswer for one without an id, or in a state that is not known.
        """
        try:
            job_id, state = str(answer["id"]), JobState(answer["state"])
        except (KeyError, TypeError, ValueError) as error:
            raise BrokenAnswer(f"Salesforce answered a job without an id, or in an unknown state: {error}") from None
        return cls(
            id=job_id,
            state=state,
            object=answer.get("object"),
            operation=answer.get("operation") or "",
            created_date=answer.get("createdDate") or "",
            number_records_processed=_count(answer.get("numberRecordsProcessed")),
            number_records_failed=_count(answer.get("numberRecordsFailed")),
            error_message=answer.get("errorMessage") or None,
            total_processing_ms=int(answer.get("totalProcessingTime") or 0),
            api_version=f"{float(answer.get('apiVersion') or 0):.1f}",
        )


def _count(value: Any) -> int | None:
    return None if value is None else int(value)


@dataclass(frozen=True, kw_only=True)
class PollPolicy:
    """How often to look at a job: after ``min_s``, then ever later up to ``max_s``, until ``timeout_s`` have passed."""

    min_s: float = 0.5
    max_s: float = 30.0
    timeout_s: float = 7200.0

    def delay(self, look: int, *, chance: float) -> float:
        """Return the seconds to wait after look ``look`` (from 1): half again as long each time, less up to a fifth.

        >>> [round(PollPolicy().delay(look, chance=0), 2) for look in (1, 2, 3, 20)]
        [0.5, 0.75, 1.12, 30.0]
        """
        return min(self.max_s, self.min_s * 1.5 ** min(look - 1, 40)) * (1 - chance / 5)


Look = Callable[[JobInfo], None]


class BulkJob:
    """One job on the server; `QueryJob` and `IngestJob` say what can be done with it."""

    kind: ClassVar[Literal["query", "ingest"]]

    def __init__(self, client: SalesforceClient, info: JobInfo, *, log_fields: Mapping[str, str] | None = None) -> None:
        """``log_fields`` are for each log line about the job, beside its own."""
        self._client = client
        self.info = info
        self._log_fields = log_fields or {}
        self._begun_at = time.monotonic()

    @property
    def id(self) -> str:
        """The job's id, 18 characters."""
        return self.info.id

    @property
    def path(self) -> str:
        """Where the job is, below the version's root."""
        return f"jobs/{self.kind}/{self.id}"

    @property
    def labels(self) -> dict[str, str | None]:
        """What metrics tell of the job; never its id, since each would make a new one of them."""
        return {"sobject": self.info.object, "operation": self.info.operation, "job_kind": self.kind}

    @property
    def log_fields(self) -> dict[str, str | None]:
        """What log lines tell of it as fields."""
        return {"job_id": self.id, "job_state": self.info.state.value, **self.labels, **self._log_fields}

    @classmethod
    def find(cls, client: SalesforceClient, job_id: str, *, log_fields: Mapping[str, str] | None = None) -> Self:
        """Return a job made earlier.

        Raises: JobGone if it does not exist any more.
        """
        try:
            answer = client.get_json(f"jobs/{cls.kind}/{job_id}")
        except NotFound as error:
            raise _gone(cls.kind, job_id) from error
        return cls(client, JobInfo.from_json(answer), log_fields=log_fields)

    def refresh(self) -> JobInfo:
        """Look at the job again, and return what Salesforce now tells of it."""
        self.info = self.find(self._client, self.id).info
        return self.info

    def abort(self) -> JobInfo:
        """Abort the job; one that is already final is left as it is. What it has committed stays."""
        return self._patch_state(JobState.ABORTED)

    def delete(self) -> None:
        """Delete the job with its results; one that is gone is fine."""
        try:
            self._client.delete(self.path)
        except NotFound:
            logger.debug("%s job %s was already gone", self.kind, self.id)

    def wait_until_final(
        self, policy: PollPolicy, *, on_look: Look | None = None, stop: threading.Event | None = None
    ) -> JobInfo:
        """Return the job's info in its final state, whichever that is.

        ``on_look`` is shown each info; ``stop`` cuts a wait short, so that ``on_look`` can raise what ends it.

        Raises: JobTimedOut after ``policy.timeout_s``; JobGone.
        """
        with telemetry.span("salesforce.bulk.job.wait", job_id=self.id, **self.labels) as note:
            try:
                info = self._wait(policy, on_look=on_look, stop=stop)
            except JobError as error:
                telemetry.note(JOBS_FAILED, 1, **self.labels, job_state=type(error).__name__)
                raise
            note(job_state=info.state.value, records=info.number_records_processed)
        if info.state is JobState.JOB_COMPLETE:
            telemetry.note(JOBS_COMPLETED, 1, **self.labels)
        else:
            telemetry.note(JOBS_FAILED, 1, **self.labels, job_state=info.state.value)
        telemetry.note(JOB_DURATION, time.monotonic() - self._begun_at, **self.labels, job_state=info.state.value)
        return info

    def _wait(self, policy: PollPolicy, *, on_look: Look | None, stop: threading.Event | None) -> JobInfo:
        deadline = time.monotonic() + policy.timeout_s
        pause = stop or threading.Event()
        look = 0
        while True:
            info = self.refresh()
            look += 1
            if on_look:
                on_look(info)
            if info.state.is_final:
                logger.info(
                    "%s job %s of %s ended %s: %s records processed, %s failed, %.1f s",
                    self.kind,
                    self.id,
                    info.object,
                    info.state.value,
                    info.number_records_processed,
                    info.number_records_failed or 0,
                    info.total_processing_ms / 1000,
                    extra={
                        **self.log_fields,
                        "records": info.number_records_processed,
                        "records_failed": info.number_records_failed or 0,
                        "seconds": info.total_processing_ms / 1000,
                    },
                )
                return info
            delay = policy.delay(look, chance=random.random())
            if time.monotonic() + delay > deadline:
                raise JobTimedOut(
                    f"{self.kind} job {self.id} of {info.object} is still {info.state.value}"
                    f" after {policy.timeout_s:g} s (job_timeout_s); it is left running",
                    job_id=self.id,
                )
            pause.wait(delay)

    def _patch_state(self, state: JobState) -> JobInfo:
        """Ask for a state; when that is refused, look whether the job is past the need of it.

        It is when the answer to an earlier try was lost, or the job has ended meanwhile.
        """
        try:
            answer = self._client.send_json("PATCH", self.path, {"state": state.value})
        except NotFound as error:
            raise _gone(self.kind, self.id) from error
        except RequestRefused:
            now = self.refresh().state
            is_past = now.is_final or (state is JobState.UPLOAD_COMPLETE and now is not JobState.OPEN)
            if not is_past:
                raise
            return self.info
        self.info = JobInfo.from_json(answer) if answer else self.refresh()
        return self.info


def _gone(kind: str, job_id: str) -> JobGone:
    return JobGone(
        f"{kind} job {job_id} does not exist any more: it was deleted, or ended more than 7 days ago", job_id=job_id
    )


def list_jobs(client: SalesforceClient, kind: Literal["query", "ingest"]) -> Iterator[JobInfo]:
    """Yield the org's Bulk 2.0 jobs of one kind, in no promised order."""
    return map(JobInfo.from_json, list_job_answers(client, kind))


def list_job_answers(client: SalesforceClient, kind: Literal["query", "ingest"]) -> Iterator[dict[str, Any]]:
    """Yield the same jobs with all that Salesforce tells of each; one API call for each 1000."""
    job_type = {"query": "V2Query", "ingest": "V2Ingest"}[kind]
    params: dict[str, str] | None = {"jobType": job_type}
    while params:
        answer = client.get_json(f"jobs/{kind}", params=params)
        yield from answer["records"]
        # A query list's documented next address says /jobs/ingest: only its locator is used (docs/salesforce-notes.md).
        locator = (answer.get("nextRecordsUrl") or "").partition("queryLocator=")[2]
        has_more = locator and not answer.get("done", True)
        params = {"jobType": job_type, "queryLocator": locator} if has_more else None
