"""``salesforce-bulk batches``: what runs of the target have left unfinished, and the way out of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from salesforce_bulk_client import ConfigError
from target_salesforce_bulk.errors import JournalUnusable, ResultsDirInUse
from target_salesforce_bulk.journal import JOURNAL_FILE, Journal

from salesforce_bulk_companion.batches.listing import as_json, number_of_batches, print_batches
from salesforce_bulk_companion.command import EXIT_FAILED
from salesforce_bulk_companion.output import FORMAT
from salesforce_bulk_companion.settings import Settings, read_settings, results_folder, target_config

if TYPE_CHECKING:
    from collections.abc import Sequence

    from target_salesforce_bulk.journal import BatchNote


@click.command()
@click.argument("results_dir", required=False, type=click.Path(path_type=Path))
@target_config("Needed for the three actions only.")
@click.option("--resume", metavar="ID|all", help="Ask Salesforce again, and record the outcomes.")
@click.option("--resend", metavar="ID|all", help="Load the rows again, except what Salesforce says is loaded.")
@click.option("--forget", metavar="ID|all", help="Load the rows no more: they are failed, and in the failed file.")
@click.option("--yes", is_flag=True, help="Do not ask. Needed where there is no terminal to ask at.")
@FORMAT
@click.pass_context
def batches(
    ctx: click.Context,
    /,
    *,
    results_dir: Path | None,
    config: tuple[str, ...],
    yes: bool,
    output_format: str,
    **actions: str | None,
) -> None:
    """List the batches that runs of target-salesforce-bulk have left in RESULTS_DIR, and decide what becomes of them.

    A batch is the rows of one job. It is pending until their outcomes are known, doubtful when nothing tells whether
    they are loaded, and set aside when its job cannot be read. RESULTS_DIR is the target's results_dir. Without an
    action the batches are listed, and nothing is asked of Salesforce.

    Exit codes: 0 none is left, 1 some are left, or something failed, 2 the command line or a setting is wrong, 75 a
    quota stands in the way.
    """
    given = [(name, batch_id) for name, batch_id in actions.items() if batch_id is not None]
    if len(given) > 1:
        raise click.UsageError(f"choose one of {' and '.join(f'--{name}' for name, _ in given)}")
    try:
        settings = read_settings(config, is_target=True) if given or config else None
        folder = results_folder(results_dir, settings)
        if given and settings and (folder / JOURNAL_FILE).exists():
            _act(ctx, *given[0], folder=folder, settings=settings, output_format=output_format, is_sure=yes)
        else:
            _list(ctx, folder, output_format=output_format)
    except ConfigError as error:
        raise click.UsageError(str(error)) from None


def _act(
    ctx: click.Context,
    action: str,
    batch_id: str,
    *,
    folder: Path,
    settings: Settings,
    output_format: str,
    is_sure: bool,
) -> None:
    from salesforce_bulk_companion.batches.acting import decide  # the target's code takes a second to import

    decisions, left = decide(
        action, batch_id, results_dir=folder, settings=settings, output_format=output_format, is_sure=is_sure
    )
    if output_format == "json":
        told = [{"id": each.batch_id, "message": each.message, "is_left": each.is_left} for each in decisions]
        click.echo(json.dumps({"decisions": told, "batches": [as_json(note) for note in left]}, indent=2))
    else:
        click.echo(_left(left))
    ctx.exit(EXIT_FAILED if left else 0)


def _list(ctx: click.Context, folder: Path, *, output_format: str) -> None:
    notes, is_in_use = _read(folder)
    if output_format == "json":
        told: dict[str, Any] = {"results_dir": str(folder), "is_in_use": is_in_use}
        click.echo(json.dumps({**told, "batches": [as_json(note) for note in notes]}, indent=2))
    else:
        if notes:
            print_batches(notes)
        if is_in_use:
            click.echo(f"A run is using {folder}: what is not doubtful or set aside may be its work.")
        click.echo(_left(notes))
    ctx.exit(EXIT_FAILED if notes else 0)


def _read(folder: Path) -> tuple[list[BatchNote], bool]:
    """Return the batches in a folder's journal, and whether a run is using it; a folder without one has none."""
    path = folder / JOURNAL_FILE
    if not path.exists():
        return [], False
    try:
        journal = Journal(path, org="")
        try:
            notes, runs = journal.batches(), journal.unfinished_runs()
        finally:
            journal.close()
    except JournalUnusable as error:
        raise click.ClickException(str(error)) from None
    return notes, bool(runs) and _is_in_use(folder)


def _is_in_use(folder: Path) -> bool:
    from target_salesforce_bulk.run import lock

    try:
        lock(folder).release()
    except ResultsDirInUse:
        return True
    return False


def _left(notes: Sequence[BatchNote]) -> str:
    return f"left: {number_of_batches(notes)}" if notes else "no batch is left"
