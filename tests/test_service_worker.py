"""Inference threads: one that dies fails only its own pictures, and another takes its place."""

import ctypes
import threading
import time

import pytest

from defectseg.service import service as service_module
from defectseg.service import worker as worker_module
from defectseg.service.service import Service
from service_parts import (
    WatchedEngine,
    drawn_file,
    get,
    in_loop,
    metric,
    png,
    post,
    running,
    until,
)
from test_service_pipeline import send, settle

pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnhandledThreadExceptionWarning"  # threads are killed on purpose
)


def kill(service: Service, place: int = 0) -> threading.Thread:
    """Raise SystemExit in an inference thread, wherever it is."""
    thread = service.pipeline.workers.all[place]._thread
    number = ctypes.c_ulong(thread.ident or 0)
    assert ctypes.pythonapi.PyThreadState_SetAsyncExc(number, ctypes.py_object(SystemExit)) == 1
    return thread


@in_loop
async def test_a_thread_killed_while_it_runs_fails_its_picture_at_once_and_the_next_is_served():
    engine = WatchedEngine(drawn_file())
    engine.may_run.clear()
    async with running(engine) as service:
        sent = send(service, png())
        await until(engine.began.is_set)
        thread = kill(service)
        assert await settle(service, sent) == ["INFERENCE_FAILED"]
        engine.may_run.set()
        await until(lambda: not thread.is_alive())
        assert (await post(service, png())).code == "OK"
        assert metric(service, "worker_restarts_total") == 1
        assert metric(service, "workers") == 1


@in_loop
async def test_a_thread_killed_while_it_waits_loses_no_picture():
    async with running() as service:
        thread = kill(service)
        sent = send(service, png())
        assert await settle(service, sent) == ["OK"]
        assert not thread.is_alive()


@in_loop
async def test_a_thread_killed_while_it_gathers_a_batch_fails_it_and_loses_nothing():
    async with running(batch_size=4, batch_window_ms=1000) as service:
        sent = send(service, png())
        queue = service.pipeline.queue
        await until(lambda: "decode" in sent.task.times.spans and not len(queue))
        thread = kill(service)  # it waits for others of that size
        assert await settle(service, sent) == ["INFERENCE_FAILED"]
        await until(lambda: not thread.is_alive())
        assert await settle(service, send(service, png())) == ["OK"]


@in_loop
async def test_killing_threads_over_and_over_loses_neither_pictures_nor_pixels():
    engine = WatchedEngine(drawn_file())
    async with running(engine, workers=2, batch_size=2) as service:
        for _ in range(4):
            engine.may_run.clear()
            known = len(engine.batches)
            pictures = [send(service, png()) for _ in range(5)]
            await until(lambda known=known: len(engine.batches) == known + 2)
            threads = [kill(service, place) for place in range(2)]
            await until(lambda threads=threads: not any(t.is_alive() for t in threads))
            engine.may_run.set()
            codes = await settle(service, *pictures)
            assert set(codes) <= {"OK", "INFERENCE_FAILED"}
            assert 2 <= codes.count("INFERENCE_FAILED") <= 4
        assert metric(service, "worker_restarts_total") == 8


@in_loop
async def test_what_a_thread_still_had_when_it_died_is_let_go_when_it_is_replaced():
    async with running() as service:
        service._tending.cancel()
        thread = kill(service)
        await until(lambda: not thread.is_alive())
        sent = send(service, png())
        await until(lambda: len(service.pipeline.queue) == 1)
        service.pipeline.queue.take(service.pipeline.workers.all[0]._batch, 0)  # as if just then
        service.pipeline.tend()
        assert await settle(service, sent) == ["INFERENCE_FAILED"]
        service._tending = None


@in_loop
async def test_what_the_engine_raises_fails_only_its_own_batch(
    caplog: pytest.LogCaptureFixture | None = None,
):
    engine = WatchedEngine(drawn_file())
    async with running(engine) as service:
        engine.error = MemoryError("a secret of the inside")
        call = await post(service, png())
        assert (call.status, call.code) == (500, "INFERENCE_FAILED")
        assert b"secret" not in call.body
        engine.error = None
        assert (await post(service, png())).code == "OK"
        assert metric(service, "worker_restarts_total") == 0


@in_loop
async def test_a_thread_that_hangs_makes_the_service_neither_alive_nor_ready():
    engine = HangingEngine(drawn_file())
    stale, service_module.STALE_S = service_module.STALE_S, 0.2
    patience, worker_module.PATIENCE_S = worker_module.PATIENCE_S, 0.05
    try:
        async with running(engine, deadline_s=0.3) as service:
            assert (await get(service, "/live")).status == 200
            engine.may_run.clear()
            assert (await post(service, png())).code == "DEADLINE_EXCEEDED"
            await until(lambda: not service.is_alive())
            assert metric(service, "worker_heartbeat_age_seconds", worker="0") > 0.5
            for path in ("/live", "/ready"):
                call = await get(service, path)
                assert (call.status, call.code) == (503, "NOT_READY")
            engine.may_run.set()
            await until(service.is_alive)
            assert (await get(service, "/ready")).status == 200
    finally:
        service_module.STALE_S, worker_module.PATIENCE_S = stale, patience


class HangingEngine(WatchedEngine):
    """Does not listen to `stop`."""

    def run(self, pictures, stop=None):  # type: ignore[no-untyped-def]
        return super().run(pictures, None)


@in_loop
async def test_the_heartbeat_of_an_idle_thread_stays_fresh():
    async with running() as service:
        beat = service.pipeline.workers.all[0].beat
        await until(lambda: service.pipeline.workers.all[0].beat > beat)
        assert service.pipeline.workers.heartbeat_age(0) < worker_module.PATIENCE_S + 5


@in_loop
async def test_without_a_living_thread_the_service_is_not_ready():
    async with running() as service:
        service._tending.cancel()
        thread = kill(service)
        await until(lambda: not thread.is_alive())
        assert metric(service, "workers") == 0
        assert (await get(service, "/ready")).code == "NOT_READY"
        assert service.pipeline.tend() == 1
        assert (await get(service, "/ready")).status == 200
        service._tending = None


@in_loop
async def test_several_threads_run_at_the_same_time():
    engine = WatchedEngine(drawn_file())
    engine.may_run.clear()
    async with running(engine, workers=3) as service:
        sent = [send(service, png()) for _ in range(3)]
        await until(lambda: len(engine.batches) == 3)
        engine.may_run.set()
        assert await settle(service, *sent) == ["OK"] * 3


@in_loop
async def test_stopping_ends_every_thread():
    async with running(workers=3) as service:
        threads = [worker._thread for worker in service.pipeline.workers.all]
    started = time.monotonic()
    assert not any(thread.is_alive() for thread in threads)
    assert time.monotonic() - started < 1
