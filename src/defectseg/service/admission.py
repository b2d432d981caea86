"""ASGI middleware: who may come in, with how much, until when; the rest is refused unread.

Every reply that is no success leaves here in one envelope, with the request's id.
"""

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

from defectseg.service.codes import Failure
from defectseg.service.metrics import Metrics
from defectseg.service.refusal import make_request_id, to_reply
from defectseg.service.settings import Settings
from defectseg.service.tracing import Tracer
from defectseg.service.visit import ClientGoneError, Slot, Visit

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

WORK = frozenset({"/analyze", "/v1/analyze", "/v1/analyze/batch"})
PROBES = frozenset({"/live", "/ready", "/metrics"})  # asked many times a minute: no news
WELL_FORMED_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
PAGE_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    b"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SAFE_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", PAGE_POLICY),
]
log = logging.getLogger(__name__)


class Gate(Protocol):
    """What decides whether work may come in; only used in the event loop."""

    settings: Settings
    metrics: Metrics
    phase: str
    tracer: Tracer | None

    def take_slot(self) -> bool:
        """Take one of the slots, if one is free."""

    def release_slot(self) -> None:
        """Give it back."""


class Admission:
    """Wraps the app; needs the whole service only as a `Gate`."""

    def __init__(self, app: App, gate: Gate) -> None:
        self._app = app
        self._gate = gate

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        visit = Visit(take_id(scope), scope["method"], scope["path"], time.monotonic())
        scope.setdefault("state", {})["visit"] = visit
        answer = Answer(send, visit)
        try:
            is_work = scope["method"] == "POST" and scope["path"] in WORK
            self._refuse_size(scope)
            if is_work:
                self._refuse_phase()
                visit.slot = self._take_slot()
            body = Body(receive, visit, self._gate.settings)
            await self._app(scope, body.receive, answer.send)
        except Failure as failure:
            await answer.fail(failure)
        except asyncio.CancelledError:  # the process ends before the request does
            visit.code = "DRAINING"
            raise
        except ClientGoneError:
            visit.code = "CLIENT_GONE"
            self._gate.metrics.client_gone_total.inc()
        except Exception:
            log.exception("a request failed", extra={"request_id": visit.request_id})
            await answer.fail(Failure("INTERNAL"))
        finally:
            if visit.slot is not None:
                visit.slot.drop()
            self._count(scope, visit)

    def _refuse_size(self, scope: MutableMapping[str, Any]) -> None:
        """Raises: Failure: The length that the headers name is over the limit."""
        for name, value in scope["headers"]:
            if name != b"content-length":
                continue
            if not value.isdigit():
                raise Failure("BAD_REQUEST")
            if int(value) > self._gate.settings.max_body_bytes:
                self._gate.metrics.shed_total.labels("PAYLOAD_TOO_LARGE").inc()
                raise too_large(self._gate.settings)

    def _refuse_phase(self) -> None:
        """Raises: Failure: The service is starting or stopping."""
        code = {"refusing": "DRAINING", "starting": "NOT_READY"}.get(self._gate.phase)
        if code is not None:
            self._gate.metrics.shed_total.labels(code).inc()
            raise Failure(code)

    def _take_slot(self) -> Slot:
        if not self._gate.take_slot():
            self._gate.metrics.shed_total.labels("QUEUE_FULL").inc()
            raise Failure("QUEUE_FULL")
        return Slot(self._gate.release_slot)

    def _count(self, scope: MutableMapping[str, Any], visit: Visit) -> None:
        path = getattr(scope.get("route"), "path", None) or (
            visit.path if visit.path in WORK else "other"
        )
        seconds = time.monotonic() - visit.started
        self._gate.metrics.requests_total.labels(path, visit.code).inc()
        self._gate.metrics.request_seconds.labels(path).observe(seconds)
        if self._gate.tracer is not None:
            headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
            self._gate.tracer.record(visit, path, headers)
        log.log(
            logging.DEBUG if visit.path in PROBES or path == "/page/{name}" else logging.INFO,
            "request",
            extra={
                "request_id": visit.request_id,
                "path": path,
                "code": visit.code,
                "status": visit.status,
                "ms": round(1000 * seconds, 1),
                "bytes": visit.body_bytes,
                **visit.facts,
            },
        )


class Body:
    """The body of a request, up to a size and a time."""

    def __init__(self, receive: Receive, visit: Visit, settings: Settings) -> None:
        self._receive = receive
        self._visit = visit
        self._settings = settings
        self._is_read = False

    async def receive(self) -> Message:
        """The next piece.

        Raises:
            Failure: It is too large, or takes too long.
        """
        if self._is_read:
            return await self._receive()
        end = self._visit.started + self._settings.body_timeout_s
        try:
            async with asyncio.timeout(end - time.monotonic()):
                message = await self._receive()
        except TimeoutError as error:
            raise Failure("REQUEST_TIMEOUT", "the body came too slowly; send it again") from error
        self._visit.body_bytes += len(message.get("body", b""))
        if self._visit.body_bytes > self._settings.max_body_bytes:
            raise too_large(self._settings)
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            self._is_read = True
            self._visit.body_read_at = time.monotonic()
        return message


class Answer:
    """The reply of a request: headers that all have, and the envelope of a failure."""

    def __init__(self, send: Send, visit: Visit) -> None:
        self._send = send
        self._visit = visit

    async def send(self, message: Message) -> None:
        """Pass on a message of the app."""
        if message["type"] == "http.response.start":
            self._visit.status = message["status"]
            own = [(b"x-request-id", self._visit.request_id.encode()), *SAFE_HEADERS]
            message = {**message, "headers": [*message.get("headers", []), *own]}
        await self._send(message)

    async def fail(self, failure: Failure) -> None:
        """Send a failure, unless a reply has begun."""
        self._visit.code = failure.code
        if self._visit.status:
            return
        headers, content = to_reply(failure, self._visit.request_id)
        await self.send(
            {"type": "http.response.start", "status": failure.status, "headers": headers}
        )
        await self._send({"type": "http.response.body", "body": content})


def too_large(settings: Settings) -> Failure:
    """The body is over the limit."""
    limit = f"{settings.max_body_mib:g} MiB"
    return Failure("PAYLOAD_TOO_LARGE", f"the body is larger than {limit}; send a smaller picture")


def take_id(scope: MutableMapping[str, Any]) -> str:
    """The id that the client gave, if it is well-formed; else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            given: str = value.decode("latin-1")
            if WELL_FORMED_ID.fullmatch(given):
                return given
    return make_request_id()
