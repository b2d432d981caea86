"""A picture's probabilities in, the highest level at which it would still be rejected out.

H rows, W columns, K defect classes, A candidates for the minimal area.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from defectseg.inference.defects import CONNECTED, LEVELS, find_regions
from defectseg.inference.operating_point import ClassPoint


def picture_score(
    defect: npt.NDArray[np.float32],
    kind: npt.NDArray[np.uint8],
    classes: Sequence[ClassPoint],
) -> float:
    """The score (0..1) by which pictures are ranked: reject at this level or below rejects it.

    Args:
        defect: (H, W) in [0, 1]: the probability of any defect.
        kind: (H, W) in 1..K: the likeliest defect class.
        classes: K, in their order.
    """
    scores = []
    for index, chosen in enumerate(classes, start=1):
        area = [chosen.min_area]
        (found,) = class_probabilities(defect, kind == index, chosen.threshold, area)
        scores.append(chosen.score(float(found)))
    return max(scores)


def class_probabilities(
    defect: npt.NDArray[np.float32],
    is_kind: npt.NDArray[np.bool_],
    threshold: float,
    min_areas: Sequence[int],  # ascending
) -> npt.NDArray[np.float64]:
    """The probability behind one class's score, for each candidate of its minimal area (A,).

    At or above the threshold: the highest of a region. Below: the highest of `LEVELS` at
    which connected pixels have the area; 0 if there is none.
    """
    own = np.where(is_kind, defect, np.float32(0))
    rows, columns = (np.flatnonzero(own.max(axis=axis) >= LEVELS[0]) for axis in (1, 0))
    found = np.zeros(len(min_areas))
    if not len(rows):
        return found
    own = own[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    regions = find_regions(own >= threshold, own, 1)
    surest = [np.sort(own[region.place][region.inside])[::-1] for region in regions]
    for place, area in enumerate(min_areas):
        found[place] = max((float(s[area - 1]) for s in surest if len(s) >= area), default=0.0)
    for level in reversed(LEVELS):
        if found.all():
            break
        if level < threshold:
            reached = np.array(min_areas) <= largest_area(own >= level)
            found[(found == 0) & reached] = level
    return found


def largest_area(where: npt.NDArray[np.bool_]) -> int:
    """The pixels of the largest connected region of a boolean mask (H, W)."""
    if not where.any():
        return 0
    labels, _ = ndimage.label(where, CONNECTED)
    return int(np.bincount(labels.ravel())[1:].max())
