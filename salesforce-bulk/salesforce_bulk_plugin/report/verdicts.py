"""What is said of a run in words: how it ended, and what to do next. The same on the page and in text."""

from __future__ import annotations

import shlex
from enum import Enum
from pathlib import Path

import msgspec

from salesforce_bulk_plugin.formatting import number
from salesforce_bulk_plugin.report.runs import Run
from salesforce_bulk_plugin.report.summary_file import Meltano, Skipped, Summary


class Tone(Enum):
    """How good the news is; each value is also a class in ``page.css``."""

    GOOD = "good"
    MIXED = "mixed"
    BAD = "bad"


class Step(msgspec.Struct, frozen=True):
    """Something to do, with the command that does it, if there is one."""

    text: str
    command: str = ""


def records(count: int) -> str:
    """Return a number of records.

    >>> records(1), records(1200)
    ('1 record', '1,200 records')
    """
    return f"{number(count)} record{'' if count == 1 else 's'}"


def tone(run: Run) -> Tone:
    """Return how good the news is."""
    if run.summary is None or not run.summary.is_finished:
        return Tone.BAD
    refused = run.number_of_records - run.loaded + run.summary.known_from_earlier_run.failed
    return Tone.MIXED if refused else Tone.GOOD


def ending(run: Run) -> str:
    """Return in a word or two how the run ended."""
    if run.summary is None:
        return "Still running, or killed" if run.is_newest else "Killed before its end"
    if not run.summary.is_finished:
        return "Did not finish"
    return "Finished" if tone(run) is Tone.GOOD else "Finished, with records refused"


def verdict(run: Run) -> str:
    """Return the outcome of the records, in one line."""
    total, counts = run.number_of_records, run.records
    if not total:
        return "No outcome is known" if run.jobs or run.summary is None else "No record was sent"
    so_far = "" if run.summary else " so far" if run.is_newest else " before it was killed"
    if total == run.loaded:
        return f"{records(total)}{',' if not so_far or total > 1 else ''} {'' if total == 1 else 'all '}loaded{so_far}"
    parts = [f"{number(run.loaded)} loaded"]
    if counts["failed"]:
        parts.append(f"{number(counts['failed'])} refused")
    if counts["unprocessed"]:
        parts.append(f"{number(counts['unprocessed'])} not processed")
    if counts["doubtful"]:
        parts.append(f"{number(counts['doubtful'])} doubtful")
    return f"{records(total)}{so_far}: {', '.join(parts)}"


def remarks(run: Run) -> list[str]:
    """Return what else is to be known: why the run stopped, and what an earlier one had done for it."""
    told = []
    if run.summary is None:
        told.append(
            "There is no summary, which a run writes at its end, so these are the outcomes that had come to disk."
            " Records that were read and had none yet are not counted."
        )
    elif run.summary.message and not run.summary.is_finished:
        told.append(f"It ended with: {run.summary.message}")
    if run.summary is None or not run.summary.is_finished:
        told += _found_by_later_runs(run)
    if run.summary and run.summary.skipped:
        told += _arithmetic(run, run.summary)
    for left in run.left_behind:
        what = f"Job {left.job_id}" if left.job_id else "A part"
        told.append(f"{what} of stream {left.stream} {left.what}.")
    told += run.notes
    if run.outstanding:
        told.append(
            f"Still not in Salesforce: {run.outstanding}. {_retry_command(run)} loads them again, and leaves out those"
            " whose key was loaded later."
        )
    return told


def _found_by_later_runs(run: Run) -> list[str]:
    """Return what later runs say of the records of this one, which could not say it itself."""
    told = []
    for later in run.later:
        skipped = sum(_number(each) for each in later.skipped if each.run_id == run.run_id)
        jobs = [job for job in later.jobs if job.left_by == run.run_id]
        if skipped:
            told.append(f"Run {later.run_id} read {records(skipped)} of these again, and skipped them.")
        if jobs:
            rows = sum(job.rows or 0 for job in jobs)
            what = "1 job" if len(jobs) == 1 else f"{len(jobs)} jobs"
            told.append(f"Run {later.run_id} finished {what} of this run, with {records(rows)}: it has their outcomes.")
    if run.later and not told:
        told.append("No later run in this folder has read its records again, or found a job of it.")
    return told


