"""How far a run is: on the log now and then, on a terminal also as one line that moves."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from salesforce_bulk_plugin.progress import ProgressDisplay

from target_salesforce_bulk.results.run_counts import RunCounts

logger = logging.getLogger(__name__)

LOOK_EVERY = 1000
"""Records between two checks of the clock while reading."""


class Progress:
    """Counts the records that are read; `update` is called whenever the main thread has time."""

    def __init__(self, counts: RunCounts, *, in_flight: Callable[[], int]) -> None:
        """``in_flight`` gives the number of jobs (or small requests) under way."""
        self._counts = counts
        self._in_flight = in_flight
        self.number_read = 0
        self._began_at = time.monotonic()
        self._display = ProgressDisplay(logger)

    def add(self) -> None:
        """Count a record."""
        self.number_read += 1
        if self.number_read % LOOK_EVERY == 0:
            self.update()

    def update(self) -> None:
        """Tell how far the run is, if it is time to."""
        done = self._counts.number_of_records / max(self.number_read, 1)
        self._display.show(self._text(time.monotonic()), share=done, fields=self._fields())

    def finish(self) -> tuple[str, dict[str, Any]]:
        """Clear the line on the terminal; return how much was read and how fast, for the log."""
        seconds = time.monotonic() - self._began_at
        self._display.clear()
        rate = self.number_read / max(seconds, 0.001)
        fields = {**self._fields(), "seconds": round(seconds, 3)}
        what = f"{self.number_read} record{'' if self.number_read == 1 else 's'}"
        return f"{what} read in {seconds:.1f} s ({rate:.0f}/s)", fields

    def _fields(self) -> dict[str, int]:
        return {
            "records_read": self.number_read,
            "records": self._counts.number_of_records,
            "records_failed": self._counts.not_loaded,
            "jobs_in_flight": self._in_flight(),
        }

    def _text(self, now: float) -> str:
        done = self._counts.number_of_records
        rate = done / max(now - self._began_at, 0.001)
        text = f"{done:,} of {self.number_read:,} records read have their outcome, {self._in_flight()} jobs in flight"
        if not done:
            return text
        left_s = max(0, self.number_read - done) / rate
        return f"{text}, {self._counts.not_loaded:,} not loaded, {rate:,.0f}/s, {left_s:,.0f} s left for what is read"
