"""`Run`: one run of the target, put together from the files that it has left in its results folder."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from salesforce_bulk_plugin.report.left_behind import LeftBehind, Outstanding, read_journal, read_outstanding
from salesforce_bulk_plugin.report.outcome_file import Errors, Outcomes, read_outcomes
from salesforce_bulk_plugin.report.summary_file import Job, Summary, read_summary

LOADED = ("created", "updated", "deleted")
NOT_LOADED = ("failed", "unprocessed", "doubtful")
STATUSES = (*LOADED, *NOT_LOADED)

_RUN_FILE = re.compile(r"(?:summary-(.+)\.json|outcomes-(.+)\.jsonl|failed-(.+)\.singer\.jsonl)")
_RESULT_FILE = re.compile(r".+_(?P<name>[^_]+)_(?P<kind>successful|failed|unprocessed)\.csv")


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run. Without a summary it is still going on, or it was cut off."""

    run_id: str
    directory: Path
    """The folder of results."""
    is_newest: bool
    """Whether it is the last of its folder, so that no later run has gone on with it."""
    summary: Summary | None
    later: tuple[Summary, ...]
    """Of the later runs that are reported, the oldest first."""
    streams: dict[str, Counter[str]]
    """Records by stream and status."""
    errors: list[Errors]
    jobs: tuple[Job, ...]
    job_outcomes: dict[str | None, Counter[str]]
    """Records by job and status; None is for those that went without a job."""
    left_behind: list[LeftBehind]
    """For the newest run: what the next one will find."""
    outstanding: Outstanding | None
    """For the newest run: what could not be loaded, by any run, and has not been since."""
    started_at: datetime | None
    ended_at: datetime | None
    """Without a summary: when the last outcome came to disk."""
    failed_file: Path | None
    files: list[Path]
    """What holds the whole run, result files of jobs left out."""
    result_files: dict[str, list[Path]]
    """Those of each job that have rows."""
    notes: list[str]
    """What the reader should know of the files themselves."""

    @property
    def records(self) -> Counter[str]:
        """Records by status."""
        return sum(self.streams.values(), Counter())

    @property
    def number_of_records(self) -> int:
        """Records whose outcome this run has told."""
        return self.records.total()

    @property
    def loaded(self) -> int:
        """Records that the org has now."""
        records = self.records
        return sum(records[status] for status in LOADED)

    @property
    def duration_s(self) -> float | None:
        """Seconds from start to end."""
        if self.started_at is None or self.ended_at is None:
            return None
        return max(0.0, (self.ended_at - self.started_at).total_seconds())


def find_runs(directory: Path, *, last: int | None, max_samples: int) -> Iterator[Run]:
    """Yield the ``last`` runs (None: all) that have left files in ``directory``, the newest first."""
    unended, left_behind = read_journal(directory / "journal.sqlite")
    names = [path.name for path in directory.iterdir()]
    written_at = dict.fromkeys(unended, 0)
    for match in filter(None, map(_RUN_FILE.fullmatch, names)):
        run_id = next(filter(None, match.groups()))
        written_at[run_id] = max(written_at.get(run_id, 0), (directory / match.string).stat().st_mtime_ns)
    # An id begins with the second in which the run did.
    newest_first = sorted(written_at, key=lambda run_id: (run_id[:16], written_at[run_id]), reverse=True)
    result_files = _result_files(directory, names)
    later: tuple[Summary, ...] = ()
    for number, run_id in enumerate(newest_first[:last]):
        run = _read_run(
            directory,
            run_id,
            is_newest=number == 0,
            later=later,
            left_behind=left_behind if number == 0 else [],
            result_files=result_files,
            max_samples=max_samples,
        )
        yield run
        if run.summary:
            later = (run.summary, *later)


def read_newest_run(directory: Path, run_id: str, *, max_samples: int, max_outcome_bytes: int) -> Run:
    """Return a run that ends now, without reading more than the beginning of its outcomes: its summary counts them."""
    _, left_behind = read_journal(directory / "journal.sqlite")
    return _read_run(
        directory,
        run_id,
        is_newest=True,
        later=(),
        left_behind=left_behind,
        result_files=_result_files(directory, [path.name for path in directory.iterdir()]),
        max_samples=max_samples,
        max_outcome_bytes=max_outcome_bytes,
    )


def _result_files(directory: Path, names: list[str]) -> dict[str, list[Path]]:
    """Return result files by what their names say between object and kind: a job's id, or a run's and a number."""
    found: dict[str, list[Path]] = {}
    for name in sorted(names):
        if match := _RESULT_FILE.fullmatch(name):
            found.setdefault(match["name"], []).append(directory / name)
    return found


