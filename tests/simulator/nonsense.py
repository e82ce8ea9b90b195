"""A server that is sent nonsense."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from salesforce_bulk_simulator import Org

if TYPE_CHECKING:
    from .api import Api

VERSION = "/services/data/v66.0"


class Server:
    """One org that is sent nonsense, with a job of each kind at hand."""

    def __init__(self, org: Org, url: str, api: Api) -> None:
        self.org = org
        self.host = urlsplit(url).netloc
        self.account = org.insert("Account", [{"Name": "Ada", "External_Id__c": "x1"}])[0]
        self.token = api.session.headers["Authorization"]
        self.query_job = api.query_job("SELECT Id, Name FROM Account")
        self.ingest_job = api.ingest_job("Account", "insert")

    def send(self, method: str, path: str, *, body: bytes, headers: dict[str, str]) -> tuple[int, str, bytes]:
        """Send a request on a connection of its own; return status, media type and body."""
        connection = http.client.HTTPConnection(self.host, timeout=20)
        try:
            connection.request(method, path, body, {"Authorization": str(self.token), **headers})
            response = connection.getresponse()
            return response.status, response.headers.get("Content-Type", ""), response.read()
        finally:
            connection.close()
