"""Log records in, one line of JSON each out on stderr, written by a thread of its own.

A reader that stalls, a closed pipe or a full disk costs lines, never a request: what cannot be
written is dropped and counted.
"""

import json
import logging
import math
import os
import re
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final

LONGEST = 500  # characters of one value
FRAMES = 30  # of a traceback, the innermost
CAUSES = 5  # of one error
WAITING_BYTES = 4 * 1024 * 1024  # lines that nobody has read yet
GATHER_S = 0.01  # lines that come within this time are written together
RETRY_S = 0.05  # a pipe that is full and must not be waited for
FOREIGN: Final = ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi")
OWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}
FOLDERS: Final = re.compile(r"(?<![\w./-])(?:/[\w.@+~-]+)+/")


class JsonFormatter(logging.Formatter):
    """ts, level, event, then what the record has in `extra`, then the error."""

    def __init__(self) -> None:
        super().__init__()
        self._encoder = json.JSONEncoder(allow_nan=False)

    def format(self, record: logging.LogRecord) -> str:
        """One line; hostile text in it is escaped and cut."""
        ours = record.name.startswith("defectseg")
        event = record.getMessage()
        line: dict[str, Any] = {
            "ts": to_stamp(record.created),
            "level": record.levelname.lower(),
            "event": cut(event if ours else hide_folders(event)),
        }
        if not ours:
            line["logger"] = record.name
        for name, value in vars(record).items():
            if name not in OWN:
                line[name] = to_plain(value)
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = describe(record.exc_info[1])
        return self._encoder.encode(line)


def to_stamp(seconds: float) -> str:
    """Such as 2026-11-21T19:30:00.123Z."""
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat(timespec='milliseconds')[:-6]}Z"


def cut(text: str) -> str:
    """Not longer than anybody reads."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text)} characters)"


def hide_folders(text: str) -> str:
    """Leave only the name of a file of its path."""
    return FOLDERS.sub("…/", text[: 10 * LONGEST])


def to_plain(value: Any) -> Any:
    """What JSON can tell, in few words; the usual kinds first, for every request is told."""
    kind = type(value)
    if kind is str:
        return value if len(value) <= LONGEST else cut(value)
    if kind is int or kind is bool or value is None:
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(name)[:LONGEST]: to_plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(inner) for inner in value[:FRAMES]]
    return cut(hide_folders(str(value)))


def describe(error: BaseException) -> dict[str, Any]:
    """The kind of an error, its text, where it happened, and the same of what caused it."""
    told = [describe_one(error)]
    while (cause := error.__cause__ or error.__context__) and len(told) < CAUSES:
        told.append(describe_one(cause))
        error = cause
    first, *causes = told
    return {**first, "causes": causes} if causes else first


def describe_one(error: BaseException) -> dict[str, Any]:
    """Frames are module:line function, the innermost last: no path of the file system."""
    frames = [
        f"{frame.f_globals.get('__name__', '?')}:{line} {frame.f_code.co_name}"
        for frame, line in traceback.walk_tb(error.__traceback__)
    ]
    kind = type(error).__name__
    return {"kind": kind, "text": cut(hide_folders(str(error))), "frames": frames[-FRAMES:]}


class LineWriter:
    """Lines in, bytes on a file descriptor out; never waits, never fails."""

    def __init__(self, descriptor: int) -> None:
        """Start the thread."""
        self._descriptor = descriptor
        self._lines: deque[bytes] = deque()
        self._waiting = 0  # bytes
        self._lost = 0  # lines
        self._lock = threading.Lock()
        self._came = threading.Event()
        self._is_closing = False
        self._thread = threading.Thread(target=self._write_all, name="log", daemon=True)
        self._thread.start()

    def put(self, line: str) -> None:
        """Write it soon."""
        content = line.encode("ascii", "backslashreplace") + b"\n"
        with self._lock:
            if self._waiting + len(content) > WAITING_BYTES:
                self._lost += 1
                return
            self._lines.append(content)
            self._waiting += len(content)
        if not self._came.is_set():
            self._came.set()

    def close(self, timeout_s: float = 1.0) -> None:
        """Write what waits, but do not wait for ever."""
        self._is_closing = True
        self._came.set()
        self._thread.join(timeout_s)

    def _write_all(self) -> None:
        while not self._is_closing or self._lines:
            self._came.wait()
            if not self._is_closing:
                time.sleep(GATHER_S)
            self._came.clear()
            with self._lock:
                lines, self._lines = list(self._lines), deque()
                lost, self._lost, self._waiting = self._lost, 0, 0
            if lost:
                lines.append(tell_lost(lost))
            written = self._write(b"".join(lines))
            if not written:
                with self._lock:
                    self._lost += len(lines) - bool(lost) + lost

    def _write(self, content: bytes) -> bool:
        while content:
            try:
                content = content[os.write(self._descriptor, content) :]
            except BlockingIOError:
                if self._is_closing:
                    return False
                time.sleep(RETRY_S)
            except OSError:
                return False
        return True


def tell_lost(count: int) -> bytes:
    """The line that stands for lines that could not be written."""
    line = {"ts": to_stamp(time.time()), "level": "warning", "event": "log lines lost"}
    return json.dumps({**line, "count": count}).encode() + b"\n"


class LineHandler(logging.Handler):
    """Hands each record to a writer."""

    def __init__(self, writer: LineWriter) -> None:
        super().__init__()
        self._writer = writer
        self.setFormatter(JsonFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        """Never raises: a log line is no reason to fail."""
        try:
            self._writer.put(self.format(record))
        except Exception as error:  # noqa: BLE001 (such as a value whose text cannot be told)
            told = {"ts": to_stamp(record.created), "level": "error", "event": "bad log line"}
            self._writer.put(json.dumps({**told, "kind": type(error).__name__}))


@contextmanager
def logging_json(level: str, descriptor: int | None = None) -> Iterator[LineWriter]:
    """Let everything that is logged or warned of go this way, uvicorn's and uncaught errors too.

    Args:
        level: debug, info, warning or error.
        descriptor: Where to write; None = stderr.
    """
    writer = LineWriter(sys.stderr.fileno() if descriptor is None else descriptor)
    root = logging.getLogger()
    before = root.handlers[:], root.level, threading.excepthook, sys.excepthook
    root.handlers = [LineHandler(writer)]
    root.setLevel(level.upper())
    for name in FOREIGN:
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
        logging.getLogger(name).setLevel(max(root.level, logging.WARNING))
    logging.captureWarnings(True)
    threading.excepthook = log_thread_error
    sys.excepthook = log_error
    try:
        yield writer
    finally:
        logging.captureWarnings(False)
        root.handlers, threading.excepthook, sys.excepthook = before[0], before[2], before[3]
        root.setLevel(before[1])
        writer.close()


def log_thread_error(thrown: threading.ExceptHookArgs) -> None:
    """An error that ended a thread."""
    if thrown.exc_value is not None:
        log_error(thrown.exc_type, thrown.exc_value, thrown.exc_traceback)


def log_error(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """An error that nobody caught."""
    logging.getLogger(__name__).error("uncaught error", exc_info=(kind, error, trace))
