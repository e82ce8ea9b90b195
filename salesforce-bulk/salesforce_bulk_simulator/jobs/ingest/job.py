"""Bulk API 2.0 ingest jobs: loading their rows, and their three result files."""

from __future__ import annotations

import random
from typing import Any

from salesforce_bulk_simulator.data.errors import RecordRefused, row_locked
from salesforce_bulk_simulator.data.records.keys import KeyCounts
from salesforce_bulk_simulator.data.records.rules import RecordRules
from salesforce_bulk_simulator.data.schema.model import Field, SObject
from salesforce_bulk_simulator.data.values.database import Values
from salesforce_bulk_simulator.http.faults import Fault
from salesforce_bulk_simulator.http.messages import Request
from salesforce_bulk_simulator.jobs.csv_format import DELIMITERS, LINE_ENDINGS
from salesforce_bulk_simulator.jobs.job import Job
from salesforce_bulk_simulator.jobs.org_protocol import JobOrg

from .columns import Column, UnknownColumn, resolve_columns
from .job_data import JobDataRefused, read_job_data
from .result_files import result_file
from .rows import read_row

ROWS_PER_BATCH = 10_000
"""Rows of an internal batch (App Limits, "Bulk API 2.0"); progress moves batch by batch."""
ROWS_PER_PORTION = 2000
"""Rows that are loaded before it is another job's turn."""
ROWS_PER_CHUNK = 200
"""Rows that are saved together (App Limits); an id or external id may occur only once among them."""


class IngestJob(Job):
    """One ingest job: a load into one object."""

    job_type = "V2Ingest"

    def __init__(
        self,
        org: JobOrg,
        request: Request,
        *,
        job_id: str,
        sobject: SObject,
        operation: str,
        key: Field | None,
        body: dict[str, Any],
    ) -> None:
        super().__init__(org, request, job_id=job_id, sobject=sobject.name, operation=operation, state="Open")
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
            self._load_portion(min(goal, self._attempted + ROWS_PER_PORTION))
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
                self._load_portion(min(fault.count, len(self._rows)))
                self.processed, self.failed = self._attempted, len(self._failed)
        self._has_counts, self._lists_unprocessed = fault.has_counts, not fault.file
        super().fail_by(fault)

    def _lose_results(self, fault: Fault) -> None:
        """Drop the outcomes of some rows from the files and, if the fault demands it, from the counts."""
        rows = self._successful if fault.file == "successful" else self._failed
        lost = len(rows[: fault.count])
        if not lost:
            return
        del rows[:lost]
        if not fault.has_counts:
            self.processed -= lost
            self.failed -= lost if rows is self._failed else 0
        self.complete_fault()

    def _load_portion(self, end: int) -> None:
        """Load the rows up to ``end``, in chunks that are saved together, until a daily limit is used up."""
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
        return read_job_data(
            self.data or b"",
            delimiter=self.delimiter,
            line_ending=self.line_ending,
            in_quotes=self.org.line_ends_in_quotes,
        )

    def _check_header(self) -> None:
        names = [name.lower() for name in self.header]
        if self.operation in ("delete", "hardDelete") and self.header and names != ["id"]:
            self.fail(f"InvalidBatch : The '{self.operation}' batch must contain only ids")

    def _load(self, chunk: list[list[str]]) -> None:
        """Save rows together: all are read, and their parents looked up, before the first is saved."""
        rows = [read_row(self.columns, texts) for texts in chunk]
        key = self.key if self.operation == "upsert" else self.target.field("Id")
        keys = (
            KeyCounts(key, (row.values for row in rows if not row.refused))
            if key and self._identifies_records
            else None
        )
        for number, row in enumerate(rows, start=self._attempted):
            try:
                if row.refused:
                    raise row.refused
                self._refuse_locked(row.texts, number)
                if keys:
                    keys.refuse_duplicate(row.values)
                record_id, is_created = self._save(row.values)
            except RecordRefused as refused:
                texts = dict(zip(self.header, row.texts, strict=False))
                # as recorded, failed inserts and failed deletes have no id
                known_id = texts.get("Id", "") if self._identifies_records else ""
                self._failed.append([known_id, refused.as_result_column(), *row.echo])
            else:
                self._successful.append([record_id, "true" if is_created else "false", *row.echo])

    @property
    def _identifies_records(self) -> bool:
        """Whether each row identifies an existing record, which may occur only once in a chunk."""
        return self.operation in ("update", "upsert")

    def _save(self, values: Values) -> tuple[str, bool]:
        """Save one record; return its id and whether it is new."""
        if self.operation == "insert":
            return self.rules.insert(values), True
        if self.operation == "upsert":
            assert self.key is not None
            return self.rules.upsert(self.key, values.pop(self.key.name, None), values)
        record_id = str(values.pop("Id", None) or "")
        if self.operation == "update":
            return self.rules.update(record_id, values), False
        return self.rules.delete(record_id, is_hard=self.operation == "hardDelete"), False

    def _refuse_locked(self, texts: list[str], number: int) -> None:
        if self.fault is None or self.fault[1].kind != "lock_rows":
            return
        row = dict(zip(self.header, texts, strict=True))
        if self.fault[1].locks(row, number=number):
            self.org.faults.complete(*self.fault)
            raise row_locked(row.get("Id", ""))

    # --- results ----------------------------------------------------------------------------------------------------

    def successful_results(self) -> bytes:
        return self._result_file(["sf__Id", "sf__Created"], self._successful)

    def failed_results(self) -> bytes:
        # a failed file recorded from an org had its columns in alphabetical order
        return self._result_file(["sf__Id", "sf__Error"], self._failed, sorts_columns=self.org.reorder_columns)

    def unprocessed_records(self) -> bytes:
        rows = self._rows[self._attempted :]
        if not self._is_read and self.data:  # aborted before it was in progress
            try:
                self.header, rows = self._parsed()
            except JobDataRefused:
                return b""
        return self._result_file([], rows if self._lists_unprocessed else [])

    def _result_file(self, own: list[str], rows: list[list[str]], *, sorts_columns: bool = False) -> bytes:
        rows = list(rows)
        if self.org.shuffle:
            random.Random(f"{self.org.seed}{self.id}{own}").shuffle(rows)
        return result_file(
            own,
            self.header,
            rows,
            sorts_columns=sorts_columns,
            delimiter=DELIMITERS[self.delimiter],
            line_ending=LINE_ENDINGS[self.line_ending],
        )

    # --- JSON -------------------------------------------------------------------------------------------------------

    def brief(self) -> dict[str, Any]:
        answer = super().brief()
        if self.external_id_field is not None:
            answer["externalIdFieldName"] = self.external_id_field
        if self.assignment_rule_id is not None:
            answer["assignmentRuleId"] = self.assignment_rule_id
        return answer

    def with_format(self) -> dict[str, Any]:
        """Return the response to the creation of the job."""
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
