"""Raw HTTP requests to the simulated org, without a client of ours in between."""

from __future__ import annotations

from typing import Any

import requests

REFRESH = {
    "grant_type": "refresh_token",
    "client_id": "sim-client",
    "client_secret": "sim-secret",
    "refresh_token": "sim-refresh",
}


class Api:
    """A logged-in session, and the steps of a bulk job."""

    def __init__(self, url: str, *, version: str = "66.0") -> None:
        self.url = url
        self.base = f"/services/data/v{version}"
        self.session = requests.Session()
        token = requests.post(f"{url}/services/oauth2/token", data=REFRESH, timeout=30).json()["access_token"]
        self.session.headers["Authorization"] = f"Bearer {token}"

    def __call__(self, method: str, path: str, **arguments: Any) -> requests.Response:
        """Send a request; a path without a leading slash is relative to the API version."""
        full = path if path.startswith("/") else f"{self.base}/{path}"
        return self.session.request(method, self.url + full, timeout=30, **arguments)

    def query_job(self, soql: str, *, operation: str = "query", **keys: str) -> str:
        """Create a query job and return its id."""
        answer = self("POST", "jobs/query", json={"operation": operation, "query": soql, **keys})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    def query(self, soql: str, *, operation: str = "query") -> list[str]:
        """Return all lines of a query's result, the header first and the rows sorted."""
        job = self.query_job(soql, operation=operation)
        header, *rows = self("GET", f"jobs/query/{job}/results").text.splitlines()
        return [header, *sorted(rows)]

    def refused_query(self, soql: str) -> tuple[str, str]:
        """Return the error code of a refused query, and the last line of its message."""
        answer = self("POST", "jobs/query", json={"operation": "query", "query": soql})
        assert answer.status_code == 400, answer.text
        (error,) = answer.json()
        return error["errorCode"], error["message"].splitlines()[-1]

    def ingest_job(self, sobject: str, operation: str, **keys: str) -> str:
        """Create an ingest job and return its id."""
        answer = self("POST", "jobs/ingest", json={"object": sobject, "operation": operation, **keys})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    def upload(self, job: str, data: str | bytes) -> requests.Response:
        """Upload a job's data."""
        body = data.encode() if isinstance(data, str) else data
        return self("PUT", f"jobs/ingest/{job}/batches", data=body, headers={"Content-Type": "text/csv"})

    def close(self, job: str) -> requests.Response:
        """Close a job."""
        return self("PATCH", f"jobs/ingest/{job}", json={"state": "UploadComplete"})

    def load(self, sobject: str, operation: str, data: str | bytes, **keys: str) -> dict[str, Any]:
        """Run an ingest job to its end; return its info, and its result files as lists of lines."""
        job = self.ingest_job(sobject, operation, **keys)
        assert self.upload(job, data).status_code == 201
        assert self.close(job).status_code == 200
        info: dict[str, Any] = self("GET", f"jobs/ingest/{job}").json()
        for kind in ("successfulResults", "failedResults", "unprocessedrecords"):
            info[kind] = self("GET", f"jobs/ingest/{job}/{kind}").text.splitlines()
        return info
