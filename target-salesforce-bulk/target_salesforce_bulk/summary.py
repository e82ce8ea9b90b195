"""`Tally`: counts outcomes and notes jobs while a run goes on, for its summary."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from salesforce_bulk_client import JobInfo

from target_salesforce_bulk.batch import Batch
from target_salesforce_bulk.journal import OutcomeClass
from target_salesforce_bulk.outcomes import OutcomeKind
from target_salesforce_bulk.plan import Destination

NOT_COUNTED = frozenset({OutcomeClass.TO_RETRY, OutcomeClass.INCOMPLETE, OutcomeClass.UNLINKED})
"""What is known of a record when it comes again, and says nothing of its outcome, or counts as another class."""


class Tally:
    """Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._streams: defaultdict[str, Counter[OutcomeKind]] = defaultdict(Counter)
        self._errors: Counter[str] = Counter()
        self._jobs: dict[str, dict[str, Any]] = {}
        """By id, in the order in which they were created or found."""
        self._settled: list[dict[str, Any]] = []
        """When how many outcomes were on disk."""
        self._known: Counter[OutcomeClass] = Counter()

    def add(
        self,
        destination: Destination,
        *,
        counts: Mapping[tuple[OutcomeKind, str | None], int],
        job: JobInfo | None,
    ) -> None:
        """Count outcomes that are on disk, by kind and error code; ``job`` has brought them, if one has."""
        loaded = sum(number for (kind, _), number in counts.items() if kind.is_loaded)
        with self._lock:
            for (kind, code), number in counts.items():
                self._streams[destination.stream][kind] += number
                if code:
                    self._errors[code] += number
            self._settled.append(
                {
                    "at": _now(),
                    "stream": destination.stream,
                    "job_id": job and job.id,
                    "loaded": loaded,
                    "not_loaded": sum(counts.values()) - loaded,
                }
            )

    def add_job(self, info: JobInfo, *, batch: Batch, is_found: bool = False) -> None:
        """Note a job that was created for a batch's rows, or that an earlier run has left (``is_found``).

        Times are those of this machine, but for when a found one was created.
        """
        destination = batch.destination
        with self._lock:
            self._jobs[info.id] = {
                "id": info.id,
                "stream": destination.stream,
                "object": destination.object,
                "operation": destination.operation.value,
                "state": info.state.value,
                "rows": batch.number_of_rows,
                "bytes": batch.size_bytes,
                "records_processed": info.number_records_processed,
                "records_failed": info.number_records_failed,
                "created_at": _our_form(info.created_date) if is_found else _now(),
                "closed_at": None,
                "ended_at": None,
                "processing_ms": 0,
                "error_message": None,
            }

    def note_closed(self, info: JobInfo) -> None:
        """Note that a job of this run has all its data, so that Salesforce may begin."""
        with self._lock:
            self._jobs[info.id] |= {"state": info.state.value, "closed_at": _now()}

    def note_ended(self, info: JobInfo) -> None:
        """Note how a job has ended."""
        with self._lock:
            self._jobs[info.id] |= {
                "state": info.state.value,
                "records_processed": info.number_records_processed,
                "records_failed": info.number_records_failed,
                "ended_at": _now(),
                "processing_ms": info.total_processing_ms,
                "error_message": info.error_message,
            }

    def add_known(self, outcome: OutcomeClass) -> None:
        """Count a record that has its outcome from an earlier, unfinished run."""
        with self._lock:
            self._known[outcome] += 1

    def known(self, outcome: OutcomeClass) -> int:
        """Return how many records had such an outcome from an earlier, unfinished run."""
        with self._lock:
            return self._known[outcome]

    def count(self, kind: OutcomeKind) -> int:
        """Return how many records have ended so."""
        with self._lock:
            return sum(counts[kind] for counts in self._streams.values())

    @property
    def number_of_records(self) -> int:
        """Records whose outcome is known, those that an earlier run has told of included."""
        with self._lock:
            return sum(map(Counter.total, self._streams.values())) + self._known.total()

    @property
    def loaded(self) -> int:
        """Records that the org has now."""
        return sum(self.count(kind) for kind in OutcomeKind if kind.is_loaded)

    @property
    def not_loaded(self) -> int:
        """Records that it has not, or that nothing is known of."""
        return sum(self.count(kind) for kind in OutcomeKind if not kind.is_loaded)

    def lines(self) -> list[str]:
        """Return one line a stream, for the log."""
        with self._lock:
            return [
                f"{stream}: {', '.join(f'{counts[kind]} {kind.value}' for kind in OutcomeKind if counts[kind])}"
                for stream, counts in self._streams.items()
            ]

    def as_json(self) -> dict[str, Any]:
        """Return all counts, for ``summary-{run_id}.json``."""
        with self._lock:
            return {
                "records": {kind.value: sum(c[kind] for c in self._streams.values()) for kind in OutcomeKind},
                "errors": dict(self._errors.most_common()),
                "streams": {
                    stream: {kind.value: counts[kind] for kind in OutcomeKind}
                    for stream, counts in self._streams.items()
                },
                "known_from_earlier_run": {
                    outcome.value: self._known[outcome] for outcome in OutcomeClass if outcome not in NOT_COUNTED
                },
                "jobs": [dict(job) for job in self._jobs.values()],
                "settled": list(self._settled),
            }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _our_form(created_date: str) -> str | None:
    """Return a ``createdDate`` of Salesforce's in our form.

    >>> _our_form("2024-01-15T10:30:00.000+0000")
    '2024-01-15T10:30:00.000+00:00'
    """
    return datetime.fromisoformat(created_date).isoformat(timespec="milliseconds") if created_date else None
