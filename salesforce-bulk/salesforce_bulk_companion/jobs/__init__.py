"""``salesforce-bulk jobs``: list, show, abort and delete query and ingest jobs."""

from __future__ import annotations

import json
from typing import Any

import click
from salesforce_bulk_client import LoginError, QuotaError, SalesforceError
from salesforce_bulk_plugin.formatting import counted

from salesforce_bulk_companion.advice import advice_on
from salesforce_bulk_companion.command import EXIT_FAILED
from salesforce_bulk_companion.jobs.acting import abort, acting_command, delete
from salesforce_bulk_companion.jobs.in_org import find_job
from salesforce_bulk_companion.jobs.options import AWAITED, SELECTION, job_ids, open_org, options_of
from salesforce_bulk_companion.jobs.report import as_json, print_job, print_jobs
from salesforce_bulk_companion.output import FORMAT, print_problem


@click.group()
def jobs() -> None:
    """List, show, abort and delete query and ingest jobs (Bulk API 2.0).

    Exit codes: 0 all is well, 1 something failed or was refused, 2 the command line is wrong, 75 a quota stands in the
    way.
    """


@jobs.command("list")
@options_of(*SELECTION, *AWAITED, FORMAT)
def list_command(*, output_format: str, **options: Any) -> None:
    """List the jobs of the last days, the newest first.

    Of those that this user made, whichever program it was; with --all everybody's. Salesforce keeps a job for 7 days
    after its end, and an Open one for 24 hours.
    """
    with open_org(options) as org:
        found, user_id = org.select(options)
        if output_format == "json":
            click.echo(json.dumps([as_json(job, org.awaited) for job in found], indent=2))
            return
        if found:
            print_jobs(found, org.awaited, user_id=user_id)
        whose = "" if user_id is None else f" made by this user, {user_id}; --all shows everybody's"
        click.echo(f"{counted(len(found), 'job')}{whose}")


@jobs.command()
@click.argument("ids", nargs=-1, required=True, callback=job_ids, metavar="ID...")
@options_of(*AWAITED, FORMAT)
@click.pass_context
def show(ctx: click.Context, /, *, ids: tuple[str, ...], output_format: str, **options: Any) -> None:
    """Show all that Salesforce tells of jobs. Whether an id is of a query or an ingest job is found out."""
    found, problems = [], []
    with open_org(options) as org:
        for job_id in ids:
            try:
                found.append(find_job(org.client, job_id))
            except (LoginError, QuotaError):
                raise
            except SalesforceError as error:
                problems.append(error)
        if output_format == "json":
            click.echo(json.dumps([as_json(job, org.awaited) for job in found], indent=2))
        else:
            for job in found:
                print_job(job, org.awaited)
    for problem in problems:
        print_problem(str(problem), advice=advice_on(problem))
    ctx.exit(EXIT_FAILED if problems else 0)


jobs.add_command(
    acting_command(
        "abort",
        done="aborted",
        act=abort,
        applies=lambda job: not job.info.state.is_final,
        about="""Abort jobs: those with these ids, or all that options select and that have not ended.

        What an ingest job has committed stays. A job that the target's journal or the tap's state waits for is left
        alone without --force.""",
    )
)
jobs.add_command(
    acting_command(
        "delete",
        done="deleted",
        act=delete,
        applies=lambda job: job.info.state.is_final,
        about="""Delete jobs and their results: those with these ids, or all that options select and that have ended.

        The records that a job has loaded stay. A job that the target's journal or the tap's state waits for is left
        alone without --force: its results could not be read any more.""",
    )
)
