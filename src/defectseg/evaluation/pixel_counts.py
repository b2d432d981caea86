"""Defect probabilities and true masks in, counts by probability out: for curves, thresholds, trust.

B bins of the probability of any defect, K defect classes, M = 1 + K; H rows, W columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from defectseg.confusion import Counts, each_class, iou_macro, ratio

BINS = 100  # thresholds that can be told apart: 0.01, 0.02, … 0.99
SHOWN_BINS = 20  # of the reliability plot


class PixelCounts:
    """Pixels of many pictures by bin of their defect probability; its size never grows."""

    def __init__(self, classes: int) -> None:
        size = 1 + classes
        self.counts: Counts = np.zeros((BINS, size, size), dtype=np.int64)  # (B, truth, likeliest)
        self.probability = np.zeros(BINS)  # the sum of the probabilities in each bin

    def add(
        self,
        defect: npt.NDArray[np.float32],
        kind: npt.NDArray[np.uint8],
        true_mask: npt.NDArray[np.uint8],
    ) -> None:
        """Count one picture.

        Args:
            defect: (H, W) in [0, 1]: the probability of any defect.
            kind: (H, W) in 1..K: the likeliest defect class.
            true_mask: (H, W) in 0..K.
        """
        size = self.counts.shape[1]
        bins = np.minimum((defect * BINS).astype(np.int64), BINS - 1)
        cells = ((bins * size + true_mask) * size + kind).ravel()
        self.counts += np.bincount(cells, minlength=self.counts.size).reshape(self.counts.shape)
        self.probability += np.bincount(bins.ravel(), defect.ravel(), minlength=BINS)


def flagged_at(counts: Counts) -> Counts:
    """Confusion matrices (B, M, M) when bin b and all above it are called a defect."""
    flagged = counts[::-1].cumsum(axis=0)[::-1]
    confusion = flagged.copy()
    confusion[:, :, 0] = (counts.sum(axis=0) - flagged).sum(axis=-1)
    return confusion


def best_thresholds(counts: Counts) -> tuple[float, ...]:
    """For each of the K classes the threshold in 0.01..0.99 with its highest IoU.

    A class that is never met, or never hit, takes the threshold with the highest macro IoU.
    Of equals the one nearest to 0.5.
    """
    confusion = flagged_at(counts)[1:]
    iou = np.nan_to_num(each_class(confusion).iou)  # (B - 1, K)
    pooled = _best(np.nan_to_num(iou_macro(confusion)))
    return tuple(_best(column) if column.any() else pooled for column in iou.T)


def _best(scores: npt.NDArray[np.float64]) -> float:
    thresholds = np.arange(1, BINS) / BINS
    best = np.flatnonzero(scores >= scores.max() - 1e-12)
    return float(thresholds[best[np.abs(thresholds[best] - 0.5).argmin()]])


@dataclass(frozen=True)
class Reliability:
    """The pixels whose defect probability lies in one bin."""

    probability: float  # their mean defect probability
    share: float  # how many of them are defect pixels, 0..1
    pixels: int


def reliability(pixels: PixelCounts, bins: int = SHOWN_BINS) -> list[Reliability]:
    """What share of the pixels is a defect where the model says p; empty bins are left out."""
    counts = pixels.counts.sum(axis=2)  # (B, M)
    grouped = counts.reshape(bins, BINS // bins, -1).sum(axis=1)
    sums = pixels.probability.reshape(bins, -1).sum(axis=1)
    total = grouped.sum(axis=1)
    means, shares = ratio(sums, total), ratio(grouped[:, 1:].sum(axis=1), total)
    rows = zip(means, shares, total, strict=True)
    return [Reliability(float(m), float(s), int(n)) for m, s, n in rows if n]


def calibration_error(rows: Sequence[Reliability]) -> float:
    """The expected calibration error: mean |share - probability|, weighted by pixels; 0 = honest.

    Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", 2017.
    """
    weights = np.array([row.pixels for row in rows], dtype=float)
    gaps = np.array([abs(row.share - row.probability) for row in rows])
    return float(ratio((weights * gaps).sum(), weights.sum()))
