"""`OutcomeRecorder`: gives each row of a batch its outcome, and decides which rows are sent again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum

import msgspec
from salesforce_bulk_client import JobInfo, JobState, Operation, ResultKind
from salesforce_bulk_client.records.fingerprints import SIZE
from salesforce_bulk_client.records.matching import Identity, OnRow, match
from salesforce_bulk_client.records.result_files import ResultFile, ResultRow

from target_salesforce_bulk.batches.batch import Batch
from target_salesforce_bulk.batches.job_data_files import JobDataFiles, StoredEntry
from target_salesforce_bulk.journal import BatchState, KnownOutcomes, OutcomeClass
from target_salesforce_bulk.mapping.fingerprints import key_fingerprint, row_fingerprint
from target_salesforce_bulk.mapping.plan import DeferredLookups, Destination, Refusal
from target_salesforce_bulk.outcomes import (
    TRANSIENT_CODES,
    OutcomeKind,
    RecordError,
    RowResult,
    loaded_kind,
    parse_sf_error,
)
from target_salesforce_bulk.results.causes import Cause, cause_of
from target_salesforce_bulk.results.outcome_log import OutcomeLog
from target_salesforce_bulk.results.run_counts import RunCounts

FINAL_JOB_ERRORS = frozenset({"InvalidBatch", "ClientInputError", "FeatureNotEnabled", "InvalidJob", "InvalidUser"})
"""A job that failed for one of these would fail again (`salesforce-api.md`, 4.3)."""

DELETES = frozenset({Operation.DELETE, Operation.HARD_DELETE})

ALREADY_DELETED = "ENTITY_IS_DELETED"
"""Salesforce's error for a delete of a deleted record, which is as wanted (Bulk guide; as other clients do)."""


class Unloaded(Enum):
    """What happens to rows that a job has not processed, or does not report."""

    SEND_AGAIN = "send_again"
    """They are sent again where that loads nothing twice."""
    GIVE_UP = "give_up"
    """Retries are used up: they are `unprocessed`, or doubtful."""
    COME_AGAIN = "come_again"
    """An earlier run has sent them: its STATE did not pass, so they come again with the input."""
    SEND_ALL = "send_all"
    """A person has decided: all rows are sent again that the job does not name as loaded or refused."""
    WAIT = "wait"
    """A person has asked again: they keep waiting for a decision, and get no second outcome."""

    @property
    def is_decided(self) -> bool:
        """Whether a person has decided what becomes of rows in doubt."""
        return self in {Unloaded.SEND_ALL, Unloaded.WAIT}


@dataclass(frozen=True, kw_only=True)
class JobEnd:
    """How a job ended, or a request that went in its place."""

    unloaded: Unloaded
    info: JobInfo | None = None
    files: Sequence[ResultFile] = field(default_factory=list)
    reason: str = ""
    """Why nothing is known of any row: the batch is set aside, or its job is gone."""
    was_never_closed: bool = False
    """Whether the job was never closed, so Salesforce never began."""
    is_set_aside: bool = False
    """Whether the job exists but could not be read: no row is resent, and a person may ask again."""

    @property
    def wants_other_line_ending(self) -> bool:
        """Whether Salesforce refused the job data for line breaks inside its values (only the message shows it)."""
        return self.error_message.startswith("ClientInputError : LineEnding")

    @property
    def job_id(self) -> str | None:
        """The job's id."""
        return self.info.id if self.info else None

    @property
    def error_message(self) -> str:
        """Why the job failed, or an empty text."""
        return (self.info and self.info.error_message) or ""

    @property
    def is_final_error(self) -> bool:
        """Whether the job failed for a reason that another one would meet as well."""
        return self.error_message.partition(" : ")[0] in FINAL_JOB_ERRORS

    @property
    def never_began(self) -> bool:
        """Whether it is proven that no row was processed: Salesforce counts none, and its files name none."""
        info = self.info
        return self.was_never_closed or (
            info is not None
            and info.state in {JobState.ABORTED, JobState.FAILED}
            and info.number_records_processed == 0
            and all(file.is_empty for file in self.files if file.kind is not ResultKind.UNPROCESSED)
        )


