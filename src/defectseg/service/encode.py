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
from defectseg.service.model import ServedModel
from defectseg.service.task import Wish
from defectseg.service.times import Times

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


def encode_reply(
    probability: npt.NDArray[np.float32],
    mask: npt.NDArray[np.uint8],
    *,
    model: ServedModel,
    image_id: str,
    request_id: str,
    wish: Wish,
    times: Times,
    mm_per_pixel: float | None,
) -> tuple[bytes, Prediction]:
    """Judge one picture and write its reply.

    Args:
        probability: (1 + K, H, W) in [0, 1].
        mask: (H, W) in 0..K.
        times: Of the stages before; this one is added.

    Raises:
        ModelOutputError: A probability is no number.
    """
    started = time.monotonic()
    facts = model.facts
    prediction = judge(probability, mask, facts.point)
    told: dict[str, Any] = dict(
        to_result(
            image_id,
            prediction,
            facts.classes,
            {"version": facts.package_version, "sha256": model.sha256},
            {},
            mm_per_pixel,
        )
    )
    told["request_id"] = request_id
    if wish.mask != "rle":
        del told["mask"]
    if wish.mask == "png":
        told["mask_png"] = to_base64(to_palette(prediction.mask, len(facts.classes)))
    if wish.heat:
        told["heat_png"] = to_base64(to_heat(prediction.defect))
    times.add("encode", started, time.monotonic())
    told["timings_ms"] = times.milliseconds(TIME_DIGITS)
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
