"""Scored pictures in, the scores of groups of them out: where the model is weak."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from defectseg.confusion import any_defect, ratio
from defectseg.data.tile import CLEAN
from defectseg.evaluation.metrics import to_number
from defectseg.evaluation.scored import ScoredPicture

QUARTERS = ("lowest quarter", "second quarter", "third quarter", "highest quarter")
SIZES = (0.001, 0.01, 0.1)  # shares of the picture between tiny, small, medium and large defects
SIZE_NAMES = ("below 0.1 %", "0.1 to 1 %", "1 to 10 %", "above 10 %")

Groups = Iterator[tuple[str, list[ScoredPicture]]]


@dataclass(frozen=True)
class Slice:
    """The scores of some pictures of the test part."""

    group: str  # such as class, brightness, defect size
    name: str  # such as crack, lowest quarter, below 0.1 %
    pictures: int
    surfaces: int
    defect_pictures: int
    escape_rate: float | None  # None: no defect picture in it
    false_alarm_rate: float | None  # None: no clean picture in it
    dice_pooled: float | None
    defects_found: float | None  # share of the true regions found at IoU 0.3


def slice_scores(pictures: Sequence[ScoredPicture], classes: Sequence[str]) -> list[Slice]:
    """By class, brightness, size of the defect and of the picture, and contact with the border."""
    defects = [picture for picture in pictures if picture.tile.is_defect]
    groups = {
        "class": _by_class(pictures, classes),
        "brightness of the picture": _by_quarter(pictures, lambda p: p.brightness),
        "size of the defect": _by_share(defects),
        "size of the picture": _by_quarter(pictures, lambda p: p.tile.width * p.tile.height),
        "place of the defect": _by_border(defects),
    }
    return [
        _describe(group, name, members)
        for group, named in groups.items()
        for name, members in named
        if members
    ]


def _by_class(pictures: Sequence[ScoredPicture], classes: Sequence[str]) -> Groups:
    for name in (*classes, CLEAN):
        yield name, [picture for picture in pictures if picture.tile.defect_class == name]


def _by_quarter(
    pictures: Sequence[ScoredPicture], value: Callable[[ScoredPicture], float]
) -> Groups:
    values = np.array([value(picture) for picture in pictures])
    quarter = np.searchsorted(np.quantile(values, (0.25, 0.5, 0.75)), values, side="left")
    for index, name in enumerate(QUARTERS):
        yield name, [p for p, own in zip(pictures, quarter, strict=True) if own == index]


def _by_share(pictures: Sequence[ScoredPicture]) -> Groups:
    shares = [p.tile.defect_px / (p.tile.width * p.tile.height) for p in pictures]
    size = np.searchsorted(SIZES, shares, side="right")
    for index, name in enumerate(SIZE_NAMES):
        yield name, [p for p, own in zip(pictures, size, strict=True) if own == index]


def _by_border(pictures: Sequence[ScoredPicture]) -> Groups:
    yield "touches the border", [picture for picture in pictures if picture.at_border]
    yield "inside", [picture for picture in pictures if not picture.at_border]


def _describe(group: str, name: str, members: Sequence[ScoredPicture]) -> Slice:
    defects = [picture for picture in members if picture.tile.is_defect]
    clean = len(members) - len(defects)
    confusion = np.sum([picture.confusion for picture in members], axis=0)
    true = sum(picture.found.true for picture in members)
    return Slice(
        group=group,
        name=name,
        pictures=len(members),
        surfaces=len({picture.tile.surface for picture in members}),
        defect_pictures=len(defects),
        escape_rate=_share(sum(picture.escapes for picture in defects), len(defects)),
        false_alarm_rate=_share(sum(picture.is_false_alarm for picture in members), clean),
        dice_pooled=to_number(float(any_defect(confusion).dice)) if true else None,
        defects_found=_share(sum(picture.found.iou30 for picture in members), true),
    )


def _share(part: int, whole: int) -> float | None:
    return to_number(float(ratio(part, whole)))
