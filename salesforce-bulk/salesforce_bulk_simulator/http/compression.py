"""Compressed requests and responses, for all resources (REST API guide, "Compression Headers")."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Mapping

from .errors import RequestRefused
from .messages import Response

_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
_NOT_COMPRESSED = "The request body is not in the format of its Content-Encoding: {}"
"""Message of the error for invalid data; its status and code, too, are inferred."""


class TooLarge(Exception):
    """A body that exceeds the maximum size once decompressed."""


def decompressed(body: bytes, headers: Mapping[str, str], *, max_bytes: int) -> bytes:
    """Return a request's body with its ``Content-Encoding`` undone.

    Raises:
        RequestRefused: 415 for an unsupported encoding, 400 for truncated or invalid data.
        TooLarge: the body has more than ``max_bytes``.
    """
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("identity", "") or not body:
        return body
    bits = _WINDOW_BITS.get(encoding)
    if bits is None:
        raise RequestRefused(415, "UNSUPPORTED_MEDIA_TYPE", f"Content-Encoding: {encoding} is not supported")
    reader = zlib.decompressobj(bits)
    try:
        plain = reader.decompress(body, max_bytes + 1)
    except zlib.error:
        raise RequestRefused(400, "INVALID_REQUEST_BODY", _NOT_COMPRESSED.format(encoding)) from None
    if len(plain) > max_bytes:
        raise TooLarge
    if not reader.eof:
        raise RequestRefused(400, "INVALID_REQUEST_BODY", _NOT_COMPRESSED.format(encoding))
    return plain


def compress(response: Response) -> None:
    """Compress a response. It is then sent chunked, as Salesforce does."""
    response.body = gzip.compress(response.body, 1)
    response.headers["Content-Encoding"] = "gzip"
    response.is_chunked = True


def accepts_gzip(headers: Mapping[str, str]) -> bool:
    """Whether a request accepts gzip: it is listed, and not with a weight of 0.

    >>> [accepts_gzip({"accept-encoding": text}) for text in ("gzip, deflate", "br;q=1, gzip;q=0.5", "gzip;q=0", "br")]
    [True, True, False, False]
    """
    accepted = headers.get("accept-encoding", "").lower()
    return re.search(r"(?:^|[,\s])gzip(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))", accepted) is not None
