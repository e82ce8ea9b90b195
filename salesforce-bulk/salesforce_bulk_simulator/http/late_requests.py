"""Requests whose connection was reset and that are carried out later, as if a server had queued them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock


@dataclass(slots=True)
class _LateRequest:
    carry_out: Callable[[], object]
    remaining_requests: int | None


class LateRequests:
    """The requests that ``Fault.carried_out_late`` has delayed."""

    def __init__(self) -> None:
        self._waiting: list[_LateRequest] = []
        self._lock = Lock()

    def add(self, carry_out: Callable[[], object], *, after: int | None) -> None:
        """Delay a request until ``after`` others have arrived, or until ``carry_out_all``."""
        with self._lock:
            self._waiting.append(_LateRequest(carry_out, after))

    def due(self) -> list[Callable[[], object]]:
        """Return the requests to carry out before the one that has just arrived."""
        with self._lock:
            for late in self._waiting:
                if late.remaining_requests is not None:
                    late.remaining_requests -= 1
            due = [
                late for late in self._waiting if late.remaining_requests is not None and late.remaining_requests <= 0
            ]
            self._waiting = [late for late in self._waiting if late not in due]
        return [late.carry_out for late in due]

    def carry_out_all(self) -> None:
        """Carry out all delayed requests."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
        for late in waiting:
            late.carry_out()
