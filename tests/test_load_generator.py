"""The load generator: its arithmetic, and itself against a socket that answers by a rule."""

import itertools
import json
import socket
import socketserver
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

import pytest

from conftest import looks_at_the_clock

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

from service_client import Sent, parse_reply  # noqa: E402
from service_load import build_request, parse_phases  # noqa: E402
from service_schedule import (  # noqa: E402
    Phase,
    find_knee,
    percentile,
    seconds_to_normal,
    send_times,
)
from service_trials import is_held  # noqa: E402


def test_requests_are_due_evenly_and_phases_follow_each_other():
    times = send_times([Phase(rate=4, seconds=1), Phase(rate=2, seconds=1)])
    assert times == [0, 0.25, 0.5, 0.75, 1.0, 1.5]


def test_a_phase_never_sends_at_its_end_because_the_next_one_does():
    assert send_times([Phase(rate=10, seconds=0.3)]) == pytest.approx([0, 0.1, 0.2])


def test_drawn_gaps_have_the_rate_and_the_spread_of_a_poisson_process():
    times = send_times([Phase(rate=100, seconds=100)], poisson_seed=1)
    gaps = [after - before for before, after in itertools.pairwise(times)]
    mean = sum(gaps) / len(gaps)
    variance = sum((gap - mean) ** 2 for gap in gaps) / len(gaps)
    assert len(times) == pytest.approx(10_000, rel=0.04)  # four standard deviations
    assert variance == pytest.approx(mean**2, rel=0.1)  # even gaps would have none
    assert times == sorted(times) and times[0] > 0 and times[-1] < 100
    assert times == send_times([Phase(rate=100, seconds=100)], poisson_seed=1)


def test_a_phase_without_rate_or_time_is_refused():
    for wrong in ("0x5", "5x0", "-1x5"):
        with pytest.raises(ValueError, match="expected both above 0"):
            parse_phases(wrong)


def test_a_percentile_is_a_value_that_came():
    values = [float(value) for value in range(100, 0, -1)]
    assert [percentile(values, p) for p in (50, 95, 99, 100)] == [50, 95, 99, 100]
    assert percentile([3.0, 1.0, 2.0], 50) == 2
    assert percentile([1.0, 2.0], 51) == 2
    assert percentile([7.0], 1) == 7


def test_a_percentile_of_nothing_is_refused():
    with pytest.raises(ValueError, match="of 0 values"):
        percentile([], 99)


def test_the_knee_is_found_to_the_step():
    tried: list[float] = []

    def holds(rate: float) -> bool:
        tried.append(rate)
        return rate <= 33

    # 16 and 48 bracket it; then 32 holds, 40 and 36 and 34 fail, 33 holds.
    assert find_knee(holds, low=16, high=48, steps=5) == 33
    assert tried == [16, 48, 32, 40, 36, 34, 33]


def test_a_highest_rate_that_holds_is_the_answer():
    assert find_knee(lambda rate: True, low=1, high=9, steps=5) == 9


def test_a_lowest_rate_that_fails_is_halved_until_one_holds():
    assert find_knee(lambda rate: rate <= 5, low=16, high=48, steps=2) == 5


def test_a_server_that_holds_no_rate_has_a_knee_of_nothing():
    assert find_knee(lambda rate: False, low=16, high=48, steps=5) == 0


def test_normal_again_is_the_second_from_which_on_all_is_soon_enough():
    after = [(0.1, 900.0), (0.9, 500.0), (1.5, 300.0), (2.0, 20.0), (2.5, 25.0), (3.5, 21.0)]
    assert seconds_to_normal(after, limit=30) == 2
    assert seconds_to_normal(after, limit=1000) == 0
    assert seconds_to_normal(after, limit=5) is None


def test_a_late_relapse_or_refusal_is_not_normal():
    assert seconds_to_normal([(0.5, 10.0), (4.5, 99.0), (5.5, 10.0)], limit=30) == 5
    assert seconds_to_normal([(0.5, 10.0), (4.5, inf)], limit=30) is None


def phase(latencies: list[float], code: str = "OK") -> dict[str, object]:
    return {"requests": [[0.1 * n, ms, code] for n, ms in enumerate(latencies)]}


def test_a_rate_holds_if_replies_are_good_and_soon():
    assert is_held(phase([20.0] * 100), limit_ms=200)
    assert is_held(phase([20.0] * 99 + [900.0]), limit_ms=200)  # one of a hundred may be late
    assert not is_held(phase([20.0] * 98 + [900.0] * 2), limit_ms=200)
    assert not is_held(phase([20.0] * 100, code="QUEUE_FULL"), limit_ms=200)


def test_a_rate_at_which_the_queue_grows_does_not_hold():
    assert not is_held(phase([20.0 + n for n in range(100)]), limit_ms=200)
    assert is_held(phase([20.0 + n % 25 for n in range(100)]), limit_ms=200)  # it comes and goes


def test_latency_counts_from_when_a_request_was_due_not_from_when_it_was_sent():
    assert Sent(due=1.0, sent=1.5, done=2.0).latency == 1.0


REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
FULL = b'{"error": {"code": "QUEUE_FULL"}}'
REFUSAL = b"HTTP/1.1 503 Full\r\nContent-Length: %d\r\n\r\n%s" % (len(FULL), FULL)


def test_a_reply_is_read_once_it_is_whole():
    assert parse_reply(REPLY[:-1], is_closed=False) is None
    reply = parse_reply(REPLY, is_closed=False)
    assert reply and (reply.status, reply.body, reply.closes) == (200, b"{}", False)


