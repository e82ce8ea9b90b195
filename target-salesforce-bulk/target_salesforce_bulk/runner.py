"""`UnitRunner`: sees units through in threads, as many at once as allowed, each after those that it depends on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from target_salesforce_bulk.unit import Unit

MOST_READY = 2
"""Units that are filled and wait: enough to go on with, and each holds its keys in memory."""

LOOK_S = 0.5
"""How often a waiting main thread looks up, so that a signal is answered soon."""


class UnitRunner:
    """Its methods are for the main thread; the work is done in threads that do not keep the process alive."""

    def __init__(self, work: Callable[[Unit], None], *, max_concurrent: int, check: Callable[[], None]) -> None:
        """``work`` sees one unit through; ``check`` is called while waiting, and may raise to end that."""
        self._work = work
        self._max_concurrent = max_concurrent
        self._check = check
        self._changed = threading.Condition()
        self._unfinished: list[Unit] = []
        """As submitted; a unit that ended with an error stays."""
        self._begun: set[Unit] = set()
        """Those of them that are being seen through, or ended with an error."""
        self._number_running = 0
        self._starts_more = True
        self.error: BaseException | None = None
        """The first error of a unit: nothing more starts after it."""

    def submit(self, unit: Unit) -> None:
        """Take a closed unit, and start it as soon as it may."""
        with self._changed:
            self._unfinished.append(unit)
            self._start_ready()

    def under_way(self) -> list[Unit]:
        """Return the units that are not finished, in the order in which they were submitted."""
        with self._changed:
            return list(self._unfinished)

    def wait_for_room(self) -> None:
        """Wait until it makes sense to fill another unit: `MOST_READY` may lie ready while others run.

        Raises: the first error of a unit; what ``check`` raises.
        """
        while True:
            self._check()
            with self._changed:
                if self.error:
                    raise self.error
                if len(self._unfinished) < self._max_concurrent + MOST_READY:
                    return
                self._changed.wait(LOOK_S)

    def wait_for_all(self) -> None:
        """Wait until every unit is finished, or after an error until those that run have ended.

        Raises: the first error of a unit; what ``check`` raises.
        """
        while True:
            self._check()
            with self._changed:
                if not self._number_running:
                    if self.error:
                        raise self.error
                    if not self._unfinished:
                        return
                self._changed.wait(LOOK_S)

    @property
    def number_running(self) -> int:
        """Units that are being seen through."""
        return self._number_running

    def stop_starting(self) -> None:
        """Start no more units."""
        with self._changed:
            self._starts_more = False

    def wait_for_running(self, *, timeout_s: float | None = None) -> None:
        """Wait until the units that run have ended, in whatever way, or the time is over."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        with self._changed:
            while self._number_running and (deadline is None or time.monotonic() < deadline):
                self._changed.wait(LOOK_S)

    def _start_ready(self) -> None:
        for unit in self._unfinished:
            if not self._starts_more or self._number_running >= self._max_concurrent:
                return
            if unit not in self._begun and unit.after.isdisjoint(self._unfinished):
                self._begun.add(unit)
                unit.after.clear()  # they are finished: nothing shall hold on to them
                self._number_running += 1
                threading.Thread(target=self._run, args=(unit,), name=unit.id, daemon=True).start()

    def _run(self, unit: Unit) -> None:
        error: BaseException | None = None
        try:
            self._work(unit)
        except BaseException as raised:  # noqa: BLE001  raised again in the main thread
            error = raised
        with self._changed:
            self._number_running -= 1
            if error is None:
                self._unfinished.remove(unit)
                self._begun.remove(unit)
            else:
                self.error = self.error or error
                self._starts_more = False
            self._start_ready()
            self._changed.notify_all()
