"""One picture's way: bytes → decode pool → queue → inference thread → encode pool → reply.

Threads hand a task on from one to the next; the event loop gives it to the first and hears from the
last. Each stage first asks whether the task is still wanted.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from defectseg.errors import ModelOutputError
from defectseg.service.budget import PixelBudget
from defectseg.service.codes import Failure
from defectseg.service.encode import encode_reply
from defectseg.service.metrics import Metrics
from defectseg.service.picture import Limits, decode, measure_light, read_size
from defectseg.service.queue import BatchQueue
from defectseg.service.task import Order, Outcome, Reply, Task
from defectseg.service.worker import Ways, Workers

STOP_S = 5.0  # how long a thread may take to end
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PipelineSettings:
    """How wide the way is."""

    workers: int  # inference threads
    decoders: int  # threads that decode, and as many that encode
    batch_size: int
    batch_window_s: float
    pixels_in_flight: int
    limits: Limits
    mm_per_pixel: float | None


class Pipeline:
    """The threads, and the way into them from the event loop."""

    def __init__(self, settings: PipelineSettings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._tasks: set[Task] = set()  # all that have not ended
        self._busy: dict[int, float] = {}  # threads that decode or encode, and since when
        self._budget = PixelBudget(settings.pixels_in_flight)
        self._decoders = ThreadPoolExecutor(settings.decoders, "decode")
        self._encoders = ThreadPoolExecutor(settings.decoders, "encode")
        self.queue = BatchQueue(settings.batch_size, settings.batch_window_s)
        self.workers = Workers(
            settings.workers, self.queue, Ways(hand_on=self._to_encode, drop=self._drop)
        )

    @property
    def free_pixels(self) -> int:
        """What is left of the budget."""
        return self._budget.free

    def start(self) -> None:
        """Start the inference threads."""
        self.workers.start()

    def stop(self) -> None:
        """End all threads; what is not done is dropped."""
        self.workers.stop()
        self.give_up()
        self.workers.join(STOP_S)
        self._decoders.shutdown(wait=False, cancel_futures=True)
        self._encoders.shutdown(wait=False, cancel_futures=True)
        for task in list(self._tasks):
            self._end(task, Failure("DRAINING"))

    def give_up(self) -> None:
        """Tell all that wait that this instance is stopping."""
        for task in list(self._tasks):
            task.finish(Failure("DRAINING"))

    def busy_s(self) -> float:
        """For how long a thread has been decoding or encoding one picture; 0 = none is."""
        began = list(self._busy.values())
        return time.monotonic() - min(began) if began else 0.0

    def tend(self) -> int:
        """Replace inference threads that died; how many that were."""
        replaced = self.workers.replace_dead()
        if replaced:
            self._metrics.worker_restarts_total.inc(replaced)
            log.error("inference threads died and were replaced", extra={"count": replaced})
        return replaced

    def submit(
        self, order: Order, on_end: Callable[[], None]
    ) -> tuple[Task, "asyncio.Future[Outcome]"]:
        """Start one picture on its way.

        Args:
            on_end: Called in the event loop once the task holds nothing any more.

        Returns:
            The task, and what becomes of it; call `task.finish` to give it up.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcome] = loop.create_future()
        # Neither callback knows the task: a circle would keep its model until a collection.
        task = Task(
            **vars(order),
            on_done=partial(self._tell, loop, future),
            on_end=partial(call_in, loop, on_end),
        )
        self._tasks.add(task)
        self._hand_to(self._decoders, self._decode, task)
        return task, future

    def _tell(
        self,
        loop: asyncio.AbstractEventLoop,
        future: "asyncio.Future[Outcome]",
        task: Task,
        outcome: Outcome,
    ) -> None:
        """Whoever waits in the event loop hears what became of a task."""
        self._count(outcome)  # first: who has the reply finds it in the metrics
        if isinstance(outcome, Failure):
            self._leave_queue(task)
        call_in(loop, set_once, future, outcome)

    def _hand_to(
        self, pool: ThreadPoolExecutor, work: Callable[[Task], Outcome | None], task: Task
    ) -> None:
        try:
            pool.submit(self._stage, work, task)
        except RuntimeError:  # the service is stopping, or the system gives no more threads
            self._end(task, Failure("DRAINING"))

    def _stage(self, work: Callable[[Task], Outcome | None], task: Task) -> None:
        """Do one stage of a task that is still wanted; then it is handed on, or ends."""
        outcome: Outcome | None = Failure("INTERNAL")
        self._busy[threading.get_ident()] = time.monotonic()
        try:
            if task.is_worth_going_on():
                outcome = work(task)
        except Failure as failure:  # its frames, which hold the bytes of the picture, are left
            outcome = Failure(failure.code, failure.message)
        except ModelOutputError:
            self._metrics.model_output_invalid_total.inc()
            outcome = Failure("MODEL_OUTPUT_INVALID")
        except Exception:
            log.exception("a stage failed", extra={"request_id": task.request_id})
        finally:
            del self._busy[threading.get_ident()]
            if outcome is not None:
                self._end(task, outcome)

    def _decode(self, task: Task) -> None:
        """Check and decode the bytes, and queue the picture."""
        came = time.monotonic()
        width, height = read_size(task.content, self._settings.limits)
        checked = time.monotonic()
        if not self._budget.take(width * height, task.deadline):
            raise Failure("DEADLINE_EXCEEDED")
        task.pixels = width * height
        if not task.is_worth_going_on():  # it may have waited for long
            raise Failure("DEADLINE_EXCEEDED")
        started = time.monotonic() - (checked - came)  # waiting for pixels is no decoding
        picture = decode(task.content, task.model.facts.channels)
        task.content = b""
        task.times.add("decode", started, time.monotonic())
        brightness, contrast = measure_light(picture)
        self._metrics.brightness.observe(brightness)
        self._metrics.contrast.observe(contrast)
        task.picture = picture
        self.queue.put(task)
        if task.is_done:
            self._leave_queue(task)

    def _leave_queue(self, task: Task) -> None:
        """A task that nobody waits for any more keeps nobody's place until a worker is free."""
        if self.queue.discard(task):
            self._end(task, Failure("INTERNAL"))  # its outcome is known already

    def _to_encode(self, task: Task) -> None:
        self._hand_to(self._encoders, self._encode, task)

    def _drop(self, task: Task) -> None:
        self._end(task, Failure("INFERENCE_FAILED"))

    def _encode(self, task: Task) -> Reply:
        """Judge what the model said and write the reply."""
        content, prediction = encode_reply(task, self._settings.mm_per_pixel)
        height, width = prediction.mask.shape
        kinds = tuple(defect.defect_class for defect in prediction.defects)
        return Reply(content, prediction.verdict, kinds, (width, height), task.times)

    def _end(self, task: Task, outcome: Outcome) -> None:
        """Give back all that a task holds, then tell what became of it if that is not known yet.

        In this order: a client that has its reply finds its place free again.
        """
        if task.end():
            self._tasks.discard(task)
            self._budget.give_back(task.pixels)
            task.on_end()
        task.finish(outcome)

    def _count(self, outcome: Outcome) -> None:
        if isinstance(outcome, Reply):
            self._metrics.verdicts_total.labels(outcome.verdict).inc()
            for name in outcome.defect_classes:
                self._metrics.defects_total.labels(name).inc()
            self._metrics.observe_stages(outcome.times.seconds())


def call_in(loop: asyncio.AbstractEventLoop, what: Callable[..., None], *values: object) -> None:
    """Call something in the event loop, from any thread; nothing once the loop has ended."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(what, *values)


def set_once(future: "asyncio.Future[Outcome]", outcome: Outcome) -> None:
    """Nothing where nobody waits any more."""
    if not future.done():
        future.set_result(outcome)
