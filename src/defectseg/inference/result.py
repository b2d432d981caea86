"""A prediction in, what is told about it out: plain values, ready for JSON, one shape everywhere.

{"image_id": "line 1/a.jpg", "width": 640, "height": 480, "verdict": "reject",
 "defects": [{"defect_class": "crack", "score": 0.93, "box": [x1, y1, x2, y2], "centroid": [x, y],
              "area_px": 120, "area_fraction": 0.000390625, "area_mm2": 1.2}],
 "mask": {"crack": {"size": [480, 640], "counts": "…"}},
 "model": {"version": "0.1.0", "sha256": "…"},
 "timings_ms": {"read": 0.1, "decode": 2.1, "infer": 31.0, "encode": 0.8}}

All coordinates are pixels of the upright picture; a box ends after its last column and row.
"""

from collections.abc import Mapping, Sequence
from typing import NotRequired

import numpy as np
import numpy.typing as npt
from typing_extensions import TypedDict

from defectseg.data.labels.run_lengths import encode_rle
from defectseg.inference.defects import Defect
from defectseg.inference.operating_point import Verdict
from defectseg.inference.predictor import Prediction

SCORE_DIGITS = 6  # after the point
SIGNIFICANT = 6  # digits of an area: a speck in a large picture is a small fraction
POSITION_DIGITS = 2
TIME_DIGITS = 2


class DefectResult(TypedDict):
    """One connected region."""

    defect_class: str
    score: float  # in [0, 1]; see `defects.Defect`
    box: list[int]  # x1, y1, x2, y2, px
    centroid: list[float]  # x, y, px
    area_px: int
    area_fraction: float  # of the picture, in (0, 1]
    area_mm2: NotRequired[float]  # only where the size of a pixel is known


class RunLengths(TypedDict):
    """COCO's compressed run lengths: pycocotools.mask.decode reads them."""

    size: list[int]  # H, W
    counts: str


class ModelResult(TypedDict):
    """Which model said so."""

    version: str  # of the package that exported it
    sha256: str  # of the model file


class Result(TypedDict):
    """What is told about one picture."""

    image_id: str
    width: int  # px, upright
    height: int  # px, upright
    verdict: Verdict
    defects: list[DefectResult]  # the surest first
    mask: dict[str, RunLengths]  # of each class that has a defect
    model: ModelResult
    timings_ms: dict[str, float]


def to_result(
    image_id: str,
    prediction: Prediction,
    classes: Sequence[str],
    model: ModelResult,
    timings_ms: Mapping[str, float],
    mm_per_pixel: float | None = None,
) -> Result:
    """Tell what the model says about one picture.

    Args:
        classes: The K names; mask value k is classes[k - 1].
        timings_ms: Steps of the work and how long each took, ms.
        mm_per_pixel: The side of a pixel on the surface, mm; None leaves `area_mm2` out.
    """
    height, width = prediction.mask.shape
    found = {defect.defect_class for defect in prediction.defects}
    return {
        "image_id": image_id,
        "width": width,
        "height": height,
        "verdict": prediction.verdict,
        "defects": [
            to_defect(defect, width * height, mm_per_pixel) for defect in prediction.defects
        ],
        "mask": {
            name: to_run_lengths(prediction.mask == k)
            for k, name in enumerate(classes, start=1)
            if name in found
        },
        "model": model,
        "timings_ms": {step: round(float(ms), TIME_DIGITS) for step, ms in timings_ms.items()},
    }


def to_defect(defect: Defect, pixels: int, mm_per_pixel: float | None) -> DefectResult:
    """Tell one defect of a picture of so many pixels."""
    told: DefectResult = {
        "defect_class": defect.defect_class,
        "score": round(float(defect.score), SCORE_DIGITS),
        "box": [int(edge) for edge in defect.box],
        "centroid": [round(float(place), POSITION_DIGITS) for place in defect.centroid],
        "area_px": int(defect.area_px),
        "area_fraction": to_significant(defect.area_px / pixels),
    }
    if mm_per_pixel is not None:
        told["area_mm2"] = to_significant(defect.area_px * mm_per_pixel**2)
    return told


def to_run_lengths(region: npt.NDArray[np.bool_]) -> RunLengths:
    """Encode pixels (H, W)."""
    encoded = encode_rle(region)
    return {"size": encoded["size"], "counts": encoded["counts"]}


def to_significant(value: float) -> float:
    """Round to `SIGNIFICANT` digits, wherever the point is."""
    return float(f"{value:.{SIGNIFICANT}g}")
