"""``jobs abort`` and ``jobs delete``: something is done to jobs, one after the other."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click
from salesforce_bulk_client import JobState, LoginError, QuotaError, SalesforceError
from salesforce_bulk_plugin.formatting import counted

from salesforce_bulk_companion.advice import advice_on
from salesforce_bulk_companion.command import EXIT_FAILED
from salesforce_bulk_companion.jobs.in_org import OrgJob, find_job
from salesforce_bulk_companion.jobs.options import (
    ACTING,
    AWAITED,
    SELECTION,
    Org,
    job_ids,
    open_org,
    options_of,
)
from salesforce_bulk_companion.jobs.report import print_jobs
from salesforce_bulk_companion.output import FORMAT, ask, print_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from salesforce_bulk_client import SalesforceClient

    Act = Callable[[OrgJob, SalesforceClient], None]


class NotDone(SalesforceError):
    """A job was left as it is, or nothing could be done about it any more."""


def abort(job: OrgJob, client: SalesforceClient) -> None:
    """Abort a job; one that is aborted already is fine.

    Raises: NotDone when it has ended otherwise; what Salesforce answers.
    """
    state = job.info.state if job.info.state.is_final else job.on(client).abort().state
    if state is not JobState.ABORTED:
        raise NotDone(f"{job} was not aborted: it has ended already, {state.value}")


def delete(job: OrgJob, client: SalesforceClient) -> None:
    """Delete a job with its results.

    Raises: what Salesforce answers.
    """
    job.on(client).delete()


def acting_command(verb: str, *, done: str, act: Act, applies: Callable[[OrgJob], bool], about: str) -> click.Command:
    """Return the command that does something to jobs: to those named, or to those selected to which it ``applies``."""

    @options_of(*SELECTION, *AWAITED, *ACTING, FORMAT)
    @click.argument("ids", nargs=-1, callback=job_ids, metavar="[ID]...")
    @click.pass_context
    def command(
        ctx: click.Context,
        /,
        *,
        ids: tuple[str, ...],
        yes: bool,
        force: bool,
        output_format: str,
        **options: Any,
    ) -> None:
        _check_choice(ids, options, verb=verb)
        with open_org(options) as org:
            chosen: Sequence[OrgJob | str] = ids
            if not ids:
                selected = [job for job in org.select(options)[0] if applies(job)]
                if selected and output_format == "text":
                    print_jobs(selected, org.awaited, user_id="")
                chosen = selected
            if chosen and not yes:
                ask(f"{verb.capitalize()} {counted(len(chosen), 'job')}?")
            report = [_entry(each, org, act=act, done=done, force=force) for each in chosen]
        if output_format == "json":
            click.echo(json.dumps(report, indent=2))
        else:
            messages = [entry["message"] for entry in report if entry["done"]]
            click.echo("\n".join([*messages, f"{done} {len(messages)} of {counted(len(report), 'job')}"]))
        ctx.exit(0 if all(entry["done"] for entry in report) else EXIT_FAILED)

    return click.command(verb, help=about, short_help=f"{verb.capitalize()} jobs, by id or all that options select.")(
        command
    )


def _entry(each: OrgJob | str, org: Org, *, act: Act, done: str, force: bool) -> dict[str, Any]:
    """Do it to one job, and return what became of it; that is told on stderr when it is an error.

    Raises: LoginError, QuotaError, which the next job would meet, too.
    """
    try:
        job = each if isinstance(each, OrgJob) else find_job(org.client, each)
        if (waiting := org.awaited.by(job.id)) and not force:
            raise NotDone(f"{job} was not {done}: {waiting} waits for it; --force does it all the same")
        act(job, org.client)
    except (LoginError, QuotaError):
        raise
    except SalesforceError as error:
        print_problem(str(error), advice=advice_on(error))
        return {"id": each if isinstance(each, str) else each.id, "done": False, "message": str(error)}
    return {"id": job.id, "done": True, "message": f"{done} {job}"}


def _check_choice(ids: tuple[str, ...], options: dict[str, Any], *, verb: str) -> None:
    names = ("kind", "states", "is_open", "sobject", "older_than", "newer_than")
    is_selecting = any(options[name] for name in names)
    if ids and is_selecting:
        raise click.UsageError(f"name the jobs to {verb} by their ids, or select them by options, not both")
    if not ids and not is_selecting:
        raise click.UsageError(f"say which jobs to {verb}: their ids, or options such as --open and --older-than 1d")
