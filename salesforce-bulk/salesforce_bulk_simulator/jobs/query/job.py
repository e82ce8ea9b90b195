"""Bulk API 2.0 query jobs."""

from __future__ import annotations

from typing import Any

from salesforce_bulk_simulator.http.messages import Request
from salesforce_bulk_simulator.jobs.job import Job
from salesforce_bulk_simulator.jobs.org_protocol import JobOrg
from salesforce_bulk_simulator.soql.statement import Statement

from .result_file import ResultFile
from .results import run


class QueryJob(Job):
    """One query job. Its query runs as soon as the job is in progress; the result is a snapshot."""

    job_type = "V2Query"

    def __init__(
        self, org: JobOrg, request: Request, *, job_id: str, soql: str, statement: Statement, operation: str
    ) -> None:
        super().__init__(
            org, request, job_id=job_id, sobject=statement.sobject.name, operation=operation, state="UploadComplete"
        )
        self.soql = soql
        self.statement = statement
        self.result: ResultFile | None = None

    def work(self, share: float) -> bool:  # noqa: ARG002  a query runs in one portion
        if self.result is None:
            self.result = run(self.org, self.statement, delimiter=self.delimiter, line_ending=self.line_ending)
            self.processed = self.result.number_of_rows
            self.org.limits["DailyBulkV2QueryFileStorageMB"].used += self.result.size_bytes / 2**20
        return True

    def info(self) -> dict[str, Any]:
        answer = self.brief() | {
            "jobType": self.job_type,
            "lineEnding": self.line_ending,
            "columnDelimiter": self.delimiter,
        }
        if self.state != "UploadComplete":
            answer["numberRecordsProcessed"] = self.processed if self.state == "JobComplete" else 0
        answer |= {"retries": 0, "totalProcessingTime": self.processing_ms(), "isPkChunkingSupported": True}
        return answer | ({"errorMessage": self.error_message} if self.error_message else {})
