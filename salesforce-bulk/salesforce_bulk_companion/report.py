"""``salesforce-bulk report``: one page that shows what a run of the target did, or several."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from salesforce_bulk_plugin.report.files import PAGE_NAME, write_for_owner
from salesforce_bulk_plugin.report.page import as_page
from salesforce_bulk_plugin.report.runs import find_runs
from salesforce_bulk_plugin.report.sections import Sections
from salesforce_bulk_plugin.report.text import as_json, as_text


@click.command()
@click.argument(
    "results_dir",
    default="salesforce/logs",
    envvar="TARGET_SALESFORCE_BULK_RESULTS_DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["html", "text", "json"]),
    default="html",
    show_default=True,
    help="A page for a browser, lines for a terminal, or data for a program.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"Where to write it, or - for stdout.  [default: {PAGE_NAME} in RESULTS_DIR for html, stdout for the others]",
)
@click.option(
    "--last", type=click.IntRange(min=0), default=10, show_default=True, help="So many runs, the newest; 0 for all."
)
@click.option(
    "--samples",
    type=click.IntRange(min=0),
    default=5,
    show_default=True,
    help="So many records of each error code.",
)
@click.option("--hide-values", is_flag=True, help="Leave out record keys, Ids and messages, to pass the report on.")
def report(
    results_dir: Path, *, output_format: str, output: Path | None, last: int, samples: int, hide_values: bool
) -> None:
    """Tell what runs of target-salesforce-bulk did, from the files in RESULTS_DIR.

    RESULTS_DIR is the target's results_dir, by default what TARGET_SALESFORCE_BULK_RESULTS_DIR says, or
    salesforce/logs. Nothing is asked of Salesforce.

    Exit codes: 0 it is written, 1 no run has left files there, 2 the command line is wrong.
    """
    runs = list(find_runs(results_dir, last=last or None, max_samples=0 if hide_values else samples))
    if not runs:
        raise click.ClickException(f"no run has left files in {results_dir} (a dry run leaves none)")
    if output is None and output_format == "html":
        output = results_dir / PAGE_NAME
    if output_format == "html":
        folder = output.parent if output else Path()
        text = as_page(runs, directory=results_dir, sections=Sections(folder=folder, hides_values=hide_values))
    elif output_format == "text":
        text = as_text(runs, hides_values=hide_values)
    else:
        text = as_json(runs, hides_values=hide_values)
    if output is None or output == Path("-"):
        sys.stdout.write(text)
    else:
        write_for_owner(output, text)
        click.echo(f"{output}: {len(runs)} run{'' if len(runs) == 1 else 's'}")
