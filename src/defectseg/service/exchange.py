"""One request and its reply: the app's messages in, HTTP out; our envelope if the app fails."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from uvicorn._types import ASGI3Application, ASGISendEvent
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from defectseg.service.codes import Failure
from defectseg.service.refusal import make_request_id, to_answer

JOINED_BYTES = 65536  # a longer piece is not copied
log = logging.getLogger(__name__)


class Outlet:
    """What a reply needs of its connection; `close` lets the client read the reply first.

    A head waits for the first piece of its body: one packet instead of two, and a reply that
    fails in between can still become a proper failure.
    """

    __slots__ = ("_close", "_write", "head", "is_closing", "is_head_next")

    def __init__(
        self,
        write: Callable[[bytes], None],
        close: Callable[[], None],
        is_closing: Callable[[], bool],
    ) -> None:
        self._write = write
        self._close = close
        self.is_closing = is_closing
        self.is_head_next = False
        self.head = b""  # waits

    def write(self, content: bytes) -> None:
        """A head, or a piece of a body."""
        if self.is_head_next:
            self.is_head_next = False
            self.head = content
        elif self.head:
            head, self.head = self.head, b""
            if len(content) < JOINED_BYTES:
                self._write(head + content)
            else:
                self._write(head)
                self._write(content)
        else:
            self._write(content)

    def close(self) -> None:
        """No more comes."""
        if self.head:
            self.write(b"")
        self._close()


class Exchange(RequestResponseCycle):
    """Uvicorn's, but the connection ends after a reply that came before the whole request."""

    transport: Any  # an Outlet

    def send(self, message: ASGISendEvent) -> Coroutine[Any, Any, None]:
        """Take a message of the app."""
        if not self.response_started:
            if self.more_body:
                self.keep_alive = False  # what is still coming would be taken for the next request
            self.transport.is_head_next = self.scope["method"] != "HEAD"
        return super().send(message)

    async def run_asgi(self, app: ASGI3Application) -> None:
        """Let the app answer; answer for it if it cannot."""
        try:
            await app(self.scope, self.receive, self.send)
        except asyncio.CancelledError:
            self.transport.close()
            raise
        except Exception:  # noqa: BLE001 (whatever it is, the client gets an answer)
            await self._fail("the app failed")
        else:
            if not (self.response_complete or self.disconnected):
                await self._fail("the app did not finish its reply")
        finally:
            self.on_response = ignore

    async def _fail(self, event: str) -> None:
        visit = self.scope.get("state", {}).get("visit")
        request_id = getattr(visit, "request_id", None) or make_request_id()
        log.error(event, extra={"request_id": request_id}, exc_info=True)
        if self.response_complete:
            return
        outlet = self.transport
        if self.response_started and not (outlet.head or outlet.is_head_next):
            outlet.close()  # cut off: the client sees that something is missing
            return
        outlet.head = b""
        self.response_started = False
        self.chunked_encoding = None
        status, headers, content = to_answer(Failure("INTERNAL"), request_id)
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": content, "more_body": False})


def ignore() -> None:
    """Nobody waits any more."""
