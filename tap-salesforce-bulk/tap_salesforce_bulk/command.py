"""`TapCommand`: the tap's command line; signals end it promptly, and its files are UTF-8."""

from __future__ import annotations

import sys
from io import TextIOWrapper
from typing import Any

import click
from salesforce_bulk_plugin import run_telemetry
from salesforce_bulk_plugin.command import PluginCommand
from singer_sdk.exceptions import ConfigurationError, MappingError

from tap_salesforce_bulk.signals import end_in_time, is_over, leave


class TapCommand(PluginCommand):
    """The SDK's command; an error that the user can act on is one line, without a traceback."""

    json_files = "config, catalog or state"
    json_errors = (*PluginCommand.json_errors, UnicodeDecodeError)
    reported_errors = (ConfigurationError, MappingError, FileNotFoundError)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command."""
        end_in_time()
        _use_utf8(self)
        try:
            return self.run(*args, **kwargs)
        finally:
            is_over()
            run_telemetry.end(sys.exception())
            leave(sys.exception())

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            self.logger.error(  # noqa: TRY400  # the other program's last lines show why it ended
                "the program that reads this output has ended: see its last lines;"
                " the next run resumes from the last STATE"
            )
            raise


def _use_utf8(command: click.Command) -> None:
    """Read the catalog and the state, and write to stdout, as UTF-8 whatever the locale: JSON files are UTF-8."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    for parameter in command.params:
        if isinstance(parameter.type, click.File):
            parameter.type.encoding = "utf-8"