class OutcomeRecorder:
    """Used by several threads, which take turns: the rows of one batch at a time are in memory."""

    def __init__(self, *, log: OutcomeLog, counts: RunCounts) -> None:
        self._log = log
        self._counts = counts

    def record(self, batch: Batch, end: JobEnd | None) -> bool:
        """Write the outcomes that a job has brought; return whether the batch is finished.

        If it is not, it holds the rows that are to be sent again. A batch without rows has no job.
        """
        with self._log.writing():
            outcomes = _BatchOutcomes(batch.files, log=self._log)
            if end is None:
                return self._commit(batch, outcomes)
            outcomes.read_results(end, parents_may_come=batch.parents_may_come)
            return self._commit(batch, outcomes, end=end)

    def forget(self, batch: Batch) -> None:
        """Give up a batch that a person has decided on: its rows are `failed`, and in the failed file."""
        result = RowResult(OutcomeKind.FAILED, error=RecordError("FORGOTTEN", FORGOTTEN, ()), job_id=batch.job_id)
        self._record_as(batch, result, class_of_failed=OutcomeClass.FORGOTTEN)

    def block(self, batch: Batch) -> None:
        """Leave the rows of a batch unprocessed, because rows before them were not processed."""
        self._record_as(batch, RowResult(OutcomeKind.UNPROCESSED, error=RecordError("NOT_PROCESSED", BLOCKED, ())))

    def doubt(self, batch: Batch, *, code: str, reason: str) -> None:
        """Give up to a person a batch that was never sent."""
        self._record_as(batch, RowResult(OutcomeKind.DOUBTFUL, error=RecordError(code, reason, ())), reason=reason)

    def drop(self, batch: Batch) -> None:
        """Note that nothing of a batch was processed: all its records come again, also those that cannot be rows."""
        self._record_as(batch, None)

    def _record_as(
        self,
        batch: Batch,
        result: RowResult | None,
        *,
        reason: str = "",
        class_of_failed: OutcomeClass = OutcomeClass.FAILED,
    ) -> None:
        with self._log.writing():
            outcomes = _BatchOutcomes(batch.files, log=self._log, class_of_failed=class_of_failed)
            outcomes.read_rows()
            outcomes.result_of = lambda _: result
            outcomes.is_dropped = result is None
            self._commit(batch, outcomes, reason=reason)

    def _commit(self, batch: Batch, outcomes: _BatchOutcomes, *, end: JobEnd | None = None, reason: str = "") -> bool:
        """Write the outcomes, and return whether the batch is finished."""
        outcomes.write()
        is_finished = batch.outcomes_recorded(
            known=outcomes.known,
            committed=self._log.sync(),
            again=outcomes.again,
            doubtful=outcomes.doubtful,
            incomplete=outcomes.incomplete,
            id_of=outcomes.id_of,
            state_of_doubtful=BatchState.SET_ASIDE if end and end.is_set_aside else BatchState.DOUBTFUL,
            job_of_doubtful=batch.job_id if end and not end.info else None,  # no more to report by one that was read
            reason=outcomes.reason(end) if end else reason,
        )
        self._counts.add(batch.destination, counts=outcomes.counts, job=end.info if end else None)
        for (kind, _), number in outcomes.counts.items():
            batch.outcomes[kind] += number
            if batch.first_pass and kind.holds_state:
                batch.first_pass.outcomes[kind] += number  # STATE waits for the batch that its records came in
        batch.awaits_parents = outcomes.awaits_parents
        return is_finished


SILENCE = "no result file of the job names these rows"
BLOCKED = "a row before it that may name the same record, or its parent, was not processed"
NO_ID = "the record is loaded without this lookup, and the job's results do not give its Id to fill it by"
FORGOTTEN = "its outcome is not known, and a person has decided not to load it again"


