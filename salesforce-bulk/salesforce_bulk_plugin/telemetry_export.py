"""Export to a collector. Needs the extra [opentelemetry], and is imported only where the environment asks for it.

The providers are our own, not OpenTelemetry's global ones: what else the program exports is not changed.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version
from typing import Any

from opentelemetry import trace
from opentelemetry.metrics import Meter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, MetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from salesforce_bulk_client.instruments import Instrument, Kind

from salesforce_bulk_plugin.instruments import ATTRIBUTES, INSTRUMENTS

logger = logging.getLogger(__name__)

END_TIMEOUT_S = 3.0
"""For so long the end of a run waits for a collector that is down or slow."""

SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200)
"""Bounds of the buckets of all histograms; OpenTelemetry's own are meant for milliseconds."""

SCOPE = "salesforce_bulk_client"


class Export:
    """Sends the metrics and spans of a run, from threads of its own."""

    def __init__(self, service: str, *, run_id: str, exporters: Mapping[str, Sequence[str]]) -> None:
        """``exporters`` are names by signal: ``TRACES`` and ``METRICS``.

        Raises: whatever OpenTelemetry has against its settings.
        """
        self._warnings = _OneWarning()
        opentelemetry = logging.getLogger("opentelemetry")
        opentelemetry.handlers, opentelemetry.propagate = [self._warnings], False
        release = version("singer-salesforce-bulk")
        resource = Resource.create({"service.name": service, "service.version": release}).merge(
            OTELResourceDetector().detect()  # what the environment says wins
        )
        self._traces = TracerProvider(resource=resource, shutdown_on_exit=False)
        for name in exporters["TRACES"]:
            self._traces.add_span_processor(BatchSpanProcessor(_span_exporter(name)))
        readers = [PeriodicExportingMetricReader(_metric_exporter(name)) for name in exporters["METRICS"]]
        self._metrics = MeterProvider(metric_readers=readers, resource=resource, shutdown_on_exit=False)
        meter = self._metrics.get_meter(SCOPE, release)
        self._notes = {instrument: _note_of(instrument, meter=meter) for instrument in INSTRUMENTS}
        has_traces = bool(exporters["TRACES"])
        self._tracer = self._traces.get_tracer(SCOPE, release) if has_traces else trace.NoOpTracer()
        self._run = self._tracer.start_span(
            "salesforce.bulk.run", context=_context_given(), attributes=_named({"run_id": run_id})
        )
        self.trace_id = format(self._run.get_span_context().trace_id, "032x") if has_traces else None
        """Of all spans of the run, for the log."""

    def note(self, instrument: Instrument, amount: float, attributes: Mapping[str, Any]) -> None:
        """Export an amount."""
        self._notes[instrument](amount, _named(attributes))

    @contextmanager
    def span(self, name: str, attributes: Mapping[str, Any]) -> Iterator[Callable[..., None]]:
        """Export the block as a span within the one around it, or else, as in a new thread, within the run's."""
        is_inside = trace.get_current_span().get_span_context().is_valid
        with self._tracer.start_as_current_span(
            name,
            context=None if is_inside else trace.set_span_in_context(self._run),
            kind=trace.SpanKind.CLIENT if "method" in attributes else trace.SpanKind.INTERNAL,
            attributes=_named(attributes),
            record_exception=False,
            set_status_on_exception=False,
        ) as span:

            def note(**more: Any) -> None:
                span.set_attributes(_named(more))
                if "error_type" in more:
                    span.set_status(trace.StatusCode.ERROR)

            try:
                yield note
            except BaseException as error:
                note(error_type=type(error).__name__)
                raise

    def end(self, *, exit_code: int) -> None:
        """End the run's span, and send what is left, within `END_TIMEOUT_S`."""
        self._run.set_attributes(_named({"exit_code": exit_code}))
        if exit_code:
            self._run.set_status(trace.StatusCode.ERROR)
        self._run.end()
        threads = [
            threading.Thread(target=self._warnings.guard, args=(provider.shutdown,), daemon=True)
            for provider in (self._traces, self._metrics)
        ]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + END_TIMEOUT_S
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        if any(thread.is_alive() for thread in threads):
            self._warnings.warn(f"the collector has not taken everything within {END_TIMEOUT_S:g} s")


class _OneWarning(logging.Handler):
    """Logs the first warning of OpenTelemetry's loggers as one line of ours: the others repeat it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._has_warned = False

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record of OpenTelemetry's."""
        self.warn(record.getMessage())

    def warn(self, reason: str) -> None:
        """Log the reason, unless there was a warning before."""
        if not self._has_warned:
            self._has_warned = True
            logger.warning("telemetry may be lost, the run is not: %s", " ".join(reason.split()))

    def guard(self, act: Callable[[], None]) -> None:
        """Call ``act``, and log an error of it."""
        try:
            act()
        except Exception as error:  # noqa: BLE001  OpenTelemetry raises plain Exceptions
            self.warn(str(error))


def _named(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {ATTRIBUTES[name]: value for name, value in attributes.items() if value is not None}


def _note_of(instrument: Instrument, *, meter: Meter) -> Callable[[float, dict[str, Any]], None]:
    words = (instrument.name, instrument.unit, instrument.meaning)
    match instrument.kind:
        case Kind.COUNTER:
            return meter.create_counter(*words).add
        case Kind.GAUGE:
            return meter.create_gauge(*words).set
        case Kind.HISTOGRAM:
            return meter.create_histogram(*words, explicit_bucket_boundaries_advisory=SECONDS).record


def _context_given() -> Any:
    """Return the trace that the run is part of, if whoever started it says so (``TRACEPARENT``)."""
    carrier = {name: os.environ[name.upper()] for name in ("traceparent", "tracestate") if name.upper() in os.environ}
    return TraceContextTextMapPropagator().extract(carrier)


def _span_exporter(name: str) -> SpanExporter:
    if name == "console":
        return ConsoleSpanExporter(out=sys.stderr)  # standard output is the Singer stream's
    exporter: SpanExporter = _otlp(name, "TRACES", "trace_exporter").OTLPSpanExporter()
    return exporter


def _metric_exporter(name: str) -> MetricExporter:
    if name == "console":
        return ConsoleMetricExporter(out=sys.stderr)
    exporter: MetricExporter = _otlp(name, "METRICS", "metric_exporter").OTLPMetricExporter()
    return exporter


def _otlp(name: str, signal: str, module: str) -> Any:
    if name != "otlp":
        raise ValueError(f"OTEL_{signal}_EXPORTER={name} is none of otlp, console, none")
    general = os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL") or "http/protobuf"
    protocol = os.environ.get(f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL") or general
    packages = {"http/protobuf": "http", "grpc": "grpc"}
    if protocol not in packages:
        raise ValueError(f"OTEL_EXPORTER_OTLP_PROTOCOL={protocol} is none of {', '.join(packages)}")
    try:
        return import_module(f"opentelemetry.exporter.otlp.proto.{packages[protocol]}.{module}")
    except ImportError:
        package = f"opentelemetry-exporter-otlp-proto-{packages[protocol]}"
        raise ValueError(f"OTEL_EXPORTER_OTLP_PROTOCOL={protocol} needs {package}, which is not installed") from None
