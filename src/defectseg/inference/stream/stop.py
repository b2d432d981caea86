"""Somebody wants an end in, the same known to everyone who looks out."""

import time

SLICE = 0.1  # seconds


class Stop:
    """A plain flag: a lock that a signal's handler takes may be held already."""

    def __init__(self) -> None:
        self.asked = False

    def wait(self, seconds: float) -> None:
        """Sleep, but not when an end is asked for."""
        end = time.monotonic() + seconds
        while not self.asked and (left := end - time.monotonic()) > 0:
            time.sleep(min(SLICE, left))
