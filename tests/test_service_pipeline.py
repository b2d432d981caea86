"""The pipeline: whatever becomes of a picture, its pixels and its slot come back exactly once."""

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from dataclasses import replace as replace_with

import numpy as np
import pytest
from PIL import Image

from defectseg.service.codes import Failure
from defectseg.service.pipeline import call_in
from defectseg.service.service import STALE_S, Service
from defectseg.service.task import Order, Outcome, Reply, Task, Wish
from defectseg.service.times import Times
from drawn_model import NOT_A_NUMBER, paint
from picture_files import encode
from service_parts import (
    SECONDS,
    WatchedEngine,
    codes_of,
    drawn_file,
    encode_png,
    in_loop,
    metric,
    png,
    running,
    until,
)


@dataclass
class Sent:
    """One picture on its way."""

    task: Task
    future: "asyncio.Future[Outcome]"
    ends: list[float] = field(default_factory=list)  # when `on_end` was called


def send(
    service: Service, content: bytes, seconds: float = SECONDS, wish: Wish | None = None
) -> Sent:
    """Submit a picture as a route does."""
    now, ends = time.monotonic(), list[float]()
    times, model = Times(now, now), service.models.current
    order = Order(content, "a.png", "r1", wish or Wish(), model, now + seconds, times)
    task, future = service.pipeline.submit(order, lambda: ends.append(time.monotonic()))
    return Sent(task, future, ends)


async def settle(service: Service, *pictures: Sent) -> list[str]:
    """Wait for the end of all; what they ended with. Every one ends exactly once."""
    outcomes = [await asyncio.wait_for(sent.future, SECONDS) for sent in pictures]
    await until(lambda: all(sent.ends for sent in pictures), "a task never ends")
    await until(lambda: not service.pipeline._tasks)
    await asyncio.sleep(0.01)  # for a second end, which must not come
    assert [len(sent.ends) for sent in pictures] == [1] * len(pictures)
    return codes_of(outcomes)


@in_loop
async def test_a_picture_becomes_a_reply():
    async with running() as service:
        sent = send(service, png("##.. ##.. ...."))
        assert await settle(service, sent) == ["OK"]
        reply = sent.future.result()
        assert isinstance(reply, Reply)
        assert (reply.verdict, reply.size, reply.defect_classes) == ("reject", (4, 3), ("crack",))


@in_loop
async def test_who_has_the_reply_finds_pixels_and_slot_free_and_the_metrics_counted():
    async with running() as service:
        free = service.pipeline.free_pixels
        for n in range(1, 30):
            sent = send(service, png())
            await sent.future
            assert sent.ends  # before the outcome was told
            assert service.pipeline.free_pixels == free
            assert metric(service, "verdicts_total", verdict="reject") == n


@in_loop
async def test_pixels_are_taken_from_the_budget_while_a_picture_is_at_work():
    engine = WatchedEngine(drawn_file())
    engine.may_run.clear()
    async with running(engine) as service:
        free = service.pipeline.free_pixels
        sent = send(service, png("#... ...."))
        await until(engine.began.is_set)
        assert service.pipeline.free_pixels == free - 8
        engine.may_run.set()
        assert await settle(service, sent) == ["OK"]


def refuse(service: Service) -> Sent:
    return send(service, b"no picture")


def be_damaged(service: Service) -> Sent:
    return send(service, encode(Image.effect_noise((64, 64), 50))[:-200])


def be_no_number(service: Service) -> Sent:
    picture = paint("..")
    picture[..., 2] = NOT_A_NUMBER
    return send(service, encode_png(picture))


def come_too_late(service: Service) -> Sent:
    return send(service, png(), seconds=-1)


def fail_to_encode(service: Service) -> Sent:
    sent = send(service, png())
    sent.task.request_id = object()  # type: ignore[assignment]  # no JSON
    return sent


def fail_to_decode(service: Service) -> Sent:
    sent = send(service, png())
    sent.task.content = "text"  # type: ignore[assignment]
    return sent