class _BatchOutcomes:
    """The outcomes of one batch: first gathered from its result files, then written in the order of the input."""

    def __init__(
        self, files: JobDataFiles, *, log: OutcomeLog, class_of_failed: OutcomeClass = OutcomeClass.FAILED
    ) -> None:
        """``class_of_failed`` is for records that have a row."""
        self._class_of_failed = class_of_failed
        self._files = files
        self._log = log
        self._destination = files.destination
        self._is_keyed = files.destination.of_records.key_column is not None
        self._first_key_of = key_fingerprint(files.destination.of_records)
        self._results: list[ResultRow | None] = []
        """What the result files say of each row."""
        self.result_of: Callable[[ResultRow | None], RowResult | None] = lambda _: None
        self._records = bytearray()
        """A fingerprint of each row."""
        self._keys = bytearray()
        """A fingerprint of each row's key; empty where rows have none."""
        self.again: set[int] = set()
        """Numbers of the rows that are to be sent again."""
        self.doubtful: set[int] = set()
        """Numbers of the rows that a person has to decide on."""
        self.incomplete: dict[int, DeferredLookups] = {}
        """By the numbers of rows that were loaded, lookups of theirs that a second pass is to fill."""
        self.known: dict[OutcomeClass, KnownOutcomes] = {kind: KnownOutcomes() for kind in OutcomeClass}
        self.is_dropped = False
        """Whether all of its records come again."""
        self.counts: Counter[tuple[OutcomeKind, Cause | None]] = Counter()
        """Outcomes by kind, and by cause where a record was not loaded."""
        self._row_results: _RowResults | None = None
        self._unloaded = Unloaded.SEND_AGAIN
        self._has_silent = False
        """Whether a row that keeps waiting for a decision is in no result file."""

    def read_results(self, end: JobEnd, *, parents_may_come: bool) -> None:
        """Read the result of each row that was sent."""
        self._results = self._match(end.files)
        self._row_results = _RowResults(end, destination=self._destination, parents_may_come=parents_may_come)
        self.result_of = self._row_results.of
        self._unloaded = end.unloaded

    def _match(self, files: Sequence[ResultFile]) -> list[ResultRow | None]:
        """Return what result files say of each row, and note the rows' fingerprints on the way."""
        destination = self._destination
        return match(
            self._files,
            columns=destination.columns,
            key_column=destination.key_column,
            files=files,
            on_row=self._note_fingerprints(),
        )

    def _note_fingerprints(self) -> OnRow:
        destination = self._destination
        of_row, of_key = row_fingerprint(destination), key_fingerprint(destination)
        key_index = destination.key_index

        def note(cells: Sequence[str], identity: Identity) -> None:
            self._records += of_row(cells)
            if key_index is not None:
                # It is a fingerprint where results lack the key's column.
                self._keys += of_key(identity if isinstance(identity, str) else destination.key_form(cells[key_index]))

        return note

    def id_of(self, number: int) -> str:
        """Return the Id of a row's record, empty where no result gives it."""
        row = self._results[number]
        return row.id if row else ""

    def read_rows(self) -> None:
        """Read the rows, for a batch that has no results."""
        self._results = self._match(())

    def write(self) -> None:
        """Write all outcomes, and the records that were not loaded: parents before their children, as they came."""
        destination, log, counts = self._destination, self._log, self.counts
        results, result_of = self._results, self.result_of
        loaded, refused, doubtful, to_retry = (
            self.known[kind]
            for kind in (OutcomeClass.LOADED, self._class_of_failed, OutcomeClass.DOUBTFUL, OutcomeClass.TO_RETRY)
        )
        without_row = self.known[OutcomeClass.FAILED]
        for entry in self._files.entries():
            number, refusal, deferred = entry.number, entry.refusal, entry.deferred
            result = _refused(refusal) if refusal and not self.is_dropped else result_of(results[number])
            if result is None:
                if self._unloaded is Unloaded.WAIT:
                    self.doubtful.add(number)
                    self._has_silent |= results[number] is None
                    self._note(entry, doubtful)
                elif self.is_dropped or self._unloaded is Unloaded.COME_AGAIN:
                    self._note(entry, to_retry)
                else:
                    self.again.add(number)
                    if deferred and deferred.is_second_pass:
                        self._note(entry, self.known[OutcomeClass.INCOMPLETE])
                continue
            if deferred and self._is_written(entry, deferred, result):
                continue
            kind, error = result.kind, result.error
            log.write(result, record=entry.record, destination=destination)
            counts[kind, error and cause_of(error)] += 1
            if kind.is_loaded:
                known = loaded
            elif kind is OutcomeKind.DOUBTFUL:
                known = doubtful
                self.doubtful.add(number)
            else:
                log.write_failed(entry.record, destination=destination)
                known = to_retry if kind is OutcomeKind.UNPROCESSED else without_row if refusal else refused
            self._note(entry, known, code=error and error.code)

    def _is_written(self, entry: StoredEntry, deferred: DeferredLookups, result: RowResult) -> bool:
        """Write the outcome of a row with deferred lookups; return False if it needs no second pass."""
        if deferred.is_second_pass:
            self._write_second_pass(entry, deferred, result)
        elif result.kind.is_loaded and result.id:
            self.incomplete[entry.number] = DeferredLookups(deferred.cells, id=result.id, status=result.kind.value)
            self._note(entry, self.known[OutcomeClass.INCOMPLETE])
        elif result.kind.is_loaded:
            self._write_without_id(entry, deferred, job_id=result.job_id)
        else:
            return False
        return True

    def _write_without_id(self, entry: StoredEntry, deferred: DeferredLookups, *, job_id: str | None) -> None:
        """Write that a record is loaded, but nothing tells where its lookup is to be filled.

        An insert must not be sent again; all else may, which fills the lookup if the parent is there by then.
        """
        error = RecordError("LOOKUP_NOT_FILLED", NO_ID, tuple(deferred.cells))
        result = RowResult(OutcomeKind.FAILED, error=error, job_id=job_id)
        if self._destination.operation is Operation.INSERT:
            self._write_unlinked(entry, result)
        else:
            self._write(entry, result, self.known[self._class_of_failed])
            self._log.write_failed(entry.record, destination=self._destination)

    def _write_second_pass(self, entry: StoredEntry, deferred: DeferredLookups, result: RowResult) -> None:
        """Write the one outcome of a record that was loaded in two passes."""
        if result.kind is OutcomeKind.DOUBTFUL:
            self._write(entry, msgspec.structs.replace(result, id=deferred.id), self.known[OutcomeClass.DOUBTFUL])
            self.doubtful.add(entry.number)
        elif result.kind.is_loaded:
            kind = OutcomeKind(deferred.status)
            self._write(
                entry, msgspec.structs.replace(result, kind=kind, id=deferred.id), self.known[OutcomeClass.LOADED]
            )
        else:
            self._write_unlinked(entry, msgspec.structs.replace(result, kind=OutcomeKind.FAILED, id=deferred.id))
            self._log.write_failed(deferred.record, destination=self._destination)

    def _write_unlinked(self, entry: StoredEntry, result: RowResult) -> None:
        """Write that a record is loaded, but not its lookup."""
        is_forgotten = self._class_of_failed is OutcomeClass.FORGOTTEN
        self._write(entry, result, self.known[OutcomeClass.FORGOTTEN if is_forgotten else OutcomeClass.UNLINKED])

    def _write(self, entry: StoredEntry, result: RowResult, known: KnownOutcomes) -> None:
        self._log.write(result, record=entry.record, destination=self._destination.of_records)
        self.counts[result.kind, result.error and cause_of(result.error)] += 1
        self._note(entry, known, code=result.error and result.error.code)

    @property
    def awaits_parents(self) -> bool:
        """Whether all rows that are to be sent again have a parent that is not in Salesforce yet."""
        results = self._row_results
        return bool(self.again) and results is not None and results.number_without_parent == len(self.again)

    def reason(self, end: JobEnd) -> str:
        """Return why a person has to decide on the doubtful rows."""
        if end.reason or end.info is None:
            return end.reason or SILENCE
        what = f"job {end.info.id} has ended {end.info.state.value}"
        if end.never_began or (end.unloaded is Unloaded.WAIT and not self._has_silent):
            return f"{what} without processing these rows"
        return f"{what}, and no result file names these rows"

    def _note(self, entry: StoredEntry, known: KnownOutcomes, *, code: str | None = None) -> None:
        its = slice(entry.number * SIZE, (entry.number + 1) * SIZE)
        key: bytes | bytearray = b"" if not self._is_keyed else _NO_KEY if entry.refusal else self._keys[its]
        if entry.deferred and entry.deferred.is_second_pass and self._is_keyed:
            key = self._first_key_of(entry.deferred.key)
        known.add(entry.fingerprint or self._records[its], key=key, position=entry.position, code=code)


