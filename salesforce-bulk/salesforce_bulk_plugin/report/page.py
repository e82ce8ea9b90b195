"""The page: one HTML file without scripts, which asks nothing of the network."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

from salesforce_bulk_plugin.formatting import duration, number
from salesforce_bulk_plugin.report.markup import Markup, element, joined, table
from salesforce_bulk_plugin.report.runs import STATUSES, Run
from salesforce_bulk_plugin.report.sections import Sections, section
from salesforce_bulk_plugin.report.timeline import timeline
from salesforce_bulk_plugin.report.verdicts import ending, next_steps, remarks, tone, verdict
from salesforce_bulk_plugin.report.words import STATUS_WORDS, percent, run_facts

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""Should a value ever get past the escaping, the browser runs no script and asks nothing of anyone."""


def as_page(runs: Sequence[Run], *, directory: Path, sections: Sections) -> str:
    """Return the whole page of one or more runs, the newest first, whose files are in ``directory``."""
    title = verdict(runs[0]) if len(runs) == 1 else f"{len(runs)} runs in {directory}"
    style = files("salesforce_bulk_plugin.report").joinpath("page.css").read_text("utf-8")
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", f"{title} · target-salesforce-bulk"),
        element("style", Markup(style)),
    )
    body = element(
        "body",
        element("header", element("h1", "Load report"), element("p", f"target-salesforce-bulk · {directory}")),
        element("main", _index(runs), *(_run(run, sections=sections) for run in runs)),
        _footer(sections),
    )
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"


def _index(runs: Sequence[Run]) -> Markup | None:
    if len(runs) == 1:
        return None
    head = ["Run", "Ended", "Records", "Loaded", "Not loaded", "Took"]
    rows: list[list[str]] = [
        [
            element("a", run.run_id, href=f"#{quote(run.run_id)}"),
            _ending(run),
            number(run.number_of_records),
            number(run.loaded),
            number(run.number_of_records - run.loaded),
            "" if run.duration_s is None else duration(run.duration_s),
        ]
        for run in runs
    ]
    title = f"{len(runs)} runs, the newest first"
    return element(
        "nav", element("h2", title), table(head, rows, caption="Runs", numbers={*head[2:]}), aria_label="Runs"
    )


def _run(run: Run, *, sections: Sections) -> Markup:
    facts = [element("div", element("dt", label), element("dd", text)) for label, text in run_facts(run)]
    return element(
        "article",
        element("p", _ending(run), " ", run.run_id, class_="over"),
        element("h2", verdict(run), id=run.run_id),
        _shares(run),
        element("dl", *facts),
        *(element("p", remark, class_="remark") for remark in remarks(run)),
        _next_steps(run),
        section("Records over time", timeline(run)),
        sections.streams(run),
        sections.errors(run),
        sections.jobs(run),
        sections.files(run),
        aria_labelledby=run.run_id,
    )


def _ending(run: Run) -> Markup:
    return element("span", ending(run), class_=f"ending {tone(run).value}")


def _shares(run: Run) -> Markup | None:
    """Return a bar of the records by status, and what its parts mean."""
    total, counts = run.number_of_records, run.records
    there = [status for status in STATUSES if counts[status]]
    if not total:
        return None
    parts = [element("i", class_=status, style=f"flex-grow:{counts[status] / total:.6f}") for status in there]
    legend = [
        element(
            "li",
            element("i", class_=status),
            element("b", number(counts[status])),
            f" {STATUS_WORDS[status]} ",
            element("small", percent(counts[status], total)),
        )
        for status in there
    ]
    return joined(element("div", *parts, class_="shares", aria_hidden="true"), element("ul", *legend, class_="legend"))


def _next_steps(run: Run) -> Markup | None:
    steps = [
        element("li", step.text, element("pre", element("code", step.command)) if step.command else None)
        for step in next_steps(run)
    ]
    return element("section", element("h3", "What to do next"), element("ol", *steps), class_="next") if steps else None


def _footer(sections: Sections) -> Markup:
    holds = (
        "Record keys, Ids and messages were left out of this page; the files that it links to have them."
        if sections.hides_values
        else "This page holds keys of records and messages of Salesforce, so its file was made for its owner only"
        " (mode 600). To pass it on, make it with --hide-values."
    )
    made = f"Made {datetime.now(UTC):%Y-%m-%d %H:%M} UTC by salesforce-bulk {version('singer-salesforce-bulk')}."
    return element("footer", element("p", holds, " Links work from where it was written."), element("p", made))
