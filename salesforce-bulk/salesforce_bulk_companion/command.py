"""``salesforce-bulk``: the commands of the companion, each in a file of its own, imported when it is asked for."""

from __future__ import annotations

import importlib
from typing import Any

import click

EXIT_FAILED = 1
EXIT_QUOTA = 75
"""``EX_TEMPFAIL`` of sysexits.h, as the plugins have it: a quota stands in the way; try again later."""

COMMANDS = {
    "batches": "List, resume, resend or forget what runs of the target have left unfinished.",
    "check": "Log in, and show the org, its limits and what a sync would take.",
    "jobs": "List, show, abort and delete query and ingest jobs.",
    "report": "One page that shows what a run of the target did.",
    "retry": "Load again what runs of the target could not load; list or forget it.",
    "simulate": "Start a simulated Salesforce.",
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(f"salesforce_bulk_companion.{cmd_name}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an error of Salesforce's, or of a setting, is one line and an exit code."""
        from salesforce_bulk_client import QuotaError, SalesforceError

        try:
            return super().invoke(ctx)
        except SalesforceError as error:
            click.echo(f"Error: {error}", err=True)
            ctx.exit(EXIT_QUOTA if isinstance(error, QuotaError) else EXIT_FAILED)


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="singer-salesforce-bulk", prog_name="salesforce-bulk")
def main() -> None:
    """Check, watch and report what tap-salesforce-bulk and target-salesforce-bulk do.

    Exit codes: 0 all is well, 1 something failed, 2 the command line is wrong, 75 a quota stands in the way.
    """
