"""`Summary`: what ``summary-{run_id}.json`` says, also one that an older version has written."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One ingest job; times are aware, None where the run did not come so far (or did not note them)."""

    id: str
    left_by: str | None = None
    """The earlier run that created it, if this one has found it."""
    stream: str = ""
    object: str = ""
    operation: str = ""
    state: str = ""
    rows: int | None = None
    bytes: int | None = None
    records_processed: int | None = None
    records_failed: int | None = None
    created_at: datetime | None = None
    closed_at: datetime | None = None
    """When it had all its data."""
    ended_at: datetime | None = None
    """When it was seen to be done."""
    processing_ms: int = 0
    error_message: str | None = None


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """Outcomes that came to disk at one moment: those of a job, or of a request in its place."""

    at: datetime
    stream: str
    job_id: str | None
    loaded: int
    not_loaded: int


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """Records that were skipped, because the unfinished run before had dealt with them."""

    loaded: int = 0
    failed: int = 0
    doubtful: int = 0
    forgotten: int = 0


class Skipped(Known, frozen=True, kw_only=True):
    """Those of them whose outcomes are in the files of one run."""

    run_id: str


class Meltano(msgspec.Struct, frozen=True, kw_only=True):
    """How Meltano calls the target."""

    loader: str
    environment: str | None = None


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A run that ended in order, though perhaps not as it should."""

    run_id: str
    started_at: datetime
    ended_at: datetime
    is_finished: bool
    message: str | None = None
    org: str = ""
    errors: dict[str, int] = {}
    streams: dict[str, dict[str, int]] = {}
    """By stream and status."""
    records_read: int = 0
    known_from_earlier_run: Known = Known()
    skipped: tuple[Skipped, ...] = ()
    """By the run whose files have the outcome; this one, if it took it from a job that an earlier one left."""
    resumed: int = 0
    """Outcomes of records that an earlier run has sent, and whose job this one has found."""
    meltano: Meltano | None = None
    jobs: tuple[Job, ...] = ()
    settled: tuple[Settled, ...] = ()


def read_summary(path: Path) -> Summary | None:
    """Return the summary of a run, or None if there is none, or one that a full disk or a crash has cut off."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Summary)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
