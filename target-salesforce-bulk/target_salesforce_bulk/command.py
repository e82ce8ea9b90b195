"""The command line's last resort: errors that are told in one line, and exit codes."""

from __future__ import annotations

import json
import signal
import sys
from typing import Any

from salesforce_bulk_client import QuotaError, QuotaExceeded, SalesforceError
from singer_sdk.exceptions import SingerSDKError
from singer_sdk.plugin_base import SingerCommand
from singer_sdk.singerlib.exceptions import SingerError

from target_salesforce_bulk.errors import Interrupted, TargetError

EXIT_FAILED = 1
EXIT_QUOTA = 75
"""``EX_TEMPFAIL`` of sysexits.h: a quota stopped the run, and the same command goes on later."""


class TargetCommand(SingerCommand):
    """The SDK's command; what a user can do something about is one line, without a traceback."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command."""
        try:
            return self._run(*args, **kwargs)
        finally:
            # The run has ended and told so: a signal that comes while Python ends changes nothing any more.
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)

    def _run(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().main(*args, **kwargs)
        except Interrupted as error:
            self._end(error, code=128 + error.signal_number)
        except QuotaExceeded as error:
            self._end(f"stopped for quota ({error.quota}); run again later to go on: {error}", code=EXIT_QUOTA)
        except QuotaError as error:
            self._end(error, code=EXIT_QUOTA)
        except json.JSONDecodeError as error:
            self._end(f"the config is no JSON: {error}", code=EXIT_FAILED)
        except (SalesforceError, TargetError, SingerSDKError, SingerError, OSError) as error:
            self._end(error, code=EXIT_FAILED)

    def _end(self, error: object, *, code: int) -> None:
        self.logger.error("%s", " ".join(str(error).split()))
        sys.exit(code)
