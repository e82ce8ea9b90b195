"""The quick road of RECORD messages: a chunk of rows becomes one text of lines, written at once.

The SDK makes a dictionary, a message object, a line and a flush of each record, and passes each through field
selection and stream maps first. Where those would change nothing (the query asks for the selected fields only), the
same lines are made of a whole chunk.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from itertools import starmap
from typing import TYPE_CHECKING, Any

import msgspec
from singer_sdk.contrib.msgspec import MsgSpecWriter, enc_hook
from singer_sdk.mapper import SameRecordTransform

if TYPE_CHECKING:
    from collections.abc import Sequence

    from singer_sdk.mapper import StreamMap

    from tap_salesforce_bulk.records import Chunk

ENCODER = msgspec.json.Encoder(decimal_format="number", enc_hook=enc_hook)
"""As the SDK encodes: a Decimal stays a number, with all its digits."""


class LineWriter(MsgSpecWriter):
    """The SDK's writer, which also takes many lines at once."""

    def write_lines(self, lines: bytes) -> None:
        """Write whole lines to stdout."""
        sys.stdout.buffer.write(lines)
        sys.stdout.buffer.flush()


class RecordStruct:
    """Makes values into objects that are encoded as records: quicker than dictionaries, since the names are known."""

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
    """Makes chunks into lines of RECORD messages."""

    def __init__(self, stream: str, *, names: Sequence[str]) -> None:
        self._stream = stream
        self._records = RecordStruct(names)

    def of(self, chunk: Chunk) -> bytes:
        """Return a chunk's lines."""
        now = datetime.now(UTC).isoformat()
        return ENCODER.encode_lines(
            [RecordMessage("RECORD", self._stream, record, now) for record in self._records.of(chunk)]
        )


def changes_nothing(stream_maps: Sequence[StreamMap]) -> bool:
    """Whether all that the stream maps do is to pass each record on."""
    return (
        len(stream_maps) == 1 and type(stream_maps[0]) is SameRecordTransform and not stream_maps[0].flattening_enabled
    )
