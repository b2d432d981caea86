"""Everything that one process serves with: settings, model, threads, metrics and phase."""

import asyncio
import logging
from contextlib import suppress
from functools import partial
from typing import Literal

from defectseg.service.codes import Failure
from defectseg.service.metrics import Metrics
from defectseg.service.model import ModelHolder, ServedModel
from defectseg.service.picture import Limits
from defectseg.service.pipeline import Pipeline, PipelineSettings
from defectseg.service.settings import Settings
from defectseg.service.threads_plan import plan_threads
from defectseg.service.tracing import open_tracer

TEND_S = 0.5  # between two looks at the inference threads
STALE_S = 5.0  # a heartbeat may be this much older than the deadline of a request
log = logging.getLogger(__name__)


class Service:
    """What the routes, admission and the server share; only used in the event loop."""

    def __init__(self, settings: Settings, models: ModelHolder) -> None:
        plan = plan_threads(settings)
        self.settings = settings
        self.models = models
        self.metrics = Metrics()
        self.tracer = open_tracer(settings.otlp_endpoint)
        self.limits = Limits(
            settings.max_pixels, settings.min_side, settings.max_side, settings.max_aspect
        )
        self.pipeline = Pipeline(
            PipelineSettings(
                workers=plan.workers,
                decoders=plan.decoders,
                batch_size=settings.batch_size,
                batch_window_s=settings.batch_window_ms / 1000,
                pixels_in_flight=settings.pixels_in_flight,
                limits=self.limits,
                mm_per_pixel=settings.mm_per_pixel,
            ),
            self.metrics,
        )
        self.in_flight = 0  # requests that hold a slot
        self._phase = "starting"
        self._tending: asyncio.Task[None] | None = None
        self._watch()

    @property
    def phase(self) -> str:
        """Of `metrics.PHASES`."""
        return self._phase

    @phase.setter
    def phase(self, phase: str) -> None:
        self._phase = phase
        self.metrics.enter_phase(phase)
        log.info("phase", extra={"phase": phase})

    async def start(self) -> None:
        """Start the threads; from now on /ready says yes."""
        self.pipeline.start()
        self._tending = asyncio.create_task(self._tend())
        self.show_model(self.models.current)
        self.phase = "ready"

    async def stop(self) -> None:
        """End the threads."""
        if self._tending is not None:
            self._tending.cancel()
            with suppress(asyncio.CancelledError):
                await self._tending
        await asyncio.to_thread(self.pipeline.stop)
        if self.tracer is not None:
            await asyncio.to_thread(self.tracer.close)

    def take_slot(self) -> bool:
        """Take one of the slots, if one is free."""
        if self.in_flight >= self.settings.slots:
            return False
        self.in_flight += 1
        return True

    def release_slot(self) -> None:
        """Give it back."""
        self.in_flight -= 1

    def is_alive(self) -> bool:
        """Whether every inference thread moved lately, and no other is stuck in a picture."""
        oldest = self.settings.deadline_s + STALE_S
        workers = self.pipeline.workers
        if self.pipeline.busy_s() >= oldest:
            return False
        return all(workers.heartbeat_age(place) < oldest for place in range(len(workers.all)))

    def refuse_unready(self) -> None:
        """Raises: Failure: The service is starting or stopping, or no inference thread lives."""
        if self.phase in {"leaving", "refusing"}:
            raise Failure("DRAINING")
        if self.phase != "ready" or not self.pipeline.workers.count_alive() or not self.is_alive():
            raise Failure("NOT_READY")

    def show_model(self, model: ServedModel) -> None:
        """Tell the metrics which model is in use."""
        facts = model.facts
        self.metrics.show_model(model.name, facts.package_version, model.sha256, facts.precision)
        self.metrics.show_classes(facts.classes)

    def count_reload(self, result: Literal["ok", "rejected"], model: ServedModel | None) -> None:
        """A model was loaded, or refused, while serving."""
        self.metrics.model_reloads_total.labels(result).inc()
        if model is not None:
            self.show_model(model)

    async def _tend(self) -> None:
        while True:
            await asyncio.sleep(TEND_S)
            try:
                self.pipeline.tend()
            except RuntimeError:  # the system gives no more threads for now
                log.exception("an inference thread cannot be replaced")

    def _watch(self) -> None:
        """Let gauges be read when they are asked for."""
        metrics, pipeline = self.metrics, self.pipeline
        metrics.enter_phase(self._phase)
        metrics.queue_limit.set(self.settings.slots)
        metrics.watch(metrics.queue_depth, lambda: len(pipeline.queue))
        metrics.watch(metrics.in_flight, lambda: self.in_flight)
        metrics.watch(metrics.workers, pipeline.workers.count_alive)
        for place in range(len(pipeline.workers.all)):
            age = metrics.heartbeat_age.labels(str(place))
            metrics.watch(age, partial(pipeline.workers.heartbeat_age, place))
