"""Serve an org on a local address."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from .app import App
from .org import Org
from .transports import Protocol

_START_TIMEOUT_S = 30


def make_server(org: Org, *, host: str, port: int) -> uvicorn.Server:
    """Return a server that is not running yet."""
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # answers cut on purpose are no news
    return uvicorn.Server(
        uvicorn.Config(
            App(org),
            host=host,
            port=port,
            http=Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            date_header=False,
            server_header=False,
            h11_max_incomplete_event_size=64 * 1024,
            timeout_graceful_shutdown=1,
        )
    )


@contextmanager
def running(org: Org, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve an org in a thread, and give its URL; a port of 0 takes a free one."""
    server = make_server(org, host=host, port=port)
    listener = socket.create_server((host, port))
    url = f"http://{host}:{listener.getsockname()[1]}"
    org.own_addresses.add(url)
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
        server.should_exit = True
        thread.join()
        listener.close()
