"""The jobs of an org, and the thread that does their work."""

from __future__ import annotations

import logging
import threading
import weakref

from salesforce_bulk_simulator.data.ids import make_id

from .job import Job

logger = logging.getLogger(__name__)

PATIENCE_S = 2.0
"""How long a request waits for the work that is due at its job; what takes longer goes on behind it."""
PATIENCE_WITH_TIME_S = 0.25
"""The same, where jobs move by seconds: nobody has to look at them for that."""
_PAUSE_S = 0.02
"""How often the time is looked at while jobs move by seconds."""


class JobRegistry:
    """All jobs by id. A thread works at them piece by piece and in turn; it lives only while it has something to do."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._number_of_jobs = 0
        self._lock = threading.Lock()
        self._progress = threading.Condition()
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None

    def new_id(self) -> str:
        """Return the id of a new job."""
        with self._lock:
            self._number_of_jobs += 1
            return make_id("750", number=self._number_of_jobs)

    def add(self, job: Job) -> None:
        with self._lock:
            self._jobs[job.id] = job

    def remove(self, job: Job) -> None:
        with self._lock:
            self._jobs.pop(job.id, None)

    def find(self, job_id: str) -> Job | None:
        """Return a job by its id in 18 or 15 characters."""
        with self._lock:
            return self._jobs.get(job_id) or next((job for key, job in self._jobs.items() if key[:15] == job_id), None)

    def all(self) -> list[Job]:
        with self._lock:
            return list(self._jobs.values())

    def poll(self, job: Job) -> None:
        """Count a poll of a job and have the work done that is due by it."""
        if not job.is_final:
            job.polls += 1
            self.catch_up(job)

    # --- work -------------------------------------------------------------------------------------------------------

    def catch_up(self, job: Job) -> None:
        """Have done what is due at a job; return when it is done, or when it takes too long to wait for."""
        self._wake()
        patience_s = PATIENCE_WITH_TIME_S if job.moves_by_itself() else PATIENCE_S
        with self._progress:
            self._progress.wait_for(lambda: not job.is_behind(), patience_s)

    def _wake(self) -> None:
        self._woken.set()
        with self._lock:
            if self._thread is None:
                arguments = (weakref.ref(self), self._woken)
                self._thread = threading.Thread(target=_work, args=arguments, name="salesforce-jobs", daemon=True)
                self._thread.start()

    def work_once(self) -> float | None:
        """Do a piece of work at every job that is behind.

        Return the seconds until time may bring more; None when only a request can, then the thread ends.
        """
        self._woken.clear()
        behind = [job for job in self.all() if job.is_behind()]
        for job in behind:
            try:
                job.advance()
            except Exception:
                logger.exception("job %s", job.id)
                job.fail("InternalServerError : An unexpected error occurred")
        with self._progress:
            self._progress.notify_all()
        if behind:
            return 0.0
        if any(job.moves_by_itself() for job in self.all()):
            return _PAUSE_S
        with self._lock:
            if self._woken.is_set():
                return 0.0
            self._thread = None
            return None


def _work(reference: weakref.ref[JobRegistry], woken: threading.Event) -> None:
    """Work until there is nothing to do, or the org is gone."""
    while (registry := reference()) is not None:
        pause = registry.work_once()
        del registry
        if pause is None:
            return
        woken.wait(pause)
