"""Writes the report as a file, by command or at the end of a run."""

from __future__ import annotations

from pathlib import Path

from salesforce_bulk_client import for_owner

from salesforce_bulk_plugin.report.page import as_page
from salesforce_bulk_plugin.report.runs import read_newest_run
from salesforce_bulk_plugin.report.sections import Sections

PAGE_NAME = "report.html"

MAX_OUTCOME_BYTES = 8_000_000
"""So much of a run's outcomes is read at its end, for samples: some ten thousand records, in a tenth of a second."""

SAMPLES = 5
"""Records of each error code."""


def write_page_of(directory: Path, *, run_id: str) -> None:
    """Write the page of a run that ends now; what it costs does not grow with the number of its records."""
    run = read_newest_run(directory, run_id, max_samples=SAMPLES, max_outcome_bytes=MAX_OUTCOME_BYTES)
    page = as_page([run], directory=directory, sections=Sections(folder=directory, hides_values=False))
    write_for_owner(directory / PAGE_NAME, page)


def write_for_owner(path: Path, text: str) -> None:
    """Write a file of mode 600 in the place of what was there."""
    path.unlink(missing_ok=True)
    with open(path, "x", encoding="utf-8", opener=for_owner) as file:
        file.write(text)
