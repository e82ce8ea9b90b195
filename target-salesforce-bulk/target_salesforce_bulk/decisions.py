"""`Decisions`: what a person decides on the batches that earlier runs have left (docs/decisions/0006).

It works in the folder as a run does: with its lock, and outcome files and a summary of its own. The unfinished run
stays unfinished: what the journal knows of its records is kept for the next run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Self

from salesforce_bulk_client import (
    JobError,
    LoginError,
    NotFound,
    QuotaError,
    RequestRefused,
    SalesforceClient,
)
from salesforce_bulk_plugin import run_telemetry

from target_salesforce_bulk.batches.batch import Batch
from target_salesforce_bulk.batches.job_data_files import files_of
from target_salesforce_bulk.errors import JobDataDamaged
from target_salesforce_bulk.jobs.batch_loader import BatchLoader, LeftToNextRun, LoadPolicy
from target_salesforce_bulk.jobs.resume import abort, batch_to_resume, cut_outcome_files, delete_orphans
from target_salesforce_bulk.journal import JOURNAL_FILE, BatchNote, BatchState, Journal, Memory
from target_salesforce_bulk.outcomes import OutcomeKind
from target_salesforce_bulk.results.outcome_log import OutcomeLog
from target_salesforce_bulk.results.outcome_recorder import OutcomeRecorder
from target_salesforce_bulk.results.run_counts import RunCounts
from target_salesforce_bulk.results.run_summary import RunSummary
from target_salesforce_bulk.run import lock
from target_salesforce_bulk.settings import LoadSettings
from target_salesforce_bulk.stopping import Stopping


class Action(Enum):
    """What a person decides on a batch."""

    RESUME = "resume"
    """Ask Salesforce again and record the outcomes; what an earlier run has not sent is dropped, and comes again."""
    RESEND = "resend"
    """Load its rows again, except those that its job has loaded."""
    FORGET = "forget"
    """Load none of its rows: they are `failed`, and in the failed file."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """How an action on one batch went."""

    batch_id: str
    message: str
    is_left: bool
    """Whether something of the batch is still in the journal."""


class NotPossible(Exception):
    """The action cannot be carried out, and the batch is as it was."""


class Decisions:
    """For one thread; a context manager that holds the folder's lock."""

    def __init__(self, client: SalesforceClient, *, settings: LoadSettings, stopping: Stopping) -> None:
        """Log in, and take hold of the folder of results, which has a journal.

        Raises: ResultsDirInUse; JournalUnusable; SalesforceError.
        """
        self._client = client
        self._settings = settings
        self._stopping = stopping
        self._run_id = run_telemetry.run_id()
        self._results_dir = settings.results_dir
        self._pending_dir = self._results_dir / "pending"
        org = client.org_id
        self._lock = lock(self._results_dir)
        try:
            self._journal = Journal(self._results_dir / JOURNAL_FILE, org=org)
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._journal.close()
        self._lock.release()

    @property
    def org(self) -> str:
        """The id of the org that is logged in to."""
        return self._journal.org

    def batches(self) -> list[BatchNote]:
        """Return all batches in the journal, of other orgs too, in the order in which they came."""
        return self._journal.batches()

    def carry_out(self, action: Action, notes: Sequence[BatchNote], *, done: Callable[[Decision], object]) -> None:
        """Do something to batches of this org, one by one, until a signal comes; ``done`` gets each result.

        Raises: SalesforceError that the other batches would meet as well.
        """
        self._pending_dir.mkdir(mode=0o700, exist_ok=True)
        cut_outcome_files(self._journal, results_dir=self._results_dir)
        self._journal.begin_run(self._run_id)
        counts = RunCounts()
        log = OutcomeLog(self._results_dir, run_id=self._run_id)
        report = RunSummary(
            run_id=self._run_id, org=self._client.instance_url, directory=self._results_dir, counts=counts, log=log
        )
        recorder = OutcomeRecorder(log=log, counts=counts)
        poll, retries = self._settings.poll, self._settings.record_retries
        loader = BatchLoader(
            self._client,
            recorder=recorder,
            counts=counts,
            policy=LoadPolicy(poll=poll, record_retries=retries, results_dir=self._results_dir),
            stopping=self._stopping,
        )
        message = None
        try:
            for note in notes:
                if self._stopping.is_asked.is_set():
                    break
                done(self._carry_out(action, note, loader=loader, recorder=recorder))
        except Exception as error:
            message = str(error)
            raise
        finally:
            log.close()
            delete_orphans(self._journal, pending_dir=self._pending_dir)
            report.write(is_finished=message is None and not self._stopping.is_asked.is_set(), message=message)
            self._journal.end_run(destinations=(), memory=Memory.ALL)

    def _carry_out(
        self, action: Action, note: BatchNote, *, loader: BatchLoader, recorder: OutcomeRecorder
    ) -> Decision:
        others = {other.batch_id for other in self._journal.batches()} - {note.batch_id}
        acts = {
            Action.RESUME: lambda: self._resume(note, loader),
            Action.RESEND: lambda: self._resend(note, loader),
            Action.FORGET: lambda: self._forget(note, recorder),
        }
        try:
            message = acts[action]()
        except (LoginError, QuotaError):
            raise
        except (NotPossible, JobDataDamaged, LeftToNextRun, JobError, NotFound, RequestRefused) as error:
            message = f"left as it is: {error}"
        left = [other for other in self._journal.batches() if other.batch_id not in others]
        for other in left:
            if other.state.awaits_decision and other.batch_id != note.batch_id:
                message += f"; {other.number_of_rows} rows wait as {other.batch_id}: {other.reason}"
            elif other.is_second_pass and other.batch_id != note.batch_id:
                message += f"; lookups of {other.number_of_rows} rows wait as {other.batch_id} for the next run"
        return Decision(batch_id=note.batch_id, message=message, is_left=bool(left))

    def _resume(self, note: BatchNote, loader: BatchLoader) -> str:
        if note.state.awaits_decision:
            batch = self._found(note)
            if batch.job_id is None:
                raise NotPossible("it has no job that could be asked again")
            loader.ask_again(batch)
            return _counts(batch)
        found = batch_to_resume(note, journal=self._journal, client=self._client, pending_dir=self._pending_dir)
        if found is None:
            return "its records come again with the next run"
        loader.resume(found)
        return _counts(found) if found.outcomes else "its records come again with the next run"

    def _resend(self, note: BatchNote, loader: BatchLoader) -> str:
        batch = self._found(note)
        loader.resend(batch)
        return _counts(batch)

    def _forget(self, note: BatchNote, recorder: OutcomeRecorder) -> str:
        if note.state is BatchState.OPEN:
            abort(self._client, note)
        try:
            batch = self._found(note)
        except JobDataDamaged as damaged:
            return self._forget_unread(note, damaged)
        recorder.forget(batch)
        return _counts(batch)

    def _forget_unread(self, note: BatchNote, damaged: JobDataDamaged) -> str:
        """Forget a batch whose rows cannot be listed; its files stay, under names that no run cleans up."""
        for path in files_of(self._pending_dir / note.files):
            if path.exists():
                path.rename(path.with_name(f"{path.name}.damaged"))
        self._journal.forget_batch(note.batch_id)
        return f"{note.number_of_rows} rows are in no file of outcomes: {damaged}"

    def _found(self, note: BatchNote) -> Batch:
        return Batch.found(note, directory=self._pending_dir, journal=self._journal)


def _counts(batch: Batch) -> str:
    """Return the outcome of a batch's rows, in words."""
    parts = [f"{batch.outcomes[kind]} {kind.value}" for kind in OutcomeKind if batch.outcomes[kind]]
    return ", ".join(parts) or "no row has a new outcome"
