"""Reading a finished query job's result: whole pages, in order, several downloads at a time.

Where the server lists the pages of a result (``resultPages``, API 58.0 and later), they are downloaded ahead in
parallel. Otherwise each page names the next one. Either way the pages are a chain in which each names the next, and
together hold as many rows as the job has counted; a page that does not fit is asked for again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, NewType, Self
from urllib.parse import parse_qs, urlsplit

from salesforce_bulk_client import telemetry
from salesforce_bulk_client.csv_pages import SpooledCsv
from salesforce_bulk_client.errors import (
    ApiError,
    BrokenAnswer,
    IncompleteResults,
    RequestRefused,
    SalesforceError,
)
from salesforce_bulk_client.limits import FIRST_RESULT_PAGES_VERSION, LOCATOR_AT_THE_END

if TYPE_CHECKING:
    import requests

    from salesforce_bulk_client.jobs import BulkJob

logger = logging.getLogger(__name__)

Locator = NewType("Locator", str)
"""Names a result page; opaque, and good as long as its job exists."""

PAGE_TRIES = 3
"""How often a page that does not fit the others is asked for."""


class ResultPage:
    """One page of results, downloaded whole; a context manager that gives its file up at the end."""

    def __init__(self, csv: SpooledCsv, *, next_locator: Locator | None) -> None:
        self._rows = csv.rows()
        self._csv = csv
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
        self._csv.close()


class Address(NamedTuple):
    """Where one page is: as ``resultPages`` listed it, or put together from a locator."""

    path: str
    params: dict[str, Any]


class PageReader:
    """Reads the pages of one finished job."""

    def __init__(self, job: BulkJob, *, max_records: int | None) -> None:
        self._job = job
        self._client = job.client
        self._info = job.info
        self._path = job.path
        self._max_records = max_records
        self._size = {"maxRecords": max_records} if max_records else {}

    def page(self, address: Address) -> ResultPage:
        """Return one page, as many rows as its ``Sforce-NumberOfRecords`` says, or asked for again.

        Raises: JobGone; ConnectionFailed when it never came whole.
        """
        job_id = self._info.id

        def read(response: requests.Response) -> ResultPage:
            if response.status_code == 204:  # what older versions say before the job is complete
                raise BrokenAnswer(f"the results of query job {job_id} are not ready yet (204)")
            csv = SpooledCsv(response)
            promised = response.headers.get("Sforce-NumberOfRecords")
            if promised not in {None, str(csv.number_of_records)}:
                csv.close()
                raise BrokenAnswer(
                    f"a page of query job {job_id} has {csv.number_of_records} records instead of {promised}"
                )
            following = response.headers.get("Sforce-Locator") or LOCATOR_AT_THE_END
            return ResultPage(csv, next_locator=None if following == LOCATOR_AT_THE_END else Locator(following))

        def get() -> ResultPage:
            return self._client.request(
                "GET",
                address.path,
                params=address.params,
                # Any other value than plain "gzip" turns compression off (Bulk guide, "Use Compression").
                headers={"Accept": "text/csv", "Accept-Encoding": "gzip"},
                read=read,
            )

        with telemetry.span("salesforce.bulk.job.page", job_id=job_id, sobject=self._info.object) as note:
            page = self._job.unless_gone(get)
            note(records=page.number_of_records)
            return page

    def pages(self, *, start: Locator | None, rows_before: int, concurrent: int) -> Iterator[ResultPage]:
        """Yield the pages in order; see `QueryJob.pages`."""
        rows, locator, seen = rows_before, start, {start}
        listed = self._listed(start) if self._is_worth_listing(concurrent, rows_before) else iter(())
        with PagesAhead(self, listed, concurrent=concurrent) as ahead:
            while True:
                page = self._fitting_page(locator, ahead=ahead, rows_before=rows, seen=seen)
                rows += page.number_of_records
                locator = page.next_locator
                seen.add(locator)
                yield page
                if locator is None:
                    return
                self._client.check_quota()

    def _fitting_page(
        self, locator: Locator | None, *, ahead: PagesAhead, rows_before: int, seen: set[Locator | None]
    ) -> ResultPage:
        """Return the page, asking for it again when it cannot be the next one.

        A page that claims to be the last one too early is likelier a proxy's work than Salesforce's.
        """
        expected = self._info.number_records_processed
        for _ in range(PAGE_TRIES):
            page = ahead.take(locator) or self.page(self._address(locator))
            rows = rows_before + page.number_of_records
            if page.next_locator is None:
                problem = f"has counted {expected} records, but its pages hold {rows}"
                fits = expected in {None, rows}
            else:
                problem = "has a page that names an earlier page as its next one"
                fits = page.next_locator not in seen
            if fits:
                return page
            page.close()
        raise IncompleteResults(f"query job {self._info.id} {problem}", job_id=self._info.id)

    def _address(self, locator: Locator | None) -> Address:
        params = self._size if locator is None else {**self._size, "locator": locator}
        return Address(f"{self._path}/results", params)

    def _is_worth_listing(self, concurrent: int, rows_before: int) -> bool:
        records = self._info.number_records_processed or 0
        return (
            concurrent > 1
            and float(self._client.api_version) >= FIRST_RESULT_PAGES_VERSION
            and records - rows_before > (self._max_records or 0)
        )

    def _listed(self, start: Locator | None) -> Iterator[tuple[Locator | None, Address]]:
        """Yield the pages from ``start`` on as the server lists them, five at a time; none when it does not."""
        # The guide knows no maxRecords here: a server that does not heed it lists pages of its own size, which the
        # chain of locators tells, and the pages are read one after another in the size that was asked for.
        path, params = f"{self._path}/resultPages", self._size
        is_first, has_begun = True, start is None
        seen: set[str | None] = set()
        while path:
            try:
                answer = self._client.get_json(path, params=params)
                addresses = [self._sized(entry["resultUrl"]) for entry in answer["resultPages"]]
                names = [None if is_first and not index else _locator_in(url) for index, url in enumerate(addresses)]
                # The guide's table names the key nextRecordUrl, its sample nextRecordsUrl.
                following = answer.get("nextRecordsUrl") or answer.get("nextRecordUrl")
                path, params = self._sized("" if answer.get("done") else str(following or ""))
            except (ApiError, LookupError, TypeError, ValueError, AttributeError) as error:
                logger.debug("query job %s lists no pages, so they are read one by one: %s", self._info.id, error)
                return
            for name, address in zip(names, addresses, strict=True):
                if name in seen:
                    raise self._goes_in_a_circle()
                seen.add(name)
                is_first = False
                has_begun = has_begun or name == start
                if has_begun:
                    yield name, address
            if path in seen:
                raise self._goes_in_a_circle()
            seen.add(path)
            if path:
                self._client.check_quota()

    def _goes_in_a_circle(self) -> IncompleteResults:
        job_id = self._info.id
        return IncompleteResults(f"query job {job_id} lists a page of its results twice: no end", job_id=job_id)

    def _sized(self, url: str) -> Address:
        """Return an address of the server's, which may leave out the size that was asked for."""
        return Address(url, {} if "maxRecords=" in url else self._size)


