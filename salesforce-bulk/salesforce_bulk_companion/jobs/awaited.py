"""Jobs that a run of the target or the tap will go on with: they are in its journal, or in its state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from salesforce_bulk_client import ConfigError
from tap_salesforce_bulk.query.stream_state import load_checkpoint
from target_salesforce_bulk.errors import JournalUnusable
from target_salesforce_bulk.journal import JOURNAL_FILE, Journal
from target_salesforce_bulk.settings import CONFIG_JSONSCHEMA

from salesforce_bulk_companion.settings import read_json_object, unwrapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

DEFAULT_RESULTS_DIR: str = CONFIG_JSONSCHEMA["properties"]["results_dir"]["default"]

_ID_LENGTH = 15
"""Without the checksum, with which a user may or may not give an id."""


class AwaitedJobs:
    """Who waits for which job, as far as the files tell that were named."""

    def __init__(self, *, results_dir: Path, states: Sequence[Path]) -> None:
        """Raises: ConfigError for a file that cannot be read."""
        self._by: dict[str, str] = {}
        journal = results_dir / JOURNAL_FILE
        if journal.exists():
            for job_id in _jobs_in_journal(journal):
                self._by[job_id[:_ID_LENGTH]] = f"the target's journal in {results_dir}"
        for path in states:
            for job_id in _jobs_in_state(unwrapped(read_json_object(path, what="state")) or {}):
                self._by[job_id[:_ID_LENGTH]] = f"the tap's state {path}"

    def __bool__(self) -> bool:
        return bool(self._by)

    def by(self, job_id: str) -> str | None:
        """Return what waits for a job, in words; None when nothing does."""
        return self._by.get(job_id[:_ID_LENGTH])


def _jobs_in_journal(path: Path) -> list[str]:
    """Return the jobs of the batches in a journal, of whatever org: a job's id is that of one org only."""
    try:
        journal = Journal(path, org="")
        try:
            return [note.job_id for note in journal.batches() if note.job_id]
        finally:
            journal.close()
    except JournalUnusable as error:
        raise ConfigError(str(error)) from None


def _jobs_in_state(state: Mapping[str, Any]) -> Iterator[str]:
    bookmarks = state.get("bookmarks") or {}
    for entry in bookmarks.values():
        if checkpoint := load_checkpoint(entry):
            yield checkpoint.job_id
            yield from (job_id for _, job_id in checkpoint.next if job_id)
