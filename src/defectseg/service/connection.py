"""One connection from its first moment to its last: how many there may be, how long each may wait.

Uvicorn waits for ever for a header and for a client that does not read, and it cuts off a client
that still sends, so that it cannot read why. Here each of them has an end.
"""

import asyncio
import logging
from asyncio import TimerHandle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from defectseg.service.codes import Failure
from defectseg.service.exchange import Outlet
from defectseg.service.refusal import make_request_id, to_bytes

SPARE = 64  # connections above the limit that are still told so
QUIET_S = 2.0  # of a client that was told off: then it has read the reply
DISCARD_S = 10.0  # all in all
DISCARD_BYTES = 256 * 1024 * 1024
log = logging.getLogger(__name__)


class Observer(Protocol):
    """Who counts."""

    def protocol_error(self, code: str) -> None:
        """A connection was refused before it was a request."""

    def connection_opened(self) -> None:
        """One more."""

    def connection_closed(self) -> None:
        """One less."""


@dataclass
class Rules:
    """What holds for every connection of a server."""

    observer: Observer
    header_bytes: int  # of one request
    header_timeout_s: float
    write_timeout_s: float  # for a client to take what lies in the send buffer
    keep_alive_s: float  # without a request
    connections: int  # open at once
    is_leaving: bool = False  # each reply is the last one of its connection


class Connection(HttpToolsProtocol):
    """How a connection begins, waits and ends; `protocol.py` reads what comes."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        rules: Rules,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.rules = rules
        self.timeout_keep_alive = rules.keep_alive_s  # type: ignore[assignment]
        self.silent = 0  # bytes since the last complete head, piece of a body or end of one
        self.in_head = True  # rather than in a body
        self.is_deaf = False  # what comes is thrown away
        self.is_ending = False
        self.last_word: Failure | None = None  # to end with once what came before is answered
        self.discarded = 0  # bytes
        self.heard_at = self.quit_at = 0.0  # of the loop's clock
        self.timers: dict[str, TimerHandle] = {}

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there."""
        super().connection_made(transport)
        self.rules.observer.connection_opened()
        self.outlet: Any = Outlet(transport.write, self.finish, transport.is_closing)
        excess = len(self.connections) - self.rules.connections
        if excess > SPARE:
            self.rules.observer.protocol_error("QUEUE_FULL")
            transport.abort()
        elif excess > 0:
            self.refuse(Failure("QUEUE_FULL"))
        else:
            self.expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        for timer in self.timers.values():
            timer.cancel()
        self.timers.clear()
        self._unset_keepalive_if_required()
        self.rules.observer.connection_closed()
        super().connection_lost(exc)

    def refuse(self, failure: Failure) -> None:
        """End the connection with a failure, after the replies to what came before it."""
        self.is_deaf = True
        self.stop_timer("head")
        self.rules.observer.protocol_error(failure.code)
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            self._say(failure)
        elif self.in_head:  # the fault is in the next request
            self.last_word = failure
        elif self.pipeline:  # the fault is in the body of one that waits for those before
            self.pipeline.popleft()
            self.last_word = failure
        elif cycle.response_started:
            cycle.keep_alive = False
        else:
            cycle.disconnected = True
            cycle.message_event.set()
            self._say(failure)

    def on_response_complete(self) -> None:
        """The app answered one request."""
        if self.is_ending:
            self.server_state.total_requests += 1
            return
        was_last = not self.pipeline
        super().on_response_complete()
        if was_last and self.last_word is not None:
            self._say(self.last_word)

    def _say(self, failure: Failure) -> None:
        if self.is_ending or self.transport.is_closing():
            return
        request_id = make_request_id()
        log.info("refused", extra={"code": failure.code, "request_id": request_id})
        self.transport.write(to_bytes(failure, request_id))
        self.finish()

    def finish(self) -> None:
        """End the connection, but let the client read what was sent to it.

        If the client still sends, closing at once would send it a reset, which makes its system
        throw away the reply that it has not read yet.
        """
        if self.is_ending or self.transport.is_closing():
            return
        self.is_ending = True
        self._unset_keepalive_if_required()
        self.stop_timer("head")
        if self.in_head and not self.silent and not self.is_deaf:  # nothing is on its way
            self.transport.close()
            if self.transport.get_write_buffer_size():
                self.start_timer("write", self.rules.write_timeout_s, self.transport.abort)
            return
        self.is_deaf = True
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.heard_at = self.loop.time()
        self.quit_at = self.heard_at + DISCARD_S
        self.start_timer("quiet", QUIET_S, self._end_quiet)

    def discard(self, count: int) -> None:
        """Bytes came that nobody wants."""
        self.heard_at = self.loop.time()
        self.discarded += count
        if self.discarded > DISCARD_BYTES:
            self.flow.pause_reading()

    def _end_quiet(self) -> None:
        left = min(self.heard_at + QUIET_S, self.quit_at) - self.loop.time()
        if left > 0:
            self.start_timer("quiet", left, self._end_quiet)
        else:
            self.transport.abort()

    def expect_head(self) -> None:
        """From now on the client has so long for the head of a request."""
        self.start_timer("head", self.rules.header_timeout_s, self._end_head)

    def _end_head(self) -> None:
        if self.flow.read_paused:  # we do not listen: requests before this one are at work
            self.expect_head()
        elif self.silent:
            self.refuse(Failure("REQUEST_TIMEOUT", "the headers came too slowly; send them again"))
        else:
            self.transport.close()

    def timeout_keep_alive_handler(self) -> None:
        """No request came for long."""
        self.finish()

    def shutdown(self) -> None:
        """The server stops: end at once, or after the reply that is on its way."""
        if self.is_ending:
            self.transport.abort()
        elif self.cycle is None or self.cycle.response_complete:
            self.finish()
        else:
            self.cycle.keep_alive = False

    def pause_writing(self) -> None:
        """The client does not read as fast as we send."""
        super().pause_writing()
        self.start_timer("write", self.rules.write_timeout_s, self.transport.abort)

    def resume_writing(self) -> None:
        """It has read most of it."""
        super().resume_writing()
        self.stop_timer("write")

    def start_timer(self, name: str, seconds: float, then: Callable[[], None]) -> None:
        """Do something later; a timer of that name that runs already goes on."""
        if name not in self.timers:
            self.timers[name] = self.loop.call_later(seconds, self._ring, name, then)

    def stop_timer(self, name: str) -> None:
        """Do it not."""
        timer = self.timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    def _ring(self, name: str, then: Callable[[], None]) -> None:
        del self.timers[name]
        then()
