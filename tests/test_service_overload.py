"""More work than the service can do: it says so at once, ends on time, and then goes on as ever."""

import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from conftest import looks_at_the_clock
from drawn_model import paint
from hostile_files import DRAWING, GOOD, assert_good_is_served
from http_sockets import Wire, ask, post, upload, upload_all
from live_service import LiveService, serving
from picture_files import encode
from slow_model import FAIL, order, write_slow_model

MIB = 1024 * 1024
PAINTED = paint(DRAWING)
ENDLESS = encode(Image.fromarray(order(PAINTED, 126)))  # some ten seconds
BRIEF = encode(Image.fromarray(order(PAINTED, 1)))  # some 0.1 s
FAILS = encode(Image.fromarray(order(PAINTED, FAIL)))
DEADLINE_S = 1.5


@contextmanager
def slow_service(folder: Path, **settings: Any) -> Iterator[LiveService]:
    """One inference at a time, of a model that a picture can keep at work."""
    model = write_slow_model(folder / "models/slow.onnx")
    given: dict[str, Any] = {"workers": 1, "threads": 1, "deadline_s": 60} | settings
    with serving(folder, model=model, **given) as service:
        yield service


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    """Gives up after DEADLINE_S; one decoder: pictures stay in their order."""
    folder = tmp_path_factory.mktemp("hasty")
    with slow_service(folder, deadline_s=DEADLINE_S, decoders=1) as found:
        yield found


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    """Has two slots and a minute."""
    with slow_service(tmp_path_factory.mktemp("patient"), slots=2) as found:
        yield found


@contextmanager
def busy(service: LiveService, requests: int) -> Iterator[list[Wire]]:
    """So many requests are at work or wait; in the end their clients go away."""
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(service.port)) for _ in range(requests)]
        for wire in wires:
            wire.send(upload(ENDLESS))
        service.wait_for(lambda: service.metric("defectseg_in_flight") == requests)
        yield wires
    service.wait_for(lambda: service.metric("defectseg_in_flight") == 0)


def inferences(service: LiveService) -> float:
    return service.metric("defectseg_stage_seconds_count", stage="infer")


@looks_at_the_clock
def test_a_full_queue_says_so_at_once_and_leaves_the_body_unread(patient: LiveService):
    shed = patient.metric("defectseg_shed_total", reason="QUEUE_FULL")
    large = upload(bytes(20 * MIB))
    seconds = []
    with busy(patient, 2):
        for _ in range(15):
            with Wire(patient.port) as wire:
                started = time.monotonic()
                wire.send(large[:4096])
                answer = wire.read()
                seconds.append(time.monotonic() - started)
            assert (answer.status, answer.code) == (503, "QUEUE_FULL")
            assert answer.headers["retry-after"] == "1"
        assert ask(patient.port, large).code == "QUEUE_FULL"  # all of it sent, then the reply read
        assert statistics.median(seconds) < 0.05, seconds
    assert patient.metric("defectseg_shed_total", reason="QUEUE_FULL") == shed + 16
    assert_good_is_served(patient.port)


def test_a_full_queue_does_not_keep_probes_and_metrics_out(patient: LiveService):
    with busy(patient, 2):
        for path in ("/live", "/ready", "/metrics", "/v1/model", "/"):
            assert patient.client.get(patient.url + path).status_code == 200
        assert patient.metric("defectseg_queue_depth") == 1
        assert patient.metric("defectseg_queue_limit") == 2


def test_a_client_that_goes_while_queued_is_never_inferred(patient: LiveService):
    ran, gone = inferences(patient), patient.metric("defectseg_client_gone_total")
    with busy(patient, 1):
        for number in range(1, 4):  # of two slots: each gives its own back
            with Wire(patient.port) as wire:
                wire.send(upload(GOOD))
                patient.wait_for(lambda: patient.metric("defectseg_queue_depth") == 1)
            patient.wait_for(lambda: patient.metric("defectseg_queue_depth") == 0)
            patient.wait_for(lambda: patient.metric("defectseg_in_flight") == 1)
            assert patient.metric("defectseg_client_gone_total") == gone + number
    assert inferences(patient) == ran
    assert_good_is_served(patient.port)
    assert inferences(patient) == ran + 1


