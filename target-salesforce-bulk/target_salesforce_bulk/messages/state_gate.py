"""`StateGate`: STATE passes only when the outcomes of everything before it are on disk."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import msgspec

_encode = msgspec.json.Encoder(decimal_format="number").encode


class _Held(NamedTuple):
    value: Any
    number_begun: int
    """It waits for all work that was begun before it: the first so many."""
    before_passing: Callable[[], object] | None


class StateGate:
    """Holds STATE values back until what they wait for is done; called from several threads."""

    def __init__(self, write: Callable[[str], object]) -> None:
        """``write`` is given one line, its end included, for each value that passes."""
        self._write = write
        self._lock = threading.Lock()
        self._number_begun = 0
        self._pending: dict[Hashable, int] = {}
        """Work that is not done, with how many were begun before it; oldest first."""
        self._held: deque[_Held] = deque()
        self._last_line = ""

    def begin(self, work: Hashable) -> None:
        """Note that STATE from now on waits for ``work``."""
        with self._lock:
            self._pending[work] = self._number_begun
            self._number_begun += 1

    def release(self, work: Hashable) -> None:
        """Note that the outcomes of ``work`` are on disk; work that never gets here holds STATE for good."""
        with self._lock:
            self._pending.pop(work, None)
            self._pass()

    def hold(self, value: Any, *, before_passing: Callable[[], object] | None = None) -> None:
        """Take the newest value; it passes when all work that is pending now has been released.

        ``before_passing`` is called just before it does.
        """
        with self._lock:
            if self._held and self._held[-1].number_begun == self._number_begun:
                self._held.pop()  # it would pass at the same moment, and be overtaken
            self._held.append(_Held(value, self._number_begun, before_passing))
            self._pass()

    def _pass(self) -> None:
        """Write the newest value that waits for nothing more; older ones are overtaken by it."""
        oldest_pending = next(iter(self._pending.values()), self._number_begun)
        newest: _Held | None = None
        while self._held and self._held[0].number_begun <= oldest_pending:
            newest = self._held.popleft()
        if newest is None:
            return
        line = _encode(newest.value).decode() + "\n"
        if line != self._last_line:
            if newest.before_passing:
                newest.before_passing()
            self._write(line)
            self._last_line = line
