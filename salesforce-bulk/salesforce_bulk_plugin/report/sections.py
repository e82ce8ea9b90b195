"""`Sections`: the parts of a run's report below its verdict."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from salesforce_bulk_plugin.formatting import number
from salesforce_bulk_plugin.report.hints import HINTS
from salesforce_bulk_plugin.report.markup import Markup, element, joined, table
from salesforce_bulk_plugin.report.outcome_file import Errors
from salesforce_bulk_plugin.report.runs import NOT_LOADED, Run
from salesforce_bulk_plugin.report.timeline import shown_jobs
from salesforce_bulk_plugin.report.words import (
    FILE_KINDS,
    data_size,
    job_facts,
    kind_of,
    shortened,
    sorted_errors,
    stream_rows,
    without_job,
)

MAX_CODES = 50
"""Error codes of one run that get a place on the page."""


@dataclass(frozen=True, kw_only=True)
class Sections:
    """Makes them for a page that will lie in ``folder``, to which links are relative."""

    folder: Path
    hides_values: bool

    def streams(self, run: Run) -> Markup | None:
        """Return what became of each stream's records."""
        if not run.streams:
            return None
        head, rows = stream_rows(run)
        return section(
            "Streams",
            table(head, rows, caption="Records of each stream by outcome", numbers={*head} - {"Stream", "Does"}),
        )

    def errors(self, run: Run) -> Markup | None:
        """Return the error codes, each with what helps and some records."""
        if not run.errors:
            return None
        errors = sorted_errors(run)
        blocks = [self._error(group, run=run, is_open=place == 0) for place, group in enumerate(errors[:MAX_CODES])]
        rest = errors[MAX_CODES:]
        if rest:
            number_of_rest = number(sum(group.number for group in rest))
            blocks.append(
                element("p", f"{len(rest)} more codes, of {number_of_rest} records, are in the outcome file.")
            )
        return section("Why records were not loaded", *blocks)

    def _error(self, group: Errors, *, run: Run, is_open: bool) -> Markup:
        fields = ", ".join(f"{name} ({number(times)})" for name, times in group.fields.most_common(8))
        not_loaded = max(1, sum(run.records[status] for status in NOT_LOADED))
        place = element("span", f"in {group.stream}" if group.stream else "", class_="quiet")
        shown = element(
            "p",
            element("i", class_=f"share {group.status}", style=f"width:{100 * group.number / not_loaded:.2f}%"),
            class_="measure",
            aria_hidden="true",
        )
        return element(
            "div",
            element("h4", element("code", group.code), " ", element("b", number(group.number)), " ", place),
            shown,
            element("p", HINTS[group.code]) if group.code in HINTS else None,
            element("p", f"Fields: {fields}", class_="quiet") if fields else None,
            self._samples(group, run=run, is_open=is_open),
            class_="error",
        )

    def _samples(self, group: Errors, *, run: Run, is_open: bool) -> Markup | None:
        if not group.samples or self.hides_values:
            return None
        head = ["Key", "Message", "Fields", "Id", "Job"]
        rows: list[list[str]] = [
            [
                shortened(sample.key_text) or "none",
                shortened(sample.error_message or ""),
                ", ".join(sample.error_fields),
                _record_link(sample.id, org=run.summary.org if run.summary else ""),
                sample.job_id or "none",
            ]
            for sample in group.samples
        ]
        kept = [place for place in range(len(head)) if place < 2 or any(row[place] not in {"", "none"} for row in rows)]
        count = "The record" if group.number == 1 else f"{len(rows)} of {number(group.number)} records"
        caption = f"Records refused with {group.code}"
        return element(
            "details",
            element("summary", count),
            table([head[place] for place in kept], [[row[place] for place in kept] for row in rows], caption=caption),
            open="" if is_open else None,
        )

    def jobs(self, run: Run) -> Markup | None:
        """Return the jobs, with their result files."""
        if not run.jobs:
            return None
        jobs = shown_jobs(run)
        head = ["Job", "Stream", "Does", "State", "Rows", "Refused", "Data", "Created", "Took", "Result files"]
        rows: list[list[str]] = [
            [element("code", job.id), *job_facts(job, run=run), self._result_links(run.result_files[job.id])]
            for job in jobs
        ]
        messages = [] if self.hides_values else [job for job in jobs if job.error_message]
        more = len(run.jobs) - len(jobs)
        return section(
            "Jobs",
            table(head, rows, caption="Jobs", numbers={"Rows", "Refused", "Data", "Took"}, class_="whole"),
            *(element("p", f"{job.id} {job.state}: {shortened(job.error_message or '')}") for job in messages),
            element("p", f"{more} more jobs, which ended better, are in the summary.") if more else None,
            element("p", without_job(run), class_="quiet") if without_job(run) else None,
        )

    def _result_links(self, paths: list[Path]) -> Markup:
        parts = [part for path in paths for part in (", ", self._link(path, words=path.stem.rpartition("_")[2]))]
        return joined(*parts[1:])

    def files(self, run: Run) -> Markup | None:
        """Return the files of the run."""
        rows: list[list[str]] = [
            [self._link(path, words=path.name), FILE_KINDS[kind_of(path)], data_size(path.stat().st_size)]
            for path in run.files
        ]
        return section("Files", table(["File", "What it holds", "Size"], rows, caption="Files", numbers={"Size"}))

    def _link(self, path: Path, *, words: str) -> Markup:
        return element("a", words, href=quote(Path(os.path.relpath(path, self.folder)).as_posix()))


def section(title: str, *content: Markup | None) -> Markup | None:
    """Return content under a heading, or None if there is none."""
    if not any(content):
        return None
    return element("section", element("h3", title), *content)


def _record_link(record_id: str | None, *, org: str) -> str:
    """Return a record's Id, as a link where the org is known and could be Salesforce's."""
    if not record_id or not org.startswith("https://") or not re.fullmatch(r"\w{15,18}", record_id):
        return record_id or ""
    return element("a", record_id, href=f"{org}/{record_id}", rel="noreferrer")