def _read_run(
    directory: Path,
    run_id: str,
    *,
    is_newest: bool,
    later: tuple[Summary, ...],
    left_behind: list[LeftBehind],
    result_files: dict[str, list[Path]],
    max_samples: int,
    max_outcome_bytes: int | None = None,
) -> Run:
    summary_file = directory / f"summary-{run_id}.json"
    outcomes_file = directory / f"outcomes-{run_id}.jsonl"
    failed_file = directory / f"failed-{run_id}.singer.jsonl"
    summary = read_summary(summary_file)
    outcomes = Outcomes()
    has_errors = not summary or summary.errors
    if outcomes_file.exists() and (has_errors or max_outcome_bytes is None):
        outcomes = read_outcomes(outcomes_file, max_samples=max_samples, max_bytes=max_outcome_bytes)
    ended_at = summary.ended_at if summary else _written_at(outcomes_file)
    notes = []
    if summary_file.exists() and not summary:
        notes.append(f"{summary_file.name} cannot be read.")
    if outcomes.unreadable_lines:
        notes.append(f"Lines of {outcomes_file.name} that cannot be read: {outcomes.unreadable_lines}.")
    is_counted = not summary or _total(summary.streams) == _total(outcomes.streams)
    if summary and max_outcome_bytes is not None and not is_counted:
        outcomes = _sampled(summary, outcomes)
    elif summary and not is_counted:
        notes.append(
            f"The numbers are those of the summary: {outcomes_file.name} is away or not whole,"
            f" it tells of {_total(outcomes.streams)} records."
        )
        outcomes = _counted_by(summary, outcomes)
    jobs = summary.jobs if summary else tuple(Job(id=job_id) for job_id in outcomes.jobs if job_id)
    requests = [
        path
        for name, paths in result_files.items()
        if name.startswith(f"{run_id}-")
        for path in paths
        if _has_rows(path)
    ]
    return Run(
        run_id=run_id,
        directory=directory,
        is_newest=is_newest,
        summary=summary,
        later=later,
        streams=outcomes.streams,
        errors=outcomes.errors,
        jobs=jobs,
        job_outcomes=outcomes.jobs,
        left_behind=left_behind,
        outstanding=read_outstanding(directory / "journal.sqlite") if is_newest else None,
        started_at=summary.started_at if summary else _time_of(run_id),
        ended_at=ended_at,
        failed_file=failed_file if failed_file.exists() else None,
        files=[path for path in (failed_file, outcomes_file, summary_file) if path.exists()] + requests,
        result_files={job.id: list(filter(_has_rows, result_files.get(job.id, []))) for job in jobs},
        notes=notes,
    )


def _has_rows(path: Path) -> bool:
    """Return whether a result file has more than its header."""
    with path.open("rb") as file:
        file.readline()
        return bool(file.read(1))


def _counted_by(summary: Summary, outcomes: Outcomes) -> Outcomes:
    """Return outcomes with the numbers of a summary, which knows error codes of all streams together."""
    streams = {stream: Counter(counts) for stream, counts in summary.streams.items()}
    errors = [Errors(stream="", status="failed", code=code, number=number) for code, number in summary.errors.items()]
    return msgspec.structs.replace(outcomes, streams=streams, errors=outcomes.errors or errors)


def _sampled(summary: Summary, outcomes: Outcomes) -> Outcomes:
    """Return outcomes with the numbers of a summary, and of those that were read only records as samples."""
    by_code: dict[str, list[Errors]] = {}
    for group in outcomes.errors:
        by_code.setdefault(group.code, []).append(group)
    errors = []
    for code, number in summary.errors.items():
        groups = by_code.get(code, [])
        only = groups[0] if len(groups) == 1 and len(summary.streams) == 1 else None
        samples = [sample for group in groups for sample in group.samples]
        status = groups[0].status if groups else "failed"
        stream = only.stream if only else ""
        errors.append(Errors(stream=stream, status=status, code=code, number=number, samples=samples))
    jobs: dict[str | None, Counter[str]] = {}
    for one in summary.settled:  # which statuses they are is not known for each job, and not shown
        jobs.setdefault(one.job_id, Counter()).update(updated=one.loaded, failed=one.not_loaded)
    streams = {stream: Counter(counts) for stream, counts in summary.streams.items()}
    return Outcomes(streams=streams, jobs=jobs, errors=errors)


def _written_at(path: Path) -> datetime | None:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC) if path.exists() else None


def _total(streams: dict[str, Counter[str]] | dict[str, dict[str, int]]) -> int:
    return sum(sum(counts.values()) for counts in streams.values())


def _time_of(run_id: str) -> datetime | None:
    """Return when a run began, by its id.

    >>> _time_of("20240115T103000Z-3f9a1c")
    datetime.datetime(2024, 1, 15, 10, 30, tzinfo=datetime.timezone.utc)
    """
    try:
        return datetime.strptime(run_id[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None
