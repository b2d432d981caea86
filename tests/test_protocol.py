"""HTTP as it goes over the wire: what is taken, what is refused and how, over real sockets."""

import json
import time
from collections.abc import Iterator

import pytest

from raw_http import (
    GET,
    RawServer,
    listening,
    parse,
    read_all,
    read_replies,
    read_reply,
    refused,
    wait_until,
)

POST = b"POST /count HTTP/1.1\r\nHost: a\r\n"


@pytest.fixture(scope="module")
def server() -> Iterator[RawServer]:
    with listening() as found:
        yield found


def test_a_request_is_answered_and_the_connection_stays(server: RawServer):
    with server.connect() as client:
        for _ in range(3):
            client.sendall(GET)
            reply = read_reply(client)
            assert (reply.status, reply.body) == (200, b"hello")
            assert "connection" not in reply.headers


def test_no_reply_names_the_program_that_sent_it(server: RawServer):
    assert b"uvicorn" not in server.talk(GET + b"GET  /\r\n\r\n").lower()


FRAMES = {
    "a negative length": b"Content-Length: -5\r\n",
    "a length with a sign": b"Content-Length: +5\r\n",
    "a length in hexadecimal": b"Content-Length: 0x5\r\n",
    "a length with an exponent": b"Content-Length: 5e0\r\n",
    "an empty length": b"Content-Length: \r\n",
    "a length twice in one header": b"Content-Length: 5, 5\r\n",
    "two lengths": b"Content-Length: 5\r\nContent-Length: 6\r\n",
    "the same length twice": b"Content-Length: 5\r\nContent-Length: 5\r\n",
    "a length that overflows": b"Content-Length: 99999999999999999999999\r\n",
    "length and chunks": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    "chunks and length": b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    "another coding": b"Transfer-Encoding: gzip\r\n",
    "a coding before chunks": b"Transfer-Encoding: gzip, chunked\r\n",
    "chunks in quotes": b'Transfer-Encoding: "chunked"\r\n',
    "chunks twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    "a coding that looks like chunks": b"Transfer-Encoding: xchunked\r\n",
    "a space before the colon": b"Transfer-Encoding : chunked\r\n",
    "a folded header": b"X: a\r\n b\r\n",
    "a NUL in a header": b"X: a\0b\r\n",
    "a line that ends without CR": b"X: a\nContent-Length: 5\r\n",
    "a second host": b"Host: b\r\n",
}


@pytest.mark.parametrize("header", FRAMES.values(), ids=FRAMES)
def test_a_request_that_can_be_read_in_two_ways_is_refused(server: RawServer, header: bytes):
    assert refused(server, POST + header + b"\r\nhello") == (400, "BAD_REQUEST")


