"""A fastai training in, where the seconds of each of its steps went out."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from fastai.basics import defaults
from fastai.callback.core import Callback

PARTS = ("data", "prepare", "forward", "loss", "backward", "optimizer", "rest")


class Marks:
    """How long each part of each training step took; the parts of a step fill it."""

    def __init__(self, waits: bool) -> None:
        """Args: waits: at the end of each part for the accelerator; otherwise only steps count."""
        self._waits = waits and torch.cuda.is_available()
        self.steps: list[dict[str, float]] = []  # seconds by part
        self._last: float | None = None  # None: outside of training

    def start(self) -> None:
        """A training epoch begins: forget the one before."""
        self.steps = []
        self._last = self._now()

    def end(self, part: str) -> None:
        """A part has just ended."""
        now = self._now()
        if self._last is None:
            return
        if part == PARTS[0]:
            self.steps.append(dict.fromkeys(PARTS, 0.0))
        self.steps[-1][part] += now - self._last
        self._last = now

    def stop(self) -> None:
        """What follows is no training."""
        self._last = None

    def _now(self) -> float:
        if self._waits:
            torch.cuda.synchronize()
        return time.perf_counter()


@contextmanager
def timed(marks: Marks) -> Iterator[None]:
    """Inside, every fastai Learner that is made is timed, whoever makes it."""
    before = defaults.callbacks
    defaults.callbacks = [*before, BeforeOthers(marks), AfterOthers(marks)]
    try:
        yield
    finally:
        defaults.callbacks = before


class Marker(Callback):
    """Marks where parts of a step end."""

    def __init__(self, marks: Marks) -> None:
        self._marks = marks


class BeforeOthers(Marker):
    """Marks what ended when the first callback of an event is called."""

    order = -1000

    def before_batch(self) -> None:
        """The batch is there."""
        self._marks.end("data")

    def before_step(self) -> None:
        """The gradients are there; clipping them is the optimizer's."""
        self._marks.end("backward")

    def after_step(self) -> None:
        """The weights have moved."""
        self._marks.end("optimizer")


class AfterOthers(Marker):
    """Marks what ended when the last callback of an event has been called."""

    order = 1000

    def before_train(self) -> None:
        """The first batch is asked for next."""
        self._marks.start()

    def before_batch(self) -> None:
        """The batch is augmented and standardised."""
        self._marks.end("prepare")

    def after_pred(self) -> None:
        """The logits are there."""
        self._marks.end("forward")

    def after_loss(self) -> None:
        """The loss is there, and known to be a number."""
        self._marks.end("loss")

    def after_batch(self) -> None:
        """Averages, logs and bars are done."""
        self._marks.end("rest")

    def after_train(self) -> None:
        """Validation follows."""
        self._marks.stop()
