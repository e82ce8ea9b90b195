"""`Stopping`: how a signal reaches all threads without breaking anything in the middle."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from target_salesforce_bulk.errors import Interrupted

GRACE_S = 15.0
"""How long closed jobs may take to end after a signal; Kubernetes kills after 30 s. The next run finds the others."""


class Stopping:
    """Asked to stop by the signal handler; asked about it by everybody else."""

    def __init__(self) -> None:
        self.is_asked = threading.Event()
        """What is not closed yet is to be given up; closed jobs are waited for."""
        self.is_over = threading.Event()
        """The time for that has passed."""
        self.may_interrupt = False
        """Whether the main thread waits where an exception does no harm: for input, or for an answer."""
        self._signal_number = 0

    def ask(self, signal_number: int) -> None:
        """Take a signal, in the main thread; a second one ends the waiting.

        Raises: Interrupted if the main thread waits; else it will come to `check`.
        """
        if self.is_asked.is_set():
            self.is_over.set()
        self._signal_number = signal_number
        self.is_asked.set()
        if self.may_interrupt:
            self.may_interrupt = False
            raise Interrupted(signal_number)

    def check(self) -> None:
        """Raise Interrupted if a signal has come."""
        if self.is_asked.is_set():
            raise Interrupted(self._signal_number)

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let a signal interrupt the main thread at any point of the block."""
        self.may_interrupt = True
        try:
            yield
        finally:
            self.may_interrupt = False