ENDS: dict[Callable[[Service], Sent], str] = {
    refuse: "UNSUPPORTED_IMAGE",
    be_damaged: "IMAGE_CORRUPT",
    be_no_number: "MODEL_OUTPUT_INVALID",
    come_too_late: "DEADLINE_EXCEEDED",
}


@pytest.mark.parametrize("way", ENDS, ids=lambda way: way.__name__)
def test_a_picture_that_fails_gives_all_back(way: Callable[[Service], Sent]):
    @in_loop
    async def story() -> None:
        async with running() as service:
            assert await settle(service, way(service)) == [ENDS[way]]
            assert await settle(service, send(service, png())) == ["OK"]
            invalid = metric(service, "model_output_invalid_total")
            assert invalid == (way is be_no_number)

    story()


@pytest.mark.parametrize("way", [fail_to_encode, fail_to_decode], ids=lambda way: way.__name__)
def test_a_fault_of_ours_ends_one_picture_alone(way, caplog: pytest.LogCaptureFixture):
    @in_loop
    async def story() -> None:
        async with running(decoders=1) as service:
            gate = threading.Event()
            service.pipeline._decoders.submit(gate.wait)  # until the task is as it should be
            sent = way(service)
            gate.set()
            assert await settle(service, sent) == ["INTERNAL"]
            assert await settle(service, send(service, png())) == ["OK"]

    story()
    assert "a stage failed" in caplog.text


@in_loop
async def test_a_deadline_that_passes_while_a_picture_waits_for_pixels_ends_it():
    engine = WatchedEngine(drawn_file())
    engine.may_run.clear()
    async with running(engine, max_megapixels=1e-6 * 8, megapixels_in_flight=1e-6 * 8) as service:
        first = send(service, png("#... ...."))
        await until(engine.began.is_set)
        second = send(service, png("#."), seconds=0.1)
        assert await settle_one(second) == "DEADLINE_EXCEEDED"
        assert len(engine.batches) == 1
        engine.may_run.set()
        assert await settle(service, first, second) == ["OK", "DEADLINE_EXCEEDED"]
        assert len(engine.batches) == 1


async def settle_one(sent: Sent) -> str:
    return codes_of([await asyncio.wait_for(sent.future, SECONDS)])[0]


@in_loop
async def test_one_that_is_given_up_while_it_waits_for_pixels_is_not_decoded():
    engine = WatchedEngine(drawn_file())
    engine.may_run.clear()
    async with running(engine, max_megapixels=1e-6 * 8, megapixels_in_flight=1e-6 * 8) as service:
        first = send(service, png("#... ...."))
        await until(engine.began.is_set)
        second = send(service, png("#."))
        await until(lambda: service.pipeline._budget._waiting)
        second.task.finish(Failure("INTERNAL"))
        engine.may_run.set()
        assert await settle(service, first, second) == ["OK", "INTERNAL"]
        assert "decode" not in second.task.times.spans
        assert len(engine.batches) == 1


@in_loop
async def test_a_picture_whose_deadline_passes_in_the_queue_never_runs():
    engine = WatchedEngine(drawn_file())
    engine.may_run.clear()
    async with running(engine) as service:
        first = send(service, png())
        await until(engine.began.is_set)
        second = send(service, png(), seconds=0.2)
        await until(lambda: len(service.pipeline.queue) == 1)
        await until(lambda: time.monotonic() > second.task.deadline)
        engine.may_run.set()
        assert await settle(service, first, second) == ["OK", "DEADLINE_EXCEEDED"]
        assert len(engine.batches) == 1


@in_loop
async def test_a_picture_that_is_given_up_in_the_queue_never_runs():
    engine = WatchedEngine(drawn_file())
    engine.may_run.clear()
    async with running(engine) as service:
        first = send(service, png())
        await until(engine.began.is_set)
        second, third = send(service, png()), send(service, png("#."))
        await until(lambda: len(service.pipeline.queue) == 2)
        second.task.finish(Failure("INTERNAL"))
        engine.may_run.set()
        assert await settle(service, first, second, third) == ["OK", "INTERNAL", "OK"]
        assert len(engine.batches) == 2


