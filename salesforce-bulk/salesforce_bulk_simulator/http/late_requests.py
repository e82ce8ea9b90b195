"""Requests whose connection broke and that are carried out later, as by a server that had queued them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock


@dataclass(slots=True)
class _Late:
    carry_out: Callable[[], object]
    requests_to_come: int | None


class LateRequests:
    """What ``Fault.carried_out_late`` holds back."""

    def __init__(self) -> None:
        self._waiting: list[_Late] = []
        self._lock = Lock()

    def add(self, carry_out: Callable[[], object], *, after: int | None) -> None:
        """Hold a request back until so many others have come, or until ``carry_out_all``."""
        with self._lock:
            self._waiting.append(_Late(carry_out, after))

    def due(self) -> list[Callable[[], object]]:
        """Return what has to be done before the request that comes now."""
        with self._lock:
            for late in self._waiting:
                if late.requests_to_come is not None:
                    late.requests_to_come -= 1
            due = [late for late in self._waiting if late.requests_to_come is not None and late.requests_to_come <= 0]
            self._waiting = [late for late in self._waiting if late not in due]
        return [late.carry_out for late in due]

    def carry_out_all(self) -> None:
        """Do what waits."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
        for late in waiting:
            late.carry_out()
