"""Pictures of one surface in, how well their masks agree out: the ceiling of every score.

Whoever labels two photographs of one defect draws it twice. A model cannot agree with a label
better than a second label does. K defect classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import Field
from tqdm import tqdm

from defectseg.confusion import Overlap, any_defect, each_class
from defectseg.data.quality.comparison import (
    Comparing,
    Comparison,
    Contradiction,
    Route,
    routes_to_defects,
)
from defectseg.data.surfaces.find import Pair
from defectseg.data.tile import TileSet
from defectseg.params import Section

RESAMPLES = 1000
INTERVAL = (2.5, 97.5)  # percentiles
ANY = "any"
T = TypeVar("T")


class AgreementParams(Section):
    """params.yaml: data_load.checks, what the comparison of siblings may cost."""

    pairs: int = Field(ge=1)  # pairs of siblings that are opened at most, for each question


@dataclass(frozen=True)
class Score:
    """Agreement of the masks, pooled over all pixels of the pairs in which both have it."""

    name: str  # a class, or `any` for defect against background
    pairs: int
    dice: float | None  # 0..1; None where there is no pair
    iou: float | None  # 0..1


@dataclass(frozen=True)
class Agreement:
    """What the pictures of one surface say about the labels."""

    ceiling: Score  # defect against background
    interval: tuple[float, float] | None  # 95 % bootstrap interval of its Dice, over surfaces
    classes: tuple[Score, ...]  # of each class
    compared: tuple[Comparison, ...]  # pairs in which both pictures are labelled with a defect
    contradictions: tuple[Contradiction, ...]
    unregistered: int = 0  # pairs that were opened, but whose textures do not fit


def measure_agreement(
    tiles: TileSet, siblings: Sequence[Pair], params: AgreementParams
) -> Agreement:
    """Compare the masks of neighbouring siblings, and find surfaces whose labels contradict.

    Args:
        tiles: Their pictures and masks are opened, a pair at a time.
        siblings: Neighbours within each surface, one surface after the other, as `Surfaces` has.
        params: Bounds the number of pairs.
    """
    labelled = {tile.id for tile in tiles.tiles if tile.defect_px}
    both = [Route((pair,), False) for pair in siblings if {pair.first, pair.second} <= labelled]
    one = list(routes_to_defects(siblings, labelled))
    routes = [*choose_evenly(both, params.pairs), *choose_evenly(one, params.pairs)]
    comparing = Comparing(tiles)
    results = [comparing.compare(route) for route in tqdm(routes, desc="agreement", unit="pair")]
    known = [result for result in results if result]
    compared = tuple(result[0] for result in known if result[0].second in labelled)
    compared = tuple(each for each in compared if each.first in labelled)
    return Agreement(
        ceiling=_pool(ANY, [any_defect(each.confusion) for each in compared]),
        interval=_bootstrap(compared),
        classes=tuple(_pool_class(name, k, compared) for k, name in enumerate(tiles.classes)),
        compared=compared,
        contradictions=tuple(each for result in known for each in result[1]),
        unregistered=len(results) - len(known),
    )


def choose_evenly(items: Sequence[T], most: int) -> list[T]:
    """At most so many of the items, evenly spread, in their order."""
    if len(items) <= most:
        return list(items)
    return [items[index * len(items) // most] for index in range(most)]


def _pool(name: str, overlaps: Sequence[Overlap]) -> Score:
    if not overlaps:
        return Score(name, 0, None, None)
    sums = [np.sum([getattr(each, key) for each in overlaps], axis=0) for key in ("tp", "fp", "fn")]
    pooled = Overlap(*sums)
    return Score(name, len(overlaps), _number(pooled.dice), _number(pooled.iou))


def _pool_class(name: str, index: int, compared: Sequence[Comparison]) -> Score:
    """Of the pairs in which both masks have the class inside the overlap."""
    overlaps = []
    for each in compared:
        overlap = each_class(each.confusion)
        tp, fp, fn = overlap.tp[index], overlap.fp[index], overlap.fn[index]
        if tp + fp > 0 and tp + fn > 0:
            overlaps.append(Overlap(tp, fp, fn))
    return _pool(name, overlaps)


def _number(value: npt.NDArray[np.float64]) -> float | None:
    return None if np.isnan(value) else float(value)


def _bootstrap(compared: Sequence[Comparison]) -> tuple[float, float] | None:
    """The interval of the pooled Dice: surfaces are resampled, their pairs are one evidence."""
    surfaces = sorted({each.surface for each in compared})
    if len(surfaces) < 2:
        return None
    row = {surface: index for index, surface in enumerate(surfaces)}
    counts = np.zeros((len(surfaces), 3))
    for each in compared:
        overlap = any_defect(each.confusion)
        counts[row[each.surface]] += [float(overlap.tp), float(overlap.fp), float(overlap.fn)]
    even = np.full(len(surfaces), 1 / len(surfaces))
    weights = np.random.default_rng(0).multinomial(len(surfaces), even, RESAMPLES)
    dice = Overlap(*(weights @ counts).T).dice
    known = dice[~np.isnan(dice)]
    low, high = np.percentile(known, INTERVAL) if len(known) else (np.nan, np.nan)
    return None if np.isnan(low) else (float(low), float(high))
