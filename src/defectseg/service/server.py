"""Settings in, a process that serves until it is told to stop, and its exit status, out.

SIGTERM or SIGINT: /ready says 503 at once while requests are still taken, so that a balancer can
turn away; after `drain_delay_s` new work is refused; once what is at work is answered the process
ends. A second one ends it at once. SIGHUP loads the model again.
"""

import asyncio
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, NoReturn

import uvicorn
import uvloop

from defectseg.errors import DefectsegError, ModelFileError
from defectseg.service.app import build_app
from defectseg.service.connection import Rules
from defectseg.service.listening import AddressError, allow_open_files, bind
from defectseg.service.logs import LineWriter, logging_json
from defectseg.service.model import ModelHolder, ServedModel
from defectseg.service.protocol import HttpConnection
from defectseg.service.reload import Reloader, Result
from defectseg.service.service import Service
from defectseg.service.settings import Settings

KIB = 1024
BACKLOG = 1024  # connections that wait to be taken
POLL_S = 0.02  # between two looks whether all is answered
FLUSH_S = 3  # for the last replies to be read, and for tasks that should have ended
STOP_S = 10.0  # for the threads to end
KILLED = 128  # plus the number of the signal: exit status
ENDS: Final = (signal.SIGTERM, signal.SIGINT)
log = logging.getLogger(__name__)


def run(settings: Settings) -> int:
    """Serve until a signal comes.

    Returns:
        The exit status: 0 after a proper end, 1 if it could not start.
    """
    early = EarlySignals()
    with logging_json(settings.log_level) as writer, early.handled():
        started = time.monotonic()
        try:
            models, listener = open_all(settings)
        except DefectsegError as error:
            code = "ADDRESS_UNUSABLE" if isinstance(error, AddressError) else "MODEL_LOAD_FAILED"
            log.error("start failed", extra={"code": code, "detail": str(error)})
            return 1
        with listener, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            service = Service(settings, models)
            life = Life(service, listener, writer, started)
            return runner.run(life.run(early))


def open_all(settings: Settings) -> tuple[ModelHolder, socket.socket]:
    """Take the address first: that fails at once, a model after a second."""
    listener = bind(settings.host, settings.port)
    allow_open_files(settings.connections)
    try:
        refuse_missing(settings.model)
        return ModelHolder(settings.model, settings), listener
    except BaseException:
        listener.close()
        raise


def refuse_missing(path: Path) -> None:
    """Raises: ModelFileError: There is no model; says how to get one."""
    try:
        is_there = path.exists()
    except OSError as error:
        raise ModelFileError(f"{path}: {error.strerror}; name a file that can be read") from error
    if not is_there:
        raise ModelFileError(
            f"{path}: no such file; `make run` makes models/unet.onnx, "
            "`dvc pull models/unet.onnx` fetches it, --model names another one"
        )


class EarlySignals:
    """What a signal does before the loop runs: SIGHUP must never end the process."""

    def __init__(self) -> None:
        self.wants_reload = False

    @contextmanager
    def handled(self) -> Iterator[None]:
        """Meanwhile; the loop puts its own handlers in their place.

        The first process of a container ignores each signal that it has no handler for.
        """
        handlers = {signal.SIGHUP: self._note, **dict.fromkeys(ENDS, end_early)}
        before = {number: signal.signal(number, does) for number, does in handlers.items()}
        try:
            yield
        finally:
            for number, does in before.items():
                signal.signal(number, does)

    def _note(self, number: int, frame: Any) -> None:
        self.wants_reload = True


def end_early(number: int, frame: Any) -> NoReturn:
    """As a signal handler: there is nothing to answer yet."""
    sys.exit(KILLED + number)


class Server(uvicorn.Server):
    """Uvicorn's, which leaves the signals to us and tells where it listens."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """See `Life`."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        for listener in sockets or []:
            host, port = listener.getsockname()[:2]
            log.info("listening", extra={"host": host, "port": port})


class Life:
    """One run of the service, from its start to its end."""

    def __init__(
        self, service: Service, listener: socket.socket, writer: LineWriter, started: float
    ) -> None:
        settings = service.settings
        self._service = service
        self._listener = listener
        self._writer = writer
        self._started = started  # monotonic
        self._rules = Rules(
            observer=service.metrics,
            header_bytes=settings.max_header_kib * KIB,
            header_timeout_s=settings.header_timeout_s,
            write_timeout_s=settings.body_timeout_s,
            keep_alive_s=settings.keep_alive_s,
            connections=settings.connections,
        )
        self._server = Server(
            uvicorn.Config(
                build_app(service),
                http=partial(HttpConnection, rules=self._rules),  # type: ignore[arg-type]
                interface="asgi3",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                backlog=BACKLOG,
                timeout_graceful_shutdown=FLUSH_S,
            )
        )
        self._draining: asyncio.Task[None] | None = None
        self._reloader = Reloader(service.models, settings.model_poll_s, self._tell_reload)

    async def run(self, early: EarlySignals) -> int:
        """Serve until a signal comes; returns the exit status."""
        self._loop = asyncio.get_running_loop()
        for number in ENDS:
            self._loop.add_signal_handler(number, self._end, number)
        await self._service.start()
        self._reloader.start()
        self._loop.add_signal_handler(signal.SIGHUP, self._reloader.ask)
        if early.wants_reload:
            self._reloader.ask()
        log.info("started", extra={"seconds": round(time.monotonic() - self._started, 3)})
        await self._server.serve([self._listener])
        await self._stop()
        return 0

    def _end(self, number: int) -> None:
        """A signal to end came: properly at the first, at once at the second."""
        name = signal.Signals(number).name
        if self._draining is not None:
            log.warning("killed", extra={"signal": name, "in_flight": self._service.in_flight})
            self._exit(KILLED + number)
        log.info("stopping", extra={"signal": name, "in_flight": self._service.in_flight})
        self._draining = self._loop.create_task(self._drain())

    async def _drain(self) -> None:
        settings = self._service.settings
        self._service.phase = "leaving"
        self._rules.is_leaving = True
        await asyncio.sleep(settings.drain_delay_s)
        self._service.phase = "refusing"
        end = time.monotonic() + settings.drain_timeout_s
        while self._service.in_flight and time.monotonic() < end:
            await asyncio.sleep(POLL_S)
        if self._service.in_flight:
            log.error("drain timeout", extra={"in_flight": self._service.in_flight})
            self._service.pipeline.give_up()
            await asyncio.sleep(POLL_S)  # their clients are told before the connections close
        self._server.should_exit = True

    async def _stop(self) -> None:
        try:
            async with asyncio.timeout(STOP_S):
                await asyncio.to_thread(self._reloader.stop, STOP_S / 2)
                await self._service.stop()
        except TimeoutError:
            log.error("threads did not end", extra={"seconds": STOP_S})
            self._exit(1)
        if self._service.pipeline.busy_s():
            log.error("a decoder did not end")
            self._exit(1)
        log.info("stopped")

    def _exit(self, status: int) -> NoReturn:
        """End now: a thread that runs the model may take as long as it likes."""
        self._writer.close()
        os._exit(status)

    def _tell_reload(self, result: Result, model: ServedModel | DefectsegError) -> None:
        """In the thread that reloads."""
        served = model if isinstance(model, ServedModel) else None
        if served is not None:
            log.info("model reloaded", extra={"model": served.name, "sha256": served.sha256})
        else:
            log.error("model rejected", extra={"code": "MODEL_REJECTED", "detail": str(model)})
        self._loop.call_soon_threadsafe(self._service.count_reload, result, served)
