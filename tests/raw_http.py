"""A small app behind our protocol on a real socket, and a client that sends any bytes it likes."""

import asyncio
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import uvicorn
import uvloop

from defectseg.service.connection import Rules
from defectseg.service.protocol import HttpConnection
from defectseg.service.server import Server

SECONDS = 10  # until a test gives up
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@dataclass
class Counts:
    """What the protocol counted."""

    errors: Counter[str] = field(default_factory=Counter)
    connections: int = 0

    def protocol_error(self, code: str) -> None:
        self.errors[code] += 1

    def connection_opened(self) -> None:
        self.connections += 1

    def connection_closed(self) -> None:
        self.connections -= 1


class App:
    """Answers as its addresses say."""

    def __init__(self) -> None:
        self.went_on = threading.Event()  # lets /wait answer
        self.came: list[str] = []  # addresses asked for
        self.waiting = 0
        self.disconnects = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope["path"]
        self.came.append(path)
        if path == "/broken":
            raise RuntimeError("secret in /etc/passwd")
        if path == "/nothing":
            return
        if path == "/wait":
            self.waiting += 1
            while not self.went_on.is_set():
                await asyncio.sleep(0.005)
        body = b"hello"
        headers = [(b"x-evil", b"a\r\nb")] if path == "/split" else []
        if path == "/count":
            body = await self.count(receive)
        if path == "/large":
            body = b"x" * 8_000_000
        if path == "/head":
            body = json.dumps([[str(n), str(v)] for n, v in scope["headers"]]).encode()
        status = 413 if path == "/refuse" else 200
        headers.append((b"content-length", b"10" if path == "/half" else b"%d" % len(body)))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        if path == "/late":
            raise RuntimeError("secret, between head and body")
        await send({"type": "http.response.body", "body": body, "more_body": path == "/half"})
        if path == "/half":
            raise RuntimeError("secret, too late")

    async def count(self, receive: Any) -> bytes:
        """The length of the body."""
        length, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.disconnects += 1
                return b"gone"
            length += len(message["body"])
            more = message["more_body"]
        return str(length).encode()


@dataclass
class RawServer:
    """It runs in a thread of this process."""

    port: int
    app: App
    counts: Counts
    rules: Rules
    server: Server

    def connect(self) -> socket.socket:
        """A new connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS)

    def talk(self, *pieces: bytes, pause: float = 0) -> bytes:
        """Send, then read until the server closes."""
        with self.connect() as client:
            for piece in pieces:
                client.sendall(piece)
                time.sleep(pause)
            return read_all(client)

    def ask(self, content: bytes) -> "Reply":
        """Send, then read one reply of a connection that stays open."""
        with self.connect() as client:
            client.sendall(content)
            return read_reply(client)


@dataclass
class Reply:
    """One reply."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """Of our envelope."""
        error = json.loads(self.body)["error"]
        assert set(error) == {"code", "message", "request_id", "retryable"}
        assert self.headers["x-request-id"] == error["request_id"]
        assert self.headers["content-type"] == "application/json"
        return str(error["code"])


def read_all(client: socket.socket) -> bytes:
    """Everything until the server closes its side."""
    received = b""
    while piece := client.recv(65536):
        received += piece
    return received


def read_reply(client: socket.socket) -> Reply:
    """One reply with a Content-Length."""
    stream = client.makefile("rb")
    status = int(stream.readline().split()[1])
    headers = {}
    while line := stream.readline().strip():
        name, _, value = line.decode().partition(": ")
        headers[name.lower()] = value
    return Reply(status, headers, stream.read(int(headers["content-length"])))


def read_replies(client: socket.socket, count: int) -> list[Reply]:
    """So many replies of a connection that stays open."""
    received = b""
    while len(replies := parse(received)) < count:
        received += client.recv(65536)
    return replies


def parse(received: bytes) -> list[Reply]:
    """Every whole reply in what came."""
    replies = []
    while b"\r\n\r\n" in received:
        head, _, rest = received.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        length = int(headers["content-length"])
        if len(rest) < length:
            break
        replies.append(Reply(int(first.split()[1]), headers, rest[:length]))
        received = rest[length:]
    return replies


def refused(server: RawServer, *pieces: bytes) -> tuple[int, str]:
    """Status and code of the only reply, after which the connection is closed."""
    before = sum(server.counts.errors.values())
    (reply,) = parse(server.talk(*pieces))
    assert reply.headers["connection"] == "close"
    assert sum(server.counts.errors.values()) == before + 1
    return reply.status, reply.code


@contextmanager
def listening(**changes: Any) -> Iterator[RawServer]:
    """Run it with some of the rules changed."""
    app, counts = App(), Counts()
    chosen: dict[str, Any] = {
        "header_bytes": 16 * 1024,
        "header_timeout_s": SECONDS,
        "write_timeout_s": SECONDS,
        "keep_alive_s": SECONDS,
        "connections": 100,
    }
    rules = Rules(observer=counts, **chosen | changes)
    http: Any = partial(HttpConnection, rules=rules)
    config = uvicorn.Config(
        app, http=http, interface="asgi3", ws="none", lifespan="off", log_config=None,
        access_log=False, server_header=False, proxy_headers=False, timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(server, listener))
        thread.start()
        try:
            yield RawServer(listener.getsockname()[1], app, counts, rules, server)
        finally:
            app.went_on.set()
            server.should_exit = True
            thread.join(SECONDS)


def serve(server: Server, listener: socket.socket) -> None:
    """As a thread."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(server.serve([listener]))


def wait_until(condition: Any) -> None:
    """Until something is so."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)
