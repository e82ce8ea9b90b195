"""`JobsAhead`: keeps the server at work on the next streams while one is being read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from salesforce_bulk_client import QuotaError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_salesforce_bulk.streams import SObjectStream


class JobsAhead:
    """Makes query jobs in the order in which they will be read, so many at a time."""

    def __init__(self, streams: Sequence[SObjectStream], *, max_jobs: int) -> None:
        self._streams = streams
        self._max_jobs = max_jobs

    def fill(self) -> None:
        """Make jobs until so many run; what cannot be made is told by its own stream, when it is read."""
        try:
            while sum(stream.number_of_running_jobs for stream in self._streams) < self._max_jobs:
                if not any(stream.make_next_job() for stream in self._streams):
                    return
        except QuotaError:
            self._max_jobs = 0  # what has been made can still be read
