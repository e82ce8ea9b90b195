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
_CALM_ROUNDS = 3
"""Rounds of the event loop without a connection before the server ends: one may have been accepted just now."""


class Server(uvicorn.Server):
    """A server that can be stopped from another thread, at once: uvicorn's own looks up ten times a second."""

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
        """Close all connections; requests that are being answered are cut off."""
        for server in self.servers:
            server.close()  # which stops looking at its socket, so that goes first
        for listener in sockets or []:
            listener.close()
        for task in list(self.server_state.tasks):
            task.cancel()
        deadline = time.monotonic() + _STOP_TIMEOUT_S
        told: set[object] = set()
        calm = 0
        while calm < _CALM_ROUNDS and time.monotonic() < deadline:
            open_ones = set(self.server_state.connections)
            for connection in open_ones - told:
                connection.shutdown()
            told |= open_ones
            calm = 0 if open_ones else calm + 1
            await asyncio.sleep(0.001)


def _make_server(app: ASGIApp, *, certificate: Certificate | None) -> Server:
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # answers cut on purpose are no news
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
    """Serve an application in a thread, and give its URL; port 0 takes a free one, a certificate makes it HTTPS."""
    server = _make_server(app, certificate=certificate)
    listener = socket.create_server((host, port))
    # headers and body are written one after the other: without this the second waits 40 ms for the first to arrive
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
