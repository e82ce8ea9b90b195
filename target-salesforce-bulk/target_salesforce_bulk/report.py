"""`RunReport`: what is said of a whole run, in one sentence and in ``summary-{run_id}.json``."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

from target_salesforce_bulk.journal import OutcomeClass
from target_salesforce_bulk.outcome_log import OutcomeLog
from target_salesforce_bulk.outcomes import OutcomeKind
from target_salesforce_bulk.summary import Tally


class RunReport:
    """Reads the counts of a run; for the main thread."""

    def __init__(self, *, run_id: str, org: str, directory: Path, tally: Tally, log: OutcomeLog) -> None:
        self._run_id = run_id
        self._org = org
        self._directory = directory
        self._tally = tally
        self._log = log
        self._began_at = datetime.now(UTC)
        self._resumed_failed = 0

    def note_resumed(self) -> None:
        """Note that what is counted so far was sent by an earlier run: its refused records may come again."""
        self._resumed_failed = self._tally.count(OutcomeKind.FAILED)

    @property
    def had_failed(self) -> int:
        """Records that came again and have their outcome in an earlier run's files, not in this one's."""
        return max(0, self._tally.known(OutcomeClass.FAILED) - self._resumed_failed)

    def failures(self) -> str:
        """Return how many records were not loaded, and where they are."""
        counts = {kind: self._tally.count(kind) for kind in OutcomeKind}
        parts = [
            f"{counts[kind]} of {sum(counts.values())} records {kind.value}"
            for kind in (OutcomeKind.FAILED, OutcomeKind.UNPROCESSED, OutcomeKind.DOUBTFUL)
            if counts[kind]
        ]
        if self.had_failed:
            parts.append(f"{self.had_failed} had failed in the unfinished run that this one resumes")
        if self._log.failed_path.exists():
            parts.append(f"see {self._log.failed_path}")
        return ", ".join(parts)

    def write(self, *, is_finished: bool, message: str | None) -> None:
        """Write the summary file, mode 600."""
        summary = {
            "run_id": self._run_id,
            "org": self._org,
            "started_at": self._began_at.isoformat(timespec="milliseconds"),
            "ended_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "is_finished": is_finished,
            "message": message,
            **self._tally.as_json(),
            "outcomes_file": _name(self._log.outcomes_path),
            "failed_file": _name(self._log.failed_path),
        }
        path = self._directory / f"summary-{self._run_id}.json"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(summary, file, indent=2)


def _name(path: Path) -> str | None:
    return path.name if path.exists() else None
