"""A way to a server that stalls after some bytes: what comes later never arrives."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

CHUNK = 2**16


class StallingRelay:
    """Pass connections on to a port of this machine, until the server has sent `limit` bytes."""

    def __init__(self, port: int, limit: int) -> None:
        self.target = port
        self.left = limit
        self.stalled = threading.Event()
        self.lock = threading.Lock()
        self.sockets: list[socket.socket] = []
        self.door = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.door.getsockname()[1]
        self.start(self.accept)

    def start(self, work: Callable[..., None], *arguments: object) -> None:
        threading.Thread(target=work, args=arguments, daemon=True).start()

    def accept(self) -> None:
        with suppress(OSError):  # the door is closed at the end
            while True:
                client, _ = self.door.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
                self.sockets += [client, server]
                self.start(self.pass_on, client, server, False)
                self.start(self.pass_on, server, client, True)

    def pass_on(self, source: socket.socket, sink: socket.socket, counted: bool) -> None:
        with suppress(OSError):
            while part := source.recv(CHUNK):
                if counted and not self.may_pass(len(part)):
                    return
                sink.sendall(part)
            sink.shutdown(socket.SHUT_WR)

    def may_pass(self, size: int) -> bool:
        with self.lock:
            self.left -= size
        if self.left < 0:
            self.stalled.set()
        return self.left >= 0

    def close(self) -> None:
        for each in (self.door, *self.sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


@contextmanager
def stalling_relay(port: int, limit: int) -> Iterator[StallingRelay]:
    """A relay to a port; every connection through it breaks at the end."""
    relay = StallingRelay(port, limit)
    try:
        yield relay
    finally:
        relay.close()
