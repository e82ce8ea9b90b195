"""A collector of OpenTelemetry's: takes OTLP over HTTP on loopback, and keeps what came, decoded."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, ResourceMetrics
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span


def values(attributes: Iterable[KeyValue]) -> dict[str, Any]:
    """Attributes as a dict."""
    return {each.key: getattr(each.value, str(each.value.WhichOneof("value"))) for each in attributes}


@dataclass
class Collector:
    """What came; the metrics of each export are those of the whole run so far."""

    url: str = ""
    metric_exports: list[ResourceMetrics] = field(default_factory=list)
    span_exports: list[ResourceSpans] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)
    """Not set while a stalling collector keeps its answers back."""

    @property
    def environment(self) -> dict[str, str]:
        """What a run needs to know of it."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.url}

    @property
    def resource(self) -> dict[str, Any]:
        """Who has sent."""
        return values(self.metric_exports[-1].resource.attributes)

    @property
    def metrics(self) -> dict[str, Metric]:
        """The last of each metric."""
        return {metric.name: metric for each in self.metric_exports for metric in each.scope_metrics[0].metrics}

    def points(self, name: str) -> dict[tuple[tuple[str, Any], ...], float]:
        """A metric's values by their attributes; of a histogram, the number of what was recorded."""
        metric = self.metrics[name]
        data = getattr(metric, str(metric.WhichOneof("data")))
        return {
            tuple(sorted(values(point.attributes).items())): (
                point.count if metric.HasField("histogram") else point.as_int or point.as_double
            )
            for point in data.data_points
        }

    def total(self, name: str) -> float:
        """All of a metric's values together."""
        return sum(self.points(name).values())

    @property
    def spans(self) -> list[Span]:
        """All spans."""
        return [span for each in self.span_exports for scope in each.scope_spans for span in scope.spans]

    def spans_by_name(self) -> dict[str, list[Span]]:
        """All spans, those of one name together."""
        found: defaultdict[str, list[Span]] = defaultdict(list)
        for span in self.spans:
            found[span.name].append(span)
        return found


@contextmanager
def collecting(*, status: int = 200, stalls: bool = False) -> Iterator[Collector]:
    """A collector that answers with ``status``, or that ``stalls``: it answers when it is given up."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.headers.append(dict(self.headers))
            if stalls:
                collector.release.wait(30)
            if self.path == "/v1/metrics":
                collector.metric_exports.extend(ExportMetricsServiceRequest.FromString(body).resource_metrics)
            else:
                assert self.path == "/v1/traces"
                collector.span_exports.extend(ExportTraceServiceRequest.FromString(body).resource_spans)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield collector
    finally:
        collector.release.set()
        server.shutdown()
        thread.join()
        server.server_close()
