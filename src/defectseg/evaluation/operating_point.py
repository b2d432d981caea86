"""Predictions of the valid part in, the operating point that travels with the model out.

The test part only ever measures it. K defect classes, A candidates of a minimal area, n pictures.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from defectseg.data.tile import TileSet
from defectseg.evaluation.picture_score import class_scores
from defectseg.evaluation.pixel_counts import PixelCounts, best_thresholds
from defectseg.evaluation.rule import RuleParams, choose_reject, choose_review
from defectseg.inference.defects import find_regions
from defectseg.inference.engine import Engine
from defectseg.inference.operating_point import ClassPoint, OperatingPoint
from defectseg.inference.predictor import defect_probability, likeliest_kind

AREAS = 17  # candidates of a minimal area: 1, 2, 4, … 65 536 px
SMALL = 10  # percentile of a class's true defects: a minimal area is at most half of that one
ROUNDS = 3  # of trying the candidates of one class after the other

Float = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ValidScores:
    """What decides about the valid part, of every picture."""

    scores: Float  # (n, K, A) in [0, 1]: see `picture_score.class_scores`
    is_defect: npt.NDArray[np.bool_]  # (n,)
    candidates: tuple[int, ...]  # A areas, px, ascending
    largest: tuple[int, ...]  # K areas, px: no candidate above it is tried


def choose_operating_point(
    engine: Engine, valid: TileSet, channels: int, rule: RuleParams, temperature: float
) -> OperatingPoint:
    """Choose thresholds, minimal areas and levels on the valid part, at full picture size.

    Thresholds are those with the highest IoU of their class. Then the minimal areas and the level
    of rejection are chosen together: what costs least by the rule. Of equals the smaller area.

    Args:
        engine: With this temperature; its thresholds do not matter.
    """
    pixels, largest = count_valid(engine, valid, channels)
    thresholds = best_thresholds(pixels.counts)
    table = score_valid(engine, valid, channels, thresholds, largest)
    areas, reject = choose_areas(table, rule)
    scores = scores_with(table, areas)
    review = choose_review(scores, table.is_defect, reject, rule.review)
    names = zip(valid.classes, thresholds, areas, strict=True)
    return OperatingPoint(
        classes=tuple(
            ClassPoint(defect_class=name, threshold=threshold, min_area=table.candidates[area])
            for name, threshold, area in names
        ),
        temperature=temperature,
        review=review,
        reject=reject,
        rule=rule.describe(),
    )


def count_valid(
    engine: Engine, valid: TileSet, channels: int
) -> tuple[PixelCounts, tuple[int, ...]]:
    """The pixels by probability, and half the size of each class's small true defects, px.

    Of a picture the largest region of a class counts: it is what rejects it. Masks have specks
    beside large defects, which would leave such a class without a minimal area.
    """
    classes = len(valid.classes)
    pixels = PixelCounts(classes)
    areas: list[list[int]] = [[] for _ in range(classes)]
    for tile in tqdm(valid.tiles, desc="thresholds", unit="picture"):
        probability = engine.run(valid.picture(tile, channels)[None]).probability[0]
        true_mask = valid.mask(tile)
        defect = defect_probability(probability)
        pixels.add(defect, likeliest_kind(probability), true_mask)
        for index in np.unique(true_mask[true_mask > 0]):
            regions = find_regions(true_mask == index, defect, 1)
            areas[index - 1].append(max(int(region.inside.sum()) for region in regions))
    half = (np.percentile(each, SMALL) / 2 if each else 1 for each in areas)
    return pixels, tuple(max(1, int(area)) for area in half)


def score_valid(
    engine: Engine,
    valid: TileSet,
    channels: int,
    thresholds: Sequence[float],
    largest: tuple[int, ...],
) -> ValidScores:
    """Score each picture of the part by each class and each candidate of its minimal area."""
    candidates = [2**step for step in range(AREAS) if 2**step <= max(largest)]
    scores = np.zeros((len(valid.tiles), len(thresholds), len(candidates)))
    for row, tile in enumerate(tqdm(valid.tiles, desc="operating point", unit="picture")):
        probability = engine.run(valid.picture(tile, channels)[None]).probability[0]
        defect, kind = defect_probability(probability), likeliest_kind(probability)
        for column, threshold in enumerate(thresholds):
            is_kind = kind == column + 1
            scores[row, column] = class_scores(defect, is_kind, threshold, candidates)
    is_defect = np.array([tile.is_defect for tile in valid.tiles], dtype=bool)
    return ValidScores(scores, is_defect, tuple(candidates), largest)


def choose_areas(table: ValidScores, rule: RuleParams) -> tuple[list[int], float]:
    """The place of each class's minimal area among the candidates, and the level of rejection."""
    areas = [0] * table.scores.shape[1]
    reject, least = choose_reject(scores_with(table, areas), table.is_defect, rule)
    for _ in range(ROUNDS):
        before = list(areas)
        for column, largest in enumerate(table.largest):
            for place, candidate in enumerate(table.candidates):
                tried = [*areas[:column], place, *areas[column + 1 :]]
                if candidate > largest or tried == areas:
                    continue
                level, paid = choose_reject(scores_with(table, tried), table.is_defect, rule)
                if tuple(paid + 1e-9) < tuple(least):
                    areas, reject, least = tried, level, paid
        if areas == before:
            break
    return areas, reject


def scores_with(table: ValidScores, areas: Sequence[int]) -> Float:
    """The score of each picture (n,) with a choice of minimal areas: of its worst class."""
    chosen = table.scores[:, np.arange(len(areas)), list(areas)]
    return np.asarray(chosen.max(axis=1), dtype=np.float64)
