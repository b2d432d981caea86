"""Bytes of a connection in, whole HTTP requests for the app out; our envelope for all else.

Uvicorn keeps an endless header in memory, drops the body of a request that offers another protocol,
and refuses in plain text.
"""

import asyncio
import urllib.parse
from typing import Any

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT

from defectseg.service.codes import Failure
from defectseg.service.connection import Connection
from defectseg.service.exchange import Exchange
from defectseg.service.framing import count_bytes, parse_body, refuse_ambiguous

PIPELINED = 32  # requests that may wait on one connection


class HttpConnection(Connection):
    """Reads what comes on a connection."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.is_upgrade = False

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        if self.is_deaf:
            self.discard(len(data))
            return
        self._unset_keepalive_if_required()
        self.silent += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._ignore_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            self._refuse_fault(error)
            return
        if self.silent > self.rules.header_bytes:  # or of trailers, or of the size of a chunk
            self.refuse(Failure("HEADERS_TOO_LARGE"))
        elif self.in_head and self.silent:
            self.expect_head()

    def _ignore_upgrade(self, rest: bytes) -> None:
        self.parser = parse_body(self, list(self.scope["headers"]))
        try:
            self.parser.feed_data(rest)
        except httptools.HttpParserError as error:
            self._refuse_fault(error)

    def _refuse_fault(self, error: httptools.HttpParserError) -> None:
        cause = error.__context__
        self.refuse(cause if isinstance(cause, Failure) else Failure("BAD_REQUEST"))

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self.silent += 1

    def on_headers_complete(self) -> None:
        """The head of a request came: hand it to the app."""
        version = self.parser.get_http_version()
        method = self.parser.get_method().decode("ascii")
        if len(self.url) + count_bytes(self.headers) > self.rules.header_bytes:
            raise Failure("HEADERS_TOO_LARGE")
        refuse_ambiguous(version, method, self.headers)
        if len(self.pipeline) >= PIPELINED:
            raise Failure("QUEUE_FULL", "too many requests at once on one connection")
        self._fill_scope(method, version)
        self.headers = []  # for trailers, which nobody needs
        self.silent = 0
        self.in_head = False
        if self.timers:
            self.stop_timer("head")
        self.is_upgrade = self.parser.should_upgrade()
        is_last = version == "1.0" or self.is_upgrade or self.rules.is_leaving
        before = self.cycle
        self.cycle = Exchange(
            scope=self.scope,
            transport=self.outlet,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue and version == "1.1",
            keep_alive=not is_last and self.parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def _fill_scope(self, method: str, version: str) -> None:
        address = httptools.parse_url(self.url)
        path = (address.path or b"/").decode("ascii")
        self.scope["method"] = method
        self.scope["http_version"] = version
        self.scope["path"] = urllib.parse.unquote(path) if "%" in path else path
        self.scope["raw_path"] = address.path or b"/"
        self.scope["query_string"] = address.query or b""

    def on_body(self, body: bytes) -> None:
        """A piece of a body came."""
        self.silent = 0
        cycle = self.cycle
        if cycle.response_complete:
            return
        cycle.body += body
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_message_complete(self) -> None:
        """All of a request came."""
        if self.is_upgrade:  # its body is still to come: see `parse_body`
            self.is_upgrade = False
            return
        self.silent = 0
        self.in_head = True
        self.cycle.more_body = False
        self.cycle.message_event.set()
