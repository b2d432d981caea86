"""How many pixels may be at work at once: what bounds the memory, whatever is sent."""

import time
from threading import Condition


class PixelBudget:
    """A number of pixels that threads take and give back."""

    def __init__(self, pixels: int) -> None:
        self._free = pixels
        self._changed = Condition()

    def take(self, pixels: int, deadline: float) -> bool:
        """Wait for so many pixels, until a deadline (monotonic) at most; whether they are taken."""
        with self._changed:
            while self._free < pixels:
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    return False
            self._free -= pixels
            return True

    def give_back(self, pixels: int) -> None:
        """Let others have them."""
        if pixels:
            with self._changed:
                self._free += pixels
                self._changed.notify_all()