STARTS = {
    "HTTP 0.9": b"GET /\r\n\r\n",
    "HTTP 0.9 by name": b"GET / HTTP/0.9\r\n\r\n",
    "HTTP 1.2": b"GET / HTTP/1.2\r\nHost: a\r\n\r\n",
    "HTTP 2 in the first line": b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
    "the preface of HTTP 2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "RTSP": b"DESCRIBE rtsp://a/ RTSP/1.0\r\n\r\n",
    "NULs": b"\0" * 100,
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "a tunnel": b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n",
    "an unknown method": b"FETCH / HTTP/1.1\r\nHost: a\r\n\r\n",
    "a raw byte in the address": b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
    "chunks in HTTP 1.0": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_what_is_no_http_1_is_refused(server: RawServer, start: bytes):
    assert refused(server, start) == (400, "BAD_REQUEST")


CHUNKS = {
    "no size": b"\r\nhello\r\n",
    "a negative size": b"-5\r\nhello\r\n",
    "a size with a prefix": b"0x5\r\nhello\r\n",
    "a size that overflows": b"FFFFFFFFFFFFFFFFF\r\nhello\r\n",
    "more than the size": b"3\r\nhello\r\n",
    "a line without CR": b"5\nhello\r\n",
}


@pytest.mark.parametrize("chunk", CHUNKS.values(), ids=CHUNKS)
def test_a_broken_chunk_ends_the_request_that_it_is_in(server: RawServer, chunk: bytes):
    head = POST + b"Transfer-Encoding: chunked\r\n\r\n"
    before = server.app.disconnects
    assert refused(server, head + b"2\r\nhe\r\n", chunk + b"0\r\n\r\n") == (400, "BAD_REQUEST")
    wait_until(lambda: server.app.disconnects == before + 1)


def test_nothing_after_a_refused_request_is_taken_for_another(server: RawServer):
    server.app.came.clear()
    smuggled = b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
    head = POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert refused(server, head + smuggled) == (400, "BAD_REQUEST")
    assert server.app.came == []


def test_a_head_may_be_as_long_as_the_limit_and_no_longer(server: RawServer):
    first, host = b"GET /head HTTP/1.1\r\n", b"Host: a\r\n"
    counted = len("/head") + len("Host: a\r\n") + len("X: \r\n")
    longest = b"X: " + b"a" * (16 * 1024 - counted) + b"\r\n\r\n"
    assert server.ask(first + host + longest).status == 200
    assert refused(server, first + host + b"X: a" + longest[3:]) == (431, "HEADERS_TOO_LARGE")


ENDLESS = {
    "an address": b"GET /" + b"a" * 20_000,
    "a header's name": GET[:-2] + b"a" * 20_000,
    "a header's value": GET[:-2] + b"X: " + b"a" * 20_000,
    "many headers": GET[:-2] + b"X: a\r\n" * 4_000,
    "empty lines": b"\r\n" * 10_000,
    "trailers": POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: a\r\n" * 4_000,
    "a trailer": POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: " + b"a" * 20_000,
    "a chunk's extension": POST + b"Transfer-Encoding: chunked\r\n\r\n5;a=" + b"a" * 20_000,
}


@pytest.mark.parametrize("start", ENDLESS.values(), ids=ENDLESS)
def test_what_does_not_end_is_refused_before_it_ends(server: RawServer, start: bytes):
    with server.connect() as client:
        client.sendall(start)
        time.sleep(0.01)
        client.sendall(b"a" * 20_000)
        (reply,) = parse(read_all(client))
    assert (reply.status, reply.code) == (431, "HEADERS_TOO_LARGE")


def test_a_client_that_goes_on_with_its_endless_header_reads_why(server: RawServer):
    with server.connect() as client:
        client.sendall(GET[:-2] + b"X: ")
        for _ in range(500):
            client.sendall(b"a" * 100_000)
        (reply,) = parse(read_all(client))
    assert reply.code == "HEADERS_TOO_LARGE"


def test_a_client_that_asks_before_it_sends_gets_the_refusal_and_sends_nothing(server: RawServer):
    expect = b"Expect: 100-continue\r\nContent-Length: 200000000\r\n\r\n"
    with server.connect() as client:
        client.sendall(b"POST /refuse HTTP/1.1\r\nHost: a\r\n" + expect)
        assert parse(read_all(client))[0].status == 413
    with server.connect() as client:
        client.sendall(POST + expect.replace(b"200000000", b"5"))
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"hello")
        assert read_reply(client).body == b"5"


@pytest.mark.parametrize("path", [b"/broken", b"/nothing", b"/late", b"/split"])
def test_an_app_that_fails_gives_our_envelope_and_the_log_the_reason(
    server: RawServer, path: bytes, caplog: pytest.LogCaptureFixture
):
    reply = server.ask(GET.replace(b"/", path, 1))
    assert (reply.status, reply.code) == (500, "INTERNAL")
    assert b"secret" not in reply.body
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert record.request_id == reply.headers["x-request-id"]
    if path in {b"/broken", b"/late"}:
        assert record.exc_info and "secret" in str(record.exc_info[1])


