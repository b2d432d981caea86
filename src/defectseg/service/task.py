"""One picture on its way through the service: what came, until when, and what became of it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Literal

import numpy as np
import numpy.typing as npt
import onnxruntime

from defectseg.inference.engine import Output
from defectseg.service.codes import Failure
from defectseg.service.model import ServedModel
from defectseg.service.times import Times

MaskForm = Literal["rle", "png", "none"]


@dataclass(frozen=True)
class Wish:
    """How the reply is to look."""

    mask: MaskForm = "rle"
    heat: bool = False  # a picture of the probability too


@dataclass(frozen=True)
class Reply:
    """What is told about one picture."""

    content: bytes  # JSON
    verdict: str
    defect_classes: tuple[str, ...]  # of each defect
    size: tuple[int, int]  # width and height, upright, px
    times: Times


Outcome = Reply | Failure


@dataclass(eq=False)
class Order:
    """What a client wants: one picture to be analysed."""

    content: bytes
    image_id: str
    request_id: str
    wish: Wish
    model: ServedModel  # the one in use when it came: it stays with it to the end
    deadline: float  # monotonic
    times: Times


@dataclass(eq=False)
class Task(Order):
    """An order on its way; threads hand it on, the event loop waits for `finish`."""

    on_done: "Callable[[Task, Outcome], None]"  # called once, by whichever thread finishes it
    on_end: Callable[[], None]  # called once, when it holds nothing any more
    pixels: int = 0  # taken from the budget
    picture: npt.NDArray[np.uint8] | None = None  # (H, W, C)
    output: Output | None = None  # of N = 1
    _run: "Run | None" = None
    _is_done: bool = False
    _has_ended: bool = False
    _lock: Lock = field(default_factory=Lock)

    @property
    def is_done(self) -> bool:
        """Nobody waits for it any more."""
        return self._is_done

    def is_worth_going_on(self) -> bool:
        """False once it has ended; ends it where its deadline has passed."""
        if not self._is_done and time.monotonic() >= self.deadline:
            self.finish(Failure("DEADLINE_EXCEEDED"))
        return not self._is_done

    def finish(self, outcome: Outcome) -> bool:
        """End it; the first outcome counts, and a run for it alone is stopped.

        Returns:
            Whether this was the first.
        """
        with self._lock:
            if self._is_done:
                return False
            self._is_done = True
            run = self._run
        if run is not None and isinstance(outcome, Failure):
            run.stop_if_unwanted()
        self.on_done(self, outcome)
        return True

    def end(self) -> bool:
        """Let go of all that it holds; the budget's pixels are the caller's to give back.

        Returns:
            Whether this was the first time: two threads may both think that they have it last.
        """
        with self._lock:
            if self._has_ended:
                return False
            self._has_ended = True
        self.content, self.picture, self.output, self._run = b"", None, None, None
        return True

    def join(self, run: "Run") -> None:
        """From now on it is part of a run."""
        with self._lock:
            self._run = run
        if self._is_done:
            run.stop_if_unwanted()


class Run:
    """One call of the engine, for one or several pictures of one size."""

    def __init__(self, tasks: list[Task]) -> None:
        self.tasks = tasks
        self.options = onnxruntime.RunOptions()
        for task in tasks:
            task.join(self)

    def stop_if_unwanted(self) -> None:
        """Stop the engine, within some ms, once nobody waits for any of the pictures."""
        if all(task.is_done for task in self.tasks):
            self.options.terminate = True
