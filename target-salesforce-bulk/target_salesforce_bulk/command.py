"""The command line's last resort: errors that are told in one line, and exit codes."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import simplejson  # type: ignore[import-untyped]  # what the SDK reads its files with
from salesforce_bulk_client import QuotaError, QuotaExceeded, SalesforceError, telemetry, use_one_arena
from singer_sdk import metrics
from singer_sdk.exceptions import SingerSDKError
from singer_sdk.plugin_base import SingerCommand
from singer_sdk.singerlib.exceptions import SingerError

from target_salesforce_bulk.errors import DISK_FULL, Interrupted, TargetError

if TYPE_CHECKING:
    import click

EXIT_FAILED = 1
EXIT_QUOTA = 75
"""``EX_TEMPFAIL`` of sysexits.h: a quota stopped the run, and the same command goes on later."""


RESULT = "target_salesforce_bulk.result"
"""In the click context's ``meta``: what logs the result, after all METRIC lines."""

LAST_STEP = "target_salesforce_bulk.last_step"
"""In the click context's ``meta``: what is done just before the process ends."""


class TargetCommand(SingerCommand):
    """The SDK's command; what a user can do something about is one line, without a traceback."""

    _last_step: Callable[[], None] | None = None

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command, and end the process.

        The journal forgets the run last of all: a process that is killed before has crashed, and the next run resumes
        it. Python's own clean-up would take a tenth of a second more.
        """
        code: Any = 0
        error: BaseException | None = None
        try:
            self._run(*args, **kwargs)
        except SystemExit as end:
            code, error = end.code, end
        finally:
            # The run has ended and said so: a signal that comes while the process ends changes nothing any more.
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)
            telemetry.end(sys.exception() or error)
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
        """Run what was asked for; all but ``--about`` is a run, with an id and totals."""
        use_one_arena()
        if not ctx.params.get("about"):
            telemetry.begin(self.name or "")
        try:
            return super().invoke(ctx)
        finally:
            self._last_step = ctx.meta.get(LAST_STEP)
            for instrument, tags, value in telemetry.totals():
                name: Any = SimpleNamespace(value=instrument.name)  # the SDK's enum knows only its own
                point = metrics.Point(instrument.kind.value, name, value, {**tags, "pid": os.getpid()})
                metrics.log(metrics.get_metrics_logger(), point)
            if log_result := ctx.meta.get(RESULT):
                log_result()

    def _run(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().main(*args, **kwargs)
        except Interrupted as error:
            self._end(f"{error}; run again to resume", code=128 + error.signal_number)
        except QuotaExceeded as error:
            self._end(f"stopped for quota ({error.quota}); run again later to go on: {error}", code=EXIT_QUOTA)
        except QuotaError as error:
            self._end(error, code=EXIT_QUOTA)
        except simplejson.JSONDecodeError as error:
            self._end(f"the config is no JSON: {error}", code=EXIT_FAILED)
        except OSError as error:
            advice = "; make room on the disk, and run again to resume" if error.errno in DISK_FULL else ""
            self._end(f"{error}{advice}", code=EXIT_FAILED)
        except (SalesforceError, TargetError, SingerSDKError, SingerError) as error:
            self._end(error, code=EXIT_FAILED)

    def _end(self, error: object, *, code: int) -> None:
        self.logger.error("%s", " ".join(str(error).split()), extra={"exit_code": code})
        sys.exit(code)
