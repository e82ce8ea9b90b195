"""`JobPrefetcher`: lets the server work on the next streams while one is being read."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from salesforce_bulk_client import QuotaError, SalesforceError

from tap_salesforce_bulk.errors import UNFORESEEN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tap_salesforce_bulk.query.stream_reader import StreamReader

    OpenReader = Callable[[], StreamReader]


class JobPrefetcher:
    """Creates query jobs in the order in which they will be read, up to ``max_jobs`` at a time."""

    def __init__(self, open_readers: Iterable[OpenReader] = (), *, max_jobs: int = 0) -> None:
        """``open_readers`` open the readers of the streams, in the order in which these are read."""
        self._unopened = deque(open_readers)
        self._readers: list[StreamReader] = []
        self._max_jobs = max_jobs

    def add(self, reader: StreamReader) -> None:
        """Take a reader that has been opened; its jobs count from now on."""
        self._readers.append(reader)

    def fill(self) -> None:
        """Create jobs until ``max_jobs`` are running; an error is raised by its own stream, when that is read."""
        try:
            while sum(reader.number_of_running_jobs for reader in self._readers) < self._max_jobs:
                if not self._create_next_job():
                    return
        except QuotaError:
            self._max_jobs = 0  # the jobs that exist can still be read

    def _create_next_job(self) -> bool:
        if any(reader.create_next_job() for reader in self._readers):
            return True
        while self._unopened:
            open_reader = self._unopened.popleft()
            try:
                reader = open_reader()
            except QuotaError:
                raise
            except (SalesforceError, *UNFORESEEN):
                continue
            if reader.create_next_job():
                return True
        return False
