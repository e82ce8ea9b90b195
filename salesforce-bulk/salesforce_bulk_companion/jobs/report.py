"""Jobs as text and as JSON."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

from salesforce_bulk_companion.output import print_facts, print_heading, print_table

if TYPE_CHECKING:
    from salesforce_bulk_companion.jobs.awaited import AwaitedJobs
    from salesforce_bulk_companion.jobs.in_org import OrgJob


def print_jobs(found: list[OrgJob], awaited: AwaitedJobs, *, user_id: str | None) -> None:
    """Print a table of jobs; with who made them when ``user_id`` is None, so that they are everybody's."""
    head = ["Id", "Kind", "Operation", "Object", "State", "Created (UTC)"]
    rows = [
        [
            job.id,
            job.kind,
            job.info.operation,
            job.info.object or "",
            job.info.state.value,
            job.created_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"),
        ]
        for job in found
    ]
    if user_id is None:
        head.append("Created by")
        rows = [[*row, job.created_by_id] for row, job in zip(rows, found, strict=True)]
    if any(awaited.by(job.id) for job in found):
        head.append("Awaited by")
        rows = [[*row, awaited.by(job.id) or ""] for row, job in zip(rows, found, strict=True)]
    print_table(head, rows)


def print_job(job: OrgJob, awaited: AwaitedJobs) -> None:
    """Print all that is known of a job, in Salesforce's words."""
    print_heading(str(job))
    facts = [(name, str(value)) for name, value in job.answer.items() if value is not None]
    if waiting := awaited.by(job.id):
        facts.append(("Awaited by", waiting))
    print_facts(facts)


def as_json(job: OrgJob, awaited: AwaitedJobs) -> dict[str, Any]:
    """Return Salesforce's answer, with the job's kind and what waits for it."""
    return {**job.answer, "kind": job.kind, "awaited_by": awaited.by(job.id)}
