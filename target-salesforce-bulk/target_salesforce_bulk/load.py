"""`Load`: one run, from the first record to the summary; what the sinks and the target talk to."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import msgspec
from filelock import FileLock, Timeout
from salesforce_bulk_client import SalesforceClient, telemetry
from salesforce_bulk_client.instruments import RECORDS_FAILED, RECORDS_PROCESSED

from target_salesforce_bulk.errors import (
    Interrupted,
    RecordsFailed,
    RecordsUnprocessed,
    ResultsDirInUse,
    StoppedAtFailure,
    TargetError,
)
from target_salesforce_bulk.filling import Filler
from target_salesforce_bulk.journal import JOURNAL_FILE, Journal, KnownKind
from target_salesforce_bulk.known_records import KnownRecords
from target_salesforce_bulk.outcome_log import OutcomeLog
from target_salesforce_bulk.outcomes import OutcomeKind
from target_salesforce_bulk.plan import Destination, Plan, Refusal
from target_salesforce_bulk.progress import Progress
from target_salesforce_bulk.recovery import cut_outcome_files, remove_orphans, units_to_resume
from target_salesforce_bulk.report import RunReport
from target_salesforce_bulk.runner import UnitRunner
from target_salesforce_bulk.settings import LoadSettings, OnRecordFailure
from target_salesforce_bulk.settling import Settler
from target_salesforce_bulk.spool import Entry
from target_salesforce_bulk.state_gate import StateGate
from target_salesforce_bulk.status_tracking import RunStatus, StatusTracker
from target_salesforce_bulk.stopping import GRACE_S, Stopping
from target_salesforce_bulk.summary import Tally
from target_salesforce_bulk.unit import Unit
from target_salesforce_bulk.unit_loading import LoadPolicy, UnitLoader

logger = logging.getLogger(__name__)

_encode_record = msgspec.json.Encoder(decimal_format="number", enc_hook=str).encode


class Load:
    """Its methods are for the main thread."""

    def __init__(
        self, client: SalesforceClient, *, settings: LoadSettings, gate: StateGate, stopping: Stopping
    ) -> None:
        """Take hold of ``results_dir`` and log in.

        Raises: ResultsDirInUse; SalesforceError.
        """
        self.run_id = telemetry.run_id()
        self._settings = settings
        self.client = client
        self._gate = gate
        self._stopping = stopping
        self._results_dir = settings.results_dir
        self._pending_dir = self._results_dir / "pending"
        self._pending_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = _locked(self._results_dir)
        self._journal = Journal(
            self._results_dir / JOURNAL_FILE if settings.has_journal else None, org=client.instance_url
        )
        self._log = OutcomeLog(self._results_dir, run_id=self.run_id)
        self._tally = Tally()
        self._report = RunReport(
            run_id=self.run_id,
            org=client.instance_url,
            directory=self._results_dir,
            tally=self._tally,
            log=self._log,
        )
        self._loader = UnitLoader(
            client,
            journal=self._journal,
            settler=Settler(log=self._log, journal=self._journal, tally=self._tally),
            tally=self._tally,
            policy=LoadPolicy(
                poll=settings.poll, record_retries=settings.record_retries, results_dir=self._results_dir
            ),
            stopping=stopping,
        )
        self._runner = UnitRunner(self._see_through, max_concurrent=settings.max_concurrent_jobs, check=self._look)
        self._progress = Progress(self._tally, in_flight=lambda: self._runner.number_running)
        self._filler = Filler(
            begin=self._begin_unit,
            under_way=self._runner.under_way,
            submit=self._runner.submit,
            small_rows=settings.small_batch_rows,
        )
        self._found: dict[Unit, str | None] = {}
        """Units that an earlier run has left, and their jobs if they have any."""
        self._tracker: StatusTracker | None = None
        self._number_of_units = 0
        self._streams: set[str] = set()
        self._known = KnownRecords()

    def start(self) -> None:
        """Bring to an end what earlier runs have left, so that it is known which records are loaded.

        Raises: OutcomeUnknowable; SalesforceError.
        """
        if self._settings.status_tracking:
            tracker = StatusTracker(self.client, settings=self._settings.status_tracking, run_id=self.run_id)
            tracker.begin()
            self._tracker = tracker
        cut_outcome_files(self._journal, results_dir=self._results_dir)
        self._journal.begin_run(self.run_id)
        with self._stopping.interruptible():
            self._found = dict(units_to_resume(self._journal, client=self.client, pending_dir=self._pending_dir))
        remove_orphans(self._journal, pending_dir=self._pending_dir)
        for unit in self._found:
            self._runner.submit(unit)
        self._runner.wait_for_all()
        self._report.note_resumed()
        self._known.read(self._journal)

    def begin_stream(self, stream: str) -> None:
        """Note a stream, or a new schema of one: rows of the old one go first."""
        self._streams.add(stream)
        self._filler.close_stream(stream)

    def close_stream(self, stream: str) -> None:
        """Hand what a stream has so far to Salesforce, without waiting for it."""
        self._filler.close_stream(stream)

    def add(self, plan: Plan, record: dict[str, Any], *, refusal: Refusal | None) -> None:
        """Take one record; ``refusal`` says why it cannot be loaded at all."""
        result = refusal or plan.row(record)
        cells, refused = (None, result) if isinstance(result, Refusal) else (result, None)
        self.add_entry(Entry(cells, refused, _encode_record(record)), destination=plan.destination)

    def add_entry(self, entry: Entry, *, destination: Destination) -> None:
        """Take one record whose row, or the reason why it has none, is known."""
        self._progress.add()
        key_text = None if entry.cells is None else destination.key_text(entry.cells)
        known = self._known.recall(destination, record=entry.record, cells=entry.cells, key_text=key_text)
        if known:
            self._tally.add_known(is_loaded=known is not KnownKind.FAILED)
        else:
            self._filler.add(entry, destination=destination, key_text=key_text)

    def _look(self) -> None:
        self._stopping.check()
        self._progress.look()

    def _begin_unit(self, destination: Destination) -> Unit:
        self._runner.wait_for_room()
        self._number_of_units += 1
        unit = Unit.begin(
            f"{self.run_id}-{self._number_of_units:06d}",
            destination=destination,
            directory=self._pending_dir,
            limits=self._settings.limits,
        )
        self._gate.begin(unit)
        return unit

    def _see_through(self, unit: Unit) -> None:
        """Load one unit; runs in a thread of its own."""
        labels = {"sobject": unit.destination.object, "operation": unit.destination.operation.value}
        try:
            with telemetry.span("salesforce.bulk.load", records=unit.number_of_rows, **labels):
                if unit in self._found:
                    self._loader.resume(unit, job_id=self._found[unit])
                else:
                    self._loader.load(unit)
        finally:
            for kind, number in unit.outcomes.items():
                telemetry.note(RECORDS_PROCESSED, number, **labels, status=kind.value)
                if not kind.is_loaded:
                    telemetry.note(RECORDS_FAILED, number, **labels, status=kind.value)
        if self._tracker:
            self._tracker.tell(RunStatus.RUNNING, loaded=self._tally.loaded, failed=self._tally.not_loaded)
        failures = unit.outcomes[OutcomeKind.FAILED] + unit.outcomes[OutcomeKind.UNPROCESSED]
        if failures and self._settings.on_record_failure is OnRecordFailure.FAIL_FAST:
            raise StoppedAtFailure(f"stopped after the first job with failures (fail_fast): {self._report.failures()}")
        if not unit.outcomes[OutcomeKind.UNPROCESSED]:
            self._gate.release(unit)

    def finish(self) -> TargetError | None:
        """Load what is left, wait for everything, end the run, and return what is to be said of its records.

        Raises: what ended a unit; then the run is still to be ended, by `abandon`.
        """
        self._filler.close_all()
        self._runner.wait_for_all()
        failed = self._tally.count(OutcomeKind.FAILED) + self._report.had_failed
        unprocessed = self._tally.count(OutcomeKind.UNPROCESSED)
        error: TargetError | None = None
        if unprocessed:
            error = RecordsUnprocessed(f"{self._report.failures()}; the same input again loads those that are missing")
        elif failed and self._settings.on_record_failure is not OnRecordFailure.IGNORE:
            error = RecordsFailed(f"{self._report.failures()}; everything else is loaded")
        # After a run that ended well equal records are new; what was refused is tried again by the next.
        forgetting = [KnownKind.FAILED] if unprocessed else list(KnownKind)
        self._end(is_finished=not unprocessed, error=error, forgetting=forgetting)
        return error

    def abandon(self, error: BaseException) -> None:
        """End in order without loading what has not been sent; closed jobs are waited for, after a signal briefly."""
        self._runner.stop_starting()
        if isinstance(error, Interrupted):
            logger.warning("%s: giving up open jobs, waiting up to %g s for closed ones", error, GRACE_S)
            self._stopping.is_asked.set()
            self._runner.wait_for_running(timeout_s=GRACE_S)
            self._stopping.is_over.set()
            self._runner.wait_for_running(timeout_s=2)
        else:
            self._runner.wait_for_running()
        self._filler.let_go()
        for unit in self._runner.under_way():
            unit.let_go()
        # A run that was cut short is gone on with: no record gets a second outcome, be it loaded or refused.
        forgetting = [KnownKind.FAILED] if isinstance(error, StoppedAtFailure) else []
        self._end(is_finished=False, error=error, forgetting=forgetting)

    def _end(self, *, is_finished: bool, error: BaseException | None, forgetting: list[KnownKind]) -> None:
        message = (str(error) or type(error).__name__) if error else None
        self._log.close()
        remove_orphans(self._journal, pending_dir=self._pending_dir)
        if self._tally.known_loaded:
            logger.warning(
                "%d records were skipped: the earlier, unfinished run that this one goes on with had loaded equal ones",
                self._tally.known_loaded,
            )
        self._report.write(is_finished=is_finished, message=message)
        self._progress.finish()
        if self._tracker:
            counts = {"loaded": self._tally.loaded, "failed": self._tally.not_loaded}
            self._tracker.end(is_good=error is None, message=message or "", **counts)
        self._known.close()
        self.client.close()
        self._journal.end_run(streams=self._streams, forgetting=forgetting)  # last: until here a crash is a crash
        self._journal.close()
        self._lock.release()


def _locked(results_dir: Path) -> FileLock:
    lock = FileLock(results_dir / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ResultsDirInUse(
            f"another run is using {results_dir}: wait for it, or give this one a results_dir of its own"
        ) from None
    return lock