def test_a_chunked_reply_is_put_together():
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    assert parse_reply(head + b"3\r\nabc\r\n", is_closed=False) is None
    reply = parse_reply(head + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", is_closed=False)
    assert reply and (reply.body, reply.closes) == (b"abcde", True)


def test_a_request_says_its_length_and_carries_the_file():
    request = build_request("h:1", "/p", "image", "a.jpg", b"\xff\xd8pixels")
    head, _, body = request.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert b'name="image"; filename="a.jpg"' in body and b"\r\n\r\n\xff\xd8pixels\r\n" in body


class Peer(socketserver.ThreadingTCPServer):
    """Answers the n-th request by a rule, one after the other; a rule may take its time."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, answer: Callable[[int], bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer, self.turn, self.count = answer, Lock(), itertools.count()
        self.connections = 0
        self.url = f"http://127.0.0.1:{self.server_address[1]}/predict"


class Handler(socketserver.StreamRequestHandler):
    """One connection: requests with a length, until it is closed or an empty answer closes it."""

    server: Peer

    def handle(self) -> None:
        with self.server.turn:
            self.server.connections += 1
        while line := self.rfile.readline():
            length = 0
            while line.strip():
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
                line = self.rfile.readline()
            self.rfile.read(length)
            with self.server.turn:
                answer = self.server.answer(next(self.server.count))
            if not answer:
                return
            self.wfile.write(answer)


@contextmanager
def peer(answer: Callable[[int], bytes]) -> Iterator[Peer]:
    with Peer(answer) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def generate(url: str, folder: Path, *arguments: str) -> dict[str, Any]:
    """Run the generator as the benchmark does; a busy machine may make it late here."""
    pictures = folder / "pictures"
    pictures.mkdir(exist_ok=True)
    (pictures / "a.jpg").write_bytes(b"a")
    command = [sys.executable, str(BENCHMARKS / "service_load.py"), url, "--pictures"]
    command += [str(pictures), "--lateness-ms", "1000", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def stall_once(number: int) -> bytes:
    if number == 0:
        Event().wait(0.4)
    return REPLY


def test_requests_that_a_stall_holds_up_all_count_from_when_they_were_due(tmp_path):
    with peer(stall_once) as server:
        report = generate(server.url, tmp_path, "--phases", "50x0.2")
    requests = report["phases"][0]["requests"]
    assert [due for due, _, _ in requests] == pytest.approx([0.02 * n for n in range(10)])
    # All are answered once the stall is over: the n-th waits for 400 − 20 n ms of it.
    for n, (_, milliseconds, code) in enumerate(requests):
        assert code == "OK" and milliseconds > 400 - 20 * n - 1
    assert report["most_connections"] == 10  # none waited for another's connection


def test_a_connection_is_used_again(tmp_path):
    with peer(lambda n: REPLY) as server:
        report = generate(server.url, tmp_path, "--phases", "20x0.5")
    assert report["most_connections"] == server.connections < 5  # of ten requests
    assert report["lateness_ms"]["p50"] < 5


def test_every_end_of_a_request_is_told(tmp_path):
    ends = {0: REPLY, 1: REFUSAL, 2: b"", 3: b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"}
    with peer(lambda n: ends[n]) as server:
        report = generate(server.url, tmp_path, "--phases", "10x0.4")
    codes = [code for _, _, code in report["phases"][0]["requests"]]
    assert codes == ["OK", "QUEUE_FULL", "RESET", "HTTP 500"]
    assert report["phases"][0]["good_per_second"] == 2.5


def test_a_server_that_is_not_there_refuses(tmp_path):
    with socket.socket() as plug:
        plug.bind(("127.0.0.1", 0))  # bound, but nobody listens
        url = f"http://127.0.0.1:{plug.getsockname()[1]}/"
        report = generate(url, tmp_path, "--phases", "10x0.2")
    assert [code for _, _, code in report["phases"][0]["requests"]] == ["REFUSED"] * 2


@looks_at_the_clock
def test_a_server_that_never_answers_is_given_up(tmp_path):
    ended = Event()
    with peer(lambda n: REPLY if ended.wait(20) else b"") as server:
        report = generate(server.url, tmp_path, "--phases", "10x0.2", "--timeout", "0.3")
        ended.set()
    for _, milliseconds, code in report["phases"][0]["requests"]:
        assert code == "TIMEOUT" and 300 < milliseconds < 1000


def test_a_closed_loop_keeps_so_many_at_work(tmp_path):
    at_work: list[int] = []

    def answer(number: int) -> bytes:
        at_work.append(number)
        Event().wait(0.01)
        return REPLY

    with peer(answer) as server:
        report = generate(server.url, tmp_path, "--in-flight", "3", "--seconds", "0.5")
    assert report["most_connections"] == 3
    assert 10 < report["phases"][1]["good_per_second"] <= 100  # one answer takes 10 ms


def test_a_generator_that_is_late_itself_says_so(tmp_path):
    with peer(lambda n: REPLY) as server:
        command = [sys.executable, str(BENCHMARKS / "service_load.py"), server.url, "--phases"]
        command += ["50x0.2", "--lateness-ms", "0", "--pictures", str(tmp_path)]
        (tmp_path / "a.jpg").write_bytes(b"a")
        assert subprocess.run(command, capture_output=True, timeout=60).returncode == 3
