"""What reading a stream would take: pages, API calls, and seconds with what they rest on. Pure, no I/O."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from salesforce_bulk_client.limits import FIRST_RESULT_PAGES_VERSION
from salesforce_bulk_plugin.formatting import counted, duration

if TYPE_CHECKING:
    from salesforce_bulk_client import PollPolicy

REST_BATCH = 2000
"""Most records of one answer to a REST query (REST guide, "Query Options Header")."""

LISTED_PAGES = 5
"""Pages that one answer of ``resultPages`` names (Bulk guide, "Get Parallel Results")."""


class Speed(NamedTuple):
    """Records a second, and where that is known from."""

    records_per_second: float
    basis: str

    def seconds_for(self, rows: int) -> float:
        """Return how long so many records take."""
        return rows / self.records_per_second


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What decides how a stream is read."""

    rows: int
    is_bulk: bool
    jobs: int
    page_size: int
    concurrent_downloads: int
    poll: PollPolicy
    api_version: str


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """An estimate, and what it rests on."""

    pages: int
    api_calls: int
    seconds: float
    is_at_least: bool
    """Something that takes time is not known, so it takes longer."""
    basis: list[str]


def estimate(reading: Reading, *, given: Speed | None, server: Speed | None, download: Speed | None) -> Estimate:
    """Return what a reading takes.

    ``server`` is how fast Salesforce works on such a job, ``download`` how fast one page comes; ``given``, the user's
    own word, takes the place of both.
    """
    pages = _pages(reading)
    server_s = server.seconds_for(reading.rows) if server and not given else 0.0
    looks, waited_s = _looks(reading.poll, until_s=server_s) if reading.is_bulk else (0, 0.0)
    api_calls = 1 + pages  # describe, and the pages
    if reading.is_bulk:
        api_calls += reading.jobs * (1 + looks) + _lists_of_pages(reading)
    if given:
        seconds = given.seconds_for(reading.rows)
        return Estimate(pages=pages, api_calls=api_calls, seconds=seconds, is_at_least=False, basis=[given.basis])
    at_once = max(1, min(_downloads_at_once(reading), pages))
    download_s = download.seconds_for(reading.rows) / at_once if download else 0.0
    basis = []
    if reading.is_bulk and server:
        basis.append(f"{duration(waited_s)} until the job is done: {server.basis}")
    elif reading.is_bulk:
        basis.append(
            "without the time that Salesforce takes to run the query: no earlier job of its size shows how long that is"
        )
    if download:
        times = f", {at_once} at a time" if at_once > 1 else ""
        basis.append(f"{duration(download_s)} to download {counted(pages, 'page')}{times}: {download.basis}")
    elif reading.rows:
        basis.append("without the time to download: no records were read to measure it")
    return Estimate(
        pages=pages,
        api_calls=api_calls,
        seconds=waited_s + download_s,
        is_at_least=(reading.is_bulk and server is None) or (download is None and reading.rows > 0),
        basis=basis,
    )


def _pages(reading: Reading) -> int:
    """Return the number of pages; of several jobs the most there can be, each ending with a page that is not full."""
    size = reading.page_size if reading.is_bulk else REST_BATCH
    return max(1, math.ceil(reading.rows / size)) + reading.jobs - 1


def _looks(poll: PollPolicy, *, until_s: float) -> tuple[int, float]:
    """Return how many looks at a job it takes to find it done, and the seconds until the last of them."""
    looks, waited_s = 1, 0.0
    while waited_s < until_s:
        waited_s += poll.delay(looks, chance=0)
        looks += 1
    return looks, waited_s


def _downloads_at_once(reading: Reading) -> int:
    has_lists = reading.is_bulk and float(reading.api_version) >= FIRST_RESULT_PAGES_VERSION
    return reading.concurrent_downloads if has_lists else 1


def _lists_of_pages(reading: Reading) -> int:
    """Return how many lists of pages are asked for: none for a result of one page."""
    rows_of_a_job = math.ceil(reading.rows / reading.jobs)
    if _downloads_at_once(reading) == 1 or rows_of_a_job <= reading.page_size:
        return 0
    return reading.jobs * math.ceil(rows_of_a_job / reading.page_size / LISTED_PAGES)