def _locator_in(address: Address) -> Locator:
    return Locator(parse_qs(urlsplit(address.path).query)["locator"][0])


class PagesAhead:
    """Downloads listed pages ahead of their use, ``concurrent`` at a time; pages wait on disk until they are taken."""

    def __init__(
        self, reader: PageReader, listed: Iterator[tuple[Locator | None, Address]], *, concurrent: int
    ) -> None:
        self._reader = reader
        self._listed = listed
        self._concurrent = concurrent
        self._threads = ThreadPoolExecutor(concurrent, thread_name_prefix="result-page")
        self._waiting: dict[Locator | None, Future[ResultPage]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._give_up()
        self._threads.shutdown()

    def take(self, locator: Locator | None) -> ResultPage | None:
        """Return the page, or None when it was not listed: then it has to be asked for by itself."""
        self._fill()
        future = self._waiting.pop(locator, None)
        if future is not None:
            self._fill()
            try:
                return future.result()
            except RequestRefused as error:
                logger.debug("a listed page was refused: %s", error.for_log)
        self._give_up()  # what is listed is not what there is: the pages' own chain is the truth
        return None

    def _fill(self) -> None:
        while len(self._waiting) < self._concurrent:
            name, address = next(self._listed, (None, None))
            if address is None:
                return
            self._waiting[name] = self._threads.submit(self._reader.page, address)

    def _give_up(self) -> None:
        self._listed = iter(())
        for future in self._waiting.values():
            if not future.cancel():
                with suppress(SalesforceError):
                    future.result().close()
        self._waiting.clear()
