"""`Settler`: gives each row of a job that has ended its outcome, and says which rows are to be sent again."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass
from typing import IO

from salesforce_bulk_client import JobInfo, JobState, Operation, ResultKind

from target_salesforce_bulk.fingerprints import SIZE, key_fingerprint, record_fingerprint, row_fingerprint
from target_salesforce_bulk.journal import Journal, KnownKind
from target_salesforce_bulk.matching import match
from target_salesforce_bulk.outcome_log import OutcomeLog
from target_salesforce_bulk.outcomes import (
    TRANSIENT_CODES,
    OutcomeKind,
    RecordError,
    Verdict,
    loaded_kind,
    parse_sf_error,
)
from target_salesforce_bulk.result_files import ResultFile, ResultRow
from target_salesforce_bulk.spool import Spool
from target_salesforce_bulk.summary import Tally
from target_salesforce_bulk.unit import Unit

FINAL_JOB_ERRORS = frozenset({"InvalidBatch", "ClientInputError", "FeatureNotEnabled", "InvalidJob", "InvalidUser"})
"""A job that failed for one of these would fail again (`salesforce-api.md`, 4.3)."""

_REPEATABLE = frozenset({Operation.UPSERT, Operation.UPDATE})
"""Doing these twice is the same as doing them once."""

NOT_PROCESSED = ResultRow(kind=ResultKind.UNPROCESSED, id="", was_created=False, error="", cells=[])


@dataclass(frozen=True, kw_only=True)
class JobEnd:
    """How a job ended, or a request that went in its place."""

    info: JobInfo | None
    files: list[ResultFile]
    may_retry: bool
    """Whether rows that may be sent again still should."""

    @property
    def wants_other_line_ending(self) -> bool:
        """Whether Salesforce refused the job data for line breaks inside its values (only the text says so)."""
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
        """Whether it is sure that no row was touched."""
        info = self.info
        return info is not None and info.state is not JobState.JOB_COMPLETE and info.number_records_processed == 0


class Settler:
    """Used by several threads, which take turns: the rows of one job at a time are in memory."""

    def __init__(self, *, log: OutcomeLog, journal: Journal, tally: Tally) -> None:
        self._log = log
        self._journal = journal
        self._tally = tally

    def settle(self, unit: Unit, end: JobEnd | None) -> bool:
        """Write the outcomes that a job has brought; return whether the unit is finished.

        If it is not, it holds the rows that are to be sent again. A unit without rows has no job.
        """
        with self._log.writing():
            with unit.spool.path.open("rb") as file:
                sheet = _Sheet(unit.spool, file=file, log=self._log)
                if end:
                    sheet.settle_job(end)
                sheet.settle_refusals()
                sheet.write_failed()
            following = unit.spool_of(sheet.again) if sheet.again else None
            self._journal.settle(
                unit.id,
                stream=unit.destination.stream,
                known=sheet.known,
                committed=self._log.sync(),
                next_spool=following.path.name if following else None,
            )
            self._tally.add(unit.destination, counts=sheet.counts, job=end.info if end else None)
        for (kind, _), number in sheet.counts.items():
            unit.outcomes[kind] += number
        if following:
            unit.go_on_with(following)
        else:
            unit.discard()
        return following is None


class _Sheet:
    """The outcomes of one job while they are written."""

    def __init__(self, spool: Spool, *, file: IO[bytes], log: OutcomeLog) -> None:
        self._spool = spool
        self._file = file
        self._log = log
        self._destination = spool.destination
        self._offsets = array("Q")
        self._row_prints = b""
        self._not_loaded: set[int] = set()
        self.again: set[int] = set()
        """Numbers of the rows that are to be sent again."""
        self.known: dict[KnownKind, bytearray] = {kind: bytearray() for kind in KnownKind}
        self.counts: Counter[tuple[OutcomeKind, str | None]] = Counter()
        """Outcomes by kind and error code."""

    def settle_job(self, end: JobEnd) -> None:
        """Write the outcomes of the rows that were sent."""
        self._offsets = self._spool.row_offsets()
        self._row_prints = self._fingerprints_of_rows()

        def settle_row(number: int, row: ResultRow) -> None:
            verdict = self._verdict(row, end)
            if verdict:
                self._write(verdict, self._record(number), number=number)
            else:
                self.again.add(number)

        for number in match(self._spool, files=end.files, settle=settle_row):
            if end.never_began:
                settle_row(number, NOT_PROCESSED)
            elif end.may_retry and self._destination.operation in _REPEATABLE:
                self.again.add(number)
            else:
                self._write_unaccounted(end, number)

    def _record(self, number: int) -> bytes:
        return self._spool.record_at(self._offsets[number], file=self._file)

    def _fingerprints_of_rows(self) -> bytes:
        """Return two fingerprints a row, of its key and of itself; nothing where rows have no key."""
        destination = self._destination
        if destination.key_index is None:
            return b""
        return b"".join(
            key_fingerprint(destination, destination.key_text(cells) or "") + row_fingerprint(destination, cells)
            for _, cells in self._spool.rows()
        )

    def _write_unaccounted(self, end: JobEnd, number: int) -> None:
        record = self._record(number)
        message = "no result file of the job tells of this row; look in the org before sending it again"
        error = RecordError("NO_OUTCOME", message, ())
        self._write(Verdict(OutcomeKind.UNPROCESSED, error=error, job_id=end.job_id), record, number=number)
        if self._destination.operation is Operation.INSERT:
            # It may be in the org: not to be inserted again because of a doubt.
            self.known[KnownKind.INSERTED] += record_fingerprint(self._destination, record)

    def settle_refusals(self) -> None:
        """Write the outcomes of the records that could not become rows."""
        for refusal, record in self._spool.refusals():
            error = RecordError(refusal.code, refusal.message, refusal.fields)
            self._write(Verdict(OutcomeKind.FAILED, error=error), record)

    def write_failed(self) -> None:
        """Write the records that were not loaded, in the order in which they came: parents before their children."""
        if self._not_loaded or self._spool.number_of_refusals:
            for number, record in self._spool.records():
                if number is None or number in self._not_loaded:
                    self._log.write_failed(record, destination=self._destination)

    def _verdict(self, row: ResultRow, end: JobEnd) -> Verdict | None:
        """Return what a row of a result file says, or None if the row is to be sent again."""
        record_id, job_id = row.id or None, end.job_id
        if row.kind is ResultKind.SUCCESSFUL:
            kind = loaded_kind(self._destination.operation, was_created=row.was_created)
            return Verdict(kind, id=record_id, job_id=job_id)
        if row.kind is ResultKind.FAILED:
            error = parse_sf_error(row.error)
            if end.may_retry and error.code in TRANSIENT_CODES:
                return None
            return Verdict(OutcomeKind.FAILED, id=record_id, error=error, job_id=job_id)
        if end.may_retry and not end.is_final_error:
            return None
        message = end.error_message or "the job ended before this row's turn"
        return Verdict(OutcomeKind.UNPROCESSED, error=RecordError("NOT_PROCESSED", message, ()), job_id=job_id)

    def _write(self, verdict: Verdict, record: bytes, *, number: int | None = None) -> None:
        self._log.write(verdict, record=record, destination=self._destination)
        self.counts[verdict.kind, verdict.error and verdict.error.code] += 1
        if number is not None and not verdict.kind.is_loaded:
            self._not_loaded.add(number)
        if verdict.kind is OutcomeKind.FAILED:
            self.known[KnownKind.FAILED] += record_fingerprint(self._destination, record)
        elif verdict.kind.is_loaded and self._destination.operation is Operation.INSERT:
            self.known[KnownKind.INSERTED] += record_fingerprint(self._destination, record)
        elif verdict.kind.is_loaded and number is not None:
            place = number * 2 * SIZE
            self.known[KnownKind.KEYED] += self._row_prints[place : place + 2 * SIZE]
