"""What query and ingest jobs have in common: their states, what Salesforce tells of them, and waiting."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypeVar

from salesforce_bulk_client import telemetry
from salesforce_bulk_client.errors import BrokenAnswer, JobError, JobGone, JobTimedOut, NotFound, RequestRefused
from salesforce_bulk_client.instruments import JOB_DURATION, JOBS_COMPLETED, JOBS_FAILED

if TYPE_CHECKING:
    from salesforce_bulk_client.client import SalesforceClient

logger = logging.getLogger(__name__)

T = TypeVar("T")


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

    @property
    def proves_untouched(self) -> bool:
        """Whether the job ended without having touched a single record: counted, not merely left unsaid."""
        return self.state in {JobState.ABORTED, JobState.FAILED} and self.number_records_processed == 0

    @classmethod
    def from_json(cls, answer: dict[str, Any]) -> Self:
        """Return the job of a job answer.

        Raises: JobError for one in a state that is not known; LookupError, TypeError, ValueError or AttributeError
            for what is not a job answer (see `http.read_as`).
        """
        job_id = str(answer["id"])
        if answer["state"] not in {state.value for state in JobState}:
            raise JobError(f"job {job_id} is in a state that is not known: {answer['state']!r}", job_id=job_id)
        return cls(
            id=job_id,
            state=JobState(answer["state"]),
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

NOT_FOUND_TRIES = 6
"""A job is gone when this many requests in a row do not find it. One 404 proves nothing: routers lose an org, too."""


class BulkJob:
    """One job on the server; `QueryJob` and `IngestJob` say what can be done with it."""

    kind: ClassVar[Literal["query", "ingest"]]

    def __init__(
        self,
        client: SalesforceClient,
        info: JobInfo,
        *,
        poll: PollPolicy | None = None,
        stop: threading.Event | None = None,
        log_fields: Mapping[str, str] | None = None,
    ) -> None:
        """``poll`` spaces the requests that confirm that the job is gone, until ``stop`` is set.

        ``log_fields`` are for each log line about the job, beside its own.
        """
        self.client = client
        self.info = info
        self.poll = poll or PollPolicy()
        self._stop = stop
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
    def find(
        cls,
        client: SalesforceClient,
        job_id: str,
        *,
        poll: PollPolicy | None = None,
        stop: threading.Event | None = None,
        log_fields: Mapping[str, str] | None = None,
    ) -> Self:
        """Return a job created earlier.

        Raises: JobGone if it does not exist any more; NotFound if ``stop`` was set before that was sure.
        """

        def ask() -> JobInfo:
            return client.get_as(JobInfo.from_json, f"jobs/{cls.kind}/{job_id}")

        info = _unless_gone(ask, kind=cls.kind, job_id=job_id, poll=poll or PollPolicy(), stop=stop)
        return cls(client, info, poll=poll, stop=stop, log_fields=log_fields)

    def unless_gone(self, call: Callable[[], T]) -> T:
        """Return what ``call``, a request to this job, gives; a 404 is confirmed before it counts.

        Raises: JobGone after `NOT_FOUND_TRIES` of them in a row; NotFound if ``stop`` was set before that.
        """
        return _unless_gone(call, kind=self.kind, job_id=self.id, poll=self.poll, stop=self._stop)

    def refresh(self) -> JobInfo:
        """Ask for the job again, and return its info as it is now.

        Raises: JobGone; NotFound if ``stop`` was set before that was sure.
        """
        return self._refresh(self.poll, stop=self._stop)

    def _refresh(self, poll: PollPolicy, *, stop: threading.Event | None) -> JobInfo:
        def ask() -> JobInfo:
            return self.client.get_as(JobInfo.from_json, self.path)

        self.info = _unless_gone(ask, kind=self.kind, job_id=self.id, poll=poll, stop=stop)
        return self.info

    def abort(self) -> JobInfo:
        """Abort the job, and return its info as it is afterwards. What it has committed stays.

        A job that has ended, or was closed meanwhile by somebody else, may not be aborted: the info's state says so.

        Raises: RequestRefused when the job could still be aborted, but not by this user; JobGone.
        """
        before = self.info.state
        try:
            self._patch_state(JobState.ABORTED)
        except RequestRefused:
            now = self.refresh()
            if now.state is before and not before.is_final:
                raise
            return now
        return self.refresh() if self.kind == "ingest" else self.info  # only this answer has an ingest job's counts

    def delete(self) -> None:
        """Delete the job with its results; one that is gone is fine."""
        try:
            self.client.delete(self.path)
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
        pause = stop or self._stop or threading.Event()
        look = 0
        while True:
            info = self._look(policy, on_look=on_look, stop=pause)
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

    def _look(self, policy: PollPolicy, *, on_look: Look | None, stop: threading.Event) -> JobInfo:
        try:
            return self._refresh(policy, stop=stop)
        except NotFound:
            if on_look:  # the wait was cut short: it can raise what ends it
                on_look(self.info)
            raise

    def _patch_state(self, state: JobState) -> JobInfo:
        """Ask for a state.

        Raises: RequestRefused, also when an earlier try had worked whose answer was lost; JobGone.
        """

        def ask() -> JobInfo | None:
            return self.client.send_as(_job_or_none, "PATCH", self.path, {"state": state.value})

        self.info = self.unless_gone(ask) or self.refresh()
        return self.info


def _job_or_none(answer: Any) -> JobInfo | None:
    return JobInfo.from_json(answer) if answer else None


def _unless_gone(call: Callable[[], T], *, kind: str, job_id: str, poll: PollPolicy, stop: threading.Event | None) -> T:
    """Return what ``call`` gives, calling it again while it raises NotFound, at ``poll``'s growing distances.

    Raises: JobGone, NotFound; see `BulkJob.unless_gone`.
    """
    pause = stop or threading.Event()
    for tries in range(1, NOT_FOUND_TRIES + 1):
        try:
            return call()
        except NotFound as error:
            if tries == NOT_FOUND_TRIES:
                raise JobGone(
                    f"{kind} job {job_id} does not exist any more: it was deleted, or ended more than 7 days ago"
                    f" ({tries} requests in a row were answered 404 {error.code})",
                    job_id=job_id,
                ) from error
            delay = poll.delay(tries, chance=random.random())
            logger.info(
                "%s job %s was not found (404 %s); asking again in %.1f s before it is taken for gone",
                kind,
                job_id,
                error.code,
                delay,
                extra={"job_id": job_id},
            )
            if pause.wait(delay):
                raise
    raise AssertionError


def list_jobs(client: SalesforceClient, kind: Literal["query", "ingest"]) -> Iterator[JobInfo]:
    """Yield the org's Bulk 2.0 jobs of one kind, in no promised order."""
    return map(JobInfo.from_json, list_job_answers(client, kind))  # checked there


