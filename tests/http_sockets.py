"""HTTP by hand over a real socket: whatever bytes a test likes in, what the service answers out."""

import json
import secrets
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

HOST = "127.0.0.1"
SECONDS = 20.0  # that a test waits for bytes, at the most
PIECE = 65_536


@dataclass(frozen=True)
class Part:
    """One part of a multipart form; a file where it has a filename."""

    name: str
    content: bytes
    filename: bytes | None = None
    headers: bytes = b""  # more of them, each with its line end


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of a failure, or OK; checks the shape that all failures have."""
        if self.status < 400:
            return "OK"
        told = self.json()
        assert set(told) == {"error"}, told
        error = told["error"]
        assert set(error) == {"code", "message", "request_id", "retryable"}, error
        assert error["request_id"] == self.headers["x-request-id"]
        assert ("retry-after" in self.headers) == error["retryable"]
        assert error["message"]
        return str(error["code"])


class Wire:
    """One connection."""

    def __init__(self, port: int, seconds: float = SECONDS) -> None:
        self.socket = socket.create_connection((HOST, port), timeout=seconds)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.socket.close()

    def send(self, content: bytes) -> None:
        """Send all of it."""
        self.socket.sendall(content)

    def ask(self, content: bytes) -> Answer:
        """Send a request and read its reply."""
        self.send(content)
        return self.read()

    def read(self) -> Answer:
        """Read one reply.

        Raises:
            EOFError: The connection ended before it.
        """
        head = self._read_to(b"\r\n\r\n").decode("latin-1")
        first, *lines = head.split("\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines if line)
        }
        status = int(first.split(" ")[1])
        if status == 100:
            return self.read()
        if headers.get("transfer-encoding") == "chunked":
            return Answer(status, headers, self._read_chunks())
        return Answer(status, headers, self._read_exactly(int(headers.get("content-length", 0))))

    def reads_end(self) -> bool:
        """Whether the service closes the connection without another byte."""
        try:
            return self._rest == b"" and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def _read_chunks(self) -> bytes:
        body = b""
        while size := int(self._read_to(b"\r\n"), 16):
            body += self._read_exactly(size)
            self._read_to(b"\r\n")
        self._read_to(b"\r\n")
        return body

    def _read_to(self, mark: bytes) -> bytes:
        while mark not in self._rest:
            self._more()
        found, self._rest = self._rest.split(mark, 1)
        return found

    def _read_exactly(self, count: int) -> bytes:
        while len(self._rest) < count:
            self._more()
        found, self._rest = self._rest[:count], self._rest[count:]
        return found

    def _more(self) -> None:
        piece = self.socket.recv(PIECE)
        if not piece:
            raise EOFError(f"the connection ended after {self._rest[:200]!r}")
        self._rest += piece


def ask(port: int, content: bytes, seconds: float = SECONDS) -> Answer:
    """One request on a connection of its own."""
    with Wire(port, seconds) as wire:
        return wire.ask(content)


def request(
    path: str = "/live", headers: Sequence[str] = (), body: bytes = b"", method: str = "GET"
) -> bytes:
    """A request with exactly these headers, and a Host."""
    lines = [f"{method} {path} HTTP/1.1", "Host: line1", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def post(body: bytes, kind: str, path: str = "/v1/analyze", headers: Sequence[str] = ()) -> bytes:
    """A request with a body and its right length."""
    own = [f"Content-Type: {kind}", f"Content-Length: {len(body)}", *headers]
    return request(path, own, body, "POST")


def form(parts: Sequence[Part], boundary: str = "") -> tuple[bytes, str]:
    """A multipart body and its content type."""
    boundary = boundary or secrets.token_hex(8)
    body = b""
    for part in parts:
        named = b"" if part.filename is None else b'; filename="%b"' % part.filename
        body += b'--%b\r\nContent-Disposition: form-data; name="%b"%b\r\n%b\r\n%b\r\n' % (
            boundary.encode(),
            part.name.encode(),
            named,
            part.headers,
            part.content,
        )
    return body + b"--%b--\r\n" % boundary.encode(), f"multipart/form-data; boundary={boundary}"


def upload(content: bytes, filename: bytes = b"a.png", **changes: Any) -> bytes:
    """The request that analyzes one picture."""
    return post(*form([Part("image", content, filename)]), **changes)


def upload_all(contents: Sequence[bytes], **changes: Any) -> bytes:
    """The request that analyzes several."""
    parts = [Part("images", content, b"%d.png" % n) for n, content in enumerate(contents)]
    return post(*form(parts), path="/v1/analyze/batch", **changes)


def wait_until(condition: Any, seconds: float = SECONDS) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not become so in time"
        time.sleep(0.005)
