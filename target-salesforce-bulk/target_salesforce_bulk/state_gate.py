"""`StateGate`: STATE passes only when the outcomes of everything before it are on disk."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import msgspec

_encode = msgspec.json.Encoder(decimal_format="number").encode


class _Held(NamedTuple):
    state: Any
    waits_for: frozenset[Hashable]


class StateGate:
    """Holds STATE values back until what they wait for is done; called from several threads."""

    def __init__(self, write: Callable[[str], object]) -> None:
        """``write`` is given one line, its end included, for each value that passes."""
        self._write = write
        self._lock = threading.Lock()
        self._pending: set[Hashable] = set()
        self._held: deque[_Held] = deque()
        self._last_line = ""

    def begin(self, work: Hashable) -> None:
        """Note that STATE from now on waits for ``work``."""
        with self._lock:
            self._pending.add(work)

    def release(self, work: Hashable) -> None:
        """Note that the outcomes of ``work`` are on disk; work that never gets here holds STATE for good."""
        with self._lock:
            self._pending.discard(work)
            self._held = deque(_Held(held.state, held.waits_for - {work}) for held in self._held)
            self._pass()

    def hold(self, state: Any) -> None:
        """Take the newest value; it passes when all work that is pending now has been released."""
        with self._lock:
            waits_for = frozenset(self._pending)
            if self._held and self._held[-1].waits_for == waits_for:
                self._held.pop()  # it would pass at the same moment, and be overtaken
            self._held.append(_Held(state, waits_for))
            self._pass()

    def _pass(self) -> None:
        """Write the newest value that waits for nothing more; older ones are overtaken by it."""
        newest: _Held | None = None
        while self._held and not self._held[0].waits_for:
            newest = self._held.popleft()
        if newest is not None:
            line = _encode(newest.state).decode() + "\n"
            if line != self._last_line:
                self._write(line)
                self._last_line = line
