"""A failure in, its reply out: the one envelope, and whole for what the app could not answer."""

import json
import secrets
from http import HTTPStatus

from defectseg.service.codes import CODES, RETRY_AFTER_S, Failure, to_envelope

Headers = list[tuple[bytes, bytes]]


def make_request_id() -> str:
    """An id for a request that brought none of its own."""
    return secrets.token_hex(8)


def to_reply(failure: Failure, request_id: str) -> tuple[Headers, bytes]:
    """The headers of a failure's own, and the envelope."""
    content = json.dumps(to_envelope(failure, request_id)).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(content)).encode()),
    ]
    if CODES[failure.code].retryable:
        headers.append((b"retry-after", str(RETRY_AFTER_S).encode()))
    headers += [(name.lower().encode(), value.encode()) for name, value in failure.headers.items()]
    return headers, content


def to_answer(failure: Failure, request_id: str) -> tuple[int, Headers, bytes]:
    """The status, the headers and the envelope; the connection ends after it."""
    headers, content = to_reply(failure, request_id)
    headers += [
        (b"x-request-id", request_id.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"connection", b"close"),
    ]
    return failure.status, headers, content


def to_bytes(failure: Failure, request_id: str) -> bytes:
    """The same as it goes over the wire."""
    status, headers, content = to_answer(failure, request_id)
    first = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n".encode()
    lines = [b"%b: %b\r\n" % header for header in headers]
    return b"".join([first, *lines, b"\r\n", content])