_NO_KEY = bytes(SIZE)
"""Stands for the key of a record that has no row."""


class _RowResults:
    """The outcome of each row by how its job ended; None if the row is to be sent again."""

    def __init__(self, end: JobEnd, *, destination: Destination, parents_may_come: bool) -> None:
        """``parents_may_come``: rows whose parent is missing are sent again."""
        self._end = end
        self._job_id = end.job_id
        self._parents_may_come = parents_may_come or end.unloaded is Unloaded.COME_AGAIN
        self.number_without_parent = 0
        """How many rows are to be sent again because their parent is missing."""
        self._operation = operation = destination.operation
        self._columns = destination.columns
        self._never_began = end.never_began
        self._loaded = {is_new: loaded_kind(operation, was_created=is_new) for is_new in (False, True)}
        self._errors: dict[str, RecordError] = {}
        """Those read before: rows are refused for few reasons."""

    def of(self, row: ResultRow | None) -> RowResult | None:
        """Return what a row of a result file says; None is for a row that no file names."""
        if row is None:
            return self._unaccounted()
        end, record_id = self._end, row.id or None
        if row.kind is ResultKind.SUCCESSFUL:
            return RowResult(self._loaded[row.was_created], record_id, job_id=self._job_id)
        if row.kind is ResultKind.FAILED:
            error = self._error(row.error)
            if error.code == ALREADY_DELETED and self._operation in DELETES:
                return RowResult(OutcomeKind.DELETED, record_id, job_id=self._job_id)
            if error.code in TRANSIENT_CODES and end.unloaded is not Unloaded.GIVE_UP:
                return None
            if self._parents_may_come and error.is_missing_parent:
                self.number_without_parent += 1
                return None
            return RowResult(OutcomeKind.FAILED, record_id, error, job_id=self._job_id)
        return self._unprocessed()

    def _unprocessed(self) -> RowResult | None:
        end = self._end
        if end.unloaded is Unloaded.COME_AGAIN or end.unloaded.is_decided:
            return None
        if end.unloaded is Unloaded.SEND_AGAIN and not end.is_final_error:
            return None
        message = end.error_message or end.reason or "the job ended before this row's turn"
        return RowResult(OutcomeKind.UNPROCESSED, error=RecordError("NOT_PROCESSED", message, ()), job_id=self._job_id)

    def _error(self, text: str) -> RecordError:
        if text not in self._errors:
            self._errors[text] = parse_sf_error(text, columns=self._columns)
        return self._errors[text]

    def _unaccounted(self) -> RowResult | None:
        """Return what becomes of a row that no result file names."""
        end = self._end
        if self._never_began:
            return self._unprocessed()
        if end.unloaded.is_decided:
            return None
        if self._operation is not Operation.INSERT and not end.is_set_aside:  # doing it again changes nothing
            if end.unloaded is not Unloaded.GIVE_UP:
                return None
            message = f"{end.reason or SILENCE}; the same input again sends it again"
            return RowResult(OutcomeKind.UNPROCESSED, error=RecordError("NO_OUTCOME", message, ()), job_id=self._job_id)
        # It may be in the org: it must not be inserted twice.
        return RowResult(
            OutcomeKind.DOUBTFUL, error=RecordError("NO_OUTCOME", end.reason or SILENCE, ()), job_id=self._job_id
        )


def _refused(refusal: Refusal) -> RowResult:
    return RowResult(OutcomeKind.FAILED, error=RecordError(refusal.code, refusal.message, refusal.fields))
