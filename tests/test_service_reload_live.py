"""A reload as a factory sees it: another model in the running service, and no request the worse."""

import io
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from PIL import Image

from drawn_model import POINT, paint, write_model
from live_service import LiveService, serving

SURE = 230  # of 255: a probability of 0.90


def picture() -> bytes:
    """A crack, 12 × 4 px, of which the model is sure at 0.90."""
    file = io.BytesIO()
    pixels = paint(".....\n.###.\n.....", SURE).repeat(4, axis=0).repeat(4, axis=1)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def stricter() -> str:
    """An operating point that rejects from 0.95 on, not from 0.8."""
    return POINT.model_copy(update={"reject": 0.95}).model_dump_json()


def replace(path: Path, content: bytes) -> None:
    part = path.with_suffix(".part")
    part.write_bytes(content)
    part.replace(path)


def write_stricter(path: Path) -> None:
    replace(path, write_model(path.with_suffix(".new"), operating_point=stricter()).read_bytes())


def ask(service: LiveService) -> dict[str, Any]:
    reply = service.analyze(picture())
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_model(tmp_path / "models/unet.onnx")


@pytest.fixture
def service(tmp_path: Path, path: Path) -> Iterator[LiveService]:
    with serving(tmp_path, model=path, model_poll_s=0.1) as service:
        yield service


def test_a_changed_file_is_used_from_the_next_request_on(service: LiveService, path: Path):
    earlier = ask(service)
    assert earlier["verdict"] == "reject"
    write_stricter(path)
    event = service.wait_for(lambda: service.events("model reloaded"))[0]
    later = ask(service)
    assert later["verdict"] == "review"
    assert later["model"]["sha256"] == event["sha256"] != earlier["model"]["sha256"]
    told = service.client.get(f"{service.url}/v1/model").json()
    assert (told["sha256"], told["operating_point"]["reject"]) == (event["sha256"], 0.95)
    assert service.metric("defectseg_model_reloads_total", result="ok") == 1


def test_a_signal_reloads_without_polling(tmp_path: Path, path: Path):
    with serving(tmp_path, model=path, model_poll_s=0) as service:
        write_stricter(path)
        assert ask(service)["verdict"] == "reject"
        os.kill(service.process.pid, signal.SIGHUP)
        service.wait_for(lambda: service.events("model reloaded"))
        assert ask(service)["verdict"] == "review"


def test_a_request_ends_with_the_model_that_it_began_with(tmp_path: Path, path: Path):
    """A batch of two waits a second for its second picture, so the reload comes in between."""
    settings = {"model_poll_s": 0, "batch_size": 2, "batch_window_ms": 1000}
    with serving(tmp_path, model=path, **settings) as service, ThreadPoolExecutor(1) as pool:
        earlier = service.client.get(f"{service.url}/v1/model").json()["sha256"]
        write_stricter(path)
        waiting = pool.submit(ask, service)
        service.wait_for(lambda: service.metric("defectseg_in_flight") == 1)
        os.kill(service.process.pid, signal.SIGHUP)
        service.wait_for(lambda: service.events("model reloaded"))
        assert not waiting.done()
        reply = waiting.result()
        assert (reply["verdict"], reply["model"]["sha256"]) == ("reject", earlier)
        assert ask(service)["verdict"] == "review"


def test_bad_files_under_load_are_rejected_and_nobody_notices(service: LiveService, path: Path):
    end = Event()

    def ask_on() -> list[dict[str, Any]]:
        found = [ask(service)]
        while not end.is_set():
            found.append(ask(service))
        return found

    good = service.client.get(f"{service.url}/v1/model").json()["sha256"]
    whole = path.read_bytes()
    with ThreadPoolExecutor(4) as pool:
        clients = [pool.submit(ask_on) for _ in range(4)]
        try:
            for number, bad in enumerate((b"", b"garbage", whole[:-200], bytes(10_000)), 1):
                replace(path, bad)
                service.wait_for(
                    lambda number=number: len(service.events("model rejected")) == number
                )
        finally:
            end.set()
        replies = [reply for client in clients for reply in client.result()]
    assert {(reply["verdict"], reply["model"]["sha256"]) for reply in replies} == {("reject", good)}
    assert service.metric("defectseg_model_reloads_total", result="rejected") == 4
    assert {event["code"] for event in service.events("model rejected")} == {"MODEL_REJECTED"}
    assert service.client.get(f"{service.url}/ready").status_code == 200
