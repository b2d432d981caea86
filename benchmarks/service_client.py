"""When requests are due in, what became of each out: the client of a load test, in one thread."""

import select
import socket
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

LEAD_S = 0.05  # from the start to the first request
CHUNK = 1 << 18
HEAD_END = b"\r\n\r\n"
LAST_CHUNK = b"\r\n0\r\n\r\n"


@dataclass
class Sent:
    """One request and what became of it; times are seconds from the start."""

    due: float
    sent: float
    done: float | None = None
    status: int = 0  # HTTP; 0 = no reply
    fault: str = ""  # TIMEOUT, REFUSED or RESET where there is no reply
    body: bytes = b""

    @property
    def latency(self) -> float:
        """Seconds from when it was due; only of what is done."""
        if self.done is None:
            raise ValueError("the request is not done yet")
        return self.done - self.due


@dataclass(frozen=True)
class Reply:
    """One whole HTTP reply."""

    status: int
    body: bytes
    closes: bool  # the connection cannot be used again


@dataclass
class Connection:
    """A keep-alive connection with at most one request on it."""

    socket: socket.socket
    unsent: memoryview = field(default_factory=lambda: memoryview(b""))
    received: bytearray = field(default_factory=bytearray)
    request: Sent | None = None
    fault: str = "RESET"  # what it means if it ends without a reply


class Client:
    """Sends requests when they are due, whatever the server does, and notes the replies."""

    def __init__(self, host: str, port: int, requests: Sequence[bytes], timeout_s: float) -> None:
        """Args: requests: Whole HTTP requests, sent in turn.
        timeout_s: From sending to the end of the reply.
        """
        self._address = (host, port)
        self._requests = requests
        self._timeout_s = timeout_s
        self._epoll = select.epoll()
        self._connections: dict[int, Connection] = {}
        self._idle: list[Connection] = []
        self._waiting: deque[Connection] = deque()  # with their requests, in the order of sending
        self._order: deque[Sent] = deque()
        self._refill_until = 0.0  # of a closed loop: until then every reply sends the next request
        self._start = 0.0
        self.most_connections = 0
        self.sent: list[Sent] = []

    def run_open(self, times: Sequence[float]) -> None:
        """Send at these times, seconds from the start; end when all are answered or given up."""
        self._start = time.perf_counter() + LEAD_S
        for due in times:
            while (rest := due - self._now()) > 0:
                self._look(rest)
            self._send(due)
            self._look(0)
        self._finish()

    def run_closed(self, in_flight: int, seconds: float) -> None:
        """Keep so many requests at work for so long."""
        self._start = time.perf_counter()
        self._refill_until = seconds
        for _ in range(in_flight):
            self._send(self._now())
        self._finish()

    def _finish(self) -> None:
        while self._order:
            self._look(0.05)
        for connection in list(self._connections.values()):
            self._drop(connection)

    def _now(self) -> float:
        return time.perf_counter() - self._start

    def _look(self, seconds: float) -> None:
        """Handle what the sockets tell within this time, and give up what takes too long."""
        # epoll itself waits for whole milliseconds; select on its descriptor for microseconds.
        if select.select([self._epoll.fileno()], [], [], seconds)[0]:
            for number, events in self._epoll.poll(0):
                if number in self._connections:
                    self._handle(self._connections[number], events)
        limit = self._now() - self._timeout_s
        while self._order and (self._order[0].done is not None or self._order[0].sent < limit):
            request, connection = self._order.popleft(), self._waiting.popleft()
            if request.done is None:
                self._fail(connection, "TIMEOUT")

    def _send(self, due: float) -> None:
        connection = self._idle.pop() if self._idle else self._connect()
        request = connection.request = Sent(due, self._now())
        connection.unsent = memoryview(self._requests[len(self.sent) % len(self._requests)])
        self.sent.append(request)
        self._order.append(request)
        self._waiting.append(connection)
        self._write(connection)

    def _connect(self) -> Connection:
        plug = socket.socket()
        plug.setblocking(False)
        plug.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plug.connect_ex(self._address)
        self._epoll.register(plug, select.EPOLLIN)
        connection = self._connections[plug.fileno()] = Connection(plug)
        self.most_connections = max(self.most_connections, len(self._connections))
        return connection

    def _handle(self, connection: Connection, events: int) -> None:
        if events & select.EPOLLOUT and not events & select.EPOLLERR:
            self._write(connection)
        if events & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR):
            self._read(connection)

    def _write(self, connection: Connection) -> None:
        try:
            while connection.unsent:
                connection.unsent = connection.unsent[connection.socket.send(connection.unsent) :]
        except BlockingIOError:
            pass
        except OSError as error:  # closed before all was read: the reply may still be there
            if isinstance(error, ConnectionRefusedError):
                connection.fault = "REFUSED"
            self._epoll.modify(connection.socket, select.EPOLLIN)
            return
        out = select.EPOLLOUT if connection.unsent else 0
        self._epoll.modify(connection.socket, select.EPOLLIN | out)

    def _read(self, connection: Connection) -> None:
        try:
            chunk = connection.socket.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError as error:
            if isinstance(error, ConnectionRefusedError):
                connection.fault = "REFUSED"
            self._fail(connection, connection.fault)
            return
        connection.received += chunk
        reply = parse_reply(connection.received, is_closed=not chunk)
        if reply is not None:
            self._note(connection, reply)
        elif not chunk:
            self._fail(connection, connection.fault)

    def _note(self, connection: Connection, reply: Reply) -> None:
        request, connection.request = connection.request, None
        connection.received = bytearray()
        if request is None or reply.closes or connection.unsent:
            self._drop(connection)
        else:
            self._idle.append(connection)
        if request is not None:
            request.status, request.body = reply.status, reply.body
            self._end(request)

    def _fail(self, connection: Connection, fault: str) -> None:
        request, connection.request = connection.request, None
        self._drop(connection)
        if request is not None:
            request.fault = fault
            self._end(request)

    def _end(self, request: Sent) -> None:
        request.done = self._now()
        if request.done < self._refill_until:
            self._send(request.done)

    def _drop(self, connection: Connection) -> None:
        self._connections.pop(connection.socket.fileno(), None)
        if connection in self._idle:
            self._idle.remove(connection)
        connection.socket.close()


def parse_reply(received: bytes | bytearray, is_closed: bool) -> Reply | None:
    """Read one whole reply; None where more is to come, or where it was cut off."""
    end = received.find(HEAD_END)
    if end < 0:
        return None
    lines = bytes(received[:end]).lower().split(b"\r\n")
    headers = dict(line.split(b": ", 1) for line in lines[1:] if b": " in line)
    body = bytes(received[end + len(HEAD_END) :])
    closes = is_closed or headers.get(b"connection") == b"close"
    status = int(lines[0].split()[1])
    if b"content-length" in headers:
        length = int(headers[b"content-length"])
        return Reply(status, body[:length], closes) if len(body) >= length else None
    if headers.get(b"transfer-encoding") == b"chunked":
        is_whole = (b"\r\n" + body).endswith(LAST_CHUNK)
        return Reply(status, join_chunks(body), closes) if is_whole else None
    return Reply(status, body, closes) if is_closed else None


def join_chunks(body: bytes) -> bytes:
    """The content of a whole chunked body."""
    content = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size.partition(b";")[0], 16)
        content, body = content + rest[:length], rest[length + 2 :]
    return content
