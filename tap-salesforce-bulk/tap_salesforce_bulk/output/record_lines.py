"""The fast path of RECORD messages: the lines of a whole chunk are encoded and written at once.

The SDK creates a dictionary, a message object, a line and a flush for each record, and passes each through field
selection and stream maps first. Where those would change nothing (the query returns the selected fields only), the
same lines are encoded chunk by chunk.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from itertools import starmap
from typing import TYPE_CHECKING, Any

import msgspec
from singer_sdk.contrib.msgspec import MsgSpecWriter, enc_hook

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_salesforce_bulk.output.chunks import Chunk

ENCODER = msgspec.json.Encoder(decimal_format="number", enc_hook=enc_hook)
"""As the SDK encodes: a Decimal stays a number, with all its digits."""


class LineWriter(MsgSpecWriter):
    """The SDK's writer, which also writes many lines at once."""

    def write_lines(self, lines: bytes) -> None:
        """Write complete lines to stdout."""
        sys.stdout.buffer.write(lines)
        sys.stdout.buffer.flush()


class RecordStruct:
    """Turns rows into structs, which are encoded faster than dictionaries, since their names are known."""

    def __init__(self, names: Sequence[str]) -> None:
        fields = {f"value_{number}": name for number, name in enumerate(names)}
        self._struct = msgspec.defstruct("Record", [(key, Any) for key in fields], rename=fields, gc=False)

    def of(self, chunk: Chunk) -> list[msgspec.Struct]:
        """Return the rows of a chunk, whose columns have these names."""
        return list(starmap(self._struct, chunk.rows()))


class RecordMessage(msgspec.Struct, gc=False):
    """A RECORD message, as the SDK writes it."""

    type: str
    stream: str
    record: msgspec.Struct
    time_extracted: str


class RecordLines:
    """Encodes chunks as lines of RECORD messages."""

    def __init__(self, stream: str, *, names: Sequence[str]) -> None:
        self._stream = stream
        self._records = RecordStruct(names)

    def of(self, chunk: Chunk) -> bytes:
        """Return a chunk's lines."""
        now = datetime.now(UTC).isoformat()
        return ENCODER.encode_lines(
            [RecordMessage("RECORD", self._stream, record, now) for record in self._records.of(chunk)]
        )
