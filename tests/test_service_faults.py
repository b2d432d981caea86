"""What goes wrong around a service that runs: no answer is lost, and none is wrong."""

import importlib.util
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from PIL import Image

from drawn_model import write_model
from hostile_files import GOOD, assert_good_is_served
from http_sockets import Wire, ask, request, upload
from live_service import SECONDS, LiveService, serving
from picture_files import encode
from slow_model import order
from steady_load import Load, probe
from test_service_overload import ENDLESS, PAINTED, slow_service

SLOW = encode(Image.fromarray(order(PAINTED, 6)))  # some 0.6 s
DAY_S = 86_400


def free_port() -> int:
    """A port that nobody has at the moment."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def replace(path: Path, content: bytes) -> None:
    """Put a file in the place of another in one step, as a careful deployment does."""
    new = path.with_name("new")
    new.write_bytes(content)
    new.replace(path)


def wait_for_answers(service: LiveService, load: Load, count: int = 20) -> None:
    """Wait until so many more came, or one client gave up."""
    before = len(load.answers)
    service.wait_for(lambda: len(load.answers) >= before + count or load.errors)


# Stopping


@pytest.mark.parametrize("keeps", [True, False])
def test_behind_a_prober_no_answer_is_lost_when_the_service_stops(tmp_path: Path, keeps: bool):
    with serving(tmp_path, drain_delay_s=2) as service, Load(service.port, 10, keeps=keeps) as load:
        prober = threading.Thread(target=probe, args=(load,))
        prober.start()
        wait_for_answers(service, load, 100)
        asked_at = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(SECONDS) == 0
        prober.join()
        load.stop()
        load.assert_all_right()
        assert [start for start, _ in load.answers if start > asked_at]  # it went on at first
        assert time.monotonic() - asked_at > 2


def test_without_a_prober_the_late_ones_are_told_until_the_listener_closes(tmp_path: Path):
    """What was at work is answered; nobody sees a reset before others see a closed port."""
    with slow_service(tmp_path, drain_delay_s=0.3, workers=2) as service:
        with Wire(service.port) as wire, Load(service.port, 10, keeps=False) as load:
            wait_for_answers(service, load)
            wire.send(upload(encode(Image.fromarray(order(PAINTED, 30)))))
            service.wait_for(lambda: service.metric("defectseg_in_flight") > 0)
            service.process.send_signal(signal.SIGTERM)
            assert wire.read().status == 200
            answered_at = time.monotonic()
            assert service.process.wait(SECONDS) == 0
            load.stop()
        assert set(load.codes()) == {"OK", "DRAINING"}
        refused = [at for at, error in load.errors if isinstance(error, ConnectionRefusedError)]
        others = [(at, error) for at, error in load.errors if at not in refused]
        assert min(refused) > answered_at - 0.3
        assert all(at > min(refused) - 0.3 for at, _ in others), others


def test_a_run_without_an_end_does_not_keep_the_service_from_stopping(tmp_path: Path):
    with slow_service(tmp_path, drain_timeout_s=0.5) as service, Wire(service.port) as wire:
        wire.send(upload(ENDLESS))
        service.wait_for(lambda: service.metric("defectseg_in_flight") == 1)
        started = time.monotonic()
        assert service.stop() == 0
        assert time.monotonic() - started < 9
        assert service.events("drain timeout")
        assert wire.read().code == "DRAINING"
        assert [line["code"] for line in service.events("request")][-1] == "DRAINING"


# The disk and the log


def test_a_full_disk_fails_no_request(tmp_path: Path):
    """Neither the log nor anything else can be written."""
    wrapper = ("env", "TMPDIR=/proc", "prlimit", "--fsize=0")
    with serving(tmp_path, wrapper=wrapper, log="/dev/full", port=free_port()) as service:
        with Load(service.port) as load:
            wait_for_answers(service, load, 60)
        load.assert_all_right()
        assert ask(service.port, upload(b"text")).code == "UNSUPPORTED_IMAGE"
        assert service.stop() == 0


READERS = {"goes away": "true", "stalls": "sleep 20"}


@pytest.mark.parametrize("reader", READERS)
def test_a_log_that_nobody_reads_fails_no_request(tmp_path: Path, reader: str):
    wrapper = ("bash", "-c", f'exec "$@" 2> >(exec {READERS[reader]})', "-")
    with serving(tmp_path, wrapper=wrapper, log="/dev/null", port=free_port()) as service:
        with Load(service.port, 2) as load:  # more lines than a pipe holds, which is 64 KiB
            wait_for_answers(service, load, 300)
        load.assert_all_right()
        assert service.stop() == 0


# The model file


def test_a_model_file_that_becomes_garbage_is_refused_under_load(tmp_path: Path):
    with serving(tmp_path, model_poll_s=0.05) as service, Load(service.port) as load:
        wait_for_answers(service, load)
        [first] = load.models()
        path = tmp_path / "models/unet.onnx"
        good = path.read_bytes()
        wrong = [b"garbage", b"", good[: len(good) // 2], b"\0" * 100_000]
        for number, content in enumerate(wrong, 1):
            replace(path, content)
            service.wait_for(lambda n=number: rejected(service) >= n)
        path.unlink()
        wait_for_answers(service, load)
        assert (load.models(), reloaded(service)) == ({first}, 0)
        assert service.client.get(f"{service.url}/v1/model").json()["sha256"] == first
        assert service.client.get(f"{service.url}/ready").status_code == 200
        replace(path, write_model(tmp_path / "second.onnx", data_digest="e" * 64).read_bytes())
        service.wait_for(lambda: reloaded(service) == 1)
        wait_for_answers(service, load)
    load.assert_all_right()
    assert len(load.models()) == 2
    assert load.answers[-1][1].json()["model"]["sha256"] != first


def test_a_model_that_is_written_bit_by_bit_is_tried_when_it_rests(tmp_path: Path):
    with serving(tmp_path, model_poll_s=0.2) as service, Load(service.port, 2) as load:
        content = write_model(tmp_path / "second.onnx", data_digest="e" * 64).read_bytes()
        with (tmp_path / "models/unet.onnx").open("wb", buffering=0) as file:
            for start in range(0, len(content), 500):
                file.write(content[start : start + 500])
                wait_for_answers(service, load, 3)
        service.wait_for(lambda: reloaded(service) == 1)
        wait_for_answers(service, load)
    load.assert_all_right()
    assert len(load.models()) == 2


def test_a_storm_of_sighup_fails_no_request(tmp_path: Path):
    with serving(tmp_path, model_poll_s=0) as service, Load(service.port) as load:
        for _ in range(300):
            service.process.send_signal(signal.SIGHUP)
            time.sleep(0.002)
        wait_for_answers(service, load)
        service.wait_for(lambda: reloaded(service) >= 2)
        assert rejected(service) == 0
    load.assert_all_right()


def rejected(service: LiveService) -> float:
    return service.metric("defectseg_model_reloads_total", result="rejected")


def reloaded(service: LiveService) -> float:
    return service.metric("defectseg_model_reloads_total", result="ok")


# The clock


@contextmanager
def shifted_clock(folder: Path, **settings: float) -> Iterator[tuple[LiveService, Path]]:
    """A service whose time of day a file shifts, but not its monotonic clock."""
    package = importlib.util.find_spec("libfaketime")
    assert package and package.origin, "pip install libfaketime"
    library = Path(package.origin).parent / "vendor/libfaketime/src/libfaketime.so.1"
    shift = folder / "shift"
    shift.write_text("+0\n")
    variables = {"LD_PRELOAD": library, "FAKETIME_TIMESTAMP_FILE": shift}
    variables |= {"FAKETIME_NO_CACHE": 1, "DONT_FAKE_MONOTONIC": 1}
    # libfaketime turns this on for this glibc, and then Python's threads wait 100 ms for the GIL.
    variables |= {"FAKETIME_FORCE_MONOTONIC_FIX": 0}
    wrapper = ("env", *(f"{name}={value}" for name, value in variables.items()))
    with slow_service(folder, wrapper=wrapper, **settings) as service:
        yield service, shift


@pytest.mark.slow
def test_a_clock_that_jumps_harms_no_request_and_no_deadline(tmp_path: Path):
    with shifted_clock(tmp_path, deadline_s=2, workers=2) as (service, shift):
        with Load(service.port, 3) as load:
            wait_for_answers(service, load)
            for days in (1, -1, 3650, -3650):
                with Wire(service.port) as wire:
                    started = time.monotonic()
                    wire.send(upload(ENDLESS))
                    service.wait_for(lambda: service.metric("defectseg_in_flight") > 0)
                    shift.write_text(f"{days:+d}d\n")
                    answer = wire.read()
                    assert answer.code == "DEADLINE_EXCEEDED"
                    assert 1.9 < time.monotonic() - started < 20  # neither at once nor in a day
                service.wait_for(lambda d=days: abs(shift_of(service) - d * DAY_S) < 60)
                wait_for_answers(service, load)
                for path in ("/live", "/ready"):
                    assert service.client.get(service.url + path).status_code == 200
        load.assert_all_right()
        for _, found in load.answers:
            stages = found.json()["timings_ms"].values()
            assert all(0 <= ms < 1000 * SECONDS for ms in stages)
        assert service.stop() == 0


def shift_of(service: LiveService) -> float:
    """How far its time of day is ahead of ours, s."""
    told = ask(service.port, request("/live")).headers["date"]
    return parsedate_to_datetime(told).timestamp() - time.time()


# The process


@pytest.mark.slow
def test_what_the_process_holds_does_not_grow_with_what_fails(tmp_path: Path):
    with slow_service(tmp_path, deadline_s=1, slots=4) as service:

        def rounds(count: int) -> int:
            for _ in range(count):
                assert ask(service.port, upload(ENDLESS)).code == "DEADLINE_EXCEEDED"
                with Wire(service.port) as wire:
                    wire.send(upload(SLOW))
                assert ask(service.port, upload(b"text")).status == 415
            service.wait_for(lambda: service.metric("defectseg_in_flight") == 0)
            return held(service)

        first = rounds(3)
        assert rounds(8) < first + 6
        assert_good_is_served(service.port)


def held(service: LiveService) -> int:
    """Threads and open files of the process together."""
    folder = Path(f"/proc/{service.process.pid}")
    service.wait_for(lambda: service.metric("defectseg_connections") <= 1)
    return sum(len(list((folder / kind).iterdir())) for kind in ("task", "fd"))


def test_a_stopped_process_that_goes_on_answers_what_came_meanwhile(tmp_path: Path):
    with serving(tmp_path) as service, Wire(service.port) as wire:
        assert wire.ask(upload(GOOD)).status == 200
        service.process.send_signal(signal.SIGSTOP)
        wire.send(upload(GOOD))
        with Wire(service.port) as other:
            other.send(upload(GOOD))
            time.sleep(0.3)
            service.process.send_signal(signal.SIGCONT)
            assert (wire.read().status, other.read().status) == (200, 200)
