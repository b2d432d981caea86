"""How long a connection may wait, how many there may be, and how each ends: over real sockets."""

import socket
import time
from collections.abc import Iterator

import pytest

from conftest import looks_at_the_clock
from raw_http import GET, RawServer, listening, parse, read_all, read_reply, refused, wait_until


@pytest.fixture(scope="module")
def server() -> Iterator[RawServer]:
    with listening() as found:
        yield found


@pytest.fixture
def hasty() -> Iterator[RawServer]:
    """A server that waits 0.2 s for a head and for a client that does not read."""
    with listening(header_timeout_s=0.2, write_timeout_s=0.2, keep_alive_s=0.4) as found:
        yield found


@looks_at_the_clock
def test_half_a_head_and_then_nothing_is_timed_out(hasty: RawServer):
    started = time.monotonic()
    assert refused(hasty, GET[:20]) == (408, "REQUEST_TIMEOUT")
    assert 0.15 < time.monotonic() - started < 1


@looks_at_the_clock
def test_a_head_that_comes_byte_by_byte_is_timed_out(hasty: RawServer):
    started = time.monotonic()
    with hasty.connect() as client:
        client.setblocking(False)
        received = b""
        for byte in GET * 20:
            client.send(bytes([byte]))
            time.sleep(0.02)
            try:
                received = client.recv(65536)
                break
            except BlockingIOError:
                continue
    assert parse(received)[0].code == "REQUEST_TIMEOUT"
    assert 0.15 < time.monotonic() - started < 1


@looks_at_the_clock
def test_a_client_that_never_sends_is_hung_up_on(hasty: RawServer):
    started = time.monotonic()
    assert hasty.talk() == b""
    assert 0.15 < time.monotonic() - started < 1
    wait_until(lambda: hasty.counts.connections == 0)


def test_a_slow_second_request_is_timed_out_too(hasty: RawServer):
    with hasty.connect() as client:
        client.sendall(GET)
        assert read_reply(client).status == 200
        time.sleep(0.25)  # longer than a head may take: nothing of it has come
        client.sendall(GET[:9])
        (reply,) = parse(read_all(client))
    assert reply.code == "REQUEST_TIMEOUT"


@pytest.mark.parametrize("more", [b"", b"\r\n"], ids=["nothing", "an empty line"])
@looks_at_the_clock
def test_an_idle_connection_is_closed_after_its_time(hasty: RawServer, more: bytes):
    with hasty.connect() as client:
        client.sendall(GET)
        assert read_reply(client).status == 200
        started = time.monotonic()
        client.sendall(more)
        read_all(client)
        assert 0.15 < time.monotonic() - started < 1


def test_half_of_a_second_request_in_the_first_segment_is_timed_out(hasty: RawServer):
    replies = parse(hasty.talk(GET + GET[:9]))
    assert (replies[0].status, replies[1].code) == (200, "REQUEST_TIMEOUT")


def test_the_time_for_the_next_head_does_not_run_while_we_do_not_listen(hasty: RawServer):
    with hasty.connect() as client:
        client.sendall(GET.replace(b"/", b"/wait", 1) + GET + GET[:9])
        wait_until(lambda: hasty.app.waiting == 1)
        time.sleep(0.3)
        client.sendall(GET[9:])
        hasty.app.went_on.set()
        assert [read_reply(client).status for _ in range(1)] == [200]
        assert hasty.counts.errors == {}


def test_a_client_that_does_not_read_is_cut_off(hasty: RawServer):
    with hasty.connect() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(GET.replace(b"/", b"/large", 1))
        wait_until(lambda: hasty.counts.connections == 1)
        wait_until(lambda: hasty.counts.connections == 0)


@pytest.mark.parametrize("framing", ["Content-Length: 200000000", "Transfer-Encoding: chunked"])
def test_a_client_that_sends_200_mb_and_then_reads_gets_the_refusal(
    server: RawServer, framing: str
):
    head = f"POST /refuse HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n".encode()
    piece = b"f4240\r\n" + bytes(1_000_000) + b"\r\n"  # also as a chunk of 1 MB
    with server.connect() as client:
        client.sendall(head)
        for _ in range(199):
            client.sendall(piece)
        (reply,) = parse(read_all(client))
    assert (reply.status, reply.headers["connection"]) == (413, "close")


@looks_at_the_clock
def test_a_client_that_reads_while_it_sends_gets_the_refusal_at_once(server: RawServer):
    with server.connect() as client:
        client.sendall(b"POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 200000000\r\n\r\n")
        client.sendall(bytes(1_000_000))
        started = time.monotonic()
        reply = read_reply(client)
        assert reply.status == 413
        assert time.monotonic() - started < 0.5
        assert client.recv(1) == b""  # and it sees that no more comes


def test_a_client_that_goes_on_sending_is_cut_off_in_the_end(server: RawServer):
    with server.connect() as client:
        client.sendall(b"POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 200000000\r\n\r\n")
        read_all(client)
        wait_until(lambda: server.counts.connections == 0)


def test_more_connections_than_allowed_are_told_so_and_closed():
    with listening(connections=2) as server:
        clients = [server.connect() for _ in range(2)]
        for client in clients:
            client.sendall(GET)
            assert read_reply(client).status == 200
        with server.connect() as extra:
            (reply,) = parse(read_all(extra))
        assert (reply.status, reply.code, reply.headers["retry-after"]) == (503, "QUEUE_FULL", "1")
        clients.pop().close()
        wait_until(lambda: server.counts.connections == 1)
        assert server.ask(GET).status == 200
        clients.pop().close()
    assert server.counts.errors == {"QUEUE_FULL": 1}


def test_far_more_connections_than_allowed_are_cut_off():
    with listening(connections=1) as server:
        clients = [server.connect() for _ in range(80)]
        wait_until(lambda: server.counts.errors["QUEUE_FULL"] == 79)
        assert server.counts.connections <= 1 + 64
        for client in clients:
            client.close()


def test_while_the_server_leaves_each_reply_is_the_last_of_its_connection():
    with listening() as server:
        server.rules.is_leaving = True
        (reply,) = parse(server.talk(GET))
    assert (reply.status, reply.headers["connection"]) == (200, "close")


def test_no_connection_is_left_behind(server: RawServer):
    wait_until(lambda: server.counts.connections == 0)
    assert server.server.server_state.connections == set()
    assert server.server.server_state.tasks == set()
