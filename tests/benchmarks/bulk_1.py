"""As much of Bulk API 1.0 as inserting takes, for a peer that knows no newer one. All else goes to the simulator."""

from __future__ import annotations

import http.client
import itertools
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from salesforce_bulk_simulator import Certificate

PASSED_ON = ("Authorization", "Content-Type", "Host")


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, *, behind: int, certificate: Certificate) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.chain, certificate.key)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.behind = behind
        """Port of the simulator."""
        self.trust = ssl.create_default_context(cafile=str(certificate.authority))
        self.rows_of_batches: dict[str, int] = {}
        self.numbers = itertools.count(1)


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, body: bytes) -> None:
        if not self.path.startswith("/services/async/"):
            self._ask_simulator(body)
            return
        match self.path.strip("/").split("/")[3:]:
            case ["job", _, "batch", batch, "result"]:
                rows = self.server.rows_of_batches[batch]
                self._send([{"success": True, "created": True, "id": None, "errors": []}] * rows)
            case ["job", _, "batch", batch]:
                self._send({"id": batch, "state": "Completed"})
            case ["job", job, "batch"]:
                batch = f"751{next(self.server.numbers):012d}"
                self.server.rows_of_batches[batch] = len(json.loads(body))
                self._send({"id": batch, "jobId": job, "state": "Queued"})
            case ["job", job]:
                self._send({"id": job, "state": "Closed"})
            case _:
                self._send({"id": f"750{next(self.server.numbers):012d}", "state": "Open"})

    def _send(self, answer: Any) -> None:
        self._send_bytes(200, json.dumps(answer).encode())

    def _send_bytes(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _ask_simulator(self, body: bytes) -> None:
        connection = http.client.HTTPSConnection("127.0.0.1", self.server.behind, context=self.server.trust)
        headers = {name: self.headers[name] for name in PASSED_ON if name in self.headers}
        connection.request(self.command, self.path, body, headers)
        answer = connection.getresponse()
        self._send_bytes(answer.status, answer.read())
        connection.close()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def bulk_1_before(port: int, *, certificate: Certificate) -> Iterator[int]:
    """Serve Bulk API 1.0 before the simulator at ``port``, and give the port of both together."""
    with _Server(behind=port, certificate=certificate) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            thread.join()
