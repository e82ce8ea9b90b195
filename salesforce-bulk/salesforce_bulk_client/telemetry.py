"""What a run tells of itself: metrics, spans, and its id in each log line (docs/observability.md).

A command calls `begin` and `end`. What happens between is noted by page, job or request, and never by record. The
totals are kept for the log; what is noted leaves the process, with the spans, only when OpenTelemetry's own environment
variables ask for it. Otherwise nothing of OpenTelemetry is imported.
"""

from __future__ import annotations

import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from salesforce_bulk_client.instruments import INSTRUMENTS, RUN_DURATION, TELLS_TOTALS_APART, Instrument, Kind

if TYPE_CHECKING:
    from salesforce_bulk_client.telemetry_export import Export

logger = logging.getLogger(__name__)

Note = Callable[..., None]
"""Notes attributes on a span: ``note(records=7)``."""

RESULTS: Final[Mapping[int, str]] = {0: "ok", 75: "quota"}
"""What the commands' exit codes say; above 128 a signal has stopped the run, and all others are failures."""


class Total(NamedTuple):
    """What a counter or gauge has come to."""

    instrument: Instrument
    tags: dict[str, str]
    value: float


class Run:
    """One run of a command; noted on by several threads."""

    def __init__(
        self, run_id: str, *, export: Export | None, make_log_record: Callable[..., logging.LogRecord]
    ) -> None:
        self.id = run_id
        self.export = export
        self.make_log_record = make_log_record
        """How log records are made without the run."""
        self.began_at = time.monotonic()
        self._lock = threading.Lock()
        self._totals: dict[tuple[Instrument, tuple[tuple[str, str], ...]], float] = {}

    def note(self, instrument: Instrument, amount: float, attributes: dict[str, str]) -> None:
        """Take an amount."""
        key = instrument, tuple((name, value) for name, value in attributes.items() if name in TELLS_TOTALS_APART)
        with self._lock:
            before = 0 if instrument.kind is Kind.GAUGE else self._totals.get(key, 0)
            self._totals[key] = before + amount
        if self.export:
            self.export.note(instrument, amount, attributes)

    def totals(self) -> list[Total]:
        """Return what there is of counters and gauges so far, in the order of `INSTRUMENTS`."""
        with self._lock:
            found = [Total(instrument, dict(tags), value) for (instrument, tags), value in self._totals.items()]
        return sorted(
            (total for total in found if total.instrument.kind is not Kind.HISTOGRAM),
            key=lambda total: INSTRUMENTS.index(total.instrument),
        )


class _Process:
    """Holds the one run of the process, which has one `logging` and one standard output as well."""

    run: Run | None = None


_process: Final = _Process()


def begin(service: str) -> None:
    """Begin the process's run: each log line has its id from now on, and what is noted is counted.

    ``service`` names it for a collector, unless the environment does.
    """
    run_id = new_run_id()
    fields = {"run_id": run_id}
    make_log_record = logging.getLogRecordFactory()

    def make_with_fields(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make_log_record(*args, **kwargs)
        record.__dict__.update(fields)
        return record

    logging.setLogRecordFactory(make_with_fields)
    export = _export(service, run_id=run_id)
    if export and export.trace_id:
        fields["trace_id"] = export.trace_id
    _process.run = Run(run_id, export=export, make_log_record=make_log_record)


def end(error: BaseException | None) -> None:
    """End the run, if there is one, and send what has not been sent; this waits for a collector, but not for long.

    ``error`` ends the process: mostly a SystemExit, whose code says how the run has gone.
    """
    run, _process.run = _process.run, None
    if run is None:
        return
    code = getattr(error, "code", 1) if error else 0
    exit_code = code if isinstance(code, int) else int(code is not None)
    result = RESULTS.get(exit_code, "failed" if exit_code < 128 else "stopped")
    run.note(RUN_DURATION, time.monotonic() - run.began_at, {"result": result})
    if run.export:
        run.export.end(exit_code=exit_code)
    logging.setLogRecordFactory(run.make_log_record)


def note(instrument: Instrument, amount: float, **attributes: str | None) -> None:
    """Add to a counter, set a gauge, or record in a histogram; an attribute that is None is left out."""
    if run := _process.run:
        run.note(instrument, amount, {name: value for name, value in attributes.items() if value is not None})


def run_id() -> str:
    """Return the id of the process's run; where no command runs, a new one."""
    return _process.run.id if _process.run else new_run_id()


def new_run_id() -> str:
    """Return an id such as ``20260115T103000Z-1f2e3d``."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def totals() -> list[Total]:
    """Return what the run's counters and gauges have come to."""
    return _process.run.totals() if _process.run else []


@contextmanager
def span(name: str, **attributes: Any) -> Iterator[Note]:
    """Tell of the block as a span; its attributes are names in `ATTRIBUTES`, and what it is given notes more of them.

    An error's class is noted by itself, and never its text, which may hold a record's values.
    """
    run = _process.run
    if run is None or run.export is None:
        yield _nothing
        return
    with run.export.span(name, attributes) as note:
        yield note


def exporters_for(signal: str, environ: Mapping[str, str]) -> list[str]:
    """Return the exporters that the environment asks for; ``signal`` is ``TRACES`` or ``METRICS``.

    >>> exporters_for("TRACES", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"})
    ['otlp']
    >>> exporters_for("METRICS", {"OTEL_METRICS_EXPORTER": "console, otlp"})
    ['console', 'otlp']
    >>> exporters_for("METRICS", {"OTEL_METRICS_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "true"})
    []
    """
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return []
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")
    default = "otlp" if any(environ.get(name) for name in endpoints) else "none"
    names = environ.get(f"OTEL_{signal}_EXPORTER") or default
    return [name for name in map(str.strip, names.split(",")) if name != "none"]


def _export(service: str, *, run_id: str) -> Export | None:
    """Return the road to a collector, if the environment asks for one; what is wrong with it never stops a run."""
    asked_for = {signal: exporters_for(signal, os.environ) for signal in ("TRACES", "METRICS")}
    if not any(asked_for.values()):
        return None
    try:
        from salesforce_bulk_client.telemetry_export import Export

        return Export(service, run_id=run_id, exporters=asked_for)
    except ImportError as error:
        logger.warning(
            "the environment asks for telemetry, but %s is not installed:"
            ' install "singer-salesforce-bulk[opentelemetry]", as the README shows under "Install",'
            " or set OTEL_SDK_DISABLED=true",
            error.name,
        )
    except Exception as error:  # noqa: BLE001  whatever OpenTelemetry has against its settings
        logger.warning("no telemetry is sent, since the environment asks for what cannot be: %s", error)
    return None


def _nothing(**_: Any) -> None:
    """Note nothing."""
