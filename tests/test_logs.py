"""The log: a line of JSON for whatever is said, and nothing that goes wrong with it matters."""

import gc
import json
import logging
import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from defectseg.service.logs import LONGEST, WAITING_BYTES, LineWriter, logging_json

log = logging.getLogger("defectseg.service.test")


@dataclass
class Log:
    """A log that goes to a file."""

    path: Path

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path.read_text("ascii").splitlines()]


@contextmanager
def logged(path: Path, level: str = "info") -> Iterator[Log]:
    """What is logged meanwhile; all of it is written afterwards."""
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    try:
        with logging_json(level, descriptor):
            yield Log(path)
    finally:
        os.close(descriptor)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log"


def test_a_line_says_when_how_grave_what_and_the_rest(path: Path):
    before = datetime.now(UTC)
    with logged(path) as found:
        log.warning("request", extra={"request_id": "a1", "status": 200, "stage_ms": {"read": 1.5}})
    (line,) = found.lines()
    when = datetime.fromisoformat(line.pop("ts"))
    assert abs((when - before).total_seconds()) < 1
    assert line == {
        "level": "warning",
        "event": "request",
        "request_id": "a1",
        "status": 200,
        "stage_ms": {"read": 1.5},
    }


def test_lines_below_the_level_are_left_out(path: Path):
    with logged(path, "warning") as found:
        log.info("little")
        log.error("much")
    assert [line["event"] for line in found.lines()] == ["much"]


def test_hostile_text_stays_on_its_line(path: Path):
    hostile = 'a\n{"level": "error"}\r\x00\x1b[31m\u202e\ud800"'
    with logged(path) as found:
        log.info("request", extra={"image_id": hostile})
    (line,) = found.lines()
    assert line["image_id"] == hostile
    assert len(path.read_bytes().splitlines()) == 1
    assert b"\x1b" not in path.read_bytes()


def test_long_text_is_cut(path: Path):
    with logged(path) as found:
        log.info("request", extra={"image_id": "x" * 100_000})
    assert found.lines()[0]["image_id"] == "x" * LONGEST + "… (100000 characters)"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (Path("/srv/models/unet.onnx"), "…/unet.onnx"),
        ((1, 2), [1, 2]),
        ({"a": {1}}, {"a": "{1}"}),
        (None, None),
    ],
)
def test_what_json_cannot_tell_is_told_in_words(path: Path, value: Any, told: Any):
    with logged(path) as found:
        log.info("request", extra={"value": value})
    assert found.lines()[0]["value"] == told


class Unspeakable:
    """Has no text."""

    def __str__(self) -> str:
        raise RuntimeError("no")


def test_what_has_no_text_does_not_raise(path: Path):
    with logged(path) as found:
        log.info("request", extra={"value": Unspeakable()})
    assert found.lines()[0] | {"ts": ""} == {
        "ts": "",
        "level": "error",
        "event": "bad log line",
        "kind": "RuntimeError",
    }


def fail() -> None:
    try:
        raise FileNotFoundError("no such file: '/srv/models/unet.onnx'")
    except FileNotFoundError as error:
        raise ValueError("cannot load") from error


def test_an_error_is_told_with_its_cause_and_without_a_path(path: Path):
    with logged(path) as found:
        try:
            fail()
        except ValueError:
            log.exception("inference failed", extra={"request_id": "a1"})
    line = found.lines()[0]
    error = line["error"]
    assert (line["request_id"], error["kind"], error["text"]) == ("a1", "ValueError", "cannot load")
    assert [frame.split()[1] for frame in error["frames"]] == [
        "test_an_error_is_told_with_its_cause_and_without_a_path",
        "fail",
    ]
    assert error["causes"][0]["text"] == "no such file: '…/unet.onnx'"
    assert b"/srv" not in path.read_bytes() and b"/tests" not in path.read_bytes()


def test_what_others_say_comes_out_the_same_way(path: Path):
    gc.collect()  # what other tests left open warns when it goes
    with logged(path) as found:
        logging.getLogger("uvicorn.error").warning("cannot read %s", "/srv/models/unet.onnx")
        logging.getLogger("uvicorn.error").info("left out")
        logging.getLogger("concurrent.futures").error("task failed")
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            logging.captureWarnings(True)
            warnings.warn("old", DeprecationWarning, stacklevel=1)
    told = [(line["logger"], line["event"].split("\n")[0]) for line in found.lines()]
    assert told[0] == ("uvicorn.error", "cannot read …/unet.onnx")
    assert told[1] == ("concurrent.futures", "task failed")
    assert told[2][0] == "py.warnings" and told[2][1].endswith("DeprecationWarning: old")
    assert len(told) == 3


def test_an_error_that_ends_a_thread_is_told(path: Path):
    with logged(path) as found:
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
    (line,) = found.lines()
    assert (line["event"], line["error"]["kind"]) == ("uncaught error", "ValueError")


def test_afterwards_all_is_as_before(path: Path):
    root = logging.getLogger()
    before = root.handlers[:], root.level, threading.excepthook
    with logged(path):
        assert root.handlers != before[0]
    assert (root.handlers, root.level, threading.excepthook) == before


def test_a_full_disk_costs_lines_and_no_more():
    with Path("/dev/full").open("wb") as full, logging_json("info", full.fileno()):
        for _ in range(1000):
            log.info("request")


def test_a_closed_pipe_costs_lines_and_no_more():
    reading, writing = os.pipe()
    os.close(reading)
    with logging_json("info", writing):
        log.info("request")
    os.close(writing)


def test_a_reader_that_stalls_costs_lines_that_are_counted():
    reading, writing = os.pipe()
    writer = LineWriter(writing)
    started = time.monotonic()
    lines = 2 * WAITING_BYTES // 1000
    for _ in range(lines):
        writer.put("x" * 999)
    assert time.monotonic() - started < 5  # nothing waited for the reader
    received = bytearray()
    reader = threading.Thread(target=lambda: received.extend(read_all(reading)))
    reader.start()
    end = time.monotonic() + 10
    while b"x" * 999 not in received[-1000:] and time.monotonic() < end:
        writer.put("more")
        time.sleep(0.02)
        if b"lost" in received:
            break
    writer.close(10)
    os.close(writing)
    reader.join(10)
    os.close(reading)
    whole = received.count(b"x" * 999 + b"\n")
    lost = [json.loads(line) for line in received.splitlines() if b"lost" in line]
    assert 0 < whole < lines
    assert whole + sum(line["count"] for line in lost) == lines


def read_all(descriptor: int) -> bytes:
    """Until the other end is closed."""
    found = b""
    while piece := os.read(descriptor, 65536):
        found += piece
    return found


def test_a_line_costs_less_than_50_microseconds(path: Path):
    facts = {"request_id": "a1", "path": "/v1/analyze", "code": "OK", "status": 200, "ms": 71.2}
    told = facts | {"image_id": "a.jpg", "stage_ms": {"read": 1.5, "decode": 18.3, "infer": 43.0}}
    with logged(path):
        cost = least_seconds(lambda: log.info("request", extra=told))
    busy = least_seconds(lambda: json.dumps(told)) / 4e-6  # above 1 on a machine that is slow now
    assert cost < 50e-6 * max(1, busy)


def least_seconds(call: Callable[[], Any]) -> float:
    """Of this thread, for one call."""
    costs = []
    for _ in range(20):
        started = time.thread_time()
        for _ in range(100):
            call()
        costs.append((time.thread_time() - started) / 100)
    return min(costs)
