"""The queue of faults: queued by operation, met in order, and listed as completed once met."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock

from .faults import Fault

OPERATIONS = [
    "login",
    "revoke",
    "introspect",
    "userinfo",
    "versions",
    "version",
    "describe_global",
    "describe",
    "limits",
    "record_count",
    "query.create",
    "query.info",
    "query.list",
    "query.results",
    "query.result_pages",
    "query.close",
    "query.abort",
    "query.delete",
    "ingest.create",
    "ingest.upload",
    "ingest.close",
    "ingest.abort",
    "ingest.info",
    "ingest.list",
    "ingest.successful",
    "ingest.failed",
    "ingest.unprocessed",
    "ingest.delete",
    "rest.query",
    "row",
    "upsert",
    "collections",
    "deleted",
    "updated",
    "batch",
    "any",
]


@dataclass(slots=True)
class _Entry:
    operation: str
    fault: Fault
    to_pass: int


class FaultQueue:
    """The faults that are pending, and those that were met."""

    def __init__(self) -> None:
        self._entries: list[_Entry] = []
        self._lock = Lock()
        self.completed: list[tuple[str, Fault]] = []
        """Operation and fault, in the order they were met."""

    @property
    def pending(self) -> list[tuple[str, Fault]]:
        """Operation and fault of each fault that has not been met yet."""
        return [(entry.operation, entry.fault) for entry in self._entries]

    def add(self, operation: str, fault: Fault, *, times: int = 1, after: int = 0) -> None:
        """Queue a fault for the next ``times`` requests of an operation, after letting ``after`` requests pass.

        Raises:
            ValueError: the operation does not exist.
        """
        if operation not in OPERATIONS:
            raise ValueError(f"unknown operation '{operation}'; known operations: {', '.join(OPERATIONS)}")
        with self._lock:
            self._entries += [_Entry(operation, fault, after if number == 0 else 0) for number in range(times)]

    def clear(self) -> None:
        """Discard the pending faults."""
        with self._lock:
            self._entries.clear()

    def take(self, operation: str) -> Fault | None:
        """Return the next fault for a request of this operation, and remove it from the queue."""
        with self._lock:
            entry = next((each for each in self._entries if each.operation in (operation, "any")), None)
            if entry is None:
                return None
            if entry.to_pass:
                entry.to_pass -= 1
                return None
            self._entries.remove(entry)
        if not entry.fault.is_met_while_processing:
            self.complete(operation, entry.fault)
        return entry.fault

    def complete(self, operation: str, fault: Fault) -> None:
        """Record that a fault was met; once, however many records it affects."""
        if not any(fault is met for _, met in self.completed if fault.kind == "lock_rows"):
            self.completed.append((operation, fault))
