"""What a run finds of earlier ones that did not end in order, and does about it before it reads anything."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path

from salesforce_bulk_client import IngestJob, JobError, NotFound, RequestRefused, SalesforceClient

from target_salesforce_bulk.batches.batch import Batch
from target_salesforce_bulk.batches.job_data_files import files_of
from target_salesforce_bulk.errors import JobDataDamaged
from target_salesforce_bulk.journal import BatchNote, BatchState, Journal
from target_salesforce_bulk.results.outcome_log import cut_to_committed

logger = logging.getLogger(__name__)

BATCH_FILE = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}-\d{6,}(\.lookups-\d+)?(\.(doubtful-)?\d+)?\.(jsonl|csv|CRLF\.csv)")
"""Names of the files that runs leave in the folder of pending batches; all others are somebody else's."""


def cut_outcome_files(journal: Journal, *, results_dir: Path) -> None:
    """Remove what crashed runs have written of outcomes without having committed it."""
    for run_id, committed in journal.unfinished_runs().items():
        cut_to_committed(results_dir, run_id=run_id, committed=committed)


def batches_to_resume(journal: Journal, *, client: SalesforceClient, pending_dir: Path) -> Iterator[Batch]:
    """Yield the batches of this org that need no person's decision."""
    for note in journal.batches():
        if note.org != journal.org:
            logger.warning(
                "a batch of stream %r in another org (%s) is left to the next run that logs in there",
                note.stream,
                note.org,
            )
        elif not note.state.awaits_decision:
            batch = batch_to_resume(note, journal=journal, client=client, pending_dir=pending_dir)
            if batch:
                yield batch


def batch_to_resume(note: BatchNote, *, journal: Journal, client: SalesforceClient, pending_dir: Path) -> Batch | None:
    """Return a batch of this org; None if its files are damaged.

    Then it is dropped if it was never closed, since its records come again; else it is set aside.
    """
    try:
        batch = Batch.found(note, directory=pending_dir, journal=journal)
    except JobDataDamaged as damaged:
        if note.state is not BatchState.CLOSING and note.job_id:
            abort(client, note)
        if note.state is not BatchState.CLOSING and not note.is_second_pass:
            journal.drop_batch(note.batch_id)
            return None
        reason = f"{damaged}; job {note.job_id} may have loaded its rows"
        if note.is_second_pass:
            reason = f"{damaged}; its records are loaded, but not all of their lookups"
        logger.warning("the batch %s of stream %r is set aside: %s", note.batch_id, note.stream, reason)
        journal.set_aside(note.batch_id, reason=reason)
        return None
    if note.job_id:
        logger.info("finishing job %s of stream %r, which an earlier run has left", note.job_id, note.stream)
    return batch


def delete_orphans(journal: Journal, *, pending_dir: Path) -> None:
    """Delete the files of batches that the journal does not know (any more); never through a link."""
    wanted = {file.name for note in journal.batches() for file in files_of(pending_dir / note.files)}
    if pending_dir.is_symlink():
        return
    for path in pending_dir.iterdir():
        if BATCH_FILE.fullmatch(path.name) and path.name not in wanted and path.is_file() and not path.is_symlink():
            path.unlink()


def abort(client: SalesforceClient, note: BatchNote) -> None:
    """Abort a job that was never closed; that it stays Open does no harm."""
    logger.info("aborting job %s, which an earlier run has left open", note.job_id)
    try:
        IngestJob.find(client, note.job_id or "").abort()
    except (JobError, NotFound, RequestRefused) as error:
        logger.info("job %s could not be aborted, which does no harm: %s", note.job_id, error)
