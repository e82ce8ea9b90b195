"""`PluginCommand`: the command line of both plugins: exit codes, errors in one line, and the totals of a run."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

import simplejson  # type: ignore[import-untyped]  # what the SDK reads its files with
from salesforce_bulk_client import QuotaError, QuotaExceeded, SalesforceError
from singer_sdk import metrics
from singer_sdk.plugin_base import SingerCommand

from salesforce_bulk_plugin import run_telemetry
from salesforce_bulk_plugin.malloc import use_one_arena

if TYPE_CHECKING:
    import click

EXIT_FAILED = 1
EXIT_QUOTA = 75
"""``EX_TEMPFAIL`` of sysexits.h: a quota stopped the run, and the same command resumes later."""

RESULT = "salesforce_bulk_plugin.result"
"""In the click context's ``meta``: what logs the result, after all METRIC lines."""


class PluginCommand(SingerCommand):
    """The SDK's command; an error that the user can act on is one line, without a traceback."""

    json_files: ClassVar[str]
    """What the command reads as JSON, for the message about a broken file."""
    json_errors: ClassVar[tuple[type[Exception], ...]] = (simplejson.JSONDecodeError,)
    """What reading it raises for a broken file."""
    reported_errors: ClassVar[tuple[type[Exception], ...]]
    """The errors that are logged as one line, beside the client's."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; everything but ``--about`` is a run, with an id and totals."""
        use_one_arena()
        if not ctx.params.get("about"):
            run_telemetry.begin(self.name or "")
        try:
            return super().invoke(ctx)
        finally:
            _log_totals()
            if log_result := ctx.meta.get(RESULT):
                log_result()

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line; an error that the user can act on ends it with one line and an exit code."""
        try:
            return super().main(*args, **kwargs)
        except BaseException as error:
            end = self.end_for(error)
            if end is None:
                raise
            line, exit_code = end
            self.logger.error("%s", " ".join(line.split()), extra={"exit_code": exit_code})  # noqa: TRY400  # one line
            sys.exit(exit_code)

    def end_for(self, error: BaseException) -> tuple[str, int] | None:
        """Return the line and the exit code that an error ends with; None for a bug, which has a traceback."""
        if isinstance(error, QuotaExceeded):
            return f"stopped for quota ({error.quota}); run again later to resume: {error}", EXIT_QUOTA
        if isinstance(error, QuotaError):
            return str(error), EXIT_QUOTA
        if isinstance(error, self.json_errors):
            return f"the {self.json_files} is not valid JSON: {error}", EXIT_FAILED
        if isinstance(error, (SalesforceError, *self.reported_errors)):
            return str(error), EXIT_FAILED
        return None


def _log_totals() -> None:
    for instrument, tags, value in run_telemetry.totals():
        name: Any = SimpleNamespace(value=instrument.name)  # the SDK's enum knows only its own
        point = metrics.Point(instrument.kind.value, name, value, {**tags, "pid": os.getpid()})
        metrics.log(metrics.get_metrics_logger(), point)
