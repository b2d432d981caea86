"""A trusted engine and others in, how far each is from it on every picture of a part out.

Shapes: H rows, W columns, K defect classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from tqdm import tqdm

from defectseg.confusion import Counts, any_defect, count_pixels, each_class
from defectseg.data.tile import TileSet
from defectseg.errors import ModelOutputError
from defectseg.inference.engine import Engine
from defectseg.inference.operating_point import OperatingPoint
from defectseg.inference.predictor import Prediction, predict


@dataclass(frozen=True)
class Contender:
    """One file in one engine."""

    variant: str  # fp32, int8 or fp16
    engine: str  # onnxruntime or openvino
    runs: Engine


@dataclass(frozen=True)
class Scores:
    """How well an engine finds the defects: of the final masks, pooled over all pictures."""

    dice: float | None  # any defect; None: there is none, and none was found
    iou: dict[str, float | None]  # of each class


@dataclass(frozen=True)
class Difference:
    """How far a contender is from the trusted engine."""

    variant: str
    engine: str
    pictures: int
    max_abs_probability_difference: float | None  # None: it gave something that is no number
    dice_drop: float | None  # trusted minus contender; None: one of them is undefined
    iou_drop: dict[str, float | None]  # of each class
    flipped_pixel_fraction: float  # pixels of another class in the final mask
    verdicts_changed: float  # share of the pictures with another verdict

    @property
    def largest_iou_drop(self) -> float | None:
        """Of the class that loses most; None where every class is undefined."""
        return max((drop for drop in self.iou_drop.values() if drop is not None), default=None)


@dataclass
class _Tally:
    """What is summed up of one engine, picture by picture."""

    confusion: Counts  # (1 + K, 1 + K)
    largest: float = 0.0
    flipped: int = 0
    changed: int = 0
    failed: bool = False


@dataclass
class _Comparison:
    """One pass over the pictures: memory does not grow with their number."""

    trusted: Engine
    contenders: Sequence[Contender]
    point: OperatingPoint
    pictures: int = 0
    pixels: int = 0
    tallies: list[_Tally] = field(default_factory=list)  # of the trusted engine, then each other

    def __post_init__(self) -> None:
        size = 1 + len(self.point.classes)
        self.tallies = [
            _Tally(np.zeros((size, size), dtype=np.int64)) for _ in (self, *self.contenders)
        ]

    def add(self, tiles: TileSet, number: int, channels: int) -> None:
        """Run every engine on one picture."""
        tile = tiles.tiles[number]
        picture, true_mask = tiles.picture(tile, channels), tiles.mask(tile)
        said = predict(self.trusted, picture, self.point)
        classes = len(self.point.classes)
        self.tallies[0].confusion += count_pixels(said.mask, true_mask, classes)
        self.pictures += 1
        self.pixels += true_mask.size
        for contender, tally in zip(self.contenders, self.tallies[1:], strict=True):
            try:
                other = predict(contender.runs, picture, self.point)
            except ModelOutputError:
                tally.failed = True
                continue
            tally.confusion += count_pixels(other.mask, true_mask, classes)
            _compare(tally, said, other)

    def differences(self) -> list[Difference]:
        """Of each contender."""
        trusted = scores_of(self.tallies[0].confusion, self.point.names)
        return [
            self._difference(contender, tally, trusted)
            for contender, tally in zip(self.contenders, self.tallies[1:], strict=True)
        ]

    def _difference(self, contender: Contender, tally: _Tally, trusted: Scores) -> Difference:
        scores = scores_of(tally.confusion, self.point.names)
        return Difference(
            variant=contender.variant,
            engine=contender.engine,
            pictures=self.pictures,
            max_abs_probability_difference=None if tally.failed else tally.largest,
            dice_drop=_drop(trusted.dice, scores.dice),
            iou_drop={name: _drop(trusted.iou[name], scores.iou[name]) for name in trusted.iou},
            flipped_pixel_fraction=tally.flipped / max(self.pixels, 1),
            verdicts_changed=tally.changed / max(self.pictures, 1),
        )


def compare(
    trusted: Engine,
    contenders: Sequence[Contender],
    tiles: TileSet,
    channels: int,
    point: OperatingPoint,
) -> tuple[Scores, list[Difference]]:
    """Run all engines on every tile; the scores of the trusted one, and how far each other is.

    Raises:
        ModelOutputError: The trusted engine gave something that is no number.
    """
    comparison = _Comparison(trusted, contenders, point)
    for number in tqdm(range(len(tiles.tiles)), desc="compare", unit="picture"):
        comparison.add(tiles, number, channels)
    return scores_of(comparison.tallies[0].confusion, point.names), comparison.differences()


def scores_of(confusion: Counts, classes: Sequence[str]) -> Scores:
    """From the pixels (1 + K, 1 + K) of all pictures."""
    iou = each_class(confusion).iou
    return Scores(
        dice=_number(any_defect(confusion).dice),
        iou={name: _number(value) for name, value in zip(classes, iou, strict=True)},
    )


def _compare(tally: _Tally, said: Prediction, other: Prediction) -> None:
    largest = float(np.abs(said.probability - other.probability).max())
    tally.largest = max(tally.largest, largest)
    tally.flipped += int((said.mask != other.mask).sum())
    tally.changed += said.verdict != other.verdict


def _number(value: float | np.floating | np.ndarray) -> float | None:
    return None if np.isnan(value) else float(value)


def _drop(trusted: float | None, other: float | None) -> float | None:
    return None if trusted is None or other is None else trusted - other
