"""The server: uvicorn in a thread, on a local address."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from .certificates import Certificate
from .connections import Protocol

_START_TIMEOUT_S = 30
_STOP_TIMEOUT_S = 1
_IDLE_ROUNDS = 3
"""Rounds of the event loop without a connection before the server stops: one may have been accepted just now."""


class Server(uvicorn.Server):
    """A server that can be stopped from another thread, at once: uvicorn's own checks ten times a second."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._stop: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None

    async def main_loop(self) -> None:
        event = asyncio.Event()
        self._stop = (asyncio.get_running_loop(), event)
        if not self.should_exit:
            await event.wait()

    def stop(self) -> None:
        self.should_exit = True
        if self._stop:
            loop, event = self._stop
            loop.call_soon_threadsafe(event.set)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close all connections, also those with a request in progress."""
        for server in self.servers:
            server.close()  # this stops watching the socket, so it goes first
        for listener in sockets or []:
            listener.close()
        for task in list(self.server_state.tasks):
            task.cancel()
        deadline = time.monotonic() + _STOP_TIMEOUT_S
        closed: set[object] = set()
        idle_rounds = 0
        while idle_rounds < _IDLE_ROUNDS and time.monotonic() < deadline:
            connections = set(self.server_state.connections)
            for connection in connections - closed:
                connection.shutdown()
            closed |= connections
            idle_rounds = 0 if connections else idle_rounds + 1
            await asyncio.sleep(0.001)


def _make_server(app: ASGIApp, *, certificate: Certificate | None) -> Server:
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # responses are cut off on purpose
    return Server(
        uvicorn.Config(
            app,
            http=Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            date_header=False,
            server_header=False,
            h11_max_incomplete_event_size=64 * 1024,
            ssl_certfile=certificate.chain if certificate else None,
            ssl_keyfile=certificate.key if certificate else None,
        )
    )


@contextmanager
def serve(app: ASGIApp, *, host: str, port: int, certificate: Certificate | None) -> Iterator[str]:
    """Serve an application in a thread and yield its URL. Port 0 picks a free one; a certificate makes it HTTPS."""
    server = _make_server(app, certificate=certificate)
    listener = socket.create_server((host, port))
    # headers and body are written separately: without this the body is delayed by 40 ms (Nagle's algorithm)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    url = f"{'https' if certificate else 'http'}://{host}:{listener.getsockname()[1]}"
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listener]}, name="salesforce-simulator", daemon=True
    )
    thread.start()
    deadline = time.monotonic() + _START_TIMEOUT_S
    while not server.started and thread.is_alive() and time.monotonic() < deadline:
        time.sleep(0.001)
    if not server.started:
        raise RuntimeError(f"the simulator did not start on {url}")
    try:
        yield url
    finally:
        server.stop()
        thread.join()
