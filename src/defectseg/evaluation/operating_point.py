"""Predictions of the valid part in, the two thresholds that travel with the model out.

The test part only ever measures them. K defect classes, M = 1 + K, B bins of the probability.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_curve
from tqdm import tqdm

from defectseg.confusion import Counts, iou_macro
from defectseg.data.tile import TileSet
from defectseg.inference.engine import Engine
from defectseg.inference.predictor import defect_probability, likeliest_kind

BINS = 100  # thresholds tried: 0.01, 0.02, … 0.99


@dataclass(frozen=True)
class OperatingPoint:
    """From which probability on something is called a defect."""

    threshold: float  # of a pixel
    picture_threshold: float  # of a picture's score


def choose_operating_point(engine: Engine, valid: TileSet, channels: int) -> OperatingPoint:
    """Choose both thresholds on the valid part, at full picture size.

    The pixel threshold has the highest macro IoU; the picture threshold the highest Youden index
    (true positive rate − false positive rate).
    """
    size = 1 + len(valid.classes)
    counts = np.zeros((BINS, size, size), dtype=np.int64)
    scores = []
    for tile in tqdm(valid.tiles, desc="operating point", unit="picture"):
        probability = engine.run(valid.picture(tile, channels)[None])[0]
        defect, kind = defect_probability(probability), likeliest_kind(probability)
        counts += count_by_bin(defect, kind, valid.mask(tile), size)
        scores.append(float(defect.max()))
    defects = np.array([tile.is_defect for tile in valid.tiles])
    threshold = best_threshold(counts)
    return OperatingPoint(threshold, best_picture_threshold(np.array(scores), defects, threshold))


def count_by_bin(
    defect: npt.NDArray[np.float32],
    kind: npt.NDArray[np.uint8],
    true_mask: npt.NDArray[np.uint8],
    size: int,
) -> Counts:
    """Pixels (B, M, M) by bin of the defect probability, true class and likeliest defect class.

    Args:
        defect: (H, W) in [0, 1].
        kind: (H, W) in 1..K.
        true_mask: (H, W) in 0..K.
        size: M.
    """
    bins = np.minimum((defect * BINS).astype(np.int64), BINS - 1)
    cells = (bins * size + true_mask) * size + kind
    return np.bincount(cells.ravel(), minlength=BINS * size * size).reshape(BINS, size, size)


def flagged_at(counts: Counts) -> Counts:
    """Confusion matrices (B, M, M) when bin b and all above it are called a defect."""
    flagged = counts[::-1].cumsum(axis=0)[::-1]
    confusion = flagged.copy()
    confusion[:, :, 0] = (counts.sum(axis=0) - flagged).sum(axis=-1)
    return confusion


def best_threshold(counts: Counts) -> float:
    """The threshold in 0.01..0.99 with the highest macro IoU; of equals the one nearest to 0.5."""
    scores = np.nan_to_num(iou_macro(flagged_at(counts)))[1:]
    thresholds = np.arange(1, BINS) / BINS
    best = np.flatnonzero(scores >= scores.max() - 1e-12)
    return float(thresholds[best[np.abs(thresholds[best] - 0.5).argmin()]])


def best_picture_threshold(
    scores: npt.NDArray[np.float64], defects: npt.NDArray[np.bool_], otherwise: float
) -> float:
    """The score with the highest Youden index; `otherwise` when one kind of picture is missing."""
    if defects.all() or not defects.any():
        return otherwise
    false_alarms, found, thresholds = roc_curve(defects, scores)
    youden = (found - false_alarms)[1:]  # the first threshold is infinite: it flags nothing
    return float(thresholds[1:][youden.argmax()])
