"""Predictions of the valid part in, the operating point that travels with the model out.

The test part only ever measures it. K defect classes, A candidates of a minimal area, n pictures.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from defectseg.data.tile import TileSet
from defectseg.evaluation.pixel_counts import best_thresholds
from defectseg.evaluation.rule import (
    Bool,
    Float,
    RuleParams,
    choose_reject,
    choose_review,
    rates_at,
)
from defectseg.evaluation.valid_table import ValidTable, count_valid, tabulate_valid
from defectseg.inference.engine import Engine
from defectseg.inference.operating_point import ClassPoint, OperatingPoint, to_score

ROUNDS = 3  # of trying the candidates of one class after the other
CLEAN_SHARE = 0.98  # of the clean pictures score at most 0.5 in any one class
CLEAN_LEVELS = (0.2, 0.999)  # the probability that scores 0.5 is no lower and no higher
LEAST_CLEAN = (50, 10)  # pictures, surfaces; fewer do not tell what two in a hundred score


@dataclass(frozen=True)
class Choice:
    """An operating point, and the scores of the n valid pictures that its levels come from."""

    point: OperatingPoint
    scores: Float  # (n,): see `held_out_scores`
    is_defect: Bool  # (n,)

    def promised(self) -> dict[str, float]:
        """What the levels do to these scores: rates 0..1, NaN where there is no picture."""
        review, reject = self.point.review, self.point.reject
        escapes, alarms = rates_at(np.array([review, reject]), self.scores, self.is_defect)
        return {
            "escape_rate": float(escapes[0]),
            "false_alarm_rate": float(alarms[1]),
            "review_rate": float(np.mean((self.scores >= review) & (self.scores < reject))),
        }


@dataclass(frozen=True)
class RegionRule:
    """From when on regions count, and on what scale, by class."""

    areas: tuple[int, ...]  # K places among the candidates of a minimal area
    odds_ratios: tuple[float, ...]  # K: see `ClassPoint`


def choose_operating_point(
    engine: Engine, valid: TileSet, channels: int, rule: RuleParams, temperature: float
) -> Choice:
    """Choose thresholds, minimal areas, scales and levels on the valid part, at full picture size.

    Thresholds are those with the highest IoU of their class. Then `fit_regions` decides about the
    regions; and the levels are those that suit the rule on scores of surfaces that had no say in
    that: on the others a rate of false alarms is kept that no new surface keeps.

    Args:
        engine: With this temperature; its thresholds do not matter.
    """
    pixels, largest = count_valid(engine, valid, channels)
    thresholds = best_thresholds(pixels.counts)
    table = tabulate_valid(engine, valid, channels, thresholds, largest)
    is_scaled = can_scale(table)
    regions = fit_regions(table, rule, is_scaled)
    scores = held_out_scores(table, regions, rule, is_scaled)
    reject, _ = choose_reject(scores, table.is_defect, rule)
    review = choose_review(scores, table.is_defect, reject, rule.review)
    names = zip(valid.classes, thresholds, regions.areas, regions.odds_ratios, strict=True)
    point = OperatingPoint(
        classes=tuple(
            ClassPoint(
                defect_class=name,
                threshold=threshold,
                min_area=table.candidates[area],
                odds_ratio=odds_ratio,
            )
            for name, threshold, area, odds_ratio in names
        ),
        temperature=temperature,
        review=review,
        reject=reject,
        rule=rule.describe(),
    )
    return Choice(point, scores, table.is_defect)


def can_scale(table: ValidTable) -> bool:
    """Whether there are several classes, and clean pictures enough to put them on one scale."""
    clean = table.surfaces[~table.is_defect]
    pictures, surfaces = LEAST_CLEAN
    return len(table.largest) > 1 and len(clean) >= pictures and len(set(clean)) >= surfaces


def held_out_scores(
    table: ValidTable, regions: RegionRule, rule: RuleParams, is_scaled: bool
) -> Float:
    """The score of each picture (n,) by what the other surfaces decide about its regions.

    With too few surfaces to hold any out, by `regions`, which all decided about.
    """
    scores = score_pictures(table, regions)
    for inside in table.groups():
        others = fit_regions(table.only(~inside), rule, is_scaled)
        scores[inside] = score_pictures(table.only(inside), others)
    return scores


def fit_regions(table: ValidTable, rule: RuleParams, is_scaled: bool) -> RegionRule:
    """The minimal areas that cost least by the rule, then the scale of each class, if asked for.

    On it `CLEAN_SHARE` of the clean pictures score at most 0.5, so that one level of rejection
    asks as much of every class. No ratio is fitted to defects, of which there are few. Areas
    chosen on that scale served held-out surfaces no better.
    """
    areas = choose_areas(table, rule)
    if not is_scaled:
        return unscaled(areas)
    clean = table.with_areas(areas)[~table.is_defect]
    levels = np.clip(np.quantile(clean, CLEAN_SHARE, axis=0), *CLEAN_LEVELS)
    return RegionRule(areas, tuple(((1 - levels) / levels).tolist()))


def choose_areas(table: ValidTable, rule: RuleParams) -> tuple[int, ...]:
    """The place of each class's minimal area among the candidates; of equals the smaller area."""
    areas = [0] * len(table.largest)
    least = cost(table, areas, rule)
    for _ in range(ROUNDS):
        before = list(areas)
        for column, largest in enumerate(table.largest):
            for place, candidate in enumerate(table.candidates):
                tried = [*areas[:column], place, *areas[column + 1 :]]
                if candidate > largest or tried == areas:
                    continue
                paid = cost(table, tried, rule)
                if tuple(paid + 1e-9) < tuple(least):
                    areas, least = tried, paid
        if areas == before:
            break
    return tuple(areas)


def cost(table: ValidTable, areas: Sequence[int], rule: RuleParams) -> Float:
    """What the best level of rejection costs (2,) with a choice of minimal areas."""
    scores = score_pictures(table, unscaled(areas))
    return choose_reject(scores, table.is_defect, rule)[1]


def unscaled(areas: Sequence[int]) -> RegionRule:
    """Minimal areas alone: a score is a probability."""
    return RegionRule(tuple(areas), (1.0,) * len(areas))


def score_pictures(table: ValidTable, regions: RegionRule) -> Float:
    """The score of each picture (n,): that of its worst class."""
    scores = to_score(table.with_areas(regions.areas), np.array(regions.odds_ratios))
    return np.asarray(scores.max(axis=1))
