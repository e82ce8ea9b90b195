"""Reads Singer messages: lines of JSON, numbers kept exact, and no value of a record ever shown in an error."""

from __future__ import annotations

import codecs
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import IO, Any

import msgspec
from salesforce_bulk_client.records.cells import decode_json
from singer_sdk.singerlib.encoding import GenericSingerReader

from target_salesforce_bulk.errors import InputBroken
from target_salesforce_bulk.messages.record_chunks import RecordChunks
from target_salesforce_bulk.stopping import Stopping

Callbacks = dict[str, Callable[[dict[str, Any]], None]]

_REQUIRED: dict[str, dict[str, type]] = {
    "SCHEMA": {"stream": str, "schema": dict},
    "RECORD": {"stream": str, "record": dict},
    "STATE": {"value": object},
    "BATCH": {"stream": str, "encoding": dict, "manifest": list},
    "ACTIVATE_VERSION": {"stream": str},
}
"""What a message must have."""

_TYPE_NAMES: dict[type, str] = {str: "a text", dict: "an object", list: "a list"}


class _Envelope(msgspec.Struct):
    """A message whose record is left as it is."""

    type: str
    stream: str | None = None
    record: msgspec.Raw = msgspec.Raw()


class MessageReader(GenericSingerReader[bytes]):
    """The SDK's reader with three differences: a signal ends it, errors name the line only, floats are `Decimal`."""

    def __init__(
        self,
        stopping: Stopping,
        *,
        guard: Callable[[], AbstractContextManager[None]],
        chunks: RecordChunks,
    ) -> None:
        """``guard`` surrounds the reading: it ends the run in order when that ends early.

        ``chunks`` is offered each RECORD before it is decoded.
        """
        super().__init__()
        self._stopping = stopping
        self._guard = guard
        self._chunks = chunks
        self.line = 0
        """Number of the line whose message is being processed, from 1."""
        self._decode = decode_json
        self._decode_envelope = msgspec.json.Decoder(_Envelope).decode

    @property
    def default_input(self) -> IO[bytes]:
        """Standard input, undecoded: JSON is UTF-8 whatever the locale."""
        return sys.stdin.buffer

    def deserialize_json(self, line: bytes | str | msgspec.Raw) -> dict[str, Any]:
        """Return the object that a line is.

        Raises: InputBroken.
        """
        try:
            message = self._decode(line)
        except (ValueError, RecursionError) as error:
            raise InputBroken(f"no JSON: {_why(line, error)}") from None
        if not isinstance(message, dict):
            raise InputBroken("no Singer message: no object")
        return message

    def record_message(self, stream: str, record: msgspec.Raw, *, line: int) -> dict[str, Any]:
        """Return the RECORD message that was in line ``line``.

        Raises: InputBroken.
        """
        self.line = line
        with _naming(line):
            return {"type": "RECORD", "stream": stream, "record": self.deserialize_json(record)}

    def process_lines(self, file_input: IO[Any] | None, callbacks: Any) -> Counter[str]:
        """Give each message to the callback of its type, and return how many there were of each.

        Raises: InputBroken, naming the line by its number; Interrupted.
        """
        counts: Counter[str] = Counter()
        with self._guard():
            for number, line in enumerate(self._lines(file_input or self.default_input), 1):
                if self._is_taken(line, number):
                    counts["RECORD"] += 1
                elif not line.isspace():
                    self._chunks.flush()
                    self.line = number
                    with _naming(number):
                        message = self._message(line, callbacks)
                    callbacks[message["type"]](message)
                    counts[message["type"]] += 1
            self._chunks.flush()
        return counts

    def _is_taken(self, line: bytes | str, number: int) -> bool:
        """Offer a RECORD to the chunks; whatever seems wrong with it is found out on the other road."""
        try:
            envelope = self._decode_envelope(line)
        except (ValueError, RecursionError):
            return False
        if envelope.type != "RECORD" or not envelope.stream or memoryview(envelope.record)[:1].tobytes() != b"{":
            return False
        return self._chunks.add(envelope.stream, envelope.record, line=number)

    def _message(self, line: bytes | str, callbacks: Callbacks) -> dict[str, Any]:
        message = self.deserialize_json(line)
        kind = message.get("type")
        if not isinstance(kind, str):
            raise InputBroken("no Singer message: no type")
        if kind not in callbacks:
            raise InputBroken(f"a message of unknown type {kind!r}")
        for name, wanted in _REQUIRED.get(kind, {}).items():
            if name not in message or not isinstance(message[name], wanted):
                raise InputBroken(f"a {kind} without {_TYPE_NAMES.get(wanted, 'a')} {name}")
        if kind == "SCHEMA" and not isinstance(message["schema"].get("properties"), dict):
            raise InputBroken("a SCHEMA whose schema has no properties")
        for name in ("key_properties", "manifest"):
            if not all(isinstance(entry, str) for entry in message.get(name) or ()):
                raise InputBroken(f"a {kind} whose {name} are not texts")
        return message

    def _lines(self, file: IO[Any]) -> Iterator[Any]:
        lines = iter(file)
        mark = codecs.BOM_UTF8  # Windows' tools begin a file with it
        while True:
            self._stopping.check()
            self._stopping.may_interrupt = True
            line = next(lines, None)
            self._stopping.may_interrupt = False
            if line is None:
                return
            yield line.removeprefix(mark) if mark and isinstance(line, bytes) else line
            mark = b""


@contextmanager
def _naming(line: int) -> Iterator[None]:
    """Add the line of the input to an error."""
    try:
        yield
    except InputBroken as error:
        raise InputBroken(f"line {line} of the input is broken: {error}; correct it, and run again to resume") from None


def _why(line: bytes | str | msgspec.Raw, error: Exception) -> str:
    """Return why a line is not valid JSON, in particular if Python's own, laxer parser accepts it."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    with suppress(ValueError, RecursionError):
        json.loads(line if isinstance(line, str) else bytes(line))
        return "it has half of a surrogate pair, a NaN or an Infinity, or a number of thousands of digits"
    text = line if isinstance(line, str) else bytes(line).decode(errors="replace")
    return str(error) if text.lstrip()[:1] in {"{", "[", ""} else f"{error}; is it a log line among the messages?"
