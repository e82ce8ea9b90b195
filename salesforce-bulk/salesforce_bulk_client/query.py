"""`QueryJob`: a Bulk API 2.0 query from its creation to its last page (Bulk guide, "Query Jobs")."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Self

from salesforce_bulk_client import telemetry
from salesforce_bulk_client.errors import JobAborted, JobFailed
from salesforce_bulk_client.instruments import JOBS_CREATED
from salesforce_bulk_client.jobs import BulkJob, JobInfo, JobState, Look, PollPolicy
from salesforce_bulk_client.result_pages import Locator, PageReader, ResultPage

if TYPE_CHECKING:
    from salesforce_bulk_client.client import SalesforceClient

logger = logging.getLogger(__name__)


class QueryJob(BulkJob):
    """A query that runs on the server, and whose result is read in pages."""

    kind = "query"

    @classmethod
    def create(
        cls,
        client: SalesforceClient,
        soql: str,
        *,
        include_deleted: bool,
        poll: PollPolicy | None = None,
        stop: threading.Event | None = None,
        log_fields: Mapping[str, str] | None = None,
    ) -> Self:
        """Begin a query. When the answer is lost a second job is made; the first costs quota, and harms nothing.

        Raises: RequestRefused (with Salesforce's words about the query), QuotaExceeded.
        """
        info = client.send_as(
            JobInfo.from_json,
            "POST",
            "jobs/query",
            {
                "operation": "queryAll" if include_deleted else "query",
                "query": soql,
                "contentType": "CSV",
                "columnDelimiter": "COMMA",
                "lineEnding": "LF",
            },
        )
        job = cls(client, info, poll=poll, stop=stop, log_fields=log_fields)
        telemetry.note(JOBS_CREATED, 1, **job.labels)
        logger.info("query job %s of %s begun", job.id, job.info.object, extra=job.log_fields)
        return job

    def wait(self, policy: PollPolicy, *, on_look: Look | None = None, stop: threading.Event | None = None) -> JobInfo:
        """Return when the result is ready.

        Raises: JobFailed, JobAborted, JobTimedOut, JobGone.
        """
        info = self.wait_until_final(policy, on_look=on_look, stop=stop)
        if info.state is JobState.FAILED:
            raise JobFailed(
                f"query job {self.id} of {info.object} failed: {info.error_message or 'Salesforce gives no reason'}",
                job_id=self.id,
            )
        if info.state is JobState.ABORTED:
            raise JobAborted(f"query job {self.id} of {info.object} was aborted by somebody", job_id=self.id)
        return info

    def pages(
        self, *, max_records: int | None, start: Locator | None = None, rows_before: int = 0, concurrent: int = 1
    ) -> Iterator[ResultPage]:
        """Yield the pages of a finished job in order, from ``start`` on; ``rows_before`` counts the rows before it.

        Each page has at most ``max_records`` rows, or as many as the server likes for None. Up to ``concurrent`` of
        them are downloaded at a time, where the server lists pages of that size (``resultPages``). Each is whole, and
        all together have the rows that the job has counted.

        Raises: IncompleteResults, JobGone, ConnectionFailed.
        """
        reader = PageReader(self, max_records=max_records)
        return reader.pages(start=start, rows_before=rows_before, concurrent=concurrent)
