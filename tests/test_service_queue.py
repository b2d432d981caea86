"""The queue: the oldest first, batches of one size and one model, and nobody is forgotten."""

import threading
import time
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from defectseg.service.queue import BatchQueue
from defectseg.service.task import Task
from service_parts import SECONDS, drawn_file, make_task, served

MODELS = [served(drawn_file()), replace(served(drawn_file()), name="another")]


def task_of(side: int, model: int = 0) -> Task:
    return make_task(np.zeros((side, 1, 3), np.uint8), MODELS[model])[0]


def take(queue: BatchQueue, patience_s: float = 0.0) -> list[Task]:
    batch: list[Task] = []
    queue.take(batch, patience_s)
    return batch


def filled(tasks: list[Task], batch_size: int = 1, window_s: float = 0.0) -> BatchQueue:
    queue = BatchQueue(batch_size, window_s)
    for task in tasks:
        queue.put(task)
    return queue


def test_tasks_come_out_in_the_order_in_which_they_came():
    tasks = [task_of(side) for side in (1, 2, 1, 2)]
    queue = filled(tasks)
    assert len(queue) == 4
    assert [take(queue) for _ in tasks] == [[task] for task in tasks]


def test_one_that_is_given_up_is_taken_out_once_and_the_others_stay():
    first, given_up, last = tasks = [task_of(1), task_of(1), task_of(1)]
    queue = filled(tasks)
    assert queue.discard(given_up)
    assert not queue.discard(given_up)
    assert [take(queue) for _ in range(3)] == [[first], [last], []]
    assert not queue.discard(first)  # a worker has it


def test_an_empty_queue_gives_nothing_after_the_patience():
    started = time.monotonic()
    assert take(BatchQueue(), 0.05) == []
    assert time.monotonic() - started >= 0.05


@settings(max_examples=60, deadline=None)
@given(
    kinds=st.lists(st.tuples(st.integers(1, 3), st.integers(0, 1)), max_size=12),
    batch_size=st.integers(1, 8),
)
def test_batches_are_of_one_size_and_one_model_and_leave_nobody_out(kinds, batch_size):
    tasks = [task_of(side, model) for side, model in kinds]
    queue = filled(tasks, batch_size)
    left = list(tasks)
    while left:
        batch = take(queue)
        assert batch[0] is left[0]  # the oldest is always in the next one: nobody starves
        alike = [
            task
            for task in left
            if task.model is batch[0].model and task.picture.shape == batch[0].picture.shape
        ]
        assert batch == alike[:batch_size]  # in the order in which they came, as many as may be
        left = [task for task in left if task not in batch]
    assert take(queue) == []


def test_a_batch_waits_in_its_window_for_others_of_its_size():
    queue = filled([task_of(1)], batch_size=2, window_s=SECONDS)
    other, like = task_of(2), task_of(1)
    timers = [threading.Timer(s, queue.put, [task]) for s, task in ((0.02, other), (0.06, like))]
    for timer in timers:
        timer.start()
    started = time.monotonic()
    batch = take(queue)
    assert time.monotonic() - started < SECONDS / 2  # full: it waits no longer
    assert batch[1:] == [like]
    assert take(filled([other])) == [other]


def test_a_window_ends_though_the_batch_is_not_full():
    queue = filled([task_of(1)], batch_size=8, window_s=0.05)
    started = time.monotonic()
    assert len(take(queue)) == 1
    assert 0.05 <= time.monotonic() - started < SECONDS / 2


def test_a_batch_of_one_waits_for_nobody():
    started = time.monotonic()
    assert len(take(filled([task_of(1)], batch_size=1, window_s=SECONDS))) == 1
    assert time.monotonic() - started < SECONDS / 2


def test_one_that_gathers_another_size_keeps_no_task_from_an_idle_thread():
    """A single notification could reach the thread that has no use for it."""
    for _ in range(20):
        queue = filled([task_of(1)], batch_size=2, window_s=1.0)
        gatherer = threading.Thread(target=take, args=(queue,))
        gatherer.start()
        while len(queue):  # it has taken its first
            time.sleep(0.0005)
        idle = threading.Thread(target=take, args=(queue, 1.0))
        idle.start()
        while len(queue._changed._waiters) < 2:
            time.sleep(0.0005)
        put_at = time.monotonic()
        queue.put(task_of(2))
        while len(queue):
            time.sleep(0.0005)
        assert time.monotonic() - put_at < 0.5
        queue.close()
        idle.join()
        gatherer.join()


def test_a_closed_queue_gives_what_is_left_and_waits_for_nothing():
    queue = filled([task_of(1)], batch_size=2, window_s=SECONDS)
    queue.close()
    started = time.monotonic()
    assert len(take(queue, SECONDS)) == 1
    assert take(queue, SECONDS) == []
    assert time.monotonic() - started < SECONDS / 2


def test_closing_wakes_a_thread_that_waits():
    queue = BatchQueue()
    thread = threading.Thread(target=take, args=(queue, SECONDS))
    thread.start()
    queue.close()
    thread.join(SECONDS / 2)
    assert not thread.is_alive()
