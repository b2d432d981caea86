"""An inference thread dies in a service that runs: nobody waits for ever, and another takes over.

A thread can only be killed from inside its process, so here the service runs in this one.
"""

import ctypes
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import uvicorn
from PIL import Image

from defectseg.service.app import build_app
from defectseg.service.model import ModelHolder
from defectseg.service.service import Service
from defectseg.service.settings import Settings
from hostile_files import GOOD, assert_good_is_served
from http_sockets import ask, request, upload, wait_until
from picture_files import encode
from slow_model import order, write_slow_model
from test_service_overload import PAINTED

# A test may not let an error in a thread pass, unless that is what it is about.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
SLOW = encode(Image.fromarray(order(PAINTED, 20)))  # some 2 s


class Host(uvicorn.Server):
    """Serves one service in a thread of this process."""

    def __init__(self, service: Service) -> None:
        super().__init__(uvicorn.Config(build_app(service), port=0, log_config=None, ws="none"))
        self.service = service
        self.port = 0

    async def startup(self, sockets: object = None) -> None:
        await super().startup()
        self.port = self.servers[0].sockets[0].getsockname()[1]
        await self.service.start()

    async def shutdown(self, sockets: object = None) -> None:
        await super().shutdown()
        await self.service.stop()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    settings = Settings(
        model=write_slow_model(tmp_path / "slow.onnx"), workers=1, threads=1, deadline_s=60
    )
    found = Host(Service(settings, ModelHolder(settings.model, settings)))
    thread = threading.Thread(target=found.run)
    thread.start()
    wait_until(lambda: found.port and found.service.phase == "ready")
    yield found
    found.should_exit = True
    thread.join()


def kill_worker() -> None:
    """Let the only inference thread end at its next step, as if the interpreter had stopped it."""
    [worker] = [found for found in threading.enumerate() if found.name == "inference-0"]
    error = ctypes.py_object(SystemExit)
    assert ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(worker.ident or 0), error) == 1


def test_an_idle_thread_that_is_killed_is_replaced(host: Host):
    for number in range(1, 4):
        kill_worker()
        wait_until(lambda n=number: restarts(host) == n)
        assert_good_is_served(host.port)
    assert ask(host.port, request("/ready")).status == 200


def test_what_a_killed_thread_had_at_work_fails_and_what_waited_is_served(host: Host):
    with ThreadPoolExecutor(6) as clients:
        running = clients.submit(ask, host.port, upload(SLOW))
        wait_until(lambda: metric(host, "defectseg_picture_brightness_count") == 1)  # decoded
        wait_until(lambda: not len(host.service.pipeline.queue))
        waiting = [clients.submit(ask, host.port, upload(GOOD)) for _ in range(2)]
        wait_until(lambda: len(host.service.pipeline.queue) == 2)
        kill_worker()
        assert running.result().code == "INFERENCE_FAILED"
        assert [found.result().status for found in waiting] == [200, 200]
    assert restarts(host) == 1
    assert host.service.in_flight == 0
    assert_good_is_served(host.port)
    assert ask(host.port, request("/live")).status == 200


def restarts(host: Host) -> float:
    return metric(host, "defectseg_worker_restarts_total")


def metric(host: Host, name: str) -> float:
    lines = ask(host.port, request("/metrics")).body.decode().splitlines()
    [line] = [line for line in lines if line.startswith(f"{name} ")]
    return float(line.split()[1])
