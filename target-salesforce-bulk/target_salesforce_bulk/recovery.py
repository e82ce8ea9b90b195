"""What a run finds of earlier ones that did not end well, and does about it before it reads anything."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from salesforce_bulk_client import IngestJob, JobGone, SalesforceClient

from target_salesforce_bulk.journal import Journal, Stage
from target_salesforce_bulk.outcome_log import cut_to_committed
from target_salesforce_bulk.spool import Spool, files_of
from target_salesforce_bulk.unit import Unit

logger = logging.getLogger(__name__)


def cut_outcome_files(journal: Journal, *, results_dir: Path) -> None:
    """Remove what crashed runs have written of outcomes without having committed it."""
    for run_id, committed in journal.unfinished_runs().items():
        cut_to_committed(results_dir, run_id=run_id, committed=committed)


def units_to_resume(
    journal: Journal, *, client: SalesforceClient, pending_dir: Path
) -> Iterator[tuple[Unit, str | None]]:
    """Yield the units that Salesforce may have begun to load, each with its job's id, or None if it went without.

    Those that it cannot have begun are dropped, and their Open jobs aborted: their records come again.
    """
    for note in journal.unsettled_units():
        if note.org != client.instance_url:
            logger.warning("a job of stream %s in another org (%s) is left as it is", note.stream, note.org)
        elif note.stage is Stage.CLOSING and note.job_id:
            logger.info("finishing job %s of stream %s, which an earlier run has left", note.job_id, note.stream)
            yield Unit(note.unit_id, spool=Spool.find(pending_dir / note.spool)), note.job_id
        elif note.stage is Stage.SENDING:
            logger.info("sending rows of stream %s again, which an earlier run may have sent", note.stream)
            unit = Unit(note.unit_id, spool=Spool.find(pending_dir / note.spool))
            unit.is_small = True
            yield unit, None
        else:
            if note.job_id:
                _abort(client, note.job_id)
            journal.drop_unit(note.unit_id)


def remove_orphans(journal: Journal, *, pending_dir: Path) -> None:
    """Remove the files of units that the journal does not know (any more)."""
    spools = [pending_dir / note.spool for note in journal.unsettled_units()]
    wanted = {file.name for path in spools for file in files_of(path)}
    for path in pending_dir.iterdir():
        if path.name not in wanted:
            path.unlink()


def _abort(client: SalesforceClient, job_id: str) -> None:
    logger.info("aborting job %s, which an earlier run has left open", job_id)
    try:
        IngestJob.find(client, job_id).abort()
    except JobGone:
        logger.info("job %s is gone already", job_id)
