"""`Run`: one run, from the first record to the summary; what the sinks and the target talk to."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from filelock import FileLock, Timeout
from salesforce_bulk_client import Operation, SalesforceClient, telemetry
from salesforce_bulk_plugin import run_telemetry
from salesforce_bulk_plugin.instruments import RECORDS_FAILED, RECORDS_PROCESSED

from target_salesforce_bulk import outstanding
from target_salesforce_bulk.batches.batch import Batch
from target_salesforce_bulk.batches.batcher import Batcher
from target_salesforce_bulk.batches.earlier_outcomes import EarlierOutcomes, LeadingRecords, Recalled
from target_salesforce_bulk.batches.job_data_files import Entry
from target_salesforce_bulk.batches.outstanding_changes import correct_place
from target_salesforce_bulk.errors import (
    DISK_FULL,
    Interrupted,
    JobDataDamaged,
    RecordsDoubtful,
    RecordsFailed,
    RecordsOutstanding,
    RecordsUnprocessed,
    ResultsDirInUse,
    ResultsDirUnusable,
    StoppedAtFailure,
    TargetError,
)
from target_salesforce_bulk.jobs.batch_loader import BatchLoader, LoadPolicy
from target_salesforce_bulk.jobs.batch_scheduler import BatchScheduler
from target_salesforce_bulk.jobs.resume import batches_to_resume, cut_outcome_files, delete_orphans
from target_salesforce_bulk.journal import JOURNAL_FILE, Journal, Memory, OutcomeClass
from target_salesforce_bulk.mapping.plan import Destination, Refusal
from target_salesforce_bulk.messages.state_gate import StateGate
from target_salesforce_bulk.outcomes import OutcomeKind
from target_salesforce_bulk.progress import Progress
from target_salesforce_bulk.results.outcome_log import OutcomeLog
from target_salesforce_bulk.results.outcome_recorder import OutcomeRecorder
from target_salesforce_bulk.results.pruning import prune, suggest_pruning
from target_salesforce_bulk.results.run_counts import RunCounts
from target_salesforce_bulk.results.run_summary import Line, RunSummary
from target_salesforce_bulk.settings import LoadSettings, OnRecordFailure
from target_salesforce_bulk.status_tracking import RunStatus, StatusTracker
from target_salesforce_bulk.stopping import GRACE_S, Stopping

logger = logging.getLogger(__name__)

EQUAL_RECORDS = (
    "an unfinished run has loaded an equal record before its last STATE, and nothing shows whether this is the same one"
)


class Run:
    """Its methods are for the main thread."""

    def __init__(
        self, client: SalesforceClient, *, settings: LoadSettings, gate: StateGate, stopping: Stopping
    ) -> None:
        """Take hold of ``results_dir`` and log in.

        Raises: ResultsDirInUse; JournalUnusable; SalesforceError.
        """
        self.run_id = run_telemetry.run_id()
        self._settings = settings
        self.client = client
        self._gate = gate
        self._stopping = stopping
        self._results_dir = settings.results_dir
        self._pending_dir = self._results_dir / "pending"
        make_folders(self._results_dir, self._pending_dir)
        self._lock = lock(self._results_dir)
        self._journal = Journal(self._results_dir / JOURNAL_FILE if settings.has_journal else None, org=client.org_id)
        self._log = OutcomeLog(self._results_dir, run_id=self.run_id)
        self._counts = RunCounts()
        self._report = RunSummary(
            run_id=self.run_id,
            org=client.instance_url,
            directory=self._results_dir,
            counts=self._counts,
            log=self._log,
        )
        self._recorder = OutcomeRecorder(log=self._log, counts=self._counts)
        self._loader = BatchLoader(
            client,
            recorder=self._recorder,
            counts=self._counts,
            policy=LoadPolicy(
                poll=settings.poll, record_retries=settings.record_retries, results_dir=self._results_dir
            ),
            stopping=stopping,
        )
        self._scheduler = BatchScheduler(
            self._load_batch,
            max_concurrent=settings.max_concurrent_jobs,
            check=self._while_waiting,
            small_rows=settings.small_batch_rows,
        )
        self._progress = Progress(self._counts, in_flight=lambda: self._scheduler.number_running)
        self._batcher = Batcher(
            begin=self._begin_batch,
            under_way=self._scheduler.under_way,
            submit=self._scheduler.submit,
            small_rows=settings.small_batch_rows,
        )
        self._earlier = EarlierOutcomes()
        self._has_places = False
        """Whether outstanding records have a place in the input of an unfinished run."""
        self._leading = LeadingRecords(self._earlier, take=self._take_again, take_state=self._hold_state)
        self._destinations: dict[str, Destination] = {}
        """Those of this run, by id."""
        self._positions: dict[str, int] = {}
        """How many records of each destination came so far, in this run and the one that it resumes."""
        self._doubts: dict[str, Batch] = {}
        """By destination, records that are not sent because it is not known whether they are loaded already."""
        self._tracker: StatusTracker | None = None
        self._number_of_batches = 0
        self._number_left_out = 0
        """Retried records that were not outstanding any more."""
        self._has_ended = False
        self._has_doubtful = False
        self._memory: Memory | None = None
        self._result: list[Line] = []
        """The last lines of the log."""
        self._kept: set[str] = set()
        """Destinations of inserts whose unfinished run stays so: this input was not its own, or ended too early."""

    def start(self) -> None:
        """Finish what earlier runs have left, before anything is read.

        Raises: SalesforceError; TargetError.
        """
        if self._settings.status_tracking:
            tracker = StatusTracker(self.client, settings=self._settings.status_tracking, run_id=self.run_id)
            tracker.begin()
            self._tracker = tracker
        cut_outcome_files(self._journal, results_dir=self._results_dir)
        self._journal.begin_run(self.run_id)
        with self._stopping.interruptible():
            found = list(batches_to_resume(self._journal, client=self.client, pending_dir=self._pending_dir))
        self._delete_orphans()
        for batch in found:
            batch.parents_may_come = batch.destination.first_pass is not None
            self._scheduler.submit(batch)
        for batch in self._scheduler.wait_until_idle():  # second passes, whose parents may come with this input
            self._gate.begin(batch)
        self._counts.note_resumed()
        self._earlier.read(self._journal)
        with self._journal.outstanding_records() as db:
            self._has_places = outstanding.has_places(db, org=self._journal.org)

    def begin_stream(self, destination: Destination) -> None:
        """Note a stream, or a new schema of one: rows of the old one go first."""
        stream = destination.stream
        others = [] if destination.is_retry else self._journal.other_destinations(stream, destination=destination.id)
        for sobject in others:
            logger.warning(
                "stream %r: an unfinished run has loaded records of it into %s with other settings (object, operation,"
                " fields, null_policy or stream map); they are not recognized, so all its records are loaded",
                stream,
                sobject,
                extra={"stream_name": stream},
            )
        for note in self._journal.unrecognizable(destination.id):
            raise JobDataDamaged(
                f"stream {stream!r}: {note.reason}, and which rows they are cannot be read any more. Look for them in"
                f" {destination.object}; then salesforce-bulk batches {self._results_dir} --forget {note.batch_id}"
            )
        self._destinations[destination.id] = destination
        self._journal.note_reading(destination.id, stream=stream, sobject=destination.object)
        self._batcher.close_stream(stream)

    def close_stream(self, stream: str) -> None:
        """Hand what a stream has so far to Salesforce, without waiting for it."""
        self._batcher.close_stream(stream, is_at_end=self._has_ended)

    def add(
        self,
        destination: Destination,
        *,
        cells: Sequence[str] | None,
        refusal: Refusal | None,
        record: bytes,
        fingerprint: bytes | None = None,
        key_text: str | None = None,
    ) -> None:
        """Take one record: its row or the reason why it has none, and the record as it came in.

        ``key_text`` is of a record that has a key and no row. A retried record that is no longer outstanding is left
        out.
        """
        self._progress.add()
        if destination.is_retry and not self._is_outstanding(fingerprint):
            self._number_left_out += 1
            return
        if not self._earlier.is_empty:
            self._leading.add(Entry(cells, refusal, record, fingerprint, key=key_text), destination)
            return
        position = self._positions.get(destination.id, 0)
        self._positions[destination.id] = position + 1
        entry = Entry(cells, refusal, record, fingerprint, position, key_text)
        self._batcher.add(
            entry, destination=destination, key_text=key_text if cells is None else destination.key_text(cells)
        )

    def _is_outstanding(self, fingerprint: bytes | None) -> bool:
        with self._journal.outstanding_records() as db:
            record_id = int.from_bytes(fingerprint or b"", "big")
            return outstanding.is_outstanding(db, record_id, org=self._journal.org)

    def _take_again(self, entry: Entry, destination: Destination) -> None:
        """Take one record that may have come in an unfinished run."""
        key_text = None if entry.cells is None else destination.key_text(entry.cells)
        recalled = self._earlier.recall(destination, entry, key_text=key_text)
        outcome, entry = recalled.outcome, recalled.entry
        self._positions[destination.id] = entry.position + 1
        if self._has_places and (recalled.is_new or recalled.earlier_position not in {None, entry.position}):
            self._correct_place(recalled, destination, key_text=entry.key or key_text)
        if outcome is OutcomeClass.INCOMPLETE:
            pass  # its second pass is under way, and brings its outcome
        elif outcome:
            counted = OutcomeClass.FAILED if outcome is OutcomeClass.UNLINKED else outcome
            self._counts.add_known(counted, run_id=recalled.run_id)
            if outcome is OutcomeClass.DOUBTFUL and not self._has_doubtful:
                self._has_doubtful = True
                self._gate.begin(OutcomeClass.DOUBTFUL)  # never released: STATE does not pass such a record
        elif recalled.is_doubtful:
            self._doubt(entry, destination)
        else:
            self._batcher.add(entry, destination=destination, key_text=entry.key or key_text)

    def _correct_place(self, recalled: Recalled, destination: Destination, *, key_text: str | None) -> None:
        """Let the list of outstanding records know where a record is in this input."""
        with self._journal.outstanding_records() as db:
            correct_place(
                db,
                org=self._journal.org,
                destination=destination,
                entry=recalled.entry,
                key_text=key_text,
                earlier_position=recalled.earlier_position,
            )

    def add_state(self, value: Any) -> None:
        """Hold STATE until the outcomes of all records before it are on disk."""
        self._leading.add_state(value)

    def _hold_state(self, value: Any) -> None:
        numbers_before = dict(self._positions)
        self._gate.hold(value, before_passing=lambda: self._journal.note_state(numbers_before))

    def _doubt(self, entry: Entry, destination: Destination) -> None:
        batch = self._doubts.get(destination.id)
        if batch is None:
            batch = self._doubts[destination.id] = self._begin_batch(destination)
        if not batch.add(entry, key_hash=None):
            self._end_doubt(self._doubts.pop(destination.id))
            self._doubt(entry, destination)

    def _end_doubt(self, batch: Batch) -> None:
        batch.close()
        batch.enqueue()
        self._recorder.doubt(batch, code="EQUAL_RECORD", reason=EQUAL_RECORDS)

    def _while_waiting(self) -> None:
        self._stopping.check()
        self._progress.update()

    def _begin_batch(self, destination: Destination) -> Batch:
        self._scheduler.wait_for_room()
        self._number_of_batches += 1
        batch = Batch.begin(
            f"{self.run_id}-{self._number_of_batches:06d}",
            destination=destination,
            directory=self._pending_dir,
            limits=self._settings.limits,
            journal=self._journal,
        )
        batch.parents_may_come = bool(destination.parents)
        self._gate.begin(batch)
        return batch

    def _load_batch(self, batch: Batch) -> None:
        """Load one batch, or finish one of an earlier run; runs in a thread of its own."""
        labels = {"sobject": batch.destination.object, "operation": batch.destination.operation.value}
        before = batch.outcomes.copy()
        try:
            with telemetry.span("salesforce.bulk.load", records=batch.number_of_rows, **labels):
                if batch.is_found:
                    batch.is_found = False
                    self._loader.resume(batch)
                else:
                    self._loader.load(batch)
        finally:
            for kind, number in (batch.outcomes - before).items():
                telemetry.note(RECORDS_PROCESSED, number, **labels, status=kind.value)
                if not kind.is_loaded:
                    telemetry.note(RECORDS_FAILED, number, **labels, status=kind.value)
        if self._tracker:
            self._tracker.report(RunStatus.RUNNING, loaded=self._counts.loaded, failed=self._counts.not_loaded)
        has_failures = any(number and not kind.is_loaded for kind, number in batch.outcomes.items())
        if has_failures and self._settings.on_record_failure is OnRecordFailure.FAIL_FAST:
            raise StoppedAtFailure(
                f"stopped after the first job with failures (fail_fast): {self._report.failures()};"
                " run again to load the rest"
            )
        for each in filter(None, (batch, batch.first_pass)):
            if each.is_finished and not any(number and kind.holds_state for kind, number in each.outcomes.items()):
                self._gate.release(each)

    def end_input(self) -> None:
        """Note that no more records will come."""
        self._leading.end()
        for destination, entry in self._earlier.superseded():
            assert entry.cells is not None
            self._batcher.add(entry, destination=destination, key_text=destination.key_text(entry.cells))
        self._has_ended = True

    def finish(self) -> TargetError | None:
        """Load what is left, wait for everything, end the run, and return the error to end with, if any.

        Raises: what ended a batch; then the run is still to be ended, by `abandon`.
        """
        self._batcher.close_all()
        self._scheduler.wait_for_all()
        for batch in self._doubts.values():
            self._end_doubt(batch)
        self._doubts.clear()
        error = self._verdict()
        memory = Memory.NOTHING
        if isinstance(error, RecordsDoubtful):
            memory = Memory.ALL
        elif isinstance(error, RecordsUnprocessed):
            memory = Memory.LOADED
        inserts = {name for name, each in self._destinations.items() if each.operation is Operation.INSERT}
        self._kept = {name for name in inserts if self._earlier.has_left(name)}
        self._end(error=error, memory=memory)
        return error

    def _verdict(self) -> TargetError | None:
        """Return the error that a finished run ends with because of its records, or None."""
        left = self._outstanding()
        and_left = f"; {left}" if left else ""
        number_doubtful = self._number_doubtful()
        if number_doubtful:
            failures = self._report.failures()
            return RecordsDoubtful(
                f"{failures}{'; ' * bool(failures)}{number_doubtful} records may or may not be in Salesforce, and STATE"
                f" does not pass them: salesforce-bulk batches {self._results_dir} shows why, and resumes, resends or"
                f" forgets them{and_left}"
            )
        if self._counts.count(OutcomeKind.UNPROCESSED):
            return RecordsUnprocessed(
                f"{self._report.failures()}; the same input again loads those that are missing{and_left}"
            )
        failed = self._counts.count(OutcomeKind.FAILED) + self._report.had_failed
        if failed and self._settings.on_record_failure is not OnRecordFailure.IGNORE:
            rest = "; everything else is loaded" if self._report.has_loaded else ""
            return RecordsFailed(f"{self._report.failures()}{rest}{and_left}")
        if left and self._settings.fail_on_outstanding:
            return RecordsOutstanding(left)
        if left:
            logger.info("%s", left)
        return None

    def _outstanding(self) -> str:
        """Return what is still not in Salesforce of this run's streams, in words; empty if nothing."""
        streams = {(destination.stream, destination.object) for destination in self._destinations.values()}
        with self._journal.outstanding_records() as db:
            left = outstanding.left_of(db, org=self._journal.org, streams=streams)
        return f"{left}: salesforce-bulk retry {self._results_dir} loads them again" if left.number else ""

    def _number_doubtful(self) -> int:
        """Return how many records of this run's streams wait for a person's decision, of earlier runs too."""
        own = {(destination.stream, destination.object) for destination in self._destinations.values()}
        waiting = [note for note in self._journal.awaiting_decision() if (note.stream, note.object) in own]
        return sum(note.number_of_rows for note in waiting)

    def abandon(self, error: BaseException) -> None:
        """End in order without loading what has not been sent; closed jobs are waited for, after a signal briefly."""
        self._scheduler.stop_starting()
        if not isinstance(error, Interrupted):
            if number := self._scheduler.number_running:
                logger.warning("stopping after an error: waiting for the %d batches that are under way", number)
            try:
                self._scheduler.wait_for_running(check=self._stopping.check)
            except Interrupted as interrupted:
                error = interrupted
        if isinstance(error, Interrupted):
            logger.warning(
                "%s: aborting open jobs, waiting up to %g s for closed ones; the next run resumes those that run on",
                error,
                GRACE_S,
            )
            self._stopping.is_asked.set()
            self._scheduler.wait_for_running(timeout_s=GRACE_S, until=self._stopping.is_over)
            self._stopping.is_over.set()
            self._scheduler.wait_for_running(timeout_s=2)
        self._batcher.abandon()
        for batch in [*self._scheduler.under_way(), *self._doubts.values()]:
            if not self._scheduler.is_running(batch):
                batch.close()
        self._end(error=error, memory=Memory.LOADED if isinstance(error, StoppedAtFailure) else Memory.ALL)

    def _end(self, *, error: BaseException | None, memory: Memory) -> None:
        message = (str(error) or type(error).__name__) if error else None
        self._delete_orphans()
        if memory is not Memory.NOTHING and not isinstance(error, RecordsDoubtful):
            logger.warning(
                "this run is unfinished: the same command with the same input, or from the last STATE, resumes it;"
                " salesforce-bulk batches %s lists what is under way",
                self._results_dir,
            )
        if self._number_left_out:
            logger.info("%d retried records were left out: they are not outstanding any more", self._number_left_out)
        for name in self._kept:
            logger.warning(
                "stream %r: records that an unfinished run has loaded did not all come again, so it stays unfinished:"
                " its own input resumes it. To load equal records as new ones, use another results_dir",
                self._destinations[name].stream,
            )
        number_read = self._progress.number_read
        self._report.write(is_finished=memory is Memory.NOTHING, message=message, number_read=number_read)
        self._clean_up(is_good=error is None)
        self._result = list(self._report.lines(read=self._progress.finish()))
        if self._tracker:
            counts = {"loaded": self._counts.loaded, "failed": self._counts.not_loaded}
            self._tracker.end(is_good=error is None, message=message or "", stop=self._stopping.is_asked, **counts)
        self._earlier.close()
        self.client.close()
        if self._scheduler.number_running:
            return  # a thread still writes outcomes: for the next run this one has crashed
        self._log.close()
        self._memory = memory

    def log_result(self) -> None:
        """Log what a person should read last, once the run has ended."""
        for text, fields in self._result:
            logger.info("%s", text, extra=fields)

    def _clean_up(self, *, is_good: bool) -> None:
        """Write the page, and remove old files; what goes wrong there changes nothing of the run's result."""
        settings = self._settings
        try:
            if settings.html_report:
                from salesforce_bulk_plugin.report.files import write_page_of  # other programs do not need it

                write_page_of(self._results_dir, run_id=self.run_id)
            if settings.results_keep_days is None:
                suggest_pruning(self._results_dir)
            elif is_good and settings.has_journal:  # without a journal it is not known what is still needed
                prune(self._results_dir, keep_days=settings.results_keep_days, journal=self._journal)
        except Exception as error:  # noqa: BLE001
            logger.warning("no report, or old files were not removed: %s: %s", type(error).__name__, error)

    def forget(self) -> None:
        """Let the journal forget a run that has ended; the last step of all, since until here a crash is a crash."""
        if self._memory is not None:
            self._journal.end_run(destinations=self._destinations.keys() - self._kept, memory=self._memory)
            self._journal.close()
            self._lock.release()
            self._memory = None

    def _delete_orphans(self) -> None:
        if self._settings.has_journal:  # without one it is not known what another run still needs
            delete_orphans(self._journal, pending_dir=self._pending_dir)


def make_folders(results_dir: Path, pending_dir: Path) -> None:
    """Make the folders of a run where they do not exist, for their owner only, and make sure that they can be written.

    Raises: ResultsDirUnusable; OSError for a full disk.
    """
    try:
        for folder in (results_dir, pending_dir):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with TemporaryFile(dir=folder):
                pass
    except OSError as error:
        if error.errno in DISK_FULL:
            raise
        reason = "it is not a folder" if isinstance(error, FileExistsError | NotADirectoryError) else error.strerror
        raise ResultsDirUnusable(
            f"results_dir {str(results_dir)!r} cannot be used: {reason}; name a folder in which this user may create"
            " files"
        ) from None


def lock(results_dir: Path) -> FileLock:
    """Return the lock of a folder of results, held.

    Raises: ResultsDirInUse.
    """
    held = FileLock(results_dir / ".lock", mode=0o600)
    try:
        held.acquire(timeout=0)
    except Timeout:
        raise ResultsDirInUse(
            f"another run is using {results_dir}: wait for it, or give this one a results_dir of its own"
        ) from None
    return held
