"""The mask of one class in, brushes or polygons of Label Studio out, one for each region.

Regions touch at edges or corners. A mask of many specks would be slow to open and to correct: the
largest regions are shapes of their own, the others are one brush.
Shapes: H rows, W columns.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from defectseg.data.labels.brush import encode_runs
from defectseg.data.labels.polygons import to_polygons

MAX_REGIONS = 100  # brushes of one class in one picture
CORNERS = np.ones((3, 3), dtype=int)  # 8 neighbours


def to_brushes(mask: npt.NDArray[np.bool_]) -> Iterator[bytes]:
    """The streams of the regions of a mask (H, W), see `data.brush`; the largest comes first."""
    starts, stops, region = _find_runs(mask)
    for number in range(int(region.max(initial=-1)) + 1):
        chosen = region == number
        yield encode_runs(starts[chosen], stops[chosen], mask.size)


def to_rings(mask: npt.NDArray[np.bool_]) -> Iterator[list[list[float]]]:
    """The outlines of a mask (H, W): points (x, y) in percent of its width and height."""
    height, width = mask.shape
    for ring in to_polygons(mask):
        points = np.array(ring).reshape(-1, 2) * 100 / (width, height)
        yield points.tolist()


def _find_runs(
    mask: npt.NDArray[np.bool_],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """First pixel, pixel after the last and region of every run, row by row; no run passes a row.

    Regions are counted from 0, the largest first; those after `MAX_REGIONS` share the last number.
    """
    labels, count = ndimage.label(mask, structure=CORNERS)
    framed = np.pad(mask, ((0, 0), (1, 1))).astype(np.int8)
    edges = np.diff(framed, axis=1)
    rows, columns = np.nonzero(edges > 0)
    starts = rows * mask.shape[1] + columns
    rows, columns = np.nonzero(edges < 0)
    stops = rows * mask.shape[1] + columns
    region = labels.ravel()[starts] - 1
    pixels = np.bincount(region, weights=stops - starts, minlength=count)
    rank = np.empty(count, dtype=np.int64)
    rank[np.argsort(-pixels, kind="stable")] = np.arange(count)
    return starts, stops, np.minimum(rank, MAX_REGIONS - 1)[region]
