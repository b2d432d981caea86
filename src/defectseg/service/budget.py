"""How many pixels may be at work at once: what bounds the memory, whatever is sent."""

import time
from collections import deque
from threading import Condition


class PixelBudget:
    """A number of pixels that threads take and give back."""

    def __init__(self, pixels: int) -> None:
        self._free = pixels
        self._changed = Condition()
        self._waiting: deque[object] = deque()  # the first is next: no large picture waits for ever

    @property
    def free(self) -> int:
        """Pixels that nobody has."""
        return self._free

    def take(self, pixels: int, deadline: float) -> bool:
        """Wait for so many pixels, until a deadline (monotonic) at most; whether they are taken."""
        mine = object()
        with self._changed:
            self._waiting.append(mine)
            try:
                if not self._changed.wait_for(
                    lambda: self._waiting[0] is mine and self._free >= pixels,
                    max(deadline - time.monotonic(), 0),
                ):
                    return False
                self._free -= pixels
                return True
            finally:
                self._waiting.remove(mine)
                self._changed.notify_all()

    def give_back(self, pixels: int) -> None:
        """Let others have them."""
        if pixels:
            with self._changed:
                self._free += pixels
                self._changed.notify_all()
