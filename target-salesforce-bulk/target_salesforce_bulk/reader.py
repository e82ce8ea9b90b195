"""Reads Singer messages: lines of JSON, numbers kept exact, and no line ever shown in an error."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from decimal import Decimal
from typing import IO, Any

import msgspec
from singer_sdk.singerlib.encoding import GenericSingerReader

from target_salesforce_bulk.errors import InputBroken
from target_salesforce_bulk.stopping import Stopping

Callbacks = dict[str, Callable[[dict[str, Any]], None]]


class MessageReader(GenericSingerReader[bytes]):
    """The SDK's reader with three differences: a signal ends it, errors name the line only, floats are `Decimal`."""

    def __init__(self, stopping: Stopping, *, guard: Callable[[], AbstractContextManager[None]]) -> None:
        """``guard`` surrounds the reading: it ends the run in order when that ends early."""
        super().__init__()
        self._stopping = stopping
        self._guard = guard
        self._decode = msgspec.json.Decoder(float_hook=Decimal).decode

    @property
    def default_input(self) -> IO[bytes]:
        """Standard input, undecoded: JSON is UTF-8 whatever the locale."""
        return sys.stdin.buffer

    def deserialize_json(self, line: bytes | str) -> dict[str, Any]:
        """Return the message of one line.

        Raises: InputBroken.
        """
        try:
            message = self._decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InputBroken(f"no JSON: {error}") from None
        if not isinstance(message, dict) or not isinstance(message.get("type"), str):
            raise InputBroken("no Singer message: no object with a type")
        if message["type"] == "RECORD" and not isinstance(message.get("record"), dict):
            raise InputBroken("a RECORD without a record")
        return message

    def process_lines(self, file_input: IO[Any] | None, callbacks: Any) -> Counter[str]:
        """Give each message to the callback of its type, and return how many there were of each.

        Raises: InputBroken, naming the line by its number; Interrupted.
        """
        counts: Counter[str] = Counter()
        with self._guard():
            for number, line in enumerate(self._lines(file_input or self.default_input), 1):
                if not line.isspace():
                    message, callback = self._understood(line, number, callbacks)
                    callback(message)
                    counts[message["type"]] += 1
        return counts

    def _understood(
        self, line: bytes | str, number: int, callbacks: Callbacks
    ) -> tuple[dict[str, Any], Callable[[dict[str, Any]], None]]:
        try:
            message = self.deserialize_json(line)
            if message["type"] not in callbacks:
                raise InputBroken(f"a message of unknown type {message['type']!r}")
        except InputBroken as error:
            raise InputBroken(f"line {number} of the input is broken: {error}") from None
        return message, callbacks[message["type"]]

    def _lines(self, file: IO[Any]) -> Iterator[Any]:
        lines = iter(file)
        while True:
            self._stopping.check()
            self._stopping.may_interrupt = True
            line = next(lines, None)
            self._stopping.may_interrupt = False
            if line is None:
                return
            yield line