_SKIPPED = {
    "loaded": "loaded by",
    "failed": "refused in",
    "doubtful": "doubtful since",
    "forgotten": "forgotten by decision in",
}


def _arithmetic(run: Run, summary: Summary) -> list[str]:
    """Return how what was read and the outcomes of this run add up, with an earlier run's."""
    left_by = sorted({job.left_by for job in summary.jobs if job.left_by})
    earlier = f"run{'s' if len(left_by) > 1 else ''} {', '.join(left_by)}" if left_by else "an earlier run"
    parts = []
    for each in sorted(summary.skipped, key=lambda each: each.run_id == run.run_id):
        where = f"run {each.run_id}" if each.run_id else "an earlier run"
        if each.run_id == run.run_id:
            where = f"this run from jobs that {earlier} had left"
        for name, words in _SKIPPED.items():
            if count := getattr(each, name):
                parts.append(f"{number(count)} skipped, {words} {where}")
    parts.append(f"{number(summary.records_read - sum(map(_number, summary.skipped)))} new")
    told = [f"It read {records(summary.records_read)}: {'; '.join(parts)}."]
    if summary.resumed:
        told.append(
            f"Of its {number(run.number_of_records)} outcomes, {number(summary.resumed)} came from jobs that {earlier}"
            f" had left, {number(run.number_of_records - summary.resumed)} from new records."
        )
    return told


def _number(skipped: Skipped) -> int:
    return skipped.loaded + skipped.failed + skipped.doubtful + skipped.forgotten


def next_steps(run: Run) -> list[Step]:
    """Return what to do, in order; nothing if all is well."""
    if any(left.awaits_decision for left in run.left_behind):
        command = f"salesforce-bulk batches {shlex.quote(str(run.directory))}"
        return [
            Step("Decide on the records that are doubtful or set aside: resume, resend or forget them.", command),
            *_other_steps(run),
        ]
    return _other_steps(run)


def _other_steps(run: Run) -> list[Step]:
    if run.summary is None or not run.summary.is_finished:
        return _steps_of_unfinished(run)
    if run.failed_file is None and run.outstanding:
        return [
            Step(
                "Load again what is still not in Salesforce, with the configuration of the run:",
                _command_to_retry(run, meltano=run.summary.meltano),
            )
        ]
    if run.failed_file is None:
        return []
    return [
        Step(
            "Correct what the errors name: at the source, in the org, or in the file of records that were not loaded."
        ),
        Step(
            "Load that file again, with the configuration of the run:",
            _command_to_load(run.failed_file, meltano=run.summary.meltano),
        ),
    ]


def _command_to_load(path: Path, *, meltano: Meltano | None) -> str:
    """Return the command that loads a file as the run was: a Meltano project has no config file."""
    if meltano is None:
        return f"target-salesforce-bulk --config config.json < {shlex.quote(str(path))}"
    return f"{_invoke(meltano)} {shlex.quote(meltano.loader)} --input {shlex.quote(str(path.resolve()))}"


def _command_to_retry(run: Run, *, meltano: Meltano | None) -> str:
    """Return the command that loads outstanding records; Meltano writes the settings, secrets too, into a file."""
    retry = f"{_retry_command(run)} --config"
    if meltano is None:
        return f"{retry} config.json"
    dump = f"{_invoke(meltano)} --dump=config {shlex.quote(meltano.loader)}"
    return f"(umask 077; {dump} > target.json); {retry} target.json; rm target.json"


def _invoke(meltano: Meltano) -> str:
    environment = f" --environment={shlex.quote(meltano.environment)}" if meltano.environment else ""
    return f"meltano{environment} invoke"


def _retry_command(run: Run) -> str:
    return f"salesforce-bulk retry {shlex.quote(str(run.directory))}"


def _steps_of_unfinished(run: Run) -> list[Step]:
    if not run.is_newest:
        return [Step("Nothing, if the run after it had the same input: it resumed where this one stopped.")]
    again = (
        " the same command again, with the same input or from its last STATE. Jobs that were left behind are found"
        " again, and records that are loaded are skipped, as long as the results folder keeps its journal."
    )
    if run.summary is None:
        return [
            Step("If it is still running, make this report again when it has ended."),
            Step(f"If not, then run{again}"),
        ]
    return [Step("Correct what stopped it."), Step(f"Run{again}")]
