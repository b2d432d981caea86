"""A request or a changed model file in, another model served out, in a thread of its own."""

from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Literal

from defectseg.errors import DefectsegError
from defectseg.service.model import Marks, ModelHolder, ServedModel

Order = Literal["reload", "stop", "look"]
Result = Literal["ok", "rejected"]
OnReload = Callable[[Result, ServedModel | DefectsegError], None]


class Reloader:
    """Watches the model file; a file is tried once it rests, and again only when it changes."""

    def __init__(self, models: ModelHolder, poll_s: float, on_reload: OnReload) -> None:
        """Args, and nothing starts yet.

        Args:
            poll_s: Seconds between two looks at the file; 0 = reload only when asked.
            on_reload: Is told the new model, or why the earlier one goes on; in this thread.
        """
        self._models = models
        self._poll_s = poll_s or None
        self._on_reload = on_reload
        self._orders: SimpleQueue[Order] = SimpleQueue()
        self._thread = Thread(target=self._watch, name="reload", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def ask(self) -> None:
        """Reload soon, changed or not; returns at once, and a signal handler may call it."""
        self._orders.put("reload")

    def stop(self, timeout_s: float = 10) -> bool:
        """End the thread; a load that has begun ends first.

        Returns:
            Whether it has ended in that time.
        """
        self._orders.put("stop")
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _watch(self) -> None:
        resting: Marks | None = None  # what the last look saw, where that is new
        while (order := self._next_order()) != "stop":
            seen = self._models.look()
            if order == "reload" or seen == resting:
                self._reload()
            resting = seen if self._is_new(seen) else None

    def _next_order(self) -> Order:
        """Wait for a request or the time of the next look; requests that came meanwhile are one."""
        came: list[Order] = []
        with suppress(Empty):
            came.append(self._orders.get(timeout=self._poll_s))
            while True:
                came.append(self._orders.get_nowait())
        if "stop" in came:
            return "stop"
        return came[0] if came else "look"

    def _is_new(self, seen: Marks) -> bool:
        return seen[0] is not None and seen != self._models.tried

    def _reload(self) -> None:
        try:
            self._on_reload("ok", self._models.reload())
        except DefectsegError as error:
            self._on_reload("rejected", error)
