"""The command line's last resort: errors that are told in one line, and exit codes."""

from __future__ import annotations

import sys
from typing import Any

import simplejson  # type: ignore[import-untyped]  # what the SDK reads its files with
from salesforce_bulk_client import QuotaError, QuotaExceeded, SalesforceError
from singer_sdk.exceptions import ConfigurationError, MappingError
from singer_sdk.plugin_base import SingerCommand

EXIT_FAILED = 1
EXIT_QUOTA = 75
"""``EX_TEMPFAIL`` of sysexits.h: a quota stopped the run, and the same command goes on later."""


class TapCommand(SingerCommand):
    """The SDK's command; what a user can do something about is one line, without a traceback."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command."""
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
        except simplejson.JSONDecodeError as error:
            self._end("the config, catalog or state is no JSON: %s", error, code=EXIT_FAILED)

    def _end(self, message: str, error: Exception, *, code: int) -> None:
        self.logger.error(message, error)
        sys.exit(code)
