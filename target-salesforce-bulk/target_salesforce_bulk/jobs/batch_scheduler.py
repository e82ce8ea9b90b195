"""`BatchScheduler`: loads batches in threads, as many at once as allowed, each after those that it depends on.

Rows whose parent is not in Salesforce yet are kept on disk, in the batch that they came in. At the end of the input,
and when nothing else can be loaded before them, they are sent again in rounds: first those whose parents do not wait,
then their children, and so on. When that has loaded nothing any more, they are refused.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

from target_salesforce_bulk.batches.batch import Batch, Part, Wait
from target_salesforce_bulk.jobs.rounds import plan_at_once, plan_by_parents, plan_free_first, plan_repeated_first
from target_salesforce_bulk.outcomes import OutcomeKind

MAX_READY = 2
"""Batches that are filled and wait: enough to keep the threads busy, and each holds its keys in memory."""

LOOK_S = 0.5
"""How often the waiting main thread wakes up, so that it answers a signal soon."""


class BatchScheduler:
    """Its methods are for the main thread; the work is done in threads that do not keep the process alive."""

    def __init__(
        self,
        work: Callable[[Batch], None],
        *,
        max_concurrent: int,
        check: Callable[[], None],
        small_rows: int = 0,
    ) -> None:
        """``work`` loads one batch; ``check`` is called while waiting, and may raise to end that.

        At the end of the input, rounds of no more than ``small_rows`` rows of a batch may do without a job.
        """
        self._work = work
        self._small_rows = small_rows
        self._max_concurrent = max_concurrent
        self._check = check
        self._changed = threading.Condition()
        self._unfinished: list[Batch] = []
        """As submitted; a batch that ended with an error stays."""
        self._begun: set[Batch] = set()
        """Those of them that are being loaded, or ended with an error."""
        self._blocking: list[Batch] = []
        """Finished ones that `_is_blocking`: what waits for them is not sent either."""
        self._waiting: list[Batch] = []
        """Those that have nothing but rows that wait for their parents, or for such rows."""
        self._number_submitted = 0
        self._number_of_loads = 0
        """How often rows were loaded."""
        self._loads_before_round: int | None = None
        """How often that was before the last round of the plan that is carried out."""
        self._is_by_parents = False
        """Whether the last plan was."""
        self._has_ended = False
        """Whether no more batches will come."""
        self._running: set[Batch] = set()
        """Those that a thread works on."""
        self._starts_more = True
        self.error: BaseException | None = None
        """The first error of a batch: nothing more starts after it."""

    def submit(self, batch: Batch) -> None:
        """Take a closed batch, and start it as soon as it may."""
        with self._changed:
            self._number_submitted += 1
            batch.place = self._number_submitted
            self._unfinished.append(batch)
            self._start_ready()

    def under_way(self) -> list[Batch]:
        """Return the batches that later ones may have to wait for, in the order in which they were submitted.

        They are not finished, or block what waits for them.
        """
        with self._changed:
            return _in_order({*self._blocking, *self._waiting, *self._unfinished})

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
                    if self._hold_later_rows():
                        continue
                    self._send_waiting()
                self._changed.wait(LOOK_S)

    def wait_for_all(self) -> None:
        """Wait until every batch is finished, or after an error until those that run have ended.

        Raises: the first error of a batch; what ``check`` raises.
        """
        self._has_ended = True
        while True:
            self.wait_until_idle()
            with self._changed:
                if self._hold_later_rows():
                    continue
                if not self._waiting:
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
                    return list(self._waiting)
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
                batch.is_blocked = self._is_blocked(batch)
                # What is finished, nothing shall hold on to.
                batch.after = {each: wait for each, wait in batch.after.items() if batch.parts and wait > Wait.PARENTS}
                batch.part.sent_at = self._number_of_loads
                self._running.add(batch)
                threading.Thread(target=self._run, args=(batch,), name=batch.id, daemon=True).start()

    def _may_start(self, batch: Batch) -> bool:
        """Whether nothing that a batch waits for is left: of parents only those that can be loaded now."""
        before = {each: batch.after[each] for each in self._unfinished if each in batch.after}
        return not self._follows_waiting(batch) and all(
            wait is Wait.PARENTS and self._is_held(each) for each, wait in before.items()
        )

    def _is_held(self, batch: Batch) -> bool:
        """Whether a batch waits for rows that wait for their parents."""
        if self._follows_waiting(batch):
            return True
        before = (each for each, wait in batch.after.items() if wait > Wait.PARENTS and each in self._unfinished)
        return any(map(self._is_held, before))

    def _follows_waiting(self, batch: Batch, part: Part | None = None) -> bool:
        """Whether rows before it, which it must not overtake, wait for their parents or for a second pass."""
        if not any(wait > Wait.PARENTS for wait in batch.after.values()):
            return False
        second_passes = (each for each in self._unfinished if each.first_pass)
        return any(batch.must_follow(each, part) for each in (*self._waiting, *second_passes) if each is not batch)

    def _is_blocked(self, batch: Batch) -> bool:
        """Whether rows were not processed that its own would overtake, or may be children of."""
        is_sent_again = batch.is_planned and not batch.destination.first_pass  # its records are loaded: try the lookups
        parents = batch.destination.parents if is_sent_again else ()
        return any(each in batch.after or each.destination.object in parents for each in self._blocking)

    def _hold_later_rows(self) -> bool:
        """Let rows wait that must not overtake rows that wait, and start the others of their batches.

        These may be parents. Return whether there are any; nothing may be running.
        """
        has_any = False
        for batch in list(self._unfinished):
            followed = [each for each in self._waiting if batch.must_follow(each)]
            is_behind = any(wait > Wait.PARENTS for each, wait in batch.after.items() if each in self._unfinished)
            if is_behind or not followed or any(map(batch.follows_all_rows_of, followed)):
                continue
            has_any = True
            batch.put_back()
            plan_free_first(batch, followed)
            free = batch.divide(0)
            if free:
                batch.take(free)
            else:
                self._unfinished.remove(batch)
                self._waiting.append(batch)
            _forget_plan(batch)
        self._start_ready()
        return has_any

    def _send_waiting(self) -> None:
        """Start the next round of rows that wait.

        Those that were sent since rows were loaded last are refused when there are no others: first those that later
        rows wait for, which may be parents of the others; and if there are none, all.
        """
        self._waiting = _in_order(self._waiting)
        while not self._start_round():
            if self._loads_before_round is None and not self._plan():
                self._refuse()
                return

    def _plan(self) -> bool:
        """Plan rounds, if there are rows to be sent; return whether there are.

        What is left of a plan by parents is sent at once, to see whether any of it can be loaded.
        """
        waiting = self._waiting
        if not all(batch.is_planned for batch in waiting) or (self._has_due() and not self._is_by_parents):
            plan_by_parents(waiting)
            self._is_by_parents = True
        elif self._has_due():
            plan_at_once(waiting)
            self._is_by_parents = False
        else:
            return False
        for batch in waiting:
            batch.is_planned = True
        self._loads_before_round = -1
        return True

    def _has_due(self) -> bool:
        return any(
            self._is_due(part) and not self._follows_waiting(batch, part)
            for batch in self._waiting
            for part in batch.parts
        )

    def _is_due(self, part: Part) -> bool:
        """Whether rows were loaded since it was sent, which may be its rows' parents."""
        return part.sent_at < self._number_of_loads

    def _start_round(self) -> bool:
        """Start the next round of the plan, and return whether there was something to start.

        A plan ends with its last round, or with one that has loaded nothing: then neither will those after it.
        """
        level = self._next_level()
        if level is None or self._loads_before_round == self._number_of_loads:
            self._loads_before_round = None
            for batch in self._waiting:
                _forget_plan(batch)
            return False
        self._loads_before_round = self._number_of_loads
        return self._start_level(level, is_last_chance=False)

    def _refuse(self) -> None:
        """Send rows a last time."""
        batches = (*self._waiting, *self._unfinished)
        followers = [
            (batch, part)
            for batch in batches
            for part in (batch.parts if batch in self._waiting else [batch.part])
            if self._follows_waiting(batch, part)
        ]
        plan_repeated_first(self._waiting, followers)
        while (level := self._next_level()) is not None and not self._start_level(level, is_last_chance=True):
            pass
        for batch in self._waiting:
            _forget_plan(batch)
        if not self._running and self._starts_more:
            raise RuntimeError("rows wait for each other, and none of them can be sent")

    def _next_level(self) -> int | None:
        levels = (batch.next_level() for batch in self._waiting)
        return min((level for level in levels if level is not None), default=None)

    def _start_level(self, level: int, *, is_last_chance: bool) -> bool:
        """Start the rows of a level, and return whether there are any that are to be sent."""
        taken = []
        for batch in self._waiting:
            found = [part for part in batch.parts if part.first_level == level]
            part = batch.divide(level) if is_last_chance or any(map(self._is_due, found)) else None
            if part is None or self._follows_waiting(batch, part):
                for each in batch.parts:
                    if each.first_level == level:
                        each.plan(None)
                continue
            batch.take(part)
            batch.parents_may_come = not is_last_chance
            batch.may_skip_job = self._has_ended and batch.number_of_rows <= self._small_rows
            taken.append(batch)
        self._waiting = [batch for batch in self._waiting if batch not in taken]
        self._unfinished[:0] = taken
        self._start_ready()
        return bool(taken)

    def _run(self, batch: Batch) -> None:
        loaded_before, failed_before = batch.number_loaded, batch.outcomes[OutcomeKind.FAILED]
        known = set(batch.second_passes)
        error: BaseException | None = None
        try:
            self._work(batch)
        except BaseException as raised:  # noqa: BLE001  raised again in the main thread
            error = raised
        with self._changed:
            self._running.discard(batch)
            if error is None:
                self._number_of_loads += batch.number_loaded > loaded_before
                self._unfinished.remove(batch)
                self._begun.remove(batch)
                if _is_blocking(batch):
                    self._blocking += [batch, batch.first_pass] if batch.first_pass else [batch]
                if batch.parts:
                    self._waiting.append(batch)
                self._waiting += batch.second_passes - known
                if batch.outcomes[OutcomeKind.FAILED] > failed_before:
                    for each in self._waiting:
                        each.is_planned = False  # its rows may have waited for those, and point to each other now
            else:
                self.error = self.error or error
                self._starts_more = False
            self._start_ready()
            self._changed.notify_all()


def _in_order(batches: Iterable[Batch]) -> list[Batch]:
    return sorted(batches, key=lambda batch: batch.place)


def _forget_plan(batch: Batch) -> None:
    for part in batch.parts:
        part.plan(None)


def _is_blocking(batch: Batch) -> bool:
    """Whether rows of a finished batch were not processed, or may yet be by a job that could not be read."""
    may_be_processed = batch.outcomes[OutcomeKind.DOUBTFUL] and batch.destination.key_column is not None
    return bool(batch.outcomes[OutcomeKind.UNPROCESSED] or may_be_processed)
