"""Removes what old runs have left in ``results_dir``, and never what something still needs."""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from target_salesforce_bulk import outstanding
from target_salesforce_bulk.journal import Journal

logger = logging.getLogger(__name__)

MANY_FILES = 1000

_RUN_ID = r"\d{8}T\d{6}Z-[0-9a-f]{6}"
_RUN_FILE = re.compile(rf"(outcomes|failed|summary)-(?P<run>{_RUN_ID})\.(jsonl|singer\.jsonl|json)")
_RESULT_FILE = re.compile(
    rf"\w+_((?P<run>{_RUN_ID})-\d+(\.(doubtful-)?\d+)?|(?P<job>\w{{15}}|\w{{18}}))_(successful|failed|unprocessed)\.csv"
)


def prune(results_dir: Path, *, keep_days: float, journal: Journal) -> None:
    """Remove the files of runs that are older than ``keep_days``; those of other names are somebody else's."""
    before = datetime.now(UTC) - timedelta(days=keep_days)
    batches = journal.batches()
    runs = {*journal.unfinished_runs(), *("-".join(note.batch_id.split("-")[:2]) for note in batches)}
    jobs = {note.job_id for note in batches}
    with journal.outstanding_records() as db:
        keeps_failed = outstanding.left_in(db).not_kept > 0  # those files alone have the records
    number = 0
    for path in results_dir.iterdir():
        match = _RUN_FILE.fullmatch(path.name) or _RESULT_FILE.fullmatch(path.name)
        if match is None or path.is_symlink() or not path.is_file():
            continue
        facts = match.groupdict()
        is_needed = facts["run"] in runs or facts.get("job") in jobs - {None}
        if is_needed or (keeps_failed and path.name.startswith("failed-")):
            continue
        if _began_before(before, path, run_id=facts["run"]):
            path.unlink(missing_ok=True)
            number += 1
    if number:
        logger.info("%d files of runs that are older than %g days were removed", number, keep_days)


def suggest_pruning(results_dir: Path) -> None:
    """Say that there are many files, if there are."""
    number = sum(1 for _ in results_dir.iterdir())
    if number > MANY_FILES:
        logger.warning("%s has %d files: results_keep_days removes those of old runs", results_dir, number)


def _began_before(moment: datetime, path: Path, *, run_id: str | None) -> bool:
    """Whether the run that has left a file began before that: by its id, or as what it wrote is older still."""
    if datetime.fromtimestamp(path.stat().st_mtime, UTC) < moment:
        return True
    return run_id is not None and datetime.strptime(run_id[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) < moment
