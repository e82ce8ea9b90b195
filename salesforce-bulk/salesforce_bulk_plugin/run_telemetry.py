"""Metrics and spans of a run, and its id in each log line (docs/observability.md).

A command calls `begin` and `end`; between them the run observes what the client and the plugin count. The totals are
kept for the log. Metrics and spans leave the process only when OpenTelemetry's own environment variables ask for it.
Otherwise nothing of OpenTelemetry is imported.
"""

from __future__ import annotations

import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from salesforce_bulk_client import telemetry
from salesforce_bulk_client.instruments import Instrument, Kind

from salesforce_bulk_plugin.instruments import INSTRUMENTS, RUN_DURATION, TOTALS_BY

if TYPE_CHECKING:
    from salesforce_bulk_plugin.telemetry_export import Export

logger = logging.getLogger(__name__)

RESULTS: Final = {0: "ok", 75: "quota"}
"""What the commands' exit codes mean; above 128 a signal has stopped the run, and all others are failures."""


class Total(NamedTuple):
    """The total of a counter, or the last value of a gauge."""

    instrument: Instrument
    tags: dict[str, str]
    value: float


class Run:
    """One run of a command: the observer of what the client and the plugin count, in several threads."""

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

    def note(self, instrument: Instrument, amount: float, attributes: Mapping[str, str]) -> None:
        """Add an amount to the totals, and export it."""
        key = instrument, tuple((name, value) for name, value in attributes.items() if name in TOTALS_BY)
        with self._lock:
            before = 0 if instrument.kind is Kind.GAUGE else self._totals.get(key, 0)
            self._totals[key] = before + amount
        if self.export:
            self.export.note(instrument, amount, attributes)

    def span(self, name: str, attributes: Mapping[str, Any]) -> AbstractContextManager[telemetry.Note]:
        """Export the block as a span; its attributes are names in `ATTRIBUTES`.

        An error's class is exported by itself, and never its text, which may hold a record's values.
        """
        return self.export.span(name, attributes) if self.export else nullcontext(telemetry.no_note)

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
    """Begin the process's run: each log line has its id from now on, and the run counts what is noted.

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
    telemetry.set_observer(_process.run)


def end(error: BaseException | None) -> None:
    """End the run, if there is one, and send what has not been sent; this waits for a collector, but not for long.

    ``error`` ends the process: mostly a SystemExit, whose code says how the run has gone.
    """
    run, _process.run = _process.run, None
    telemetry.set_observer(None)
    if run is None:
        return
    code = getattr(error, "code", 1) if error else 0
    exit_code = code if isinstance(code, int) else int(code is not None)
    result = RESULTS.get(exit_code, "failed" if exit_code < 128 else "stopped")
    run.note(RUN_DURATION, time.monotonic() - run.began_at, {"result": result})
    if run.export:
        run.export.end(exit_code=exit_code)
    logging.setLogRecordFactory(run.make_log_record)


def run_id() -> str:
    """Return the id of the process's run; where no command runs, a new one."""
    return _process.run.id if _process.run else new_run_id()


def new_run_id() -> str:
    """Return an id such as ``20260115T103000Z-1f2e3d``."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def totals() -> list[Total]:
    """Return the totals of the run's counters and gauges."""
    return _process.run.totals() if _process.run else []


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
    """Return what exports to a collector, if the environment asks for one; an error in its setup never stops a run."""
    asked_for = {signal: exporters_for(signal, os.environ) for signal in ("TRACES", "METRICS")}
    if not any(asked_for.values()):
        return None
    try:
        from salesforce_bulk_plugin.telemetry_export import Export

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
