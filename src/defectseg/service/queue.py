"""Decoded pictures in, batches of one size and one model out, the oldest first."""

import time
from collections import deque
from collections.abc import Callable
from functools import partial
from threading import Condition

from defectseg.service.task import Task


class BatchQueue:
    """Between the threads that decode and those that run the model.

    Its length needs no limit of its own: a task in it holds one of the slots.
    """

    def __init__(self, batch_size: int = 1, window_s: float = 0.0) -> None:
        """Args:
        batch_size: Pictures of one batch, at the most.
        window_s: How long the first of a batch waits for others of its size.
        """
        self._batch_size = batch_size
        self._window_s = window_s
        self._tasks: deque[Task] = deque()
        self._changed = Condition()
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._tasks)

    def put(self, task: Task) -> None:
        """Add one; after `close` it is dropped."""
        with self._changed:
            self._tasks.append(task)
            self._changed.notify()

    def take(self, patience_s: float) -> list[Task]:
        """The next batch; empty where none came in time.

        Tasks that nobody waits for any more are left out.
        """
        with self._changed:
            if not self._wait(lambda: bool(self._tasks), patience_s):
                return []
            first = self._tasks.popleft()
            batch = [first]
            if self._batch_size > 1:
                self._gather(batch, time.monotonic() + self._window_s)
            return batch

    def close(self) -> None:
        """Wake all that wait; `take` gives what is left, then nothing."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _gather(self, batch: list[Task], end: float) -> None:
        """Add others like the first until the batch is full or its window has passed."""
        first = batch[0]
        while True:
            for task in [other for other in self._tasks if are_alike(first, other)]:
                if len(batch) == self._batch_size:
                    return
                self._tasks.remove(task)
                batch.append(task)
            known = len(self._tasks)
            left = end - time.monotonic()
            if len(batch) == self._batch_size or left <= 0:
                return
            self._wait(partial(self._has_changed, known), left)

    def _has_changed(self, known: int) -> bool:
        return len(self._tasks) != known

    def _wait(self, condition: Callable[[], bool], patience_s: float) -> bool:
        return self._changed.wait_for(lambda: condition() or self._is_closed, patience_s) and bool(
            self._tasks
        )


def are_alike(one: Task, other: Task) -> bool:
    """Whether one call of the engine can take both."""
    if one.picture is None or other.picture is None:
        return False
    return one.model is other.model and one.picture.shape == other.picture.shape
