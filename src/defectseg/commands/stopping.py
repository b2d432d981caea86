"""Ctrl-C and SIGTERM in, a polite request to stop out; a second one acts at once, as ever."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from defectseg.inference.stream.stop import Stop

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """While this runs, a signal only asks; what is being done can be finished first."""
    stop = Stop()
    earlier = {number: signal.getsignal(number) for number in SIGNALS}

    def ask(number: int, frame: FrameType | None) -> None:
        stop.asked = True
        signal.signal(number, earlier[signal.Signals(number)])

    try:
        for number in SIGNALS:
            signal.signal(number, ask)
        yield stop
    finally:
        for number in SIGNALS:
            signal.signal(number, earlier[number])