@looks_at_the_clock
def test_a_client_that_goes_while_running_frees_the_worker(patient: LiveService):
    with busy(patient, 1), Wire(patient.port) as wire:
        wire.send(upload(GOOD))
        patient.wait_for(lambda: patient.metric("defectseg_queue_depth") == 1)
    started = time.monotonic()
    assert_good_is_served(patient.port)
    assert time.monotonic() - started < 3  # of the ten or more that the order would take


@looks_at_the_clock
def test_a_run_is_stopped_at_its_deadline_and_the_worker_goes_on(hasty: LiveService):
    seconds = []
    for _ in range(3):
        with Wire(hasty.port) as wire:
            started = time.monotonic()
            answer = wire.ask(upload(ENDLESS))
            seconds.append(time.monotonic() - started)
        assert (answer.status, answer.code) == (504, "DEADLINE_EXCEEDED")
        started = time.monotonic()
        assert_good_is_served(hasty.port)
        seconds_after = time.monotonic() - started
        assert seconds_after < DEADLINE_S
    assert DEADLINE_S <= min(seconds) < DEADLINE_S + 0.15, seconds
    assert hasty.metric("defectseg_worker_restarts_total") == 0


@looks_at_the_clock
def test_what_waits_in_the_queue_ends_at_its_deadline_too(hasty: LiveService):
    ran = inferences(hasty)
    started = time.monotonic()
    with ThreadPoolExecutor(6) as clients:
        answers = list(clients.map(lambda _: ask(hasty.port, upload(ENDLESS)), range(6)))
    assert time.monotonic() - started < 3 * DEADLINE_S  # not 6 one after the other
    assert {(answer.status, answer.code) for answer in answers} == {(504, "DEADLINE_EXCEEDED")}
    hasty.wait_for(lambda: hasty.metric("defectseg_in_flight") == 0)
    assert inferences(hasty) == ran
    assert_good_is_served(hasty.port)


@looks_at_the_clock
def test_of_a_batch_only_what_is_too_slow_misses_the_deadline(hasty: LiveService):
    answer = ask(hasty.port, upload_all([GOOD, ENDLESS, GOOD]))
    results = answer.json()["results"]
    codes = [item["error"]["code"] if "error" in item else "OK" for item in results]
    assert codes == ["OK", "DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED"]  # one worker: in order
    assert_good_is_served(hasty.port)


def test_a_picture_on_which_the_model_fails_fails_alone(hasty: LiveService):
    before = len(hasty.events("inference failed"))
    answer = ask(hasty.port, upload(FAILS, headers=["X-Request-ID: fails-7"]))
    assert (answer.status, answer.code) == (500, "INFERENCE_FAILED")
    assert b"Gather" not in answer.body
    hasty.wait_for(lambda: len(hasty.events("inference failed")) > before)
    assert hasty.events("inference failed")[-1]["request_id"] == "fails-7"
    assert hasty.metric("defectseg_worker_restarts_total") == 0
    assert_good_is_served(hasty.port)


def test_of_a_rush_as_many_are_served_as_there_are_slots(patient: LiveService):
    """Each is answered; never more than two are in flight; then all is free again."""
    most = 0.0
    with ThreadPoolExecutor(41) as clients:
        rush = [clients.submit(ask, patient.port, upload(BRIEF)) for _ in range(40)]
        while not all(future.done() for future in rush):
            most = max(most, patient.metric("defectseg_in_flight"))
        answers = [future.result() for future in rush]
    codes = [answer.code for answer in answers]
    assert set(codes) == {"OK", "QUEUE_FULL"}
    assert codes.count("OK") >= 2
    assert most <= 2
    patient.wait_for(lambda: patient.metric("defectseg_in_flight") == 0)
    assert_good_is_served(patient.port)


def test_a_request_that_does_not_end_its_body_holds_no_worker(patient: LiveService):
    whole = upload(GOOD)
    with Wire(patient.port) as wire:
        wire.send(whole[:-10])
        patient.wait_for(lambda: patient.metric("defectseg_in_flight") == 1)
        assert_good_is_served(patient.port)
        wire.send(whole[-10:])
        assert wire.read().status == 200


def test_an_alias_and_a_batch_need_a_slot_as_well(patient: LiveService):
    with busy(patient, 2):
        assert ask(patient.port, upload(GOOD, path="/analyze")).code == "QUEUE_FULL"
        assert ask(patient.port, upload_all([GOOD])).code == "QUEUE_FULL"
        assert ask(patient.port, post(b"", "text/plain")).code == "QUEUE_FULL"
