"""An engine in, the same one out, warm: it has run, and what it said could be probabilities."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from defectseg.errors import ModelFileError
from defectseg.inference.engine import Output
from defectseg.inference.onnx_engine import OnnxEngine

GREY = 127
LIMIT_S = 120.0  # of all runs together: a graph may have a loop without an end
TOLERANCE = 0.01  # of a sum of probabilities; half precision has about 0.001
ADVICE = "the file is damaged, or no model for this: make it again by the stage export"


def warm_up(engine: OnnxEngine, batch_size: int, limit_s: float = LIMIT_S) -> None:
    """Run pictures of a few sizes, alone and as a whole batch, and check what comes out.

    Raises:
        ModelFileError: A run fails or does not end, or its output is no probability or no class.
    """
    with stop_after(limit_s) as stop:
        for pictures in draw(engine.facts.image_size, engine.facts.channels, batch_size):
            try:
                output = engine.run(pictures, stop)
            except Exception as error:  # ONNX Runtime's have no common type
                late = f" (stopped after {limit_s:g} s)" if stop.terminate else ""
                raise ModelFileError(f"the model cannot be run{late}: {error}; {ADVICE}") from error
            refuse_wrong_output(output, pictures.shape[:3], len(engine.facts.classes))


@contextmanager
def stop_after(limit_s: float) -> Iterator[Any]:
    """Run options that end every run which has them once the time is over."""
    stop = onnxruntime.RunOptions()
    timer = Timer(limit_s, setattr, (stop, "terminate", True))
    timer.daemon = True
    timer.start()
    try:
        yield stop
    finally:
        timer.cancel()


def draw(size: int, channels: int, batch_size: int) -> list[npt.NDArray[np.uint8]]:
    """Batches (N, H, W, C): flat grey of the network's size, then a ramp of another shape."""
    flat = np.full((1, size, size, channels), GREY, np.uint8)
    ramp = np.linspace(0, GREY, 2 * size + 1).astype(np.uint8)
    wide = np.broadcast_to(ramp[None, None, :, None], (1, size + 3, len(ramp), channels))
    batches = [flat, wide]
    if batch_size > 1:
        batches.append(np.repeat(flat, batch_size, axis=0))
    return [np.ascontiguousarray(batch) for batch in batches]


def refuse_wrong_output(output: Output, shape: tuple[int, ...], classes: int) -> None:
    """Raises: ModelFileError: The output of pictures of that shape (N, H, W) cannot be judged."""
    count, height, width = shape
    probability, mask = output.probability, output.mask
    if probability.shape != (count, 1 + classes, height, width) or mask.shape != shape:
        raise ModelFileError(
            f"the model gave probability {probability.shape} and mask {mask.shape} for pictures "
            f"{shape} of {classes} classes; {ADVICE}"
        )
    if not np.isfinite(probability).all():
        raise ModelFileError(f"the model gave what is no number for a grey picture; {ADVICE}")
    off = float(np.abs(probability.sum(axis=1, dtype=np.float64) - 1).max())
    if off > TOLERANCE or probability.min() < -TOLERANCE:
        raise ModelFileError(
            f"the model's probabilities of a pixel are {off:.3g} off a sum of 1, the smallest is "
            f"{probability.min():.3g}; {ADVICE}"
        )
    if mask.max() > classes:
        raise ModelFileError(
            f"the model gave class {mask.max()}, but it has {classes} defect classes; {ADVICE}"
        )
