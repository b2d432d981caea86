"""Two masks in, one confusion matrix out, and every overlap score that is read off it.

M = 1 + K classes with the background; rows are the truth, columns the prediction; counts are of
pixels.
A score whose denominator is 0 (a class that is nowhere) is NaN: it says nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]
IntMask = npt.NDArray[np.integer]


def count_pixels(pred_mask: IntMask, true_mask: IntMask, classes: int) -> Counts:
    """Count the pixels of two masks (H, W) in 0..K: a confusion matrix (1 + K, 1 + K)."""
    if pred_mask.shape != true_mask.shape:
        raise ValueError(
            f"pred_mask is {pred_mask.shape} but true_mask is {true_mask.shape}; "
            "resize the prediction back to the original image first"
        )
    size = 1 + classes
    cells = true_mask.astype(np.int64) * size + pred_mask
    return np.bincount(cells.ravel(), minlength=size * size).reshape(size, size)


@dataclass(frozen=True)
class Overlap:
    """True and false positives and false negatives of one class, or of any stack of counts."""

    tp: npt.NDArray[np.float64]
    fp: npt.NDArray[np.float64]
    fn: npt.NDArray[np.float64]

    @property
    def dice(self) -> npt.NDArray[np.float64]:
        """2 tp / (2 tp + fp + fn)."""
        return ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def iou(self) -> npt.NDArray[np.float64]:
        """tp / (tp + fp + fn)."""
        return ratio(self.tp, self.tp + self.fp + self.fn)

    @property
    def precision(self) -> npt.NDArray[np.float64]:
        """tp / (tp + fp)."""
        return ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> npt.NDArray[np.float64]:
        """tp / (tp + fn)."""
        return ratio(self.tp, self.tp + self.fn)


def ratio(above: npt.ArrayLike, below: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """above / below, NaN where below is 0."""
    top, bottom = np.broadcast_arrays(np.asarray(above, float), np.asarray(below, float))
    quotient = np.full(bottom.shape, np.nan)
    np.divide(top, bottom, out=quotient, where=bottom != 0)
    return quotient


def any_defect(confusion: npt.NDArray[np.number]) -> Overlap:
    """Defect against background, whatever the kind: from (…, M, M)."""
    counts = np.asarray(confusion, dtype=float)
    return Overlap(
        tp=counts[..., 1:, 1:].sum(axis=(-2, -1)),
        fp=counts[..., 0, 1:].sum(axis=-1),
        fn=counts[..., 1:, 0].sum(axis=-1),
    )


def each_class(confusion: npt.NDArray[np.number]) -> Overlap:
    """Each of the K defect classes against all else: arrays (…, K) from (…, M, M)."""
    counts = np.asarray(confusion, dtype=float)
    tp = np.diagonal(counts, axis1=-2, axis2=-1)[..., 1:]
    return Overlap(tp, counts[..., :, 1:].sum(axis=-2) - tp, counts[..., 1:, :].sum(axis=-1) - tp)


def iou_by_class(confusion: npt.NDArray[np.number], classes: Sequence[str]) -> dict[str, float]:
    """`iou_<class>` for each of the K defect classes."""
    return {f"iou_{n}": float(v) for n, v in zip(classes, each_class(confusion).iou, strict=True)}


def iou_macro(confusion: npt.NDArray[np.number]) -> npt.NDArray[np.float64]:
    """The mean IoU over the defect classes that occur in truth or prediction, no background."""
    iou = each_class(confusion).iou
    there = ~np.isnan(iou)
    return ratio(np.where(there, iou, 0.0).sum(axis=-1), there.sum(axis=-1))
