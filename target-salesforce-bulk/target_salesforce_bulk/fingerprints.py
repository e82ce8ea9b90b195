"""16 bytes that stand for a record, a row or a key, so that a later run knows them again. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from hashlib import blake2b

import msgspec
from salesforce_bulk_client.job_data import csv_row

from target_salesforce_bulk.plan import Destination

SIZE = 16

_decode = msgspec.json.Decoder(float_hook=Decimal).decode
_encode_sorted = msgspec.json.Encoder(decimal_format="number", order="sorted").encode


def fingerprint(*parts: str | bytes) -> bytes:
    """Return the fingerprint of some texts; each text's end is part of it.

    >>> fingerprint("a", "bc") == fingerprint("ab", "c")
    False
    """
    digest = blake2b(digest_size=SIZE)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.digest()


def record_fingerprint(destination: Destination, record: bytes) -> bytes:
    """Return what an equal record of the same stream has as well, whatever the order of its properties."""
    return fingerprint(destination.stream, _encode_sorted(_decode(record)))


def key_fingerprint(destination: Destination, key_text: str) -> bytes:
    """Return what any row for the same Salesforce record has as well, whatever stream it comes from."""
    return fingerprint(destination.object, destination.key_column or "", key_text)


def row_fingerprint(destination: Destination, cells: Sequence[str]) -> bytes:
    """Return what a row has as well that would do the same to the org."""
    names = [column.name for column in destination.columns]
    return fingerprint(destination.operation.value, csv_row(names), csv_row(cells))
