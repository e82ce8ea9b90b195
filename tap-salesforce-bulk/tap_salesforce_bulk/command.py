"""The command line's last resort: errors that are told in one line, and exit codes."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper
from types import SimpleNamespace
from typing import Any

import click
import simplejson  # type: ignore[import-untyped]  # what the SDK reads its files with
from salesforce_bulk_client import QuotaError, QuotaExceeded, SalesforceError, telemetry, use_one_arena
from singer_sdk import metrics
from singer_sdk.exceptions import ConfigurationError, MappingError
from singer_sdk.plugin_base import SingerCommand

from tap_salesforce_bulk.signals import end_in_time, is_over, leave

RESULT = "tap_salesforce_bulk.result"
"""In the click context's ``meta``: what logs the result, after all METRIC lines."""

EXIT_FAILED = 1
EXIT_QUOTA = 75
"""``EX_TEMPFAIL`` of sysexits.h: a quota stopped the run, and the same command goes on later."""


class TapCommand(SingerCommand):
    """The SDK's command; what a user can do something about is one line, without a traceback."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command."""
        end_in_time()
        _speak_utf8(self)
        try:
            return self._run(*args, **kwargs)
        finally:
            is_over()
            telemetry.end(sys.exception())
            leave(sys.exception())

    def invoke(self, ctx: click.Context) -> Any:
        """Run what was asked for; all but ``--about`` is a run, with an id and totals."""
        use_one_arena()
        if not ctx.params.get("about"):
            telemetry.begin(self.name or "")
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            self.logger.error(  # noqa: TRY400  # whose end it was, the other program's last lines tell
                "the program that reads this output has ended: see its last lines;"
                " the next run goes on from the last STATE"
            )
            raise
        finally:
            for instrument, tags, value in telemetry.totals():
                name: Any = SimpleNamespace(value=instrument.name)  # the SDK's enum knows only its own
                point = metrics.Point(instrument.kind.value, name, value, {**tags, "pid": os.getpid()})
                metrics.log(metrics.get_metrics_logger(), point)
            if log_result := ctx.meta.get(RESULT):
                log_result()

    def _run(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().main(*args, **kwargs)
        except QuotaExceeded as error:
            self._end(f"stopped for quota ({error.quota}); run again later to go on: %s", error, code=EXIT_QUOTA)
        except QuotaError as error:
            self._end("%s", error, code=EXIT_QUOTA)
        except (SalesforceError, ConfigurationError, MappingError) as error:
            self._end("%s", error, code=EXIT_FAILED)
        except FileNotFoundError as error:
            self._end("%s", error, code=EXIT_FAILED)
        except (simplejson.JSONDecodeError, UnicodeDecodeError) as error:
            self._end("the config, catalog or state is no JSON: %s", error, code=EXIT_FAILED)

    def _end(self, message: str, error: Exception, *, code: int) -> None:
        self.logger.error(message, error, extra={"exit_code": code})
        sys.exit(code)


def _speak_utf8(command: click.Command) -> None:
    """Read the catalog and the state, and write to stdout, as UTF-8 whatever the locale: JSON files are UTF-8."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    for parameter in command.params:
        if isinstance(parameter.type, click.File):
            parameter.type.encoding = "utf-8"
