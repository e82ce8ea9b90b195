"""`RunCounts`: counts outcomes and notes jobs during a run, for its summary."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from salesforce_bulk_client import JobInfo

from target_salesforce_bulk.batches.batch import Batch
from target_salesforce_bulk.journal import OutcomeClass
from target_salesforce_bulk.mapping.plan import Destination
from target_salesforce_bulk.outcomes import OutcomeKind
from target_salesforce_bulk.results.causes import Cause, Causes

NOT_COUNTED = frozenset({OutcomeClass.TO_RETRY, OutcomeClass.INCOMPLETE, OutcomeClass.UNLINKED})
"""What is known of a record when it comes again, and says nothing of its outcome, or counts as another class."""


class Skipped(NamedTuple):
    """Records that came again and were not sent, because their outcome was known."""

    run_id: str
    """The run whose files have that outcome."""
    outcome: OutcomeClass
    number: int


class RunCounts:
    """Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._streams: defaultdict[str, Counter[OutcomeKind]] = defaultdict(Counter)
        self._causes: defaultdict[tuple[str, OutcomeKind], Causes] = defaultdict(Causes)
        self._errors: Counter[str] = Counter()
        self._jobs: dict[str, dict[str, Any]] = {}
        """By id, in the order in which they were created or found."""
        self._settled: list[dict[str, Any]] = []
        """When how many outcomes were on disk."""
        self._known: Counter[tuple[str, OutcomeClass]] = Counter()
        """By the run whose files have the outcome."""
        self._number_resumed = 0

    def add(
        self,
        destination: Destination,
        *,
        counts: Mapping[tuple[OutcomeKind, Cause | None], int],
        job: JobInfo | None,
    ) -> None:
        """Count outcomes that are on disk, by kind and cause; ``job`` has brought them, if one has."""
        loaded = sum(number for (kind, _), number in counts.items() if kind.is_loaded)
        with self._lock:
            for (kind, cause), number in counts.items():
                self._streams[destination.stream][kind] += number
                if cause:
                    self._errors[cause.code] += number
                    self._causes[destination.stream, kind].add(cause, number)
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
                "left_by": batch.run_id if is_found else None,
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

    def note_resumed(self) -> None:
        """Note that all outcomes so far are of records that an earlier run has sent: they may come again."""
        with self._lock:
            self._number_resumed = sum(map(Counter.total, self._streams.values()))

    @property
    def number_resumed(self) -> int:
        """Outcomes of records that an earlier run has sent, recorded by this one before it read anything."""
        return self._number_resumed

    def add_known(self, outcome: OutcomeClass, *, run_id: str) -> None:
        """Count a record that comes again, and whose outcome is in the files of a run; that may be the present one."""
        with self._lock:
            self._known[run_id, outcome] += 1

    def skipped(self) -> list[Skipped]:
        """Return the records that came again, by run and outcome."""
        with self._lock:
            known = sorted(self._known.items(), key=lambda item: (item[0][0], item[0][1].value))
        return [Skipped(run_id, outcome, number) for (run_id, outcome), number in known]

    def count(self, kind: OutcomeKind) -> int:
        """Return how many records have ended so."""
        with self._lock:
            return sum(counts[kind] for counts in self._streams.values())

    @property
    def number_of_records(self) -> int:
        """Records of the input whose outcome is known, be it by this run or an earlier one."""
        with self._lock:
            return sum(map(Counter.total, self._streams.values())) - self._number_resumed + self._known.total()

    @property
    def loaded(self) -> int:
        """Records that the org has now."""
        return sum(self.count(kind) for kind in OutcomeKind if kind.is_loaded)

    @property
    def not_loaded(self) -> int:
        """Records that are not loaded, or not known to be."""
        return sum(self.count(kind) for kind in OutcomeKind if not kind.is_loaded)

    def runs_that_left_jobs(self) -> list[str]:
        """Return the earlier runs whose jobs this one has found."""
        with self._lock:
            return sorted({job["left_by"] for job in self._jobs.values() if job["left_by"]})

    def lines(self) -> list[tuple[str, str]]:
        """Return the lines of each stream for the log, with its name: its counts, and why records were not loaded."""
        told = []
        with self._lock:
            for stream, counts in self._streams.items():
                parts = [f"{counts[kind]} {kind.value}" for kind in OutcomeKind if counts[kind]]
                told.append((stream, f"{stream}: {', '.join(parts)}"))
                causes = [(kind, self._causes[stream, kind]) for kind in OutcomeKind if (stream, kind) in self._causes]
                told.extend((stream, f"{stream}: {kind.value}: {its_causes}") for kind, its_causes in causes)
        return told

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
                "known_from_earlier_run": _by_outcome(self._known),
                "skipped": [
                    {"run_id": run_id, **_by_outcome({key: n for key, n in self._known.items() if key[0] == run_id})}
                    for run_id in sorted({run_id for run_id, _ in self._known})
                ],
                "resumed": self._number_resumed,
                "jobs": [dict(job) for job in self._jobs.values()],
                "settled": list(self._settled),
            }


def _by_outcome(known: Mapping[tuple[str, OutcomeClass], int]) -> dict[str, int]:
    return {
        outcome.value: sum(number for (_, its), number in known.items() if its is outcome)
        for outcome in OutcomeClass
        if outcome not in NOT_COUNTED
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _our_form(created_date: str) -> str | None:
    """Return a ``createdDate`` of Salesforce's in our form.

    >>> _our_form("2024-01-15T10:30:00.000+0000")
    '2024-01-15T10:30:00.000+00:00'
    """
    return datetime.fromisoformat(created_date).isoformat(timespec="milliseconds") if created_date else None
