"""`RunSummary`: a run's result: as one sentence, as the last lines of the log, as its summary file."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from salesforce_bulk_client import for_owner

from target_salesforce_bulk.journal import OutcomeClass
from target_salesforce_bulk.outcomes import OutcomeKind
from target_salesforce_bulk.results.outcome_log import OutcomeLog
from target_salesforce_bulk.results.run_counts import RunCounts, Skipped

Line = tuple[str, Mapping[str, Any]]
"""A line of the log, and its fields."""

_SKIPPED = {
    OutcomeClass.LOADED: "loaded by",
    OutcomeClass.FAILED: "refused in",
    OutcomeClass.DOUBTFUL: "doubtful since",
    OutcomeClass.FORGOTTEN: "forgotten by decision in",
}


class RunSummary:
    """Reads the counts of a run; for the main thread."""

    def __init__(self, *, run_id: str, org: str, directory: Path, counts: RunCounts, log: OutcomeLog) -> None:
        self._run_id = run_id
        self._org = org
        self._directory = directory
        self._counts = counts
        self._log = log
        self._began_at = datetime.now(UTC)

    @property
    def had_failed(self) -> int:
        """Records that came again and have their outcome in an earlier run's files, not in this one's."""
        return sum(
            each.number
            for each in self._counts.skipped()
            if each.outcome is OutcomeClass.FAILED and each.run_id != self._run_id
        )

    @property
    def has_loaded(self) -> bool:
        """Whether any record that was read is loaded, by this run or an earlier one."""
        return bool(self._counts.loaded) or any(each.outcome is OutcomeClass.LOADED for each in self._counts.skipped())

    def failures(self) -> str:
        """Return how many records were not loaded, and where they are."""
        counts = {kind: self._counts.count(kind) for kind in OutcomeKind}
        number = sum(counts.values())
        parts = [
            f"{counts[kind]} of {number} record{'' if number == 1 else 's'} {kind.value}"
            for kind in (OutcomeKind.FAILED, OutcomeKind.UNPROCESSED, OutcomeKind.DOUBTFUL)
            if counts[kind]
        ]
        if self.had_failed:
            parts.append(f"{self.had_failed} had failed in the unfinished run that this one resumes")
        if self._log.failed_path.exists():
            parts.append(f"see {self._log.failed_path}")
        return ", ".join(parts)

    def lines(self, *, read: Line) -> Iterator[Line]:
        """Yield what a person should read last: the result, why records were not loaded, and where to read more.

        ``read`` says how many records were read. No line holds a value of a record.
        """
        yield read
        for text in self._arithmetic(number_read=read[1]["records_read"]):
            yield text, {}
        counts = self._counts.as_json()["streams"]
        for stream, text in self._counts.lines():
            fields = {f"records_{status}": number for status, number in counts[stream].items()}
            yield text, {"stream_name": stream, **fields}
        if self._log.outcomes_path.exists():
            yield f"outcome of each record, with reasons: {self._log.outcomes_path}", {}
        if self._log.failed_path.exists():
            yield f"records that were not loaded, to load again: {self._log.failed_path}", {}
        yield f"to see the report: salesforce-bulk report {shlex.quote(str(self._directory))}", {}

    def _arithmetic(self, *, number_read: int) -> Iterator[str]:
        """Yield how what was read and what was loaded add up, if an earlier run has to do with it."""
        skipped = sorted(self._counts.skipped(), key=lambda each: each.run_id == self._run_id)
        if skipped:
            parts = [f"{each.number} skipped, {self._why_skipped(each)}" for each in skipped]
            new = number_read - sum(each.number for each in skipped)
            yield f"of the {number_read} records read, {'; '.join(parts)}; {new} new"
        if resumed := self._counts.number_resumed:
            outcomes = sum(self._counts.count(kind) for kind in OutcomeKind)
            yield (
                f"{outcomes} outcomes of this run: {resumed} from jobs that {self._earlier_runs()} had left,"
                f" {outcomes - resumed} from new records"
            )

    def _why_skipped(self, skipped: Skipped) -> str:
        if skipped.run_id == self._run_id:
            return f"{_SKIPPED[skipped.outcome]} this run from jobs that {self._earlier_runs()} had left"
        return f"{_SKIPPED[skipped.outcome]} {f'run {skipped.run_id}' if skipped.run_id else 'an earlier run'}"

    def _earlier_runs(self) -> str:
        runs = self._counts.runs_that_left_jobs()
        return f"run{'s' if len(runs) > 1 else ''} {', '.join(runs)}" if runs else "an earlier run"

    def write(self, *, is_finished: bool, message: str | None, number_read: int = 0) -> None:
        """Write the summary file, mode 600."""
        summary = {
            "run_id": self._run_id,
            "org": self._org,
            "started_at": self._began_at.isoformat(timespec="milliseconds"),
            "ended_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "is_finished": is_finished,
            "message": message,
            "records_read": number_read,
            "meltano": _meltano(),
            **self._counts.as_json(),
            "outcomes_file": _name(self._log.outcomes_path),
            "failed_file": _name(self._log.failed_path),
        }
        path = self._directory / f"summary-{self._run_id}.json"
        with open(path, "x", encoding="utf-8", opener=for_owner) as file:
            json.dump(summary, file, indent=2)


def _meltano() -> dict[str, str | None] | None:
    """Return the names by which Meltano runs the target, or None if something else does."""
    loader = os.environ.get("MELTANO_LOADER_NAME")
    return {"loader": loader, "environment": os.environ.get("MELTANO_ENVIRONMENT") or None} if loader else None


def _name(path: Path) -> str | None:
    return path.name if path.exists() else None
