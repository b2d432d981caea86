"""A mask and the probabilities behind it in, the list of its defects out.

Shapes: H rows, W columns, K defect classes.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from defectseg.inference.operating_point import ClassPoint, OperatingPoint

# Below the threshold of a class its regions are looked for at these levels of probability only.
LEVELS = (0.01, 0.02, 0.03, 0.05, 0.07, *(round(0.1 + 0.05 * step, 2) for step in range(18)), 0.98)
WHOLE = (slice(None), slice(None))
CONNECTED = np.ones((3, 3), dtype=bool)  # pixels that touch at a corner are connected


@dataclass(frozen=True)
class Defect:
    """One defect of a picture, in pixels of the picture as it came."""

    defect_class: str
    score: float  # in [0, 1]: see `ClassPoint`
    box: tuple[int, int, int, int]  # x1, y1, x2, y2: the first column and row, those after the last
    centroid: tuple[float, float]  # x, y of the middle of its pixels; 0.5 is the middle of column 0
    area_px: int


@dataclass(frozen=True)
class Region:
    """Connected pixels of one class."""

    place: tuple[slice, slice]  # rows and columns of its box
    inside: npt.NDArray[np.bool_]  # which pixels of the box
    probability: float  # of its min_area-th surest pixel; its level if it is weak

    @property
    def pixels(self) -> int:
        """How many it has."""
        return int(np.count_nonzero(self.inside))


@dataclass(frozen=True)
class Found:
    """A region that is large and sure enough."""

    kind: int  # 1..K
    region: Region
    score: float  # see `ClassPoint`


def find_defects(
    probability: npt.NDArray[np.float32],
    defect: npt.NDArray[np.float32],
    mask: npt.NDArray[np.uint8],
    point: OperatingPoint,
) -> tuple[tuple[Defect, ...], npt.NDArray[np.uint8]]:
    """Keep the regions that are large and sure enough; those that touch are one defect.

    Args:
        probability: (1 + K, H, W) in [0, 1].
        defect: (H, W) in [0, 1]: the probability of any defect.
        mask: (H, W) in 0..K, by the thresholds of the operating point.

    Returns:
        The defects, the surest first, and the mask (H, W) in 0..K of those alone.
    """
    kept = np.zeros_like(mask)
    weak = [_levels(chosen, point.review) for chosen in point.classes]
    lowest = min((levels[0] for levels in weak if levels), default=None)
    kind = mask if lowest is None else _kind_above(probability, defect, lowest)
    if not (kind.any() or mask.any()):
        return (), kept
    each = list(enumerate(point.classes, start=1))
    strong = [
        Found(index, region, chosen.score(region.probability))
        for index, chosen in each
        for region in find_regions(mask == index, defect, chosen.min_area)
    ]
    found = _join([one for one in strong if one.score >= point.review], mask.shape)
    for (index, chosen), levels in zip(each, weak, strict=True):
        if levels:
            known = [one.region for one in (*strong, *found) if one.kind == index]
            more = _weak_regions(kind == index, defect, known, chosen.min_area, levels)
            scored = (Found(index, region, chosen.score(region.probability)) for region in more)
            found += [one for one in scored if one.score >= point.review]
    for one in found:
        kept[one.region.place][one.region.inside] = one.kind
    defects = [_describe(one, point.classes[one.kind - 1].defect_class) for one in found]
    return tuple(sorted(defects, key=lambda one: (-one.score, one.box))), kept


def _join(found: list[Found], shape: tuple[int, ...]) -> list[Found]:
    """Regions of different classes that touch → one, of the class with most of their pixels.

    A network that is not sure of a kind says one at the rim of a defect and another inside. The
    score is that of the surest: no verdict changes.
    """
    if len({one.kind for one in found}) < 2:
        return found
    taken = np.zeros(shape, dtype=bool)
    for one in found:
        taken[one.region.place][one.region.inside] = True
    labels, _ = ndimage.label(taken, CONNECTED)
    together = defaultdict(list)
    for one in found:
        together[int(labels[one.region.place][one.region.inside][0])].append(one)
    places = ndimage.find_objects(labels)
    return [_unite(each, places[label - 1], labels, label) for label, each in together.items()]


def _unite(
    members: list[Found], place: tuple[slice, slice], labels: npt.NDArray[np.int32], label: int
) -> Found:
    """The regions with one label (H, W), whose box is `place`, as one."""
    if len(members) == 1:
        return members[0]
    pixels: dict[int, int] = defaultdict(int)
    for one in members:
        pixels[one.kind] += one.region.pixels
    surest = max(members, key=lambda one: one.score)
    kind = min(pixels, key=lambda kind: (-pixels[kind], kind))
    region = Region(place, labels[place] == label, surest.region.probability)
    return Found(kind, region, surest.score)


def find_regions(
    where: npt.NDArray[np.bool_], defect: npt.NDArray[np.float32], min_area: int
) -> Iterator[Region]:
    """The connected regions of `where` (H, W) that have at least `min_area` pixels."""
    rows, columns = (np.flatnonzero(where.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return
    top, left = int(rows[0]), int(columns[0])
    box = slice(top, int(rows[-1]) + 1), slice(left, int(columns[-1]) + 1)
    labels, count = ndimage.label(where[box], CONNECTED)
    for label, part in enumerate(ndimage.find_objects(labels) if count > 1 else (WHOLE,), start=1):
        inside = labels[part] == label if count > 1 else where[box]
        place = _shift(part, top, left) if count > 1 else box
        probabilities = defect[place][inside]
        if len(probabilities) >= min_area:
            yield Region(place, inside, float(np.partition(probabilities, -min_area)[-min_area]))


def _shift(place: tuple[slice, slice], down: int, right: int) -> tuple[slice, slice]:
    """The same box in the picture that a part was cut out of."""
    rows, columns = place
    return (
        slice(rows.start + down, rows.stop + down),
        slice(columns.start + right, columns.stop + right),
    )


def _levels(chosen: ClassPoint, review: float) -> list[float]:
    """Those of `LEVELS` that score enough for review and are below the threshold of the class."""
    below = [level for level in LEVELS if level < chosen.threshold]
    return [level for level in below if chosen.score(level) >= review]


def _weak_regions(
    where: npt.NDArray[np.bool_],
    defect: npt.NDArray[np.float32],
    strong: list[Region],
    min_area: int,
    levels: list[float],
) -> Iterator[Region]:
    """What reaches a level but not the threshold of its class, at the highest level it has.

    Args:
        where: (H, W): the pixels of the class.
        strong: The regions at the threshold, also those that other classes have joined; what is
            connected with one belongs to it.
    """
    taken = np.zeros_like(where)
    for region in strong:
        taken[region.place][region.inside] = True
    for whole in find_regions(where & (defect >= levels[0]) | taken, defect, min_area):
        if not taken[whole.place][whole.inside].any():
            yield from _highest(whole, defect, min_area, levels)


def _highest(
    whole: Region, defect: npt.NDArray[np.float32], min_area: int, levels: list[float]
) -> Iterator[Region]:
    """The parts of a region at the highest level at which one of them is large enough."""
    rows, columns = whole.place
    own = np.where(whole.inside, defect[whole.place], np.float32(0))
    highest = np.float32(whole.probability)  # rounded as the comparison rounds the level
    for level in reversed([level for level in levels if np.float32(level) <= highest]):
        parts = list(find_regions(own >= level, own, min_area))
        for part in parts:
            yield Region(_shift(part.place, rows.start, columns.start), part.inside, level)
        if parts:
            return


def _kind_above(
    probability: npt.NDArray[np.float32], defect: npt.NDArray[np.float32], level: float
) -> npt.NDArray[np.uint8]:
    """The likeliest defect class (H, W) in 1..K where a defect is as likely as `level`, else 0."""
    kind = np.zeros(defect.shape, dtype=np.uint8)
    pixels = np.flatnonzero(defect >= level)
    highest, *others = (plane.take(pixels) for plane in probability[1:])  # much less than all
    kinds = np.ones(len(pixels), dtype=np.uint8)
    for k, other in enumerate(others, start=2):
        np.copyto(kinds, np.uint8(k), where=other > highest)
        np.maximum(highest, other, out=highest)
    kind.reshape(-1)[pixels] = kinds
    return kind


def _describe(found: Found, defect_class: str) -> Defect:
    region = found.region
    rows, columns = region.place
    in_row, in_column = (np.count_nonzero(region.inside, axis=axis) for axis in (1, 0))
    down, right = np.flatnonzero(in_row), np.flatnonzero(in_column)
    area = int(in_row.sum())
    return Defect(
        defect_class=defect_class,
        score=found.score,
        box=(
            int(columns.start + right[0]),
            int(rows.start + down[0]),
            int(columns.start + right[-1] + 1),
            int(rows.start + down[-1] + 1),
        ),
        centroid=(
            float(columns.start + in_column @ np.arange(len(in_column)) / area + 0.5),
            float(rows.start + in_row @ np.arange(len(in_row)) / area + 0.5),
        ),
        area_px=area,
    )