def list_job_answers(client: SalesforceClient, kind: Literal["query", "ingest"]) -> Iterator[dict[str, Any]]:
    """Yield the same jobs with all that Salesforce tells of each; one API call for each 1000."""
    job_type = {"query": "V2Query", "ingest": "V2Ingest"}[kind]
    params: dict[str, str] | None = {"jobType": job_type}
    seen: set[str] = set()
    while params:
        jobs, locator = client.get_as(_page_of_jobs, f"jobs/{kind}", params=params)
        yield from jobs
        if locator in seen:
            raise BrokenAnswer(f"GET jobs/{kind} names an earlier page as the next one, so the list has no end")
        seen.add(locator)
        params = {"jobType": job_type, "queryLocator": locator} if locator else None
        if params:
            client.check_quota()


def _page_of_jobs(answer: Any) -> tuple[list[dict[str, Any]], str]:
    """Return the jobs of one answer, and the next one's locator or the empty text."""
    for each in answer["records"]:
        JobInfo.from_json(each)
    # A query list's documented next address says /jobs/ingest: only its locator is used
    # (docs/contributing/salesforce-notes.md).
    locator = (answer.get("nextRecordsUrl") or "").partition("queryLocator=")[2]
    return answer["records"], "" if answer.get("done", True) else locator
