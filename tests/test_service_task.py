"""Tasks: the first outcome counts, and a run ends when nobody waits for any of its pictures."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from defectseg.service.codes import Failure
from defectseg.service.task import Reply, Run, Task
from defectseg.service.times import Times
from drawn_model import paint
from service_parts import WatchedEngine, codes_of, drawn_file, make_task

REPLY = Reply(b"{}", "accept", (), (1, 1), Times(0, 0))


def test_the_first_outcome_of_a_task_counts():
    task, told = make_task()
    assert task.finish(REPLY)
    assert not task.finish(Failure("INTERNAL"))
    assert told.done == [REPLY]
    assert task.is_done


def finish_together(task: Task) -> list[bool]:
    """Finish it in several threads at once; which of them was the first."""
    with ThreadPoolExecutor(4) as pool:
        start = threading.Barrier(4)

        def finish(_: int) -> bool:
            start.wait()
            return task.finish(Failure("INTERNAL"))

        return list(pool.map(finish, range(4)))


def test_of_many_threads_that_finish_a_task_at_once_one_is_the_first():
    for _ in range(30):
        task, told = make_task()
        assert sorted(finish_together(task)) == [False, False, False, True]
        assert len(told.done) == 1


def test_a_task_ends_once_and_then_holds_neither_bytes_nor_pictures():
    task, _ = make_task(paint("#."))
    task.content = b"bytes"
    Run([task])
    assert task.end()
    assert not task.end()
    assert (task.content, task.picture, task.output, task._run) == (b"", None, None, None)


def test_a_task_is_worth_going_on_until_it_is_finished():
    task, _ = make_task()
    assert task.is_worth_going_on()
    task.finish(Failure("INTERNAL"))
    assert not task.is_worth_going_on()


def test_a_task_whose_deadline_has_passed_ends_when_it_is_asked():
    task, told = make_task(seconds=-0.001)
    assert not task.is_worth_going_on()
    assert codes_of(told.done) == ["DEADLINE_EXCEEDED"]


def test_a_run_is_stopped_only_when_nobody_waits_for_any_of_its_pictures():
    tasks = [make_task(paint("#."))[0] for _ in range(3)]
    run = Run(tasks)
    tasks[0].finish(Failure("DEADLINE_EXCEEDED"))
    tasks[2].finish(Failure("INTERNAL"))
    assert not run.options.terminate
    tasks[1].finish(Failure("INTERNAL"))
    assert run.options.terminate


def test_a_run_of_tasks_that_are_finished_already_is_stopped_before_it_begins():
    task, _ = make_task(paint("#."))
    task.finish(Failure("INTERNAL"))
    assert Run([task]).options.terminate


def test_a_reply_does_not_stop_the_run_of_others():
    first, second = (make_task(paint("#."))[0] for _ in range(2))
    run = Run([first, second])
    first.finish(REPLY)
    assert not run.options.terminate
    second.finish(REPLY)
    assert not run.options.terminate  # it has given all its outputs


def test_a_real_run_ends_soon_after_its_last_task_is_given_up():
    engine = WatchedEngine(drawn_file())
    engine.may_run.clear()
    tasks = [make_task(paint("#."))[0] for _ in range(2)]
    run = Run(tasks)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(engine.run, paint("#.")[None], run.options)
        assert engine.began.wait(10)
        tasks[0].finish(Failure("INTERNAL"))
        with pytest.raises(TimeoutError):  # one still waits
            running.result(0.05)
        started = time.monotonic()
        tasks[1].finish(Failure("INTERNAL"))
        with pytest.raises(Exception, match="terminate"):  # ONNX Runtime itself refuses to go on
            running.result(10)
        assert time.monotonic() - started < 5
