"""What the service does in, numbers for Prometheus out; one registry a service."""

import time
from collections.abc import Callable, Mapping
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST as OPENMETRICS
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
SECONDS: Final = (
    *(0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075),
    *(0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
SHARES: Final = tuple(step / 20 for step in range(1, 21))
SHED: Final = ("QUEUE_FULL", "DRAINING", "NOT_READY", "PAYLOAD_TOO_LARGE")
PHASES: Final = ("starting", "ready", "leaving", "refusing")


class Metrics:
    """Every metric, by the name that it has in Prometheus without `defectseg_`."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._add_requests()
        self._add_model()
        self._add_pictures()
        self._add_threads()

    def _add_requests(self) -> None:
        self.requests_total = self._counter("requests", "answered requests", "path", "code")
        self.request_seconds = self._histogram(
            "request_seconds", "from the headers to the reply", SECONDS, "path"
        )
        self.stage_seconds = self._histogram(
            "stage_seconds", "of one picture in one stage", SECONDS, "stage"
        )
        self.in_flight = self._gauge("in_flight", "requests with pictures at work or waiting")
        self.queue_depth = self._gauge("queue_depth", "decoded pictures that wait for the model")
        self.queue_limit = self._gauge("queue_limit", "requests that may be in flight")
        self.shed_total = self._counter("shed", "requests refused unread", "reason")
        self.client_gone_total = self._counter("client_gone", "clients gone before their reply")
        self.connections = self._gauge("connections", "open connections")
        self.protocol_errors_total = self._counter(
            "protocol_errors", "connections that spoke no proper HTTP", "code"
        )
        for code in SHED:
            self.shed_total.labels(code)

    def _add_model(self) -> None:
        self.model_info = self._gauge(
            "model_info", "1 for the model in use", "name", "version", "sha256", "precision"
        )
        self.model_loaded = self._gauge("model_loaded_timestamp_seconds", "when it was loaded")
        self.model_reloads_total = self._counter("model_reloads", "loads while serving", "result")
        self.model_output_invalid_total = self._counter(
            "model_output_invalid", "pictures for which the model gave no number"
        )
        for result in ("ok", "rejected"):  # a rate needs a first value
            self.model_reloads_total.labels(result)

    def _add_pictures(self) -> None:
        self.verdicts_total = self._counter("verdicts", "pictures by verdict", "verdict")
        self.defects_total = self._counter("defects", "defects by class", "defect_class")
        self.picture_failures_total = self._counter(
            "picture_failures", "pictures without a verdict, those of batches too", "code"
        )
        self.brightness = self._histogram("picture_brightness", "mean grey / 255", SHARES)
        self.contrast = self._histogram("picture_contrast", "deviation of grey / 255", SHARES)

    def _add_threads(self) -> None:
        self.workers = self._gauge("workers", "inference threads that live")
        self.worker_restarts_total = self._counter(
            "worker_restarts", "inference threads that died and were replaced"
        )
        self.heartbeat_age = self._gauge(
            "worker_heartbeat_age_seconds", "since an inference thread last moved", "worker"
        )
        self.phase = self._gauge("phase", "1 for the phase of the service", "phase")

    def _counter(self, name: str, what: str, *labels: str) -> Counter:
        return Counter(f"defectseg_{name}", what, labels, registry=self.registry)

    def _gauge(self, name: str, what: str, *labels: str) -> Gauge:
        return Gauge(f"defectseg_{name}", what, labels, registry=self.registry)

    def _histogram(
        self, name: str, what: str, buckets: tuple[float, ...], *labels: str
    ) -> Histogram:
        return Histogram(f"defectseg_{name}", what, labels, buckets=buckets, registry=self.registry)

    def protocol_error(self, code: str) -> None:
        """A connection was refused before it was a request."""
        self.protocol_errors_total.labels(code).inc()

    def connection_opened(self) -> None:
        """Count one more."""
        self.connections.inc()

    def connection_closed(self) -> None:
        """Count one less."""
        self.connections.dec()

    def enter_phase(self, phase: str) -> None:
        """Show one phase of `PHASES` as the present one."""
        for name in PHASES:
            self.phase.labels(name).set(name == phase)

    def show_model(self, name: str, version: str, sha256: str, precision: str) -> None:
        """Show which model is in use from now on."""
        self.model_info.clear()
        self.model_info.labels(name, version, sha256, precision).set(1)
        self.model_loaded.set(time.time())

    def show_classes(self, classes: tuple[str, ...]) -> None:
        """Start the counters of verdicts and classes at 0: a rate needs a first value."""
        for verdict in ("accept", "review", "reject"):
            self.verdicts_total.labels(verdict)
        for name in classes:
            self.defects_total.labels(name)

    def observe_stages(self, seconds: Mapping[str, float]) -> None:
        """How long each stage of one picture took."""
        for stage, value in seconds.items():
            self.stage_seconds.labels(stage).observe(value)

    def watch(self, gauge: Gauge, read: Callable[[], float]) -> None:
        """Read a gauge when it is asked for."""
        gauge.set_function(read)

    def render(self, accept: str) -> tuple[bytes, str]:
        """The text for a scraper that accepts these types, and its content type."""
        if "application/openmetrics-text" in accept:
            return generate_openmetrics(self.registry), OPENMETRICS  # type: ignore[no-untyped-call]
        return generate_latest(self.registry), TEXT
