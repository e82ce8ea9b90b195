"""`Outcomes`: the lines of ``outcomes-{run_id}.jsonl``, counted as they stream by; of the errors some are kept."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec

_READ_AHEAD_BYTES = 1 << 20


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One record that was not loaded."""

    key: dict[str, msgspec.Raw]
    id: str | None
    error_message: str | None
    error_fields: tuple[str, ...]
    job_id: str | None

    @property
    def key_text(self) -> str:
        """The key properties with their values in JSON, as they came in."""
        return ", ".join(f"{name}: {bytes(value).decode()}" for name, value in self.key.items())


class Errors(msgspec.Struct, kw_only=True):
    """The records of one stream that ended with one error code."""

    stream: str
    status: str
    code: str
    number: int = 0
    fields: Counter[str] = msgspec.field(default_factory=Counter)
    """How often which field is named."""
    samples: list[Sample] = msgspec.field(default_factory=list)
    """The first few."""


class Outcomes(msgspec.Struct, kw_only=True):
    """What one outcome file says."""

    streams: dict[str, Counter[str]] = msgspec.field(default_factory=dict)
    """By stream and status."""
    jobs: dict[str | None, Counter[str]] = msgspec.field(default_factory=dict)
    """By job and status; None is for records that went without a job."""
    errors: list[Errors] = msgspec.field(default_factory=list)
    """The most frequent first."""
    unreadable_lines: int = 0
    """Without the last one, if the run was cut off while it wrote that."""


class _Line(msgspec.Struct):
    """What is counted of a line; the rest is skipped."""

    stream: str
    status: str
    error_code: str | None
    error_fields: tuple[str, ...]
    job_id: str | None


_decode = msgspec.json.Decoder(_Line).decode
_decode_sample = msgspec.json.Decoder(Sample).decode


def read_outcomes(path: Path, *, max_samples: int, max_bytes: int | None = None) -> Outcomes:
    """Count all lines, or the first ``max_bytes``, keeping ``max_samples`` records of each stream's error codes.

    Memory is bounded by the number of streams, jobs and error codes, not by the number of lines.

    Raises: FileNotFoundError.
    """
    counts: Counter[tuple[str, str, str | None]] = Counter()
    errors: dict[tuple[str, str, str], Errors] = {}
    unreadable_lines = 0
    with path.open("rb", buffering=_READ_AHEAD_BYTES) as file:
        for line in file:
            if max_bytes is not None:
                max_bytes -= len(line)
                if max_bytes < 0:
                    break
            try:
                found = _decode(line)
                counts[found.stream, found.status, found.job_id] += 1
                if found.error_code is None:
                    continue
                key = (found.stream, found.status, found.error_code)
                group = errors.get(key)
                if group is None:
                    group = errors[key] = Errors(stream=key[0], status=key[1], code=key[2])
                group.number += 1
                group.fields.update(found.error_fields)
                if len(group.samples) < max_samples:
                    group.samples.append(_decode_sample(line))
            except msgspec.MsgspecError:
                unreadable_lines += line.endswith(b"\n")
    outcomes = Outcomes(
        errors=sorted(errors.values(), key=lambda group: -group.number), unreadable_lines=unreadable_lines
    )
    for (stream, status, job_id), number in counts.items():
        outcomes.streams.setdefault(stream, Counter())[status] += number
        outcomes.jobs.setdefault(job_id, Counter())[status] += number
    return outcomes
