"""The least that reading an object takes, a program: ``python -m tests.benchmarks.floor_of_tap CONFIG OBJECT``.

The plain loop that anybody would write first: csv.reader, one conversion per column, one dictionary and one
`msgspec.json.encode` per record. No state, no metrics, no checks, one download after another. With ``--gzip`` the
lines go through gzip, as a BATCH file's do.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import requests

PAGE_ROWS = 50_000
CONVERTERS: dict[str, Callable[[str], Any]] = {
    "boolean": "true".__eq__,
    "int": int,
    "long": int,
    "double": float,
    "currency": float,
    "percent": float,
}


def main() -> None:
    """Write an object's records to stdout."""
    parser = argparse.ArgumentParser()
    parser.add_argument("config", type=Path)
    parser.add_argument("sobject")
    parser.add_argument("--gzip", action="store_true")
    arguments = parser.parse_args()
    org = Org(json.loads(arguments.config.read_text()))
    fields = org.get(f"sobjects/{arguments.sobject}/describe").json()["fields"]
    names = [field["name"] for field in fields]
    converters = [CONVERTERS.get(field["type"], str) for field in fields]
    sink: Any = gzip.GzipFile(fileobj=sys.stdout.buffer, compresslevel=1) if arguments.gzip else sys.stdout.buffer
    encode, write = msgspec.json.encode, sink.write
    for page in org.pages(f"SELECT {','.join(names)} FROM {arguments.sobject}"):
        rows = csv.reader(io.TextIOWrapper(io.BytesIO(page), encoding="utf-8", newline=""))
        next(rows)
        for row in rows:
            record = {
                name: convert(cell) if cell else None
                for name, convert, cell in zip(names, converters, row, strict=True)
            }
            write(encode({"type": "RECORD", "stream": arguments.sobject, "record": record}))
            write(b"\n")
    if arguments.gzip:
        sink.close()


class Org:
    """A session with the org that a tap's config names."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._session = requests.Session()
        names = ("client_id", "client_secret", "refresh_token")
        data = {"grant_type": "refresh_token", **{name: config[name] for name in names}}
        login = self._session.post(f"{config['login_url']}/services/oauth2/token", data=data, timeout=60).json()
        self._session.headers["Authorization"] = f"Bearer {login['access_token']}"
        self._base = f"{login['instance_url']}/services/data/v66.0"

    def get(self, path: str, **arguments: Any) -> requests.Response:
        """Return the answer to a GET."""
        return self._checked(self._session.get(f"{self._base}/{path}", timeout=600, **arguments))

    def pages(self, soql: str) -> Iterator[bytes]:
        """Yield the CSV of each page of a query job's result."""
        job = self._checked(
            self._session.post(f"{self._base}/jobs/query", json={"operation": "queryAll", "query": soql}, timeout=60)
        ).json()["id"]
        while self.get(f"jobs/query/{job}").json()["state"] != "JobComplete":
            pass
        locator: str | None = None
        while locator != "null":
            params = {"maxRecords": str(PAGE_ROWS), **({"locator": locator} if locator else {})}
            answer = self.get(f"jobs/query/{job}/results", params=params, headers={"Accept-Encoding": "gzip"})
            yield answer.content
            locator = answer.headers["Sforce-Locator"]

    def _checked(self, answer: requests.Response) -> requests.Response:
        answer.raise_for_status()
        return answer


if __name__ == "__main__":
    main()
