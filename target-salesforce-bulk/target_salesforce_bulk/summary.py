"""`Tally`: counts outcomes while a run goes on, for its summary."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from salesforce_bulk_client import JobInfo

from target_salesforce_bulk.outcomes import OutcomeKind
from target_salesforce_bulk.plan import Destination


class Tally:
    """Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._streams: defaultdict[str, Counter[OutcomeKind]] = defaultdict(Counter)
        self._errors: Counter[str] = Counter()
        self._jobs: list[dict[str, Any]] = []
        self._known: Counter[str] = Counter()

    def add(
        self,
        destination: Destination,
        *,
        counts: Mapping[tuple[OutcomeKind, str | None], int],
        job: JobInfo | None,
    ) -> None:
        """Count outcomes, by kind and error code, and the job that has brought them."""
        with self._lock:
            for (kind, code), number in counts.items():
                self._streams[destination.stream][kind] += number
                if code:
                    self._errors[code] += number
            if job:
                self._jobs.append(
                    {
                        "id": job.id,
                        "stream": destination.stream,
                        "object": destination.object,
                        "operation": destination.operation.value,
                        "state": job.state.value,
                        "records_processed": job.number_records_processed,
                        "records_failed": job.number_records_failed,
                    }
                )

    def add_known(self, *, is_loaded: bool) -> None:
        """Count a record that an earlier, unfinished run has dealt with."""
        with self._lock:
            self._known["loaded" if is_loaded else "failed"] += 1

    @property
    def known_loaded(self) -> int:
        """Records that were skipped, because equal ones are known to be loaded."""
        with self._lock:
            return self._known["loaded"]

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

    @property
    def known_failed(self) -> int:
        """Records that an earlier, unfinished run has found refused."""
        return self._known["failed"]

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
                "known_from_earlier_run": {"loaded": self._known["loaded"], "failed": self._known["failed"]},
                "jobs": list(self._jobs),
            }
