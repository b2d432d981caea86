"""The process from its start to its end: signals, draining, a balancer in front, its memory."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from PIL import Image

from defectseg.errors import ModelFileError
from defectseg.service.server import refuse_missing
from drawn_model import paint, write_model
from live_service import CODE, LiveService, read_log, serving
from raw_http import parse, read_all, read_reply

GET_READY = b"GET /ready HTTP/1.1\r\nHost: a\r\n\r\n"
PART = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
POST = b"POST /v1/analyze HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=x\r\n"


@pytest.fixture(scope="module")
def picture() -> bytes:
    """A PNG with a crack."""
    content = io.BytesIO()
    Image.fromarray(paint("....\n.##.\n....\n....")).resize((64, 64)).save(content, "PNG")
    return content.getvalue()


def events(service: LiveService) -> list[str]:
    """What the log says of the end of the service."""
    return [
        line.get("phase", line["event"])
        for line in service.log()
        if line["event"] in {"phase", "stopping", "stopped", "killed", "drain timeout"}
    ]


def connect(service: LiveService) -> socket.socket:
    return socket.create_connection((service.host, service.port), timeout=30)


def is_listening(service: LiveService) -> bool:
    try:
        connect(service).close()
    except ConnectionRefusedError:
        return False
    return True


def phase_of(service: LiveService) -> str:
    """As /ready tells it."""
    reply = service.client.get(f"{service.url}/ready")
    return "ready" if reply.status_code == 200 else str(reply.json()["error"]["code"])


def test_it_ends_with_0_when_it_is_told_to(tmp_path: Path):
    with serving(tmp_path) as service:
        assert service.stop(signal.SIGTERM) == 0
    assert events(service) == ["ready", "stopping", "leaving", "refusing", "stopped"]
    stopping = service.events("stopping")[0]
    assert (stopping["signal"], stopping["in_flight"]) == ("SIGTERM", 0)


def test_it_says_503_first_then_refuses_work_and_listens_to_its_end(tmp_path: Path, picture: bytes):
    with serving(tmp_path, drain_delay_s=2) as service, connect(service) as held:
        # Half a body: this request holds a slot, so the end has to wait for it.
        held.sendall(POST + b"Content-Length: 100\r\n\r\n--x\r\n")
        service.wait_for(lambda: service.metric("defectseg_in_flight") == 1)
        service.process.send_signal(signal.SIGTERM)
        service.wait_for(lambda: phase_of(service) == "DRAINING")
        reply = service.analyze(picture)
        assert (reply.status_code, reply.json()["verdict"]) == (200, "reject")
        assert reply.headers["connection"] == "close"
        refused = service.wait_for(lambda: refusal(service, picture))
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "DRAINING")
        assert service.client.get(f"{service.url}/live").status_code == 200
        assert is_listening(service)
        held.sendall(b"a" * 95)
        assert read_reply(held).status == 400  # it is answered
        assert service.process.wait(30) == 0
    assert events(service) == ["ready", "stopping", "leaving", "refusing", "stopped"]


def refusal(service: LiveService, picture: bytes) -> httpx.Response | None:
    reply = service.analyze(picture)
    return None if reply.status_code == 200 else reply


def test_an_idle_connection_does_not_hold_up_the_end(tmp_path: Path):
    with serving(tmp_path) as service, connect(service) as idle, connect(service) as half:
        idle.sendall(GET_READY)
        assert read_reply(idle).status == 200
        half.sendall(GET_READY[:9])
        started = time.monotonic()
        assert service.stop(signal.SIGINT) == 0
        assert time.monotonic() - started < 5
        assert read_all(idle) == b""


def test_what_takes_longer_than_the_drain_may_is_cut_off_and_told(tmp_path: Path):
    with serving(tmp_path, drain_timeout_s=0.3) as service, connect(service) as held:
        held.sendall(POST + b"Content-Length: 100\r\n\r\n--x\r\n")
        service.wait_for(lambda: service.metric("defectseg_in_flight") == 1)
        assert service.stop() == 0
    assert service.events("drain timeout")[0]["in_flight"] == 1


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_second_signal_ends_it_at_once(tmp_path: Path, number: signal.Signals, status: int):
    with serving(tmp_path, drain_delay_s=60) as service:
        service.process.send_signal(signal.SIGTERM)
        service.wait_for(lambda: service.events("stopping"))
        started = time.monotonic()
        assert service.stop(number) == status
        assert time.monotonic() - started < 5
    assert events(service)[-1] == "killed"


def test_a_hangup_loads_the_model_again(tmp_path: Path):
    with serving(tmp_path, model_poll_s=0) as service:
        before = service.client.get(f"{service.url}/v1/model").json()["sha256"]
        write_model(tmp_path / "models/unet.onnx", package_version="9.9.9")
        service.process.send_signal(signal.SIGHUP)
        service.wait_for(lambda: service.events("model reloaded"))
        after = service.client.get(f"{service.url}/v1/model").json()["sha256"]
        assert after != before
        (tmp_path / "models/unet.onnx").write_bytes(b"garbage")
        service.process.send_signal(signal.SIGHUP)
        rejected = service.wait_for(lambda: service.events("model rejected"))
        assert rejected[0]["code"] == "MODEL_REJECTED"
        assert service.client.get(f"{service.url}/v1/model").json()["sha256"] == after
        service.wait_for(
            lambda: service.metric("defectseg_model_reloads_total", result="rejected") == 1
        )
        assert service.metric("defectseg_model_reloads_total", result="ok") == 1


def test_a_hangup_while_it_starts_does_not_end_it(tmp_path: Path):
    write_model(tmp_path / "models/unet.onnx")
    # The interpreter itself cannot be taught: it is ended by a signal before our first line.
    code = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); print('{}', flush=True);"
    process = subprocess.Popen(
        [sys.executable, "-c", code + CODE, "serve", "--port", "0", "--drain-delay-s", "0"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        service = LiveService(process)
        assert process.stdout is not None
        process.stdout.readline()
        reader = threading.Thread(target=read_log, args=(service,))
        reader.start()
        while not service.events("listening"):
            process.send_signal(signal.SIGHUP)
            assert process.poll() is None
            time.sleep(0.02)
        service.wait_for(lambda: service.events("model reloaded"))
        assert service.stop() == 0
        reader.join(30)
        service.client.close()


@pytest.mark.slow
def test_a_balancer_loses_no_answer_and_sees_no_failure_when_it_ends_under_load(
    tmp_path: Path, picture: bytes
):
    with serving(tmp_path, drain_delay_s=1.5, slots=32) as service:
        balancer = Balancer(service.url, picture)
        with balancer.running():
            service.wait_for(lambda: balancer.replies["200"] > 50)
            service.process.send_signal(signal.SIGTERM)
            assert service.process.wait(30) == 0
    assert balancer.turned_away  # it was told before anything was refused
    assert set(balancer.replies) == {"200"}
    assert balancer.sent == sum(balancer.replies.values())


@dataclass
class Balancer:
    """Asks /ready every 100 ms and sends work only while it says yes."""

    url: str
    picture: bytes
    replies: Counter[str] = field(default_factory=Counter)
    sent: int = 0
    turned_away: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def running(self) -> "Running":
        return Running([threading.Thread(target=self.probe), *self.workers()])

    def workers(self) -> list[threading.Thread]:
        return [threading.Thread(target=self.work) for _ in range(4)]

    def probe(self) -> None:
        with httpx.Client(timeout=30) as client:
            while not self.turned_away:
                self.turned_away = client.get(f"{self.url}/ready").status_code != 200
                time.sleep(0.1)

    def work(self) -> None:
        with httpx.Client(timeout=30) as client:
            while not self.turned_away:
                with self.lock:
                    self.sent += 1
                try:
                    files = {"image": ("a.png", self.picture)}
                    status = str(client.post(f"{self.url}/v1/analyze", files=files).status_code)
                except httpx.HTTPError as error:
                    status = repr(error)
                with self.lock:
                    self.replies[status] += 1


@dataclass
class Running:
    """Threads that run meanwhile."""

    threads: list[threading.Thread]

    def __enter__(self) -> None:
        for thread in self.threads:
            thread.start()

    def __exit__(self, *error: object) -> None:
        for thread in self.threads:
            thread.join(60)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    with serving(tmp_path_factory.mktemp("service"), header_timeout_s=1, connections=20) as found:
        yield found


def test_an_endless_header_takes_no_memory(service: LiveService):
    before = service.memory_mib("VmHWM")
    with connect(service) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
        for _ in range(100):
            client.sendall(b"a" * 1_000_000)
        (reply,) = parse(read_all(client))
    assert (reply.status, reply.code) == (431, "HEADERS_TOO_LARGE")
    assert service.memory_mib("VmHWM") - before < 10


@pytest.mark.parametrize("framing", ["Content-Length: 200000000", "Transfer-Encoding: chunked"])
def test_a_body_of_200_mb_takes_no_memory_and_its_sender_reads_why(
    service: LiveService, framing: str
):
    before = service.memory_mib("VmHWM")
    with connect(service) as client:
        client.sendall(POST + f"{framing}\r\n\r\n".encode())
        client.sendall(b"%x\r\n%b\r\n" % (len(PART), PART))
        for _ in range(199):
            client.sendall(b"f4240\r\n" + bytes(1_000_000) + b"\r\n")
        (reply,) = parse(read_all(client))
    assert (reply.status, reply.headers["connection"]) == (413, "close")
    assert json.loads(reply.body)["error"]["code"] == "PAYLOAD_TOO_LARGE"
    assert service.memory_mib("VmHWM") - before < 100  # 32 MiB may come before it is too large


def test_what_the_transport_refuses_is_counted_and_logged(service: LiveService):
    count = 'defectseg_protocol_errors_total{code="%s"}'
    before = service.metrics()
    with connect(service) as silent, connect(service) as broken:
        broken.sendall(b"\x16\x03\x01")
        refused = parse(read_all(broken))[0]
        silent.sendall(b"GET ")
        slow = parse(read_all(silent))[0]
    after = service.metrics()
    assert (refused.code, slow.code) == ("BAD_REQUEST", "REQUEST_TIMEOUT")
    for reply in (refused, slow):
        assert after[count % reply.code] == before.get(count % reply.code, 0) + 1
        request_id = reply.headers["x-request-id"]
        told = service.wait_for(
            lambda wanted=request_id: [
                line for line in service.events("refused") if line["request_id"] == wanted
            ]
        )
        assert told[0]["code"] == reply.code


def test_open_connections_are_counted_and_limited(service: LiveService):
    service.wait_for(lambda: service.metric("defectseg_connections") == 1)  # of this client
    clients = [connect(service) for _ in range(19)]
    with connect(service) as extra:
        (reply,) = parse(read_all(extra))
    assert (reply.status, reply.code) == (503, "QUEUE_FULL")
    for client in clients:
        client.close()
    service.wait_for(lambda: service.metric("defectseg_connections") == 1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_log_that_cannot_be_written_fails_no_request(tmp_path: Path, picture: bytes):
    write_model(tmp_path / "models/unet.onnx")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    kept = {name: value for name, value in os.environ.items() if "DEFECTSEG_" not in name}
    command = [sys.executable, "-c", CODE, "serve", "--port", str(port), "--drain-delay-s", "0"]
    with Path("/dev/full").open("wb") as full:
        process = subprocess.Popen(command, cwd=tmp_path, env=kept, stderr=full)
    try:
        url = f"http://127.0.0.1:{port}"
        end = time.monotonic() + 60
        while not answers(f"{url}/ready"):
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.05)
        for _ in range(5):
            files = {"image": ("a.png", picture)}
            assert httpx.post(f"{url}/v1/analyze", files=files, timeout=30).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()


def answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.ConnectError:
        return False


def test_a_model_that_cannot_be_looked_at_is_a_model_fault(tmp_path: Path):
    with pytest.raises(ModelFileError, match="File name too long"):
        refuse_missing(tmp_path / ("x" * 300))