@in_loop
async def test_giving_up_a_picture_while_it_runs_stops_the_engine():
    engine = WatchedEngine(drawn_file())
    engine.may_run.clear()
    async with running(engine) as service:
        sent = send(service, png())
        await until(engine.began.is_set)
        sent.task.finish(Failure("DEADLINE_EXCEEDED"))
        assert await settle(service, sent) == ["DEADLINE_EXCEEDED"]
        assert engine.was_stopped
        engine.may_run.set()
        assert await settle(service, send(service, png())) == ["OK"]


@in_loop
async def test_a_stopped_pipeline_drops_what_is_not_done_and_refuses_what_comes():
    engine = WatchedEngine(drawn_file())
    engine.may_run.clear()
    async with running(engine) as service:
        running_one = send(service, png())
        await until(engine.began.is_set)
        queued = send(service, png())
        await until(lambda: len(service.pipeline.queue) == 1)
        await asyncio.to_thread(service.pipeline.stop)
        late = send(service, png())
        codes = await settle(service, running_one, queued, late)
        assert codes == ["DRAINING"] * 3
        assert engine.was_stopped
        assert len(engine.batches) == 1


@in_loop
async def test_pictures_of_one_size_that_come_together_share_one_run_and_get_their_own_results():
    engine = WatchedEngine(drawn_file())
    drawings = ["#...", ".#..", "..#.", "...#", "22..", "..22", "####", "...."]
    engine.may_run.clear()
    async with running(engine, batch_size=8) as service:
        other = send(service, png("#. .."))
        await until(engine.began.is_set)
        sent = [send(service, png(drawing)) for drawing in drawings]
        await until(lambda: len(service.pipeline.queue) == 8)
        engine.may_run.set()
        assert await settle(service, other, *sent) == ["OK"] * 9
        assert [shape[0] for shape in engine.batches] == [1, 8]
        kinds = [one.future.result().defect_classes for one in sent]
    assert kinds == [("crack",)] * 4 + [("blowhole",)] * 2 + [("crack",), ()]


@in_loop
async def test_a_task_keeps_the_model_that_it_came_with():
    first = WatchedEngine(drawn_file())
    first.may_run.clear()
    async with running(first, batch_size=4, batch_window_ms=50) as service:
        old = [send(service, png())]
        await until(first.began.is_set)
        old.append(send(service, png()))
        second = WatchedEngine(drawn_file())
        service.models._current = replace_with(service.models.current, engine=second)
        new = send(service, png())
        await until(lambda: len(service.pipeline.queue) == 2)
        first.may_run.set()
        assert await settle(service, *old, new) == ["OK"] * 3
        assert [shape[0] for shape in first.batches] == [1, 1]
        assert [shape[0] for shape in second.batches] == [1]


@in_loop
async def test_pictures_larger_than_the_rest_of_the_budget_wait_their_turn_and_all_are_served():
    limit = 1e-6 * 64
    async with running(max_megapixels=limit, megapixels_in_flight=limit, decoders=3) as service:
        pictures = [np.zeros((side, 8, 3), np.uint8) for side in (8, 1, 8, 2, 8, 3, 1, 8)]
        sent = [send(service, encode_png(picture)) for picture in pictures]
        assert await settle(service, *sent) == ["OK"] * 8


def test_what_is_told_after_the_loop_has_ended_is_told_to_nobody():
    loop, told = asyncio.new_event_loop(), list[int]()
    loop.close()
    call_in(loop, told.append, 1)
    assert told == []


@in_loop
async def test_a_thread_that_is_stuck_in_a_picture_shows():
    async with running(deadline_s=0.1) as service:
        assert service.pipeline.busy_s() == 0
        assert service.is_alive()
        service.pipeline._busy[0] = time.monotonic() - 0.1 - STALE_S
        assert not service.is_alive()
        service.pipeline._busy.clear()
