"""Serve an org on a local address."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .app import App
from .http.certificates import Certificate
from .http.server import serve
from .org import Org


@contextmanager
def running(
    org: Org, *, host: str = "127.0.0.1", port: int = 0, certificate: Certificate | None = None
) -> Iterator[str]:
    """Serve an org in a thread and yield its URL. Port 0 picks a free one; a certificate makes it HTTPS."""
    with serve(App(org), host=host, port=port, certificate=certificate) as url:
        org.own_addresses.add(url)
        yield url
