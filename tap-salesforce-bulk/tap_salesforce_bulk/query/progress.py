"""`StreamProgress`: how far a stream has been read."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from salesforce_bulk_plugin.progress import ProgressDisplay

if TYPE_CHECKING:
    from salesforce_bulk_client import JobInfo

logger = logging.getLogger(__name__)


class StreamProgress:
    """Counts one stream's records, and shows how many there are."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.records = 0
        self._total: int | None = None
        """Of the jobs that are complete; other windows may follow."""
        self._began_at = 0.0
        self._display = ProgressDisplay(logger)

    def show_job(self, job: JobInfo, *, records_before: int = 0) -> None:
        """Show the state of the job under way, of which an earlier run has read ``records_before``."""
        if job.state.is_final:
            self._total = self.records + (job.number_records_processed or 0) - records_before
            self._began_at = self._began_at or time.monotonic()
        processed = f", {job.number_records_processed:,} records processed" if job.number_records_processed else ""
        fields = {**self._fields(), "job_id": job.id, "job_state": job.state.value}
        self._display.show(f"job {job.id} of {self._name}: {job.state.value}{processed}", share=None, fields=fields)

    def add(self, records: int) -> None:
        """Count records that have been emitted, and show how far the stream is."""
        self.records += records
        text, share = f"{self._name}: {self.records:,} records", None
        if self._total and self.records <= self._total:
            now = time.monotonic()
            share = self.records / self._total
            rate = self.records / max(now - self._began_at, 0.001)
            left_s = (self._total - self.records) / max(rate, 0.001)
            text = f"{self._name}: {self.records:,} of {self._total:,} records, {rate:,.0f}/s, {left_s:,.0f} s left"
        self._display.show(text, share=share, fields=self._fields())

    def finish(self, *, seconds: float) -> None:
        """Log the stream's summary."""
        self._display.clear()
        rate = self.records / max(seconds, 0.001)
        fields = {"stream_name": self._name, "records": self.records, "seconds": round(seconds, 3)}
        logger.info("%s: %d records in %.1f s (%d/s)", self._name, self.records, seconds, rate, extra=fields)

    def _fields(self) -> dict[str, str | int | None]:
        return {"stream_name": self._name, "records": self.records, "records_expected": self._total}
