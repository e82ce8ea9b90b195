"""`OutcomeLog`: the files in ``results_dir`` that say what became of each record (design §5)."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import msgspec

from target_salesforce_bulk.journal import Committed
from target_salesforce_bulk.outcomes import Outcome, Verdict
from target_salesforce_bulk.plan import Destination

_encode = msgspec.json.Encoder(decimal_format="number").encode


class OutcomeLog:
    """``outcomes-{run_id}.jsonl``, and ``failed-{run_id}.singer.jsonl`` which the target can read in again."""

    def __init__(self, directory: Path, *, run_id: str) -> None:
        self.outcomes_path = outcomes_path(directory, run_id)
        self.failed_path = failed_path(directory, run_id)
        self._lock = threading.Lock()
        self._outcomes = _Appended(self.outcomes_path)
        self._failed = _Appended(self.failed_path)
        self._schemas: dict[str, dict[str, Any]] = {}
        """The last SCHEMA of each stream in the failed file."""

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Let one thread write the outcomes of one job: all of them, or after an error none."""
        with self._lock:
            before, schemas = self.committed(), dict(self._schemas)
            try:
                yield
            except BaseException:
                self._outcomes.cut(before.outcomes_bytes)
                self._failed.cut(before.failed_bytes)
                self._schemas = schemas
                raise

    def write(self, verdict: Verdict, *, record: bytes, destination: Destination) -> None:
        """Write what became of one record, given as JSON."""
        error = verdict.error
        outcome = Outcome(
            stream=destination.stream,
            key=destination.key_of(record),
            id=verdict.id,
            status=verdict.kind,
            error_code=error and error.code,
            error_message=error and error.message,
            error_fields=error.fields if error else (),
            job_id=verdict.job_id,
        )
        self._outcomes.write(_encode(outcome) + b"\n")

    def write_failed(self, record: bytes, *, destination: Destination) -> None:
        """Write a record that was not loaded, after its SCHEMA."""
        stream = destination.stream
        if self._schemas.get(stream) != destination.stream_schema:
            self._schemas[stream] = destination.stream_schema
            schema = {
                "type": "SCHEMA",
                "stream": stream,
                "schema": destination.stream_schema,
                "key_properties": destination.key_properties,
            }
            self._failed.write(_encode(schema) + b"\n")
        self._failed.write(_encode({"type": "RECORD", "stream": stream, "record": msgspec.Raw(record)}) + b"\n")

    def sync(self) -> Committed:
        """Bring everything to disk and return how much it is."""
        self._outcomes.sync()
        self._failed.sync()
        return self.committed()

    def committed(self) -> Committed:
        """Return how much has been written."""
        return Committed(self._outcomes.size, self._failed.size)

    def close(self) -> None:
        """Close the files."""
        self._outcomes.close()
        self._failed.close()


def outcomes_path(directory: Path, run_id: str) -> Path:
    """Return where a run's outcomes are."""
    return directory / f"outcomes-{run_id}.jsonl"


def failed_path(directory: Path, run_id: str) -> Path:
    """Return where a run's failed records are."""
    return directory / f"failed-{run_id}.singer.jsonl"


def cut_to_committed(directory: Path, *, run_id: str, committed: Committed) -> None:
    """Remove from a crashed run's files what its journal does not know of."""
    for path, size in (
        (outcomes_path(directory, run_id), committed.outcomes_bytes),
        (failed_path(directory, run_id), committed.failed_bytes),
    ):
        if not path.exists():
            continue
        if size == 0:
            path.unlink()
        elif path.stat().st_size > size:
            os.truncate(path, size)


class _Appended:
    """A file of mode 600 that only grows, or is cut back; made with its first line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self.size = 0

    def write(self, line: bytes) -> None:
        if self._file is None:
            self._file = os.fdopen(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        self._file.write(line)
        self.size += len(line)

    def sync(self) -> None:
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())

    def cut(self, size: int) -> None:
        if self._file is not None:
            self._file.seek(size)  # flushes first
            self._file.truncate(size)
            self.size = size

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
