"""The server's connections, so that a fault can reset one as a broken network would."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import cast

from starlette.types import Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

from .messages import Response
from .size_limits import MAX_HEAD_BYTES, too_large

_transports: dict[tuple[str, int], asyncio.Transport] = {}


class Protocol(H11Protocol):
    """uvicorn's HTTP/1.1 protocol, which keeps track of open connections by their peer."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._peer = _peer(transport)  # a TLS transport that was reset no longer has it
        _transports[self._peer] = transport

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP, or has endless headers, as the servlet container does."""
        is_large = len(self.conn.trailing_data[0]) > MAX_HEAD_BYTES
        response = too_large(431) if is_large else Response(400, f"<h1>Bad Message 400</h1><pre>{msg}</pre>".encode())
        head = f"HTTP/1.1 {response.status} Bad Message\r\nContent-Length: {len(response.body)}\r\n"
        self.transport.write(head.encode() + b"Content-Type: text/html\r\nConnection: close\r\n\r\n" + response.body)
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        _transports.pop(self._peer, None)
        super().connection_lost(exc)


def _peer(transport: asyncio.Transport) -> tuple[str, int]:
    return cast(tuple[str, int], tuple(transport.get_extra_info("peername") or ("", 0))[:2])


def reset_connection(scope: Scope) -> None:
    """Reset the TCP connection of a request."""
    transport = _transports.get(tuple(scope["client"]))
    if transport is None:
        return
    # without lingering, closing sends RST instead of FIN
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
