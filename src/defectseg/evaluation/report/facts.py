"""What the stage evaluate measured, as the report and the model card tell it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from defectseg.evaluation.curve import CurvePoint
from defectseg.evaluation.gallery import Panel
from defectseg.evaluation.gates import Gate
from defectseg.evaluation.pixel_counts import Reliability
from defectseg.evaluation.slices import Slice
from defectseg.inference.operating_point import OperatingPoint
from defectseg.network.unet import ModelInfo


@dataclass(frozen=True)
class ReportFacts:
    """Everything that a report says."""

    metrics: Mapping[str, Any]  # the content of metrics/evaluate.json
    info: ModelInfo
    point: OperatingPoint
    gates: Sequence[Gate]
    curves: Mapping[str, Sequence[CurvePoint]]  # of valid and of test, from strict to lenient
    reliability: Mapping[str, Sequence[Reliability]]  # of valid and of test
    confusion: Sequence[tuple[str, str]]  # actual and predicted class of each test picture
    slices: Sequence[Slice]
    galleries: Mapping[str, Sequence[Panel]]  # misses, false alarms, best, median
    training: Mapping[str, Sequence[float]]  # a value an epoch: train_loss, valid_dice, …
    parts: Mapping[
        str, Mapping[str, Mapping[str, int]]
    ]  # part → class → pictures, surfaces, defect_px
