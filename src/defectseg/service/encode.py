"""What the model said about one picture in, the JSON that the client reads out."""

import base64
import io
import json
import time
from typing import Any, NotRequired

import numpy as np
import numpy.typing as npt
from PIL import Image
from typing_extensions import TypedDict

from defectseg.inference.operating_point import Verdict
from defectseg.inference.predictor import Prediction, judge
from defectseg.inference.result import (
    TIME_DIGITS,
    DefectResult,
    ModelResult,
    RunLengths,
    to_result,
)
from defectseg.inference.writers.mask_file import to_palette
from defectseg.service.task import Task

HEAT_SIDE = 512  # px: the longer side of a heat picture, at the most


class AnalyzeReply(TypedDict):
    """What is told about one picture: a `Result`, with what the service adds."""

    image_id: str
    request_id: str
    width: int  # px, upright
    height: int  # px, upright
    verdict: Verdict
    defects: list[DefectResult]  # the surest first
    mask: NotRequired[dict[str, RunLengths]]  # of each class that has a defect
    mask_png: NotRequired[str]  # base64: class indexes with a palette, instead of `mask`
    heat_png: NotRequired[str]  # base64: probability of a defect, 8-bit grey, ≤ 512 px
    model: ModelResult
    timings_ms: dict[str, float]


def encode_reply(task: Task, mm_per_pixel: float | None) -> tuple[bytes, Prediction]:
    """Judge one picture, whose output is there, and write its reply.

    Raises:
        ModelOutputError: A probability is no number.
    """
    started = time.monotonic()
    if task.output is None:
        raise ValueError("the task has no output; run the model on its picture first")
    facts = task.model.facts
    prediction = judge(task.output.probability[0], task.output.mask[0], facts.point)
    model: ModelResult = {"version": facts.package_version, "sha256": task.model.sha256}
    told: dict[str, Any] = {
        **to_result(task.image_id, prediction, facts.classes, model, {}, mm_per_pixel),
        "request_id": task.request_id,
    }
    if task.wish.mask != "rle":
        del told["mask"]
    if task.wish.mask == "png":
        told["mask_png"] = to_base64(to_palette(prediction.mask, len(facts.classes)))
    if task.wish.heat:
        told["heat_png"] = to_base64(to_heat(prediction.defect))
    task.times.add("encode", started, time.monotonic())
    told["timings_ms"] = task.times.milliseconds(TIME_DIGITS)
    return json.dumps(told, separators=(",", ":")).encode(), prediction


def to_heat(defect: npt.NDArray[np.float32]) -> Image.Image:
    """The probability of a defect (H, W) as grey 0..255, shrunk to `HEAT_SIDE`."""
    image = Image.fromarray((defect * 255).astype(np.uint8))
    image.thumbnail((HEAT_SIDE, HEAT_SIDE), Image.Resampling.BOX)
    return image


def to_base64(image: Image.Image) -> str:
    """A PNG as text."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return base64.b64encode(buffer.getvalue()).decode("ascii")
