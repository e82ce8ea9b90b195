"""The bulk jobs of an org as `jobs` sees them: with their kind, who made them, and all that Salesforce tells."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Self

from salesforce_bulk_client import (
    IngestJob,
    JobGone,
    JobInfo,
    JobState,
    NotFound,
    QueryJob,
    QuotaError,
    RequestRefused,
    list_job_answers,
)
from salesforce_bulk_client.jobs import BulkJob

if TYPE_CHECKING:
    from collections.abc import Collection

    from salesforce_bulk_client import SalesforceClient

Kind = Literal["query", "ingest"]
KINDS: tuple[Kind, ...] = ("query", "ingest")


@dataclass(frozen=True, kw_only=True)
class OrgJob:
    """One query or ingest job."""

    kind: Kind
    info: JobInfo
    created_by_id: str
    answer: dict[str, Any]
    """As Salesforce tells it."""

    @classmethod
    def from_json(cls, answer: dict[str, Any], *, kind: Kind) -> Self:
        """Return the job of a job answer, or of an entry in a list.

        Raises: BrokenAnswer.
        """
        created_by = str(answer.get("createdById") or "")
        return cls(kind=kind, info=JobInfo.from_json(answer), created_by_id=created_by, answer=answer)

    @property
    def id(self) -> str:
        """18 characters."""
        return self.info.id

    @property
    def created_at(self) -> datetime:
        """When it was made."""
        return datetime.fromisoformat(self.info.created_date)

    def __str__(self) -> str:
        return f"{self.kind} job {self.id} ({self.info.operation} {self.info.object})"

    def on(self, client: SalesforceClient) -> BulkJob:
        """Return the job as something that can be aborted and deleted, in the API version in which it was made."""
        return _ACTING[self.kind](client, self.info)


class _InItsVersion(BulkJob):
    @property
    def path(self) -> str:
        return f"/services/data/v{self.info.api_version}/jobs/{self.kind}/{self.id}"


class _QueryJob(_InItsVersion, QueryJob):
    """A query job of any API version."""


class _IngestJob(_InItsVersion, IngestJob):
    """An ingest job of any API version."""


_ACTING: dict[Kind, type[BulkJob]] = {"query": _QueryJob, "ingest": _IngestJob}


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which jobs; what is None or empty leaves nothing out."""

    kind: Kind | None = None
    states: Collection[JobState] = ()
    sobject: str | None = None
    older_than: timedelta | None = None
    newer_than: timedelta | None = None
    created_by_id: str | None = None

    def has(self, job: OrgJob, *, now: datetime) -> bool:
        """Whether a job is one of these."""
        age = now - job.created_at
        return (
            self.kind in {None, job.kind}
            and (not self.states or job.info.state in self.states)
            and (self.sobject is None or self.sobject.lower() == (job.info.object or "").lower())
            and (self.older_than is None or age >= self.older_than)
            and (self.newer_than is None or age <= self.newer_than)
            and self.created_by_id in {None, job.created_by_id}
        )


def list_jobs(client: SalesforceClient, selection: Selection) -> list[OrgJob]:
    """Return the jobs of the org that are selected, the newest first; one API call for each 1000 jobs there are."""
    kinds = KINDS if selection.kind is None else (selection.kind,)
    jobs = [OrgJob.from_json(answer, kind=kind) for kind in kinds for answer in list_job_answers(client, kind)]
    now = client.server_now()
    return sorted((job for job in jobs if selection.has(job, now=now)), key=lambda job: job.created_at, reverse=True)


def find_job(client: SalesforceClient, job_id: str) -> OrgJob:
    """Return the job with this id, whichever kind it is; one API call, or two.

    Raises: JobGone if there is none; what Salesforce answers.
    """
    refused: RequestRefused | None = None
    for kind in KINDS:
        try:
            return client.get_as(partial(OrgJob.from_json, kind=kind), f"jobs/{kind}/{job_id}")
        except QuotaError:
            raise
        except NotFound:
            continue
        except RequestRefused as error:  # an id of the other kind, or one that this user may not see
            refused = error
    if refused:
        raise refused
    raise JobGone(
        f"there is no query or ingest job {job_id}: it was deleted, ended more than 7 days ago, was left Open for more"
        " than 24 hours, or is in another org",
        job_id=job_id,
    )
