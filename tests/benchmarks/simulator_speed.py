"""How fast the simulator is, so that other benchmarks measure the connector and not it. Run it as a script.

Measured on two cores of a shared machine, Python 3.11:

=====================================================  ==========  ========
what                                                   wanted      measured
=====================================================  ==========  ========
a plain result page of a finished job                  100 MB/s    302 MB/s
an ingest job of 100,000 rows x 10 columns             10 s        4.1 s
1,000,000 generated Accounts                           60 s        12.7 s
=====================================================  ==========  ========
"""

from __future__ import annotations

import http.client
import sys
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from salesforce_bulk_simulator import Org, running
from salesforce_bulk_simulator.data.generate import generate_rows

COLUMNS = "Name,Phone,Industry,NumberOfEmployees,AnnualRevenue,BillingCity,BillingStreet,Website,Rating,External_Id__c"


def main() -> None:
    """Measure all three and print them."""
    org = Org()
    seconds = _timed(lambda: generate_rows(org, "Account", 1_000_000))
    _tell(f"1,000,000 Accounts made in {seconds:.1f} s (wanted: under 60 s)")
    with running(org) as url:
        _tell(_page_speed(_Session(org, url)))
    org = Org()
    with running(org) as url:
        _tell(_ingest_speed(_Session(org, url)))


class _Session:
    """Requests without a client's own cost."""

    def __init__(self, org: Org, url: str) -> None:
        self.org = org
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=300)
        self._headers = {"Authorization": f"Bearer {org.sessions.open()}", "Content-Type": "application/json"}

    def __call__(self, method: str, path: str, body: bytes | None = None, **headers: str) -> bytes:
        whole = f"/services/data/v66.0/jobs/{path}"
        self._connection.request(
            method, whole, body, self._headers | {k.replace("_", "-"): v for k, v in headers.items()}
        )
        response = self._connection.getresponse()
        answer = response.read()
        assert response.status < 300, answer
        return answer

    def job(self) -> dict[str, Any]:
        """Return the one job of the org, once it is finished."""
        while True:
            (job,) = self.org.jobs
            if job["state"] not in ("UploadComplete", "InProgress"):
                return job
            time.sleep(0.05)


def _page_speed(session: _Session) -> str:
    soql = b"SELECT Id, Name, Phone, Fax, Website, BillingStreet, Industry, AccountNumber, CreatedDate FROM Account"
    session("POST", "query", b'{"operation": "query", "query": "' + soql + b'"}')
    job = session.job()
    path = f"query/{job['id']}/results?maxRecords=1000000"
    best, size = 1e9, 0
    for _ in range(3):
        start = time.perf_counter()
        size = len(session("GET", path))
        best = min(best, time.perf_counter() - start)
    return f"a page of {size / 1e6:.0f} MB served at {size / 1e6 / best:.0f} MB/s (wanted: 100 MB/s)"


def _ingest_speed(session: _Session) -> str:
    row = "A{0},555-{0},Energy,{0},{0}000,Oslo,Street {0},https://example.com/{0},Hot,x{0}\n"
    data = (COLUMNS + "\n" + "".join(row.format(number) for number in range(100_000))).encode()
    session("POST", "ingest", b'{"object": "Account", "operation": "insert"}')
    (job,) = session.org.jobs
    session("PUT", f"ingest/{job['id']}/batches", data, Content_Type="text/csv")
    start = time.perf_counter()
    session("PATCH", f"ingest/{job['id']}", b'{"state": "UploadComplete"}')
    job = session.job()
    seconds = time.perf_counter() - start
    assert (job["numberRecordsProcessed"], job["numberRecordsFailed"]) == (100_000, 0), job
    return f"100,000 rows x 10 columns loaded in {seconds:.1f} s (wanted: under 10 s)"


def _timed(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
