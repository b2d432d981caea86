"""Admission: what is refused is refused unread and at once, and every slot comes back."""

import asyncio
import time
from typing import Any

import pytest

from defectseg.service.admission import PAGE_POLICY, Admission
from defectseg.service.codes import CODES, Failure
from defectseg.service.service import Service
from service_parts import (
    FORM,
    Call,
    WatchedEngine,
    drawn_file,
    form,
    get,
    in_loop,
    metric,
    picture_form,
    png,
    post,
    running,
    until,
)


def assert_safe(call: Call) -> None:
    """What every failure has."""
    headers, error = call.reply_headers, call.reply["error"]
    assert set(call.reply) == {"error"}
    assert set(error) == {"code", "message", "request_id", "retryable"}
    assert call.status == CODES[error["code"]].status
    assert error["retryable"] == CODES[error["code"]].retryable
    assert ("retry-after" in headers) == error["retryable"]
    assert headers["x-request-id"] == error["request_id"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == PAGE_POLICY.decode()
    assert headers["content-type"] == "application/json"
    assert int(headers["content-length"]) == len(call.body)


@in_loop
async def test_a_body_that_is_announced_too_large_is_refused_before_it_is_asked_for():
    async with running(max_body_mib=1) as service:
        for path in ("/v1/analyze", "/v1/analyze/batch", "/live"):
            call = Call(path, headers=FORM | {"content-length": str(2**20 + 1)})
            await call.run(service)
            assert (call.status, call.code, call.receives) == (413, "PAYLOAD_TOO_LARGE", 0)
            assert_safe(call)
        assert metric(service, "shed_total", reason="PAYLOAD_TOO_LARGE") == 3


@pytest.mark.parametrize("length", ["-1", "+5", "1_0", "ten", ""])
@in_loop
async def test_a_length_that_is_no_number_is_refused(length: str):
    async with running() as service:
        call = await Call(headers=FORM | {"content-length": length}).run(service)
        assert (call.status, call.code, call.receives) == (400, "BAD_REQUEST", 0)


@in_loop
async def test_a_body_without_a_length_is_refused_where_it_crosses_the_limit():
    async with running(max_body_mib=1) as service:
        call = Call().push(picture_form(b"")[:-11], more=True)
        for _ in range(100):
            call.push(bytes(2**18), more=True)
        await call.run(service)
        assert (call.status, call.code, call.receives) == (413, "PAYLOAD_TOO_LARGE", 5)
        assert_safe(call)


@in_loop
async def test_a_body_as_large_as_the_limit_is_taken():
    body = picture_form(png())
    async with running(max_body_mib=len(body) / 2**20) as service:
        assert (await Call().push(body).run(service)).code == "OK"
    async with running(max_body_mib=(len(body) - 1) / 2**20) as service:
        assert (await Call().push(body).run(service)).code == "PAYLOAD_TOO_LARGE"


@in_loop
async def test_a_body_that_comes_too_slowly_is_given_up():
    async with running(body_timeout_s=0.1) as service:
        call = Call().push(picture_form(png())[:50], more=True)
        started = time.monotonic()
        await call.run(service)
        assert time.monotonic() - started >= 0.1
        assert (call.status, call.code) == (408, "REQUEST_TIMEOUT")
        assert_safe(call)


@in_loop
async def test_a_byte_now_and_then_does_not_make_the_time_longer():
    async with running(body_timeout_s=0.2) as service:
        call = Call()
        task = asyncio.ensure_future(call.run(service))
        for byte in picture_form(png()):
            if task.done():
                break
            call.push(bytes([byte]), more=True)
            await asyncio.sleep(0.01)
        await task
        assert call.code == "REQUEST_TIMEOUT"


@in_loop
async def test_there_are_exactly_as_many_slots_as_set_and_then_the_body_stays_unread():
    engine = WatchedEngine(drawn_file())
    engine.may_run.clear()
    async with running(engine, slots=3) as service:
        calls = [Call().push(picture_form(png())) for _ in range(3)]
        tasks = [asyncio.ensure_future(call.run(service)) for call in calls]
        await until(lambda: len(service.pipeline.queue) == 2)
        assert service.in_flight == metric(service, "in_flight") == 3
        for n in range(1, 5):
            started = time.monotonic()
            late = await post(service, png())
            assert (late.status, late.code, late.receives) == (503, "QUEUE_FULL", 0)
            assert_safe(late)
            assert time.monotonic() - started < 5
            assert metric(service, "shed_total", reason="QUEUE_FULL") == n
        assert (await get(service, "/live")).status == 200  # takes no slot
        engine.may_run.set()
        await asyncio.gather(*tasks)
        assert [call.code for call in calls] == ["OK"] * 3
        assert (await post(service, png())).code == "OK"


@in_loop
async def test_with_one_slot_a_client_that_waits_for_each_reply_is_never_refused():
    async with running(slots=1) as service:
        assert {(await post(service, png())).code for _ in range(30)} == {"OK"}
        assert {(await post(service, b"x")).code for _ in range(30)} == {"UNSUPPORTED_IMAGE"}


@in_loop
async def test_a_client_that_goes_while_it_sends_frees_its_slot():
    async with running(slots=1) as service:
        call = Call().push(picture_form(png())[:50], more=True)
        task = asyncio.ensure_future(call.run(service))
        await until(lambda: service.in_flight == 1)
        call.leave()
        await task
        assert call.sent == []
        assert metric(service, "client_gone_total") == 1
        assert metric(service, "requests_total", path="/v1/analyze", code="CLIENT_GONE") == 1
        assert (await post(service, png())).code == "OK"


@in_loop
async def test_a_client_that_goes_while_queued_is_counted_and_its_picture_never_runs():
    engine = WatchedEngine(drawn_file())
    engine.may_run.clear()
    async with running(engine) as service:
        first, second = (Call().push(picture_form(png())) for _ in range(2))
        tasks = [asyncio.ensure_future(first.run(service))]
        await until(engine.began.is_set)
        tasks.append(asyncio.ensure_future(second.run(service)))
        await until(lambda: len(service.pipeline.queue) == 1)
        second.leave()
        await tasks[1]
        assert second.sent == []
        await until(lambda: service.in_flight == 1)  # before the first has ended
        assert len(service.pipeline.queue) == 0
        engine.may_run.set()
        await tasks[0]
        assert first.code == "OK"
        await until(lambda: service.in_flight == 0)
        assert len(engine.batches) == 1
        assert metric(service, "client_gone_total") == 1


@in_loop
async def test_a_client_that_goes_while_its_picture_runs_stops_the_run():
    engine = WatchedEngine(drawn_file())
    engine.may_run.clear()
    async with running(engine) as service:
        call = Call().push(picture_form(png()))
        task = asyncio.ensure_future(call.run(service))
        await until(engine.began.is_set)
        call.leave()
        await task
        await until(lambda: service.in_flight == 0)
        assert engine.was_stopped


@in_loop
async def test_a_deadline_is_told_in_time_though_the_picture_still_runs():
    engine = WatchedEngine(drawn_file())
    engine.may_run.clear()
    async with running(engine, deadline_s=0.2) as service:
        started = time.monotonic()
        call = await post(service, png())
        assert 0.2 <= time.monotonic() - started < 5
        assert (call.status, call.code) == (504, "DEADLINE_EXCEEDED")
        assert_safe(call)
        await until(lambda: engine.was_stopped)


@in_loop
async def test_a_batch_of_pictures_holds_its_slot_until_all_its_pictures_have_ended():
    engine = WatchedEngine(drawn_file())
    engine.may_run.clear()
    async with running(engine, slots=2) as service:
        body = form(*[("images", f"{n}.png", png()) for n in range(3)])
        call = Call("/v1/analyze/batch").push(body)
        task = asyncio.ensure_future(call.run(service))
        await until(lambda: len(service.pipeline.queue) == 2)
        assert service.in_flight == 1
        call.leave()
        await task
        await until(lambda: service.in_flight == 0)
        assert len(engine.batches) == 1


@pytest.mark.parametrize("given", ["a", "line-1_2.3", "x" * 64, "0"])
@in_loop
async def test_a_well_formed_request_id_is_kept(given: str):
    async with running() as service:
        call = await post(service, png(), headers=FORM | {"x-request-id": given})
        assert call.reply_headers["x-request-id"] == call.reply["request_id"] == given


@pytest.mark.parametrize("given", ["", "-a", ".a", "a b", "x" * 65, "ä", 'a"b', "a\n", "<b>"])
@in_loop
async def test_any_other_request_id_is_replaced(given: str):
    async with running() as service:
        call = await get(service, "/nothing", x_request_id=given)
        told = call.reply_headers["x-request-id"]
        assert told != given
        assert len(told) == 16
        assert_safe(call)


@in_loop
async def test_every_request_without_an_id_gets_its_own():
    async with running() as service:
        calls = [await get(service, "/live") for _ in range(20)]
        assert len({call.reply_headers["x-request-id"] for call in calls}) == 20


@in_loop
async def test_the_phases_decide_who_comes_in():
    async with running() as service:
        for phase, work, ready, live in [
            ("starting", "NOT_READY", "NOT_READY", "OK"),
            ("ready", "OK", "OK", "OK"),
            ("leaving", "OK", "DRAINING", "OK"),
            ("refusing", "DRAINING", "DRAINING", "OK"),
        ]:
            service.phase = phase
            call = await post(service, png())
            assert call.code == work, phase
            assert call.receives == (0 if work != "OK" else call.receives)
            assert (await get(service, "/ready")).code == ready, phase
            assert (await get(service, "/live")).code == live, phase
            assert metric(service, "phase", phase=phase) == 1
        assert metric(service, "shed_total", reason="DRAINING") == 1
        assert metric(service, "shed_total", reason="NOT_READY") == 1


async def answer_with(service: Service, error: BaseException, begin: bool = False) -> Call:
    """What comes of an app that raises."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if begin:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise error

    call = Call()
    await Admission(app, service)(call.scope(), call.receive, call.send)
    return call


def test_a_fault_of_ours_is_internal_and_only_the_log_has_its_words(caplog):
    @in_loop
    async def story() -> None:
        async with running() as service:
            call = await answer_with(service, ZeroDivisionError("secret"))
            assert (call.status, call.code) == (500, "INTERNAL")
            assert_safe(call)
            assert b"secret" not in call.body
            [record] = [found for found in caplog.records if found.exc_info]
            assert "secret" in str(record.exc_info)
            assert record.request_id == call.reply["error"]["request_id"]

    story()


@in_loop
async def test_nothing_more_is_sent_once_a_reply_has_begun():
    async with running() as service:
        call = await answer_with(service, ZeroDivisionError(), begin=True)
        assert len(call.sent) == 1


@pytest.mark.parametrize("code", CODES)
@in_loop
async def test_every_code_leaves_in_the_envelope(code: str):
    async with running() as service:
        call = await answer_with(service, Failure(code))
        assert call.code == code
        assert call.reply["error"]["message"] == CODES[code].message
        assert_safe(call)
        assert metric(service, "requests_total", path="/v1/analyze", code=code) == 1
