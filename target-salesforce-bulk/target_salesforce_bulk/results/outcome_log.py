"""`OutcomeLog`: the files in ``results_dir`` with the outcome of each record."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from salesforce_bulk_client import for_owner

from target_salesforce_bulk.journal import Committed
from target_salesforce_bulk.mapping.plan import Destination
from target_salesforce_bulk.outcomes import Outcome, RowResult

BUFFER_BYTES = 1 << 18

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
        """Let one thread write the outcomes of one batch: all of them, or after an error none."""
        with self._lock:
            before, schemas = self.committed(), dict(self._schemas)
            try:
                yield
            except BaseException:
                self._outcomes.cut(before.outcomes_bytes)
                self._failed.cut(before.failed_bytes)
                self._schemas = schemas
                raise

    def write(self, result: RowResult, *, record: bytes, destination: Destination) -> None:
        """Write the outcome of one record, given as JSON."""
        error = result.error
        outcome = Outcome(
            stream=destination.stream,
            key=destination.key_of(record),
            id=result.id,
            status=result.kind,
            error_code=error and error.code,
            error_message=error and error.message,
            error_fields=error.fields if error else (),
            job_id=result.job_id,
        )
        self._outcomes.write(_encode(outcome) + b"\n")

    def write_failed(self, record: bytes, *, destination: Destination) -> None:
        """Write a record that was not loaded, after its SCHEMA; both as they came in."""
        stream = destination.source_stream
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
        else:
            os.truncate(path, min(size, path.stat().st_size))


class _Appended:
    """A file of mode 600 that only grows, or is cut back; made with its first line.

    It has a buffer of its own, which a full disk leaves as it is: what was not written can be given up.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None
        self._buffer = bytearray()
        self._written = 0

    @property
    def size(self) -> int:
        return self._written + len(self._buffer)

    def write(self, line: bytes) -> None:
        self._buffer += line
        if len(self._buffer) >= BUFFER_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._buffer and self._handle is None:
            self._handle = for_owner(str(self._path), os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        while self._buffer and self._handle is not None:
            number = os.write(self._handle, self._buffer)
            self._written += number
            del self._buffer[:number]

    def sync(self) -> None:
        self._flush()
        if self._handle is not None:
            os.fsync(self._handle)

    def cut(self, size: int) -> None:
        """Forget what lies behind ``size``; needs no room on the disk."""
        del self._buffer[max(0, size - self._written) :]
        if self._handle is not None and size < self._written:
            os.ftruncate(self._handle, size)
            os.lseek(self._handle, size, os.SEEK_SET)
            self._written = size

    def close(self) -> None:
        """Close the file; what was not synced is not part of it."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
