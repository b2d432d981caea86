"""Inference threads: each takes batches from the queue and runs the model that its tasks name."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Thread

import numpy as np

from defectseg.inference.engine import Output
from defectseg.service.queue import BatchQueue
from defectseg.service.task import Run, Task

PATIENCE_S = 1.0  # between two heartbeats of an idle worker
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ways:
    """Where a task goes after its inference: to one of them.

    Both take a task that has ended already: it may be in a batch and still in the queue where a
    thread was killed in between.
    """

    hand_on: Callable[[Task], None]  # it has an output
    drop: Callable[[Task], None]  # it has none


class Worker:
    """One thread."""

    def __init__(self, number: int, queue: BatchQueue, ways: Ways) -> None:
        self.number = number
        self.beat = time.monotonic()  # when it last moved
        self._queue = queue
        self._ways = ways
        self._batch: list[Task] = []
        self._is_stopping = False
        self._thread = Thread(target=self._work, name=f"inference-{number}", daemon=True)

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    @property
    def is_stopping(self) -> bool:
        return self._is_stopping

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the present batch."""
        self._is_stopping = True

    def join(self, patience_s: float) -> None:
        """Wait for the end."""
        self._thread.join(patience_s)

    def _work(self) -> None:
        while not self._is_stopping:
            self.beat = time.monotonic()
            try:
                self._queue.take(self._batch, PATIENCE_S)
                self.beat = time.monotonic()
                self._infer([task for task in self._batch if task.is_worth_going_on()])
            finally:  # also where this thread is killed: nobody may wait for ever
                self.let_go()

    def let_go(self) -> None:
        """Send every task that it has on; once more by others where it was killed in here."""
        while self._batch:
            task = self._batch[0]
            (self._ways.drop if task.output is None else self._ways.hand_on)(task)
            self._batch.pop(0)

    def _infer(self, batch: list[Task]) -> None:
        pictures = [task.picture for task in batch if task.picture is not None]
        if not pictures:
            return
        started = time.monotonic()
        try:
            stacked = pictures[0][None] if len(pictures) == 1 else np.stack(pictures)
            output = batch[0].model.engine.run(stacked, Run(batch).options)
        except Exception:
            if not all(task.is_done for task in batch):  # else it was stopped on purpose
                ids = ", ".join(task.request_id for task in batch)
                log.exception("inference failed", extra={"request_id": ids})
            return
        ended = time.monotonic()
        for n, task in enumerate(batch):
            task.times.add("infer", started, ended)
            task.output = Output(output.probability[n : n + 1], output.mask[n : n + 1])


class Workers:
    """All inference threads; a dead one is replaced."""

    def __init__(self, count: int, queue: BatchQueue, ways: Ways) -> None:
        self._queue = queue
        self._ways = ways
        self.all = [Worker(number, queue, ways) for number in range(count)]

    def start(self) -> None:
        """Begin."""
        for worker in self.all:
            worker.start()

    def replace_dead(self) -> int:
        """Start a new thread for each one that died; how many that were."""
        replaced = 0
        for place, worker in enumerate(self.all):
            if not worker.is_alive and not worker.is_stopping:
                worker.let_go()
                self.all[place] = Worker(worker.number, self._queue, self._ways)
                self.all[place].start()
                replaced += 1
        return replaced

    def heartbeat_age(self, place: int) -> float:
        """Seconds since a thread last moved."""
        return time.monotonic() - self.all[place].beat

    def count_alive(self) -> int:
        """Threads that live."""
        return sum(worker.is_alive for worker in self.all)

    def stop(self) -> None:
        """End all after their present batch."""
        for worker in self.all:
            worker.stop()
        self._queue.close()

    def join(self, patience_s: float) -> None:
        """Wait for the end of all."""
        for worker in self.all:
            worker.join(patience_s)
