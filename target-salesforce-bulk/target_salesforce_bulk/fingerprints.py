"""16 bytes that stand for a record, a row or a key, so that a later run knows them again. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from hashlib import blake2b

import msgspec

from target_salesforce_bulk.plan import Destination

SIZE = 16

_decode = msgspec.json.Decoder(float_hook=Decimal).decode
_encode = msgspec.json.Encoder().encode
_encode_sorted = msgspec.json.Encoder(decimal_format="number", order="sorted").encode


Fingerprint = Callable[[str | bytes], bytes]


def fingerprint_after(*parts: str | bytes) -> Fingerprint:
    """Return what gives the fingerprint of these texts and one more, for many that begin alike.

    Each text's end is part of it.

    >>> fingerprint_after("a")("bc") == fingerprint_after("ab")("c")
    False
    """
    beginning = blake2b(digest_size=SIZE)
    for part in parts:
        data = _bytes(part)
        beginning.update(len(data).to_bytes(8, "big"))
        beginning.update(data)

    def fingerprint_of(part: str | bytes) -> bytes:
        data = _bytes(part)
        digest = beginning.copy()
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
        return digest.digest()

    return fingerprint_of


def _bytes(part: str | bytes) -> bytes:
    return part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part


def record_fingerprint(destination: Destination) -> Callable[[bytes], bytes]:
    """Return what gives for a record what an equal one of the same stream has as well, its properties in any order."""
    of_stream = fingerprint_after(destination.stream)
    return lambda record: of_stream(_encode_sorted(_decode(record)))


def key_fingerprint(destination: Destination) -> Callable[[str], bytes]:
    """Return what gives for a key's text what any row for the same Salesforce record has, whatever its stream."""
    return fingerprint_after(destination.object, destination.key_column or "")


def row_fingerprint(destination: Destination) -> Callable[[Sequence[str]], bytes]:
    """Return what gives for a row's cells what any row has that would do the same to the org."""
    names = [column.name for column in destination.columns]
    of_columns = fingerprint_after(destination.operation.value, _encode(names))
    return lambda cells: of_columns(_encode(cells))
