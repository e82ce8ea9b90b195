"""The pieces of text and the rows of tables that the page and the plain text share."""

from __future__ import annotations

from pathlib import Path

from salesforce_bulk_plugin.formatting import duration, number
from salesforce_bulk_plugin.report.outcome_file import Errors
from salesforce_bulk_plugin.report.runs import LOADED, STATUSES, Run
from salesforce_bulk_plugin.report.summary_file import Job
from salesforce_bulk_plugin.report.verdicts import records

STATUS_WORDS = {
    "created": "created",
    "updated": "updated",
    "deleted": "deleted",
    "failed": "refused",
    "unprocessed": "not processed",
    "doubtful": "doubtful",
}

FILE_KINDS = {
    "outcomes": "what became of each record, a line each",
    "failed": "the records that were not loaded, to be loaded again",
    "summary": "the run in numbers",
    "csv": "results of a small load that went without a job",
}

_LONGEST_TEXT = 400


def kind_of(path: Path) -> str:
    """Return the key of ``FILE_KINDS`` for one of a run's files."""
    return "csv" if path.suffix == ".csv" else path.name.partition("-")[0]


def shortened(text: str) -> str:
    """Return a text that may be long (a message can hold a whole trigger's trace), cut where it gets too long."""
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"


def percent(part: int, whole: int) -> str:
    """Return a share; only what is all reads 100 %, only what is nothing 0 %.

    >>> percent(1, 3), percent(999_999, 1_000_000), percent(1, 1_000_000), percent(2, 2)
    ('33.3 %', '> 99.9 %', '< 0.1 %', '100 %')
    """
    if part in {0, whole}:
        return "100 %" if part else "0 %"
    share = 100 * part / whole
    if share < 0.1:
        return "< 0.1 %"
    return "> 99.9 %" if share > 99.9 else f"{share:.1f} %"


def data_size(size_bytes: int) -> str:
    """Return a size as people say it.

    >>> data_size(312), data_size(45_600), data_size(98_765_432)
    ('312 B', '45.6 kB', '98.8 MB')
    """
    size = float(size_bytes)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def run_facts(run: Run) -> list[tuple[str, str]]:
    """Return when the run was, how long it took and where it went."""
    facts = []
    if run.started_at:
        facts.append(("Started", f"{run.started_at:%a %d %b %Y, %H:%M:%S} UTC"))
    if run.duration_s is not None:
        facts.append(("Took" if run.summary else "Last outcome after", duration(run.duration_s)))
        if run.number_of_records and run.duration_s >= 1:
            facts.append(("Speed", f"{number(run.number_of_records / run.duration_s)} records/s"))
    if run.jobs:
        facts.append(("Jobs", number(len(run.jobs))))
    if run.summary and run.summary.org:
        facts.append(("Org", run.summary.org.removeprefix("https://")))
    return facts


def stream_rows(run: Run) -> tuple[list[str], list[list[str]]]:
    """Return the head and rows of the table of streams; only statuses that occur have a column."""
    there = [status for status in STATUSES if run.records[status]]
    head = ["Stream", "Does", *(STATUS_WORDS[status].capitalize() for status in there), "Records"]
    rows = [
        [stream, _does_of(stream, run=run), *(number(counts[status]) for status in there), number(counts.total())]
        for stream, counts in run.streams.items()
    ]
    if not any(row[1] for row in rows):  # nothing tells, as there was no job
        return [head[0], *head[2:]], [[row[0], *row[2:]] for row in rows]
    return head, rows


def _does_of(stream: str, *, run: Run) -> str:
    """Return what the jobs of a stream do; empty if it had none, or nothing tells."""
    return ", ".join(dict.fromkeys(_does(job) for job in run.jobs if job.stream == stream and job.operation))


def sorted_errors(run: Run) -> list[Errors]:
    """Return the errors, the most frequent first."""
    return sorted(run.errors, key=lambda group: -group.number)


def job_facts(job: Job, *, run: Run) -> list[str]:
    """Return a job's line: stream, what it does, state, rows, refused, data, when it was created, how long it took."""
    outcomes = run.job_outcomes.get(job.id)
    rows, refused = job.rows, job.records_failed
    if outcomes and rows is None:  # a job of a run without a summary
        rows, refused = outcomes.total(), outcomes["failed"]
    took = (job.ended_at - job.created_at).total_seconds() if job.ended_at and job.created_at else None
    return [
        job.stream,
        _does(job),
        job.state or "not known",
        "" if rows is None else number(rows),
        "" if refused is None else number(refused),
        "" if job.bytes is None else data_size(job.bytes),
        f"{job.created_at:%H:%M:%S}" if job.created_at else "",
        "" if took is None else duration(took),
    ]


def without_job(run: Run) -> str:
    """Return a sentence on the records that went without a job, or an empty text."""
    outcomes = run.job_outcomes.get(None)
    if not outcomes:
        return ""
    sent = sum(outcomes[status] for status in LOADED)
    return (
        f"{records(outcomes.total())} went without a job: {number(sent)} loaded by a small request,"
        f" {number(outcomes.total() - sent)} refused there or before being sent."
    )


def _does(job: Job) -> str:
    return f"{job.operation} {job.object}".strip()
