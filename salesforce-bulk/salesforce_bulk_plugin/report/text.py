"""The report as plain text, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from salesforce_bulk_plugin.formatting import number, printable
from salesforce_bulk_plugin.report.hints import HINTS
from salesforce_bulk_plugin.report.outcome_file import Errors
from salesforce_bulk_plugin.report.runs import STATUSES, Run
from salesforce_bulk_plugin.report.timeline import shown_jobs
from salesforce_bulk_plugin.report.verdicts import ending, next_steps, remarks, verdict
from salesforce_bulk_plugin.report.words import (
    job_facts,
    run_facts,
    shortened,
    sorted_errors,
    stream_rows,
    without_job,
)


def as_text(runs: Sequence[Run], *, hides_values: bool) -> str:
    """Return the report of some runs in lines for a terminal."""
    reports = ["\n".join(map(printable, _lines(run, hides_values=hides_values))) for run in runs]
    return "\n\n\n".join(reports) + "\n"


def _lines(run: Run, *, hides_values: bool) -> Iterator[str]:
    yield f"{run.run_id}  {ending(run)}"
    yield verdict(run)
    yield ", ".join(f"{label.lower()} {text}" for label, text in run_facts(run))
    yield from remarks(run)
    if steps := next_steps(run):
        yield from ("", "What to do next")
        for step in steps:
            yield f"  {step.text}"
            if step.command:
                yield f"    {step.command}"
    if run.streams:
        yield from ("", "Streams")
        head, rows = stream_rows(run)
        yield from _table(
            [head, *rows], numbers=[place for place, name in enumerate(head) if name not in {"Stream", "Does"}]
        )
    if run.errors:
        yield from ("", "Why records were not loaded")
        for group in sorted_errors(run):
            yield from _error_lines(group, hides_values=hides_values)
    if run.jobs:
        yield from ("", "Jobs")
        head = ["Job", "Stream", "Does", "State", "Rows", "Refused", "Data", "Created", "Took"]
        lines = [[job.id, *job_facts(job, run=run)] for job in shown_jobs(run)]
        yield from _table([head, *lines], numbers=(4, 5, 6, 8))
    if told := without_job(run):
        yield f"  {told}"
    yield from ("", "Files")
    yield from (f"  {path}" for path in run.files)


def _error_lines(group: Errors, *, hides_values: bool) -> Iterator[str]:
    yield f"  {group.code}: {number(group.number)}{f' in {group.stream}' if group.stream else ''}"
    if group.code in HINTS:
        yield f"    {HINTS[group.code]}"
    if not hides_values:
        for sample in group.samples:
            yield f"    - {shortened(sample.key_text) or 'no key'}: {shortened(sample.error_message or '')}"


def _table(rows: Sequence[Sequence[str]], *, numbers: Sequence[int]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            cell.rjust(width) if place in numbers else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield f"  {'  '.join(cells)}".rstrip()


def as_json(runs: Sequence[Run], *, hides_values: bool) -> str:
    """Return the report of some runs as JSON: ``{"runs": [...]}``, the newest first."""
    told = {"runs": [_run_as_json(run, hides_values=hides_values) for run in runs]}
    return msgspec.json.format(msgspec.json.encode(told, enc_hook=str), indent=2).decode() + "\n"


def _run_as_json(run: Run, *, hides_values: bool) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "ending": ending(run),
        "verdict": verdict(run),
        "is_finished": run.summary is not None and run.summary.is_finished,
        "has_summary": run.summary is not None,
        "remarks": remarks(run),
        "next_steps": next_steps(run),
        "started_at": run.started_at,
        "ended_at": run.ended_at,
        "outstanding": run.outstanding,
        "records": {status: run.records[status] for status in STATUSES},
        "streams": {stream: {status: counts[status] for status in STATUSES} for stream, counts in run.streams.items()},
        "errors": [
            {
                "stream": group.stream,
                "status": group.status,
                "code": group.code,
                "number": group.number,
                "fields": group.fields,
                "samples": [] if hides_values else group.samples,
            }
            for group in sorted_errors(run)
        ],
        "jobs": [msgspec.structs.replace(job, error_message=None) if hides_values else job for job in run.jobs],
        "files": [str(path) for path in run.files],
        "result_files": {job: [str(path) for path in paths] for job, paths in run.result_files.items()},
    }
