"""A proxy that leads every ``*.salesforce.com`` to one address: a hosts entry that needs no rights on the machine."""

from __future__ import annotations

import select
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class _Tunnel(socketserver.StreamRequestHandler):
    """One CONNECT and the bytes after it."""

    def handle(self) -> None:
        method, host, _ = self.rfile.readline().decode().split(" ")
        while self.rfile.readline().strip():
            pass
        if method != "CONNECT" or not host.partition(":")[0].endswith((".salesforce.com", "127.0.0.1", "localhost")):
            self.wfile.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            return
        assert isinstance(self.server, _Server)
        with socket.create_connection(("127.0.0.1", self.server.port)) as upstream:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            _copy_both_ways(self.connection, upstream)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    port = 0


def _copy_both_ways(one: socket.socket, other: socket.socket) -> None:
    while True:
        for ready in select.select([one, other], [], [])[0]:
            try:
                data = ready.recv(65536)
            except ConnectionError:
                return
            if not data:
                return
            (other if ready is one else one).sendall(data)


@contextmanager
def tunnel_to(port: int) -> Iterator[str]:
    """Give the URL of a proxy that leads to a port of this machine."""
    with _Server(("127.0.0.1", 0), _Tunnel) as server:
        server.port = port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
