"""What is known of one request while it is here: its id, its slot, its times and how it ended."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from defectseg.service.times import Times


class ClientGoneError(Exception):
    """The client closed the connection before its reply: nothing is sent."""


@dataclass
class Slot:
    """One place among the requests at work; free again once nobody holds it."""

    release: Callable[[], None]
    holders: int = 1

    def hold(self) -> None:
        """One more holds it."""
        self.holders += 1

    def drop(self) -> None:
        """One less."""
        self.holders -= 1
        if not self.holders:
            self.release()


@dataclass
class Visit:
    """What is known of one request; lies in `scope["state"]["visit"]`."""

    request_id: str
    method: str
    path: str  # as its route is written, for metrics; "other" until it is known
    started: float  # monotonic
    slot: Slot | None = None
    body_read_at: float | None = None  # monotonic
    body_bytes: int = 0
    code: str = "OK"
    status: int = 0
    facts: dict[str, Any] = field(default_factory=dict)  # for the log line
    times: list[Times] = field(default_factory=list)  # of each picture that got a reply
