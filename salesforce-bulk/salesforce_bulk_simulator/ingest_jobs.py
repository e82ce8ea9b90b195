"""Bulk 2.0 ingest jobs: their work, row by row, and their three result files."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from .errors import RecordRefused
from .faults import Fault
from .ingest_csv import JobDataRefused, read_job_data
from .jobs import DELIMITERS, LINE_ENDINGS, Job
from .load_columns import Column, UnknownColumn, resolve_columns
from .messages import Request
from .records import RecordRules, Values
from .schema.model import Field, SObject
from .values import text_parser, to_result_text

if TYPE_CHECKING:
    from .org import Org

ROWS_PER_BATCH = 10_000
"""Rows of an internal batch (App Limits, "Bulk API 2.0"); progress moves batch by batch."""
ROWS_PER_PIECE = 2000
"""Rows that are loaded before other jobs have their turn."""
ROWS_PER_CHUNK = 200
"""Rows that are saved together (App Limits); an external id may stand only once among them."""


class IngestJob(Job):
    """One load of one object."""

    job_type = "V2Ingest"

    def __init__(
        self, org: Org, request: Request, *, sobject: SObject, operation: str, key: Field | None, body: dict[str, Any]
    ) -> None:
        super().__init__(org, request, sobject=sobject.name, operation=operation, state="Open")
        self.target = sobject
        self.key = key
        self.external_id_field = body.get("externalIdFieldName")
        self.assignment_rule_id = body.get("assignmentRuleId")
        self.data: bytes | None = None
        self.header: list[str] = []
        self.columns: list[Column] = []
        self.rules = RecordRules(org, sobject)
        self._rows: list[list[str]] = []
        self._is_read = False
        self._attempted = 0
        self._successful: list[list[str]] = []
        self._failed: list[list[str]] = []
        self._has_counts = True
        self._lists_unprocessed = True

    # --- work -------------------------------------------------------------------------------------------------------

    def work(self, share: float) -> bool:
        if not self._is_read:
            self._read()
            if self.is_final:
                return True
        batches = -(-len(self._rows) // ROWS_PER_BATCH)
        goal = len(self._rows) if share == 1.0 else int(batches * share) * ROWS_PER_BATCH
        if self._attempted < goal:
            self._load_piece(min(goal, self._attempted + ROWS_PER_PIECE))
        is_done = self.is_final or self._attempted >= goal
        if is_done or self._attempted % ROWS_PER_BATCH == 0:
            self.processed, self.failed = self._attempted, len(self._failed)
        if is_done and share == 1.0 and (fault := self.fault_of_kind("results_lost")):
            self._lose_results(fault)
        return is_done

    def fail_by(self, fault: Fault) -> None:
        if fault.count:
            self._read()
            if not self.is_final:
                self._load_piece(min(fault.count, len(self._rows)))
                self.processed, self.failed = self._attempted, len(self._failed)
        self._has_counts, self._lists_unprocessed = fault.has_counts, not fault.file
        super().fail_by(fault)

    def _lose_results(self, fault: Fault) -> None:
        """Forget the outcomes of some rows, in the files and, if the fault says so, in the counts."""
        rows = self._successful if fault.file == "successful" else self._failed
        lost = len(rows[: fault.count])
        if not lost:
            return
        del rows[:lost]
        if not fault.has_counts:
            self.processed -= lost
            self.failed -= lost if rows is self._failed else 0
        self.fault_met()

    def _load_piece(self, end: int) -> None:
        """Load the rows up to ``end``, in chunks that are saved together, as far as the day's quotas reach."""
        batches, rows = self.org.limits["DailyBulkApiBatches"], self.org.ingest_rows
        while self._attempted < end:
            if self._attempted % ROWS_PER_BATCH == 0:
                if batches.is_used_up or rows.is_used_up:
                    self.fail("ExceededQuota : The daily limit of batches or records of the Bulk API is used up")
                    return
                batches.used += 1
            chunk = self._rows[self._attempted : min(self._attempted + ROWS_PER_CHUNK, end)]
            with self.org.lock, self.org.store.transaction(origin=self.id):
                self._load(chunk)
            self._attempted += len(chunk)
            rows.used += len(chunk)

    def _read(self) -> None:
        self._is_read = True
        try:
            self.header, self._rows = self._parsed()
            self.columns = resolve_columns(self.org, self.target, self.header)
        except JobDataRefused as error:
            self.fail(str(error))
        except UnknownColumn as error:
            self.fail(f"InvalidBatch : Field name not found : {error}")
        else:
            self._check_header()
        self.data = None

    def _parsed(self) -> tuple[list[str], list[list[str]]]:
        header, rows = read_job_data(
            self.data or b"",
            delimiter=self.delimiter,
            line_ending=self.line_ending,
            in_quotes=self.org.line_ends_in_quotes,
        )
        return header, list(rows)

    def _check_header(self) -> None:
        names = [name.lower() for name in self.header]
        if self.operation in ("delete", "hardDelete") and self.header and names != ["id"]:
            self.fail(f"InvalidBatch : The '{self.operation}' batch must contain only ids")

    def _load(self, chunk: list[list[str]]) -> None:
        keys_seen: set[str] = set()
        for number, texts in enumerate(chunk, start=self._attempted):
            echo = list(texts)
            try:
                record_id, is_created = self._load_row(texts, echo, number, keys_seen)
            except RecordRefused as refused:
                row = dict(zip(self.header, texts, strict=False))
                # as recorded, failed inserts and failed deletes have no id
                known_id = row.get("Id", "") if self.operation in ("update", "upsert") else ""
                self._failed.append([known_id, refused.as_result_column(), *echo])
            else:
                self._successful.append([record_id, "true" if is_created else "false", *echo])

    def _load_row(self, texts: list[str], echo: list[str], number: int, keys_seen: set[str]) -> tuple[str, bool]:
        """Save one row; put its values, as results echo them, into ``echo``. Return its id and whether it is new."""
        if len(texts) != len(self.columns):
            message = f"Row has {len(texts)} values, the header has {len(self.columns)}"
            raise RecordRefused("INVALID_BATCH_ROW", message)
        self._meet_lock(texts, number)
        values: Values = {}
        for position, (column, text) in enumerate(zip(self.columns, texts, strict=True)):
            if text:
                echo[position] = column.fill(values, text)
        if self.operation == "insert":
            return self.rules.insert(values), True
        if self.operation == "upsert":
            return self._upsert(values, keys_seen)
        record_id = str(values.pop("Id", None) or "")
        if self.operation == "update":
            return self.rules.update(record_id, values), False
        return self.rules.delete(record_id, is_hard=self.operation == "hardDelete"), False

    def _upsert(self, values: Values, keys_seen: set[str]) -> tuple[str, bool]:
        key = self.key
        assert key is not None
        value = values.pop(key.name, None)
        folded = str(value) if key.case_sensitive else str(value).lower()
        if value is not None and folded in keys_seen:
            raise RecordRefused(
                "DUPLICATE_VALUE", f"Duplicate external id specified: {to_result_text(key, value)}", key.name
            )
        keys_seen.add(folded)
        return self.rules.upsert(key, value, values)

    def _meet_lock(self, texts: list[str], number: int) -> None:
        if self.fault is None or self.fault[1].kind != "lock_rows":
            return
        row = dict(zip(self.header, texts, strict=True))
        if self.fault[1].locks(row, number=number):
            self.org.faults.complete(*self.fault)
            raise locked(row.get("Id", ""))

    # --- results ----------------------------------------------------------------------------------------------------

    def successful_results(self) -> bytes:
        return self._file(["sf__Id", "sf__Created"], self._successful, order=list(range(len(self.header))))

    def failed_results(self) -> bytes:
        order = list(range(len(self.header)))
        if self.org.reorder_columns:  # a failed file recorded from an org had its columns in alphabetical order
            order.sort(key=lambda position: self.header[position])
        return self._file(["sf__Id", "sf__Error"], self._failed, order=order)

    def unprocessed_records(self) -> bytes:
        rows = self._rows[self._attempted :]
        if not self._is_read and self.data:  # aborted before its work began
            try:
                self.header, rows = self._parsed()
            except JobDataRefused:
                return b""
        return self._file([], rows if self._lists_unprocessed else [], order=list(range(len(self.header))))

    def _file(self, own: list[str], rows: list[list[str]], *, order: list[int]) -> bytes:
        """Return a result file: ``sf__`` headers quoted, the uploaded ones bare, all values quoted."""
        mark, end = DELIMITERS[self.delimiter], LINE_ENDINGS[self.line_ending]
        rows = list(rows)
        if self.org.shuffle:
            random.Random(f"{self.org.seed}{self.id}{own}").shuffle(rows)
        header = mark.join([f'"{name}"' for name in own] + [self.header[position] for position in order])
        first = len(own)
        lines = [header]
        for row in rows:
            cells = row[:first] + [row[first + position] for position in order if first + position < len(row)]
            lines.append(mark.join('"' + cell.replace('"', '""') + '"' for cell in cells))
        return (end.join(lines) + end).encode()

    # --- JSON -------------------------------------------------------------------------------------------------------

    def brief(self) -> dict[str, Any]:
        answer = super().brief()
        if self.external_id_field is not None:
            answer["externalIdFieldName"] = self.external_id_field
        if self.assignment_rule_id is not None:
            answer["assignmentRuleId"] = self.assignment_rule_id
        return answer

    def with_format(self) -> dict[str, Any]:
        """Return the keys of a new job's answer."""
        answer = self.brief() | {"lineEnding": self.line_ending, "columnDelimiter": self.delimiter}
        if self.state == "Open":
            # relative, without a leading slash
            answer["contentUrl"] = f"services/data/v{self.version}/jobs/ingest/{self.id}/batches"
        return answer

    def info(self) -> dict[str, Any]:
        answer = self.with_format() | {"jobType": self.job_type}
        if self.state != "Open" and self._has_counts:
            answer |= {"numberRecordsProcessed": self.processed, "numberRecordsFailed": self.failed}
        milliseconds = self.processing_ms()
        answer |= {
            "retries": 0,
            "totalProcessingTime": milliseconds,
            "apiActiveProcessingTime": milliseconds,
            "apexProcessingTime": 0,
        }
        return answer | ({"errorMessage": self.error_message} if self.error_message else {})


def locked(record_id: str) -> RecordRefused:
    """Return the refusal of a record that another process holds."""
    message = "unable to obtain exclusive access to this record or 200 records: "
    return RecordRefused("UNABLE_TO_LOCK_ROW", message + (record_id or "001SIM000000000AAA"))


def key_field(sobject: SObject, name: Any) -> Field | None:
    """Return the field that may serve as the key of an upsert, if the name is one."""
    field = sobject.field(name) if isinstance(name, str) else None
    return field if field is not None and (field.id_lookup or field.name == "Id") else None


def parse_key(key: Field, text: str) -> Any:
    """Return the value of a key that stands in an address."""
    return text_parser(key)(text)
