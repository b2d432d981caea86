"""The head of a request in, a refusal of whatever could be read in two ways out.

Where one request ends and the next begins must be beyond doubt (RFC 9112, 6.3): a proxy in front
that sees another end lets a client smuggle a request past it.
"""

from itertools import chain
from typing import Final, Protocol

import httptools

from defectseg.service.codes import Failure

Headers = list[tuple[bytes, bytes]]

VERSIONS: Final = frozenset({"1.0", "1.1"})
# The parser takes RTSP/1.0 for HTTP/1.0; CONNECT would make us a proxy.
METHODS: Final = frozenset(
    {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"}
)


class BodyTaker(Protocol):
    """What is told about the body of a request."""

    def on_body(self, body: bytes) -> None:
        """A piece of it."""

    def on_message_complete(self) -> None:
        """All of it came."""


def refuse_ambiguous(version: str, method: str, headers: Headers) -> None:
    """Refuse what the parser lets pass; names are in lower case.

    Raises:
        Failure: BAD_REQUEST: It is no HTTP/1, a tunnel, or has no plain host or body.
    """
    names = [name for name, _ in headers]
    hosts = names.count(b"host")
    codings = names.count(b"transfer-encoding")
    if version not in VERSIONS:
        raise Failure("BAD_REQUEST", "expected HTTP/1.1")
    if method not in METHODS:
        raise Failure("BAD_REQUEST", "expected a method of HTTP, such as GET or POST")
    if hosts > 1 or (hosts == 0 and version == "1.1"):
        raise Failure("BAD_REQUEST", "expected one Host header")
    if codings and (version == "1.0" or (b"transfer-encoding", b"chunked") not in headers):
        raise Failure("BAD_REQUEST", "expected `Transfer-Encoding: chunked` of HTTP/1.1, or none")
    if codings + names.count(b"content-length") > 1:
        raise Failure("BAD_REQUEST", "expected one length: Content-Length, or chunked")


def count_bytes(headers: Headers) -> int:
    """How long they are, each with its colon, a space and the end of its line."""
    return sum(map(len, chain.from_iterable(headers))) + 4 * len(headers)


def parse_body(taker: BodyTaker, headers: Headers) -> httptools.HttpRequestParser:
    """A parser that stands at the first byte of a request's body.

    The parser takes the head of a request that offers another protocol, such as h2c, for the last
    of HTTP/1 and drops the body. Java's client offers h2c with every first request.
    """
    parser = httptools.HttpRequestParser(_BodyAlone(taker))
    parser.set_dangerous_leniencies(lenient_data_after_close=True)
    framing = [
        b"%b: %b\r\n" % (name, value)
        for name, value in headers
        if name in {b"content-length", b"transfer-encoding"}
    ]
    parser.feed_data(b"POST / HTTP/1.1\r\nconnection: close\r\n" + b"".join(framing) + b"\r\n")
    return parser


class _BodyAlone:
    """Keeps the head of the request, which is known already, from being told again."""

    def __init__(self, taker: BodyTaker) -> None:
        self.on_body = taker.on_body
        self.on_message_complete = taker.on_message_complete
