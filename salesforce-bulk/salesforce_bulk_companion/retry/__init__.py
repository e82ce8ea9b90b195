"""``salesforce-bulk retry``: loads again what runs of the target could not load, and shows or forgets it."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
from salesforce_bulk_client import ConfigError
from salesforce_bulk_plugin.formatting import counted
from target_salesforce_bulk import outstanding
from target_salesforce_bulk.errors import TargetError
from target_salesforce_bulk.journal import JOURNAL_FILE, Journal

from salesforce_bulk_companion.command import EXIT_FAILED
from salesforce_bulk_companion.output import FORMAT, ask
from salesforce_bulk_companion.retry.listing import list_as_json, print_records
from salesforce_bulk_companion.settings import read_settings, results_folder, target_config

if TYPE_CHECKING:
    from target_salesforce_bulk.outstanding import Left


@click.command()
@click.argument("results_dir", required=False, type=click.Path(path_type=Path))
@target_config("Needed to load records only.")
@click.option("--list", "lists", is_flag=True, help="Show the records, and load none.")
@click.option("--forget", "key", metavar="KEY", help="Take a record off the list, by its key or #number in --list.")
@click.option("--forget-all", "forgets_all", is_flag=True, help="Take all records off the list.")
@click.option("--yes", is_flag=True, help="Do not ask before --forget-all. Needed where there is no terminal.")
@FORMAT
@click.pass_context
def retry(
    ctx: click.Context,
    /,
    *,
    results_dir: Path | None,
    config: tuple[str, ...],
    lists: bool,
    key: str | None,
    forgets_all: bool,
    yes: bool,
    output_format: str,
) -> None:
    """Load again the outstanding records of RESULTS_DIR: those that runs of target-salesforce-bulk could not load.

    RESULTS_DIR is the target's results_dir. A record whose key a later run has loaded is left out, so that nothing
    newer is overwritten. What is refused again stays on the list. STATE is not touched.

    Exit codes: 0 none is left, 1 some are left, or something failed, 2 the command line or a setting is wrong, 75 a
    quota stands in the way.
    """
    if lists + forgets_all + (key is not None) > 1:
        raise click.UsageError("choose one of --list, --forget and --forget-all")
    loads = not (lists or forgets_all or key is not None)
    is_json = output_format == "json"
    try:
        settings = read_settings(config, is_target=True) if loads or config else None
        folder = results_folder(results_dir, settings)
        path = folder / JOURNAL_FILE
        with closing(Journal(path if path.exists() else None, org="")) as journal:
            if lists:
                _list(ctx, journal, is_json=is_json)
            elif key is not None:
                _forget(ctx, journal, key, folder=folder, is_json=is_json)
            elif forgets_all:
                _forget_all(ctx, journal, folder=folder, is_sure=yes, is_json=is_json)
            elif settings:
                from salesforce_bulk_companion.retry.loading import load  # the target's code takes a second to import

                done = load(journal, folder=folder, settings=settings, config=config)
                _end(ctx, done.left, code=done.exit_code, said=str(done), is_json=is_json, facts=done.facts)
    except ConfigError as error:
        raise click.UsageError(str(error)) from None
    except TargetError as error:
        raise click.ClickException(str(error)) from None


def _list(ctx: click.Context, journal: Journal, *, is_json: bool) -> NoReturn:
    left = _left(journal)
    if is_json:
        for piece in list_as_json(journal, left=left):
            click.echo(piece, nl=False)
        ctx.exit(EXIT_FAILED if left.number else 0)
    print_records(journal)
    _end(ctx, left)


def _forget(ctx: click.Context, journal: Journal, key: str, *, folder: Path, is_json: bool) -> NoReturn:
    from target_salesforce_bulk.run import lock

    with lock(folder), journal.outstanding_records() as db:
        number = outstanding.forget_named(db, key)
    if not number:
        raise click.UsageError(f"no outstanding record has the key {key!r}: --list shows them")
    said = f"{counted(number, 'record')} forgotten"
    _end(ctx, _left(journal), said=said, is_json=is_json, facts={"forgotten": number})


def _forget_all(ctx: click.Context, journal: Journal, *, folder: Path, is_sure: bool, is_json: bool) -> NoReturn:
    from target_salesforce_bulk.run import lock

    number = _left(journal).number
    if number and not is_sure:
        ask(f"Forget {counted(number, 'outstanding record')}?")
    with lock(folder), journal.outstanding_records() as db:
        outstanding.forget_all(db)
    said = f"{counted(number, 'record')} forgotten"
    _end(ctx, _left(journal), said=said, is_json=is_json, facts={"forgotten": number})


def _left(journal: Journal) -> Left:
    with journal.outstanding_records() as db:
        return outstanding.left_in(db)


def _end(
    ctx: click.Context,
    left: Left,
    *,
    code: int = 0,
    said: str = "",
    is_json: bool = False,
    facts: dict[str, Any] | None = None,
) -> NoReturn:
    """Say what was done and what is left, and end with a command's exit ``code``, or that of what is left."""
    if is_json:
        click.echo(json.dumps({**(facts or {}), "left": left._asdict()}, indent=2))
    else:
        for line in filter(None, [said, str(left) or "no record is outstanding"]):
            click.echo(line)
    ctx.exit(code or (EXIT_FAILED if left.number else 0))