def test_a_reply_that_breaks_off_is_seen_to_be_broken(server: RawServer):
    received = server.talk(GET.replace(b"/", b"/half", 1))
    assert received.startswith(b"HTTP/1.1 200")
    assert received.endswith(b"\r\n\r\nhello")  # 10 bytes were promised


def test_a_question_for_the_head_alone_is_answered_by_it(server: RawServer):
    with server.connect() as client:
        client.sendall(GET.replace(b"GET", b"HEAD") + GET)
        received = b""
        while not received.endswith(b"hello"):
            received += client.recv(65536)
    assert received.count(b"HTTP/1.1 200 OK") == received.count(b"content-length: 5") == 2


def test_two_requests_in_one_segment_get_two_answers_in_order(server: RawServer):
    with server.connect() as client:
        client.sendall(POST + b"Content-Length: 5\r\n\r\nhello" + GET)
        assert [reply.body for reply in read_replies(client, 2)] == [b"5", b"hello"]


def test_garbage_behind_a_request_is_refused_after_that_is_answered(server: RawServer):
    replies = parse(server.talk(POST + b"Content-Length: 5\r\n\r\nhello" + b"\x16\x03\x01"))
    assert [reply.status for reply in replies] == [200, 400]
    assert (replies[0].body, replies[1].code) == (b"5", "BAD_REQUEST")


def test_a_broken_body_behind_a_request_is_refused_after_that_is_answered():
    with listening() as server:
        with server.connect() as client:
            broken = POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"
            client.sendall(GET.replace(b"/", b"/wait", 1) + broken)
            wait_until(lambda: server.counts.errors == {"BAD_REQUEST": 1})
            server.app.went_on.set()
            replies = parse(read_all(client))
        assert [reply.status for reply in replies] == [200, 400]
        assert server.app.came == ["/wait"]


def test_hundreds_of_requests_at_once_on_one_connection_are_refused():
    with listening() as server:
        replies = parse(server.talk(GET * 300))
    assert [reply.status for reply in replies] == [200] * 33 + [503]
    assert replies[-1].code == "QUEUE_FULL"


def test_nothing_is_answered_after_a_reply_that_ends_the_connection():
    with listening() as server:
        closing = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        assert len(parse(server.talk(closing + GET))) == 1
        assert server.app.came == ["/"]


UPGRADES = (b"Upgrade: h2c\r\nHTTP2-Settings: AA\r\n", b"Upgrade: websocket\r\n")


@pytest.mark.parametrize("offer", UPGRADES, ids=["h2c", "websocket"])
@pytest.mark.parametrize("in_one", [True, False], ids=["in one", "in two"])
def test_an_offer_of_another_protocol_is_ignored_and_the_body_is_read(
    server: RawServer, offer: bytes, in_one: bool
):
    head = POST + b"Connection: Upgrade, HTTP2-Settings\r\n" + offer
    for framing, body in [
        (b"Content-Length: 5\r\n\r\n", b"hello"),
        (b"Transfer-Encoding: chunked\r\n\r\n", b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"),
        (b"\r\n", b""),
    ]:
        pieces = [head + framing + body] if in_one else [head + framing, body]
        (reply,) = parse(server.talk(*pieces, pause=0.02))
        assert (reply.status, reply.body) == (200, b"0" if not body else b"5")


def test_trailers_are_not_taken_for_headers(server: RawServer):
    chunked = b"Host: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Evil: 1\r\n\r\n"
    names = [name for name, _ in json.loads(server.ask(b"POST /head HTTP/1.1\r\n" + chunked).body)]
    assert names == ["b'host'", "b'transfer-encoding'"]


def test_a_million_tiny_chunks_are_counted(server: RawServer):
    with server.connect() as client:
        client.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(100):
            client.sendall(b"1\r\nx\r\n" * 10_000)
        client.sendall(b"0\r\n\r\n")
        assert read_reply(client).body == b"1000000"
