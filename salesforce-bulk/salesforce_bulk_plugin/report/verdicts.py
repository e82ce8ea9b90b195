"""What is said of a run in words: how it ended, and what to do next. The same on the page and in text."""

from __future__ import annotations

import shlex
from enum import Enum

import msgspec

from salesforce_bulk_plugin.formatting import number
from salesforce_bulk_plugin.report.runs import Run


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
        return "Still running, or cut off" if run.is_newest else "Cut off"
    if not run.summary.is_finished:
        return "Did not finish"
    return "Finished" if tone(run) is Tone.GOOD else "Finished, with records refused"


def verdict(run: Run) -> str:
    """Return what became of the records, in one line."""
    total, counts = run.number_of_records, run.records
    if not total:
        return "No outcome is known" if run.jobs or run.summary is None else "No record was sent"
    if total == run.loaded:
        return f"{records(total)}, {'' if total == 1 else 'all '}loaded"
    parts = [f"{number(run.loaded)} loaded"]
    if counts["failed"]:
        parts.append(f"{number(counts['failed'])} refused")
    if counts["unprocessed"]:
        parts.append(f"{number(counts['unprocessed'])} not processed")
    if counts["doubtful"]:
        parts.append(f"{number(counts['doubtful'])} doubtful")
    return f"{records(total)}: {', '.join(parts)}"


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
    if run.summary:
        known = run.summary.known_from_earlier_run
        if known.loaded:
            told.append(f"{records(known.loaded)} more came again and were skipped: the run before had loaded them.")
        if known.failed:
            told.append(f"{records(known.failed)} more came again and had been refused in the run before: see there.")
        if known.doubtful:
            told.append(f"{records(known.doubtful)} more came again and are doubtful, so they were not sent.")
        if known.forgotten:
            told.append(f"{records(known.forgotten)} more came again and were skipped: a person has forgotten them.")
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
        return [Step("Load again what is still not in Salesforce.", _retry_command(run))]
    if run.failed_file is None:
        return []
    return [
        Step(
            "Mend what the errors name: at the source, in the org, or in the file of the records that were not loaded."
        ),
        Step(
            "Load that file again, with the configuration of the run:",
            f"target-salesforce-bulk --config config.json < {shlex.quote(str(run.failed_file))}",
        ),
    ]


def _retry_command(run: Run) -> str:
    return f"salesforce-bulk retry {shlex.quote(str(run.directory))}"


def _steps_of_unfinished(run: Run) -> list[Step]:
    if not run.is_newest:
        return [Step("Nothing, if the run after it had the same input: it has gone on where this one stopped.")]
    again = (
        " the same command again, with the same input or from its last STATE. Jobs that were left behind are found"
        " again, and records that are loaded are skipped, as long as the results folder keeps its journal."
    )
    if run.summary is None:
        return [
            Step("If the run is still going on, make this report again when it has ended."),
            Step(f"If not, then run{again}"),
        ]
    return [Step("See to what has stopped it."), Step(f"Run{again}")]
