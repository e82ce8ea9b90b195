"""`BatchScheduler`: loads batches in threads, as many at once as allowed, each after those that it depends on.

Rows whose parent is not in Salesforce yet are kept on disk, in the batch that they came in. They are sent again when a
batch with the parent's key is loaded, at the end of the input, and when nothing else can be loaded before them; as
often as that loads anything.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from target_salesforce_bulk.batches.batch import Batch
from target_salesforce_bulk.outcomes import OutcomeKind

MAX_READY = 2
"""Batches that are filled and wait: enough to go on with, and each holds its keys in memory."""

LOOK_S = 0.5
"""How often a waiting main thread looks up, so that a signal is answered soon."""


class BatchScheduler:
    """Its methods are for the main thread; the work is done in threads that do not keep the process alive."""

    def __init__(
        self,
        work: Callable[[Batch], None],
        *,
        max_concurrent: int,
        check: Callable[[], None],
        break_cycles: Callable[[Sequence[Batch]], bool] = lambda _: False,
    ) -> None:
        """``work`` loads one batch; ``check`` is called while waiting, and may raise to end that.

        ``break_cycles`` lets rows of these batches that wait for each other be sent, and returns whether there are any.
        """
        self._work = work
        self._break_cycles = break_cycles
        self._max_concurrent = max_concurrent
        self._check = check
        self._changed = threading.Condition()
        self._unfinished: list[Batch] = []
        """As submitted; a batch that ended with an error stays."""
        self._begun: set[Batch] = set()
        """Those of them that are being loaded, or ended with an error."""
        self._blocking: list[Batch] = []
        """Finished ones that `_is_blocking`: what waits for them is not sent either."""
        self._awaiting_parents: list[Batch] = []
        """Those whose rows wait for their parents, in the order in which they began to."""
        self._has_loaded = False
        """Whether a row was loaded since rows that wait for their parents were sent last."""
        self._running: set[Batch] = set()
        """Those that a thread works on."""
        self._starts_more = True
        self.error: BaseException | None = None
        """The first error of a batch: nothing more starts after it."""

    def submit(self, batch: Batch) -> None:
        """Take a closed batch, and start it as soon as it may."""
        with self._changed:
            self._unfinished.append(batch)
            self._start_ready()

    def under_way(self) -> list[Batch]:
        """Return the batches that later ones may have to wait for, in the order in which they were submitted.

        They are not finished, or block what waits for them.
        """
        with self._changed:
            return [*self._blocking, *self._awaiting_parents, *self._unfinished]

    def wait_for_room(self) -> None:
        """Wait until it makes sense to fill another batch: `MAX_READY` may lie ready while others run.

        Raises: the first error of a batch; what ``check`` raises.
        """
        while True:
            self._check()
            with self._changed:
                if self.error:
                    raise self.error
                if len(self._unfinished) < self._max_concurrent + MAX_READY:
                    return
                if not self._running:
                    self._send_waiting()
                self._changed.wait(LOOK_S)

    def wait_for_all(self) -> None:
        """Wait until every batch is finished, or after an error until those that run have ended.

        Raises: the first error of a batch; what ``check`` raises.
        """
        while True:
            self.wait_until_idle()
            with self._changed:
                if not self._awaiting_parents:
                    return
                self._send_waiting()

    def wait_until_idle(self) -> list[Batch]:
        """Wait until no batch runs, and return those whose rows wait for their parents.

        Raises: the first error of a batch; what ``check`` raises.
        """
        while True:
            self._check()
            with self._changed:
                if not self._running:
                    if self.error:
                        raise self.error
                    return list(self._awaiting_parents)
                self._changed.wait(LOOK_S)

    @property
    def number_running(self) -> int:
        """Batches that are being loaded."""
        return len(self._running)

    def stop_starting(self) -> None:
        """Start no more batches."""
        with self._changed:
            self._starts_more = False

    def is_running(self, batch: Batch) -> bool:
        """Whether a thread works on a batch."""
        return batch in self._running

    def wait_for_running(
        self,
        *,
        timeout_s: float | None = None,
        until: threading.Event | None = None,
        check: Callable[[], None] | None = None,
    ) -> None:
        """Wait until the batches that run have ended, in whatever way, or the time is over, or ``until`` is set.

        Raises: what ``check`` raises.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        with self._changed:
            while self._running and (deadline is None or time.monotonic() < deadline):
                if until and until.is_set():
                    return
                if check:
                    check()
                self._changed.wait(LOOK_S)

    def _start_ready(self) -> None:
        for batch in self._unfinished:
            if not self._starts_more or len(self._running) >= self._max_concurrent:
                return
            if batch not in self._begun and self._may_start(batch):
                self._begun.add(batch)
                batch.is_blocked = not batch.after.isdisjoint(self._blocking)
                batch.after.clear()  # they are finished: nothing shall hold on to them
                batch.after_rows.clear()
                batch.after_all_rows.clear()
                self._running.add(batch)
                threading.Thread(target=self._run, args=(batch,), name=batch.id, daemon=True).start()

    def _may_start(self, batch: Batch) -> bool:
        """Whether nothing that a batch waits for is left: of parents only those that can be loaded now."""
        before = batch.after.intersection(self._unfinished)
        parents = before - batch.after_rows
        return not self._follows_waiting(batch) and before == parents and all(map(self._is_held, parents))

    def _is_held(self, batch: Batch) -> bool:
        """Whether a batch waits for rows that wait for their parents."""
        if self._follows_waiting(batch):
            return True
        return any(map(self._is_held, batch.after_rows.intersection(self._unfinished)))

    def _follows_waiting(self, batch: Batch) -> bool:
        """Whether rows before it, which it must not overtake, wait for their parents or for a second pass."""
        if not batch.after_rows:
            return False
        second_passes = (each for each in self._unfinished if each.first_pass)
        return any(map(batch.must_follow, (*self._awaiting_parents, *second_passes)))

    def _send_waiting(self) -> None:
        """Start the batches whose rows wait for their parents, parents first.

        When nothing was loaded since the last time, and no rows wait for each other, rows are refused: those that a
        later batch waits for, which may have parents of the others; and if there are none, all.
        """
        waiting = self._awaiting_parents
        parents_may_come = self._has_loaded or self._break_cycles(waiting)
        sent = waiting if parents_may_come else self._in_the_way() or waiting
        self._awaiting_parents = [each for each in waiting if each not in sent]
        for number, batch in enumerate(sent):
            batch.parents_may_come = parents_may_come
            batch.after.update(each for each in sent[:number] if each.destination.object in batch.destination.parents)
        self._has_loaded = False
        self._unfinished[:0] = sent
        self._start_ready()

    def _in_the_way(self) -> list[Batch]:
        """Return the batches whose rows wait for their parents, and which the first other one must not overtake."""
        waiting = self._awaiting_parents
        for batch in self._unfinished:
            if found := [each for each in waiting if batch.must_follow(each)]:
                return found
        return []

    def _run(self, batch: Batch) -> None:
        loaded_before = batch.number_loaded
        known = set(batch.second_passes)
        error: BaseException | None = None
        try:
            self._work(batch)
        except BaseException as raised:  # noqa: BLE001  raised again in the main thread
            error = raised
        with self._changed:
            self._running.discard(batch)
            if error is None:
                has_loaded = batch.number_loaded > loaded_before
                self._has_loaded |= has_loaded
                self._unfinished.remove(batch)
                self._begun.remove(batch)
                if batch.awaits_parents:
                    self._awaiting_parents.append(batch)
                elif _is_blocking(batch):
                    self._blocking += [batch, batch.first_pass] if batch.first_pass else [batch]
                self._awaiting_parents += batch.second_passes - known
                for child in [each for each in self._awaiting_parents if has_loaded and each.awaits_rows_of(batch)]:
                    self._awaiting_parents.remove(child)
                    self._unfinished.append(child)
            else:
                self.error = self.error or error
                self._starts_more = False
            self._start_ready()
            self._changed.notify_all()


def _is_blocking(batch: Batch) -> bool:
    """Whether rows of a finished batch were not processed, or may yet be by a job that could not be read."""
    may_be_processed = batch.outcomes[OutcomeKind.DOUBTFUL] and batch.destination.key_column is not None
    return bool(batch.outcomes[OutcomeKind.UNPROCESSED] or may_be_processed)
