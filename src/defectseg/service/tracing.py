"""A finished request in, its spans for OpenTelemetry out: one a request, one below it a stage.

Only where DEFECTSEG_OTLP_ENDPOINT is set; the packages come with the extra `otel`. Spans are made
after the reply, from times that are taken anyway: nothing waits for them.
"""

import time
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Protocol

from defectseg.errors import PackagesError
from defectseg.service.visit import Visit

SERVICE = "defectseg"
EXPORT_S = 5.0  # patience with the collector when the service stops


class Tracer(Protocol):
    """Where spans go."""

    def record(self, visit: Visit, path: str, headers: Mapping[str, str]) -> None:
        """Tell of a finished request; never raises, never waits."""

    def close(self) -> None:
        """Send what is left."""


def open_tracer(endpoint: str | None) -> Tracer | None:
    """Start sending spans; None where nobody wants them.

    Raises:
        PackagesError: The packages are not installed.
    """
    if endpoint is None:
        return None
    try:
        import_module("opentelemetry.sdk.trace")
        import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    except ModuleNotFoundError as error:
        raise PackagesError(
            f"DEFECTSEG_OTLP_ENDPOINT is set, but the package {error.name} is not installed: "
            "pip install 'defectseg[otel]', or leave it unset"
        ) from error
    return OtlpTracer(endpoint)


class OtlpTracer:
    """Sends spans by HTTP, in batches, from a thread of its own."""

    def __init__(self, endpoint: str) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        self._provider = TracerProvider(resource=Resource({"service.name": SERVICE}))
        exporter = OTLPSpanExporter(endpoint=endpoint, timeout=EXPORT_S)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer(SERVICE)

    def record(self, visit: Visit, path: str, headers: Mapping[str, str]) -> None:
        """See `Tracer`; a `traceparent` of the client is the parent."""
        from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        shift = time.time_ns() - time.monotonic_ns()
        now = time.monotonic()
        whole: Any = self._tracer.start_span(
            f"{visit.method} {path}",
            context=TraceContextTextMapPropagator().extract(dict(headers)),
            kind=SpanKind.SERVER,
            start_time=to_wall(visit.started, shift),
            attributes={
                "http.response.status_code": visit.status,
                "http.route": path,
                "defectseg.code": visit.code,
                "defectseg.request_id": visit.request_id,
            },
        )
        if visit.status >= 500:
            whole.set_status(Status(StatusCode.ERROR, visit.code))
        below = set_span_in_context(whole)
        for times in visit.times:
            for stage, (began, ended) in times.spans.items():
                span = self._tracer.start_span(stage, below, start_time=to_wall(began, shift))
                span.end(to_wall(ended, shift))
        whole.end(to_wall(now, shift))

    def close(self) -> None:
        """See `Tracer`."""
        self._provider.shutdown()


def to_wall(monotonic_s: float, shift_ns: int) -> int:
    """Monotonic seconds → Unix time, ns."""
    return int(monotonic_s * 1e9) + shift_ns
