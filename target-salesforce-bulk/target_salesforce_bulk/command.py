"""`TargetCommand`: the target's command line; the journal forgets a run as its last step."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from salesforce_bulk_plugin import run_telemetry
from salesforce_bulk_plugin.command import EXIT_FAILED, PluginCommand
from singer_sdk.exceptions import SingerSDKError
from singer_sdk.singerlib.exceptions import SingerError

from target_salesforce_bulk.errors import DISK_FULL, Interrupted, TargetError

if TYPE_CHECKING:
    import click

LAST_STEP = "target_salesforce_bulk.last_step"
"""In the click context's ``meta``: what is done just before the process ends."""


class TargetCommand(PluginCommand):
    """The SDK's command; what a user can do something about is one line, without a traceback."""

    json_files = "config"
    reported_errors = (TargetError, SingerSDKError, SingerError)

    _last_step: Callable[[], None] | None = None

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command, and end the process.

        The journal forgets the run last of all: a process that is killed before has crashed, and the next run resumes
        it. Python's own clean-up would take a tenth of a second more.
        """
        code: Any = 0
        error: BaseException | None = None
        try:
            self.run(*args, **kwargs)
        except SystemExit as end:
            code, error = end.code, end
        finally:
            # The run has ended and logged its result: a signal during the end of the process changes nothing.
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)
            run_telemetry.end(sys.exception() or error)
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        try:
            if self._last_step:
                self._last_step()
        except TargetError as error:
            self.logger.error("%s", error)  # noqa: TRY400  one line for the user
            code = EXIT_FAILED
        os._exit(code if isinstance(code, int) else int(code is not None))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        finally:
            self._last_step = ctx.meta.get(LAST_STEP)

    def end_for(self, error: BaseException) -> tuple[str, int] | None:
        """Return the line and the exit code that an error ends with."""
        if isinstance(error, Interrupted):
            return f"{error}; run again to resume", 128 + error.signal_number
        if isinstance(error, OSError):
            advice = "; make room on the disk, and run again to resume" if error.errno in DISK_FULL else ""
            return f"{error}{advice}", EXIT_FAILED
        return super().end_for(error)
