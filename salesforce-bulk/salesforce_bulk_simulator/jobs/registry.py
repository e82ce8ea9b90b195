"""The jobs of an org, and the thread that processes them."""

from __future__ import annotations

import logging
import threading
import weakref

from salesforce_bulk_simulator.data.ids import make_id

from .job import Job

logger = logging.getLogger(__name__)

MAX_WAIT_S = 2.0
"""How long a request waits for work that is due on its job; the work continues after that."""
MAX_WAIT_TIMED_S = 0.25
"""The same for jobs that progress by seconds, which no request needs to drive."""
_PAUSE_S = 0.02
"""How often the time is checked while jobs progress by seconds."""


class JobRegistry:
    """All jobs by id. A thread processes them in portions and in turn; it runs only while there is work."""

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
        """Count a poll of a job, and have the work done that it makes due."""
        if not job.is_final:
            job.polls += 1
            self.catch_up(job)

    # --- work -------------------------------------------------------------------------------------------------------

    def catch_up(self, job: Job) -> None:
        """Have the work done that is due on a job. Return once it is done, or after a maximum wait."""
        self._wake()
        max_wait_s = MAX_WAIT_TIMED_S if job.progresses_with_time() else MAX_WAIT_S
        with self._progress:
            self._progress.wait_for(lambda: not job.is_behind(), max_wait_s)

    def _wake(self) -> None:
        self._woken.set()
        with self._lock:
            if self._thread is None:
                arguments = (weakref.ref(self), self._woken)
                self._thread = threading.Thread(target=_work, args=arguments, name="salesforce-jobs", daemon=True)
                self._thread.start()

    def work_once(self) -> float | None:
        """Do a portion of work on every job that is behind.

        Return the seconds until more may be due; None if only a request can make more due, and the thread ends.
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
        if any(job.progresses_with_time() for job in self.all()):
            return _PAUSE_S
        with self._lock:
            if self._woken.is_set():
                return 0.0
            self._thread = None
            return None


def _work(reference: weakref.ref[JobRegistry], woken: threading.Event) -> None:
    """Work until there is nothing to do, or the org no longer exists."""
    while (registry := reference()) is not None:
        pause = registry.work_once()
        del registry
        if pause is None:
            return
        woken.wait(pause)
