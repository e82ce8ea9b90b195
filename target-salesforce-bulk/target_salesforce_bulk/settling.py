"""`Settler`: gives each row of a job that has ended its outcome, and says which rows are to be sent again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from salesforce_bulk_client import JobInfo, JobState, Operation, ResultKind

from target_salesforce_bulk.fingerprints import SIZE, record_fingerprint, row_fingerprint
from target_salesforce_bulk.journal import Journal, KnownKind
from target_salesforce_bulk.matching import Look, match
from target_salesforce_bulk.outcome_log import OutcomeLog
from target_salesforce_bulk.outcomes import (
    TRANSIENT_CODES,
    OutcomeKind,
    RecordError,
    Verdict,
    loaded_kind,
    parse_sf_error,
)
from target_salesforce_bulk.plan import Refusal
from target_salesforce_bulk.result_files import ResultFile, ResultRow
from target_salesforce_bulk.spool import Spool
from target_salesforce_bulk.summary import Tally
from target_salesforce_bulk.unit import Unit

FINAL_JOB_ERRORS = frozenset({"InvalidBatch", "ClientInputError", "FeatureNotEnabled", "InvalidJob", "InvalidUser"})
"""A job that failed for one of these would fail again (`salesforce-api.md`, 4.3)."""

_REPEATABLE = frozenset({Operation.UPSERT, Operation.UPDATE})
"""Doing these twice is the same as doing them once."""

NOT_PROCESSED = ResultRow(kind=ResultKind.UNPROCESSED, id="", was_created=False, error="")


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
            sheet = _Sheet(unit.spool, log=self._log)
            if end:
                sheet.read_results(end)
            sheet.write()
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
    """The outcomes of one job: first gathered from its result files, then written in the order of the input."""

    def __init__(self, spool: Spool, *, log: OutcomeLog) -> None:
        self._spool = spool
        self._log = log
        self._destination = spool.destination
        self._is_insert = spool.destination.operation is Operation.INSERT
        self._results: list[ResultRow | None] = []
        """What the result files say of each row."""
        self._verdict_of: Callable[[ResultRow | None], Verdict | None] = lambda _: None
        self._row_prints = bytearray()
        """Two fingerprints a row, of its key and of itself; nothing where rows have no key."""
        self.again: set[int] = set()
        """Numbers of the rows that are to be sent again."""
        self.known: dict[KnownKind, bytearray] = {kind: bytearray() for kind in KnownKind}
        self.counts: Counter[tuple[OutcomeKind, str | None]] = Counter()
        """Outcomes by kind and error code."""

    def read_results(self, end: JobEnd) -> None:
        """Find out what the job says of each row that was sent."""
        self._results = match(self._spool, files=end.files, look=self._look())
        self._verdict_of = _Verdicts(end, operation=self._destination.operation).of

    def _look(self) -> Look:
        row_print = row_fingerprint(self._destination)

        def look(key_print: bytes, cells: Sequence[str]) -> None:
            self._row_prints += key_print
            self._row_prints += row_print(cells)

        return look

    def write(self) -> None:
        """Write all outcomes, and the records that were not loaded: parents before their children, as they came."""
        destination, log, counts = self._destination, self._log, self.counts
        results, verdict_of = self._results, self._verdict_of
        failed, inserted, keyed = (self.known[kind] for kind in (KnownKind.FAILED, KnownKind.INSERTED, KnownKind.KEYED))
        print_of = record_fingerprint(destination)
        for number, refusal, record in self._spool.entries():
            verdict = _refused(refusal) if refusal else verdict_of(results[number])
            if verdict is None:
                self.again.add(number)
                continue
            kind, error = verdict.kind, verdict.error
            log.write(verdict, record=record, destination=destination)
            counts[kind, error and error.code] += 1
            if not kind.is_loaded:
                log.write_failed(record, destination=destination)
            if kind is OutcomeKind.FAILED:
                failed += print_of(record)
            elif self._is_insert:
                if kind.is_loaded or verdict.may_be_loaded:
                    inserted += print_of(record)
            elif kind.is_loaded:
                keyed += self._row_prints[number * 2 * SIZE : (number + 1) * 2 * SIZE]


class _Verdicts:
    """What a job's end says of a row; None if the row is to be sent again."""

    def __init__(self, end: JobEnd, *, operation: Operation) -> None:
        self._end = end
        self._job_id = end.job_id
        self._operation = operation
        self._loaded = {is_new: loaded_kind(operation, was_created=is_new) for is_new in (False, True)}
        self._errors: dict[str, RecordError] = {}
        """Those read before: rows are refused for few reasons."""

    def of(self, row: ResultRow | None) -> Verdict | None:
        """Return what a row of a result file says; None is for a row that no file tells of."""
        if row is None:
            return self._unaccounted()
        end, record_id = self._end, row.id or None
        if row.kind is ResultKind.SUCCESSFUL:
            return Verdict(self._loaded[row.was_created], record_id, job_id=self._job_id)
        if row.kind is ResultKind.FAILED:
            error = self._error(row.error)
            if end.may_retry and error.code in TRANSIENT_CODES:
                return None
            return Verdict(OutcomeKind.FAILED, record_id, error, job_id=self._job_id)
        if end.may_retry and not end.is_final_error:
            return None
        message = end.error_message or "the job ended before this row's turn"
        return Verdict(OutcomeKind.UNPROCESSED, error=RecordError("NOT_PROCESSED", message, ()), job_id=self._job_id)

    def _error(self, text: str) -> RecordError:
        if text not in self._errors:
            self._errors[text] = parse_sf_error(text)
        return self._errors[text]

    def _unaccounted(self) -> Verdict | None:
        if self._end.never_began:
            return self.of(NOT_PROCESSED)
        if self._end.may_retry and self._operation in _REPEATABLE:
            return None
        message = "no result file of the job tells of this row; look in the org before sending it again"
        error = RecordError("NO_OUTCOME", message, ())
        # It may be in the org: not to be inserted again because of a doubt.
        return Verdict(OutcomeKind.UNPROCESSED, error=error, job_id=self._job_id, may_be_loaded=True)


def _refused(refusal: Refusal) -> Verdict:
    return Verdict(OutcomeKind.FAILED, error=RecordError(refusal.code, refusal.message, refusal.fields))
