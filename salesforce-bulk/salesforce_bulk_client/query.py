"""`QueryJob`: a Bulk API 2.0 query from its creation to its last page (Bulk guide, "Query Jobs")."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NewType, Self

from salesforce_bulk_client.csv_pages import SpooledCsv
from salesforce_bulk_client.errors import BrokenAnswer, IncompleteResults, JobAborted, JobFailed, JobGone, NotFound
from salesforce_bulk_client.jobs import BulkJob, JobInfo, JobState, Look, PollPolicy
from salesforce_bulk_client.limits import LOCATOR_AT_THE_END

if TYPE_CHECKING:
    import requests

    from salesforce_bulk_client.client import SalesforceClient

logger = logging.getLogger(__name__)

Locator = NewType("Locator", str)
"""Names a result page; opaque, and good as long as its job exists."""

PAGE_TRIES = 3
"""How often a page whose successor does not add up is asked for."""


class ResultPage:
    """One page of results, downloaded whole; a context manager that gives its file up at the end."""

    def __init__(self, csv: SpooledCsv, *, locator: Locator | None, next_locator: Locator | None) -> None:
        self._rows = csv.rows()
        self._csv = csv
        self.locator = locator
        """Names this page; None is the first."""
        self.next_locator = next_locator
        """Names the next page; None after the last."""
        self.number_of_records = csv.number_of_records
        self.nul_count = csv.nul_count
        """NUL characters that were removed."""
        self.columns: list[str] = next(self._rows, [])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def rows(self) -> Iterator[list[str]]:
        """Yield the rows, once, each with a text per column; null is the empty text."""
        return self._rows

    def close(self) -> None:
        """Give the page's file up."""
        self._rows.close()  # type: ignore[attr-defined]  # a generator
        self._csv.close()


class QueryJob(BulkJob):
    """A query that runs on the server, and whose result is read in pages."""

    kind = "query"

    @classmethod
    def create(cls, client: SalesforceClient, soql: str, *, include_deleted: bool) -> Self:
        """Begin a query. When the answer is lost a second job is made; the first costs quota, and harms nothing.

        Raises: RequestRefused (with Salesforce's words about the query), QuotaExceeded.
        """
        answer = client.send_json(
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
        job = cls(client, JobInfo.from_json(answer))
        logger.info("query job %s of %s begun", job.id, job.info.object)
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

    def page(self, locator: Locator | None, *, max_records: int) -> ResultPage:
        """Return one whole page: its rows are as many as ``Sforce-NumberOfRecords`` says, or it is asked for again.

        ``locator`` None is the first page; ``max_records`` must be the same for all pages.

        Raises: JobGone; ConnectionFailed when it never came whole.
        """

        def read(response: requests.Response) -> ResultPage:
            if response.status_code == 204:  # older versions: results before the job is complete
                raise BrokenAnswer(f"the results of query job {self.id} are not ready yet (204)")
            page = SpooledCsv(response)
            promised = response.headers.get("Sforce-NumberOfRecords")
            if promised is not None and int(promised) != page.number_of_records:
                page.close()
                raise BrokenAnswer(
                    f"a page of query job {self.id} has {page.number_of_records} records instead of {promised}"
                )
            following = response.headers.get("Sforce-Locator") or LOCATOR_AT_THE_END
            return ResultPage(
                page,
                locator=locator,
                next_locator=None if following == LOCATOR_AT_THE_END else Locator(following),
            )

        params: dict[str, Any] = {"maxRecords": max_records}
        if locator is not None:
            params["locator"] = locator
        try:
            return self._client.request(
                "GET",
                f"{self.path}/results",
                params=params,
                # Any other value than plain "gzip" turns compression off (Bulk guide, "Compress Data").
                headers={"Accept": "text/csv", "Accept-Encoding": "gzip"},
                read=read,
            )
        except NotFound as error:
            raise JobGone(f"query job {self.id} does not exist any more, nor its results", job_id=self.id) from error

    def pages(self, *, max_records: int, start: Locator | None = None, rows_before: int = 0) -> Iterator[ResultPage]:
        """Yield the pages in order, from ``start`` on; ``rows_before`` counts the rows of the pages before it.

        All pages together have the rows that the job has counted. A page that claims to be the last before that is
        asked for again: a proxy may have taken its ``Sforce-Locator`` away.

        Raises: IncompleteResults; what `page` raises.
        """
        expected = self.info.number_records_processed
        locator, rows, seen, tries = start, rows_before, {start}, 1
        while True:
            page = self.page(locator, max_records=max_records)
            total = rows + page.number_of_records
            is_last = page.next_locator is None
            if expected is not None and is_last and total != expected:
                page.close()
                if tries == PAGE_TRIES:
                    raise IncompleteResults(
                        f"query job {self.id} has counted {expected} records, but its pages hold {total}",
                        job_id=self.id,
                    )
                tries += 1
                continue
            if page.next_locator in seen and not is_last:
                page.close()
                raise IncompleteResults(
                    f"query job {self.id}: a page names an earlier page as its next one", job_id=self.id
                )
            yield page
            if is_last:
                return
            locator, rows, tries = page.next_locator, total, 1
            seen.add(locator)
