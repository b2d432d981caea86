"""Two masks in, how many true regions were found and how many predicted ones are false out."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from defectseg.inference.defects import CONNECTED


@dataclass(frozen=True)
class Found:
    """Connected regions of any defect class of one picture."""

    true: int  # regions of the true mask
    iou30: int  # of them found: a predicted region overlaps with an IoU of at least 0.3
    iou50: int  # … of at least 0.5
    false: int  # predicted regions that touch no true pixel


def count_found(pred_mask: npt.NDArray[np.uint8], true_mask: npt.NDArray[np.uint8]) -> Found:
    """Match the regions of two masks (H, W) in 0..K, whatever their class."""
    pred, predicted = ndimage.label(pred_mask > 0, CONNECTED)
    true, drawn = ndimage.label(true_mask > 0, CONNECTED)
    size = predicted + 1
    cells = true.astype(np.int64) * size + pred
    shared = np.bincount(cells.ravel(), minlength=(drawn + 1) * size).reshape(drawn + 1, size)
    union = shared.sum(axis=1)[:, None] + shared.sum(axis=0) - shared
    iou = (shared / np.maximum(union, 1))[1:, 1:]  # (true, predicted)
    best = iou.max(axis=1, initial=0.0)
    touched = shared[1:, 1:].sum(axis=0) > 0
    return Found(drawn, int((best >= 0.3).sum()), int((best >= 0.5).sum()), int((~touched).sum()))
