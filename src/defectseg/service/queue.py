"""Decoded pictures in, batches of one size and one model out, the oldest first."""

import time
from collections import deque
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
        """Add one."""
        with self._changed:
            self._tasks.append(task)
            self._changed.notify_all()  # one that gathers another size has no use for it

    def take(self, batch: list[Task], patience_s: float) -> None:
        """Add the next ones to an empty batch; none where none came in time.

        A task is in the batch before it leaves the queue: a thread that is killed loses none.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._tasks or self._is_closed, patience_s)
            if not self._tasks:
                return
            batch.append(self._tasks[0])
            self._tasks.popleft()
            self._gather(batch, time.monotonic() + self._window_s)

    def discard(self, task: Task) -> bool:
        """Take one out again; whether it was still there."""
        with self._changed:
            is_there = task in self._tasks
            if is_there:
                self._tasks.remove(task)
            return is_there

    def close(self) -> None:
        """Wake all that wait; `take` gives what is left, then nothing, at once."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _gather(self, batch: list[Task], end: float) -> None:
        """Add others like the first until the batch is full or its window has passed."""
        while len(batch) < self._batch_size:
            task = self._find(batch[0])
            if task is not None:
                batch.append(task)
                self._tasks.remove(task)
            elif not self._wait_for_one_like(batch[0], end - time.monotonic()):
                return

    def _wait_for_one_like(self, first: Task, left_s: float) -> bool:
        """Whether there is one before the window has passed or the queue is closed."""
        if left_s > 0:
            self._changed.wait_for(lambda: self._find(first) or self._is_closed, left_s)
        return self._find(first) is not None

    def _find(self, first: Task) -> Task | None:
        return next((task for task in self._tasks if are_alike(first, task)), None)


def are_alike(one: Task, other: Task) -> bool:
    """Whether one call of the engine can take both."""
    if one.picture is None or other.picture is None:
        return False
    return one.model is other.model and one.picture.shape == other.picture.shape
