"""Scored pictures in, every number of metrics/evaluate.json out, each headline with its interval.

Pooled = over all pixels of all pictures together; per image = the mean of each picture's score.
n pictures, B resamples, K defect classes, M = 1 + K.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, roc_auc_score

from defectseg.confusion import Counts, any_defect, each_class, iou_macro, ratio
from defectseg.data.tile import Tile

Float = npt.NDArray[np.float64]
INTERVAL = (2.5, 97.5)  # percentiles: 95 %


@dataclass(frozen=True)
class ScoredPicture:
    """What one test picture adds to the scores."""

    tile: Tile
    confusion: Counts  # (M, M) pixels
    score: float  # the picture's defect score in [0, 1]
    top_class: str  # the defect class of its most suspicious pixel

    @property
    def dice(self) -> float:
        """Of any defect against background; NaN when there is none and none was predicted."""
        return float(any_defect(self.confusion).dice)


def evaluate_pictures(
    pictures: Sequence[ScoredPicture],
    classes: Sequence[str],
    picture_threshold: float,
    resamples: int,
    seed: int,
) -> dict[str, Any]:
    """Every score of a part, and 95 % bootstrap intervals over its surfaces.

    Surfaces are resampled, not pictures: six photographs of one tile are one piece of evidence.
    Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, percentile intervals.
    """
    table = _Table.of(pictures, picture_threshold)
    whole = table.scores(np.ones((1, len(pictures))), classes)
    surfaces = sorted({picture.tile.surface for picture in pictures})
    draw = np.random.default_rng(seed)
    drawn = draw.multinomial(len(surfaces), np.full(len(surfaces), 1 / len(surfaces)), resamples)
    column = {surface: index for index, surface in enumerate(surfaces)}
    weights = drawn[:, [column[picture.tile.surface] for picture in pictures]].astype(float)
    spread = table.scores(weights, classes)
    return {
        "pictures": len(pictures),
        "surfaces": len(surfaces),
        **{name: _number(values[0]) for name, values in whole.items()},
        "interval": {name: _interval(values) for name, values in spread.items()},
    }


@dataclass(frozen=True)
class _Table:
    """The pictures as arrays, so that all resamples are one matrix product."""

    confusion: Float  # (n, M, M)
    dice: Float  # (n,), NaN where undefined
    score: Float  # (n,)
    defect: npt.NDArray[np.bool_]  # (n,)
    flagged: npt.NDArray[np.bool_]  # (n,)

    @staticmethod
    def of(pictures: Sequence[ScoredPicture], picture_threshold: float) -> "_Table":
        score = np.array([picture.score for picture in pictures])
        return _Table(
            confusion=np.stack([picture.confusion for picture in pictures]).astype(float),
            dice=np.array([picture.dice for picture in pictures]),
            score=score,
            defect=np.array([picture.tile.is_defect for picture in pictures]),
            flagged=score >= picture_threshold,
        )

    def scores(self, weights: Float, classes: Sequence[str]) -> dict[str, Float]:
        """Every score (B,) of the pictures with weights (B, n)."""
        pooled = np.tensordot(weights, self.confusion, axes=1)  # (B, M, M)
        overlap = any_defect(pooled)
        iou = each_class(pooled).iou
        right = np.trace(pooled, axis1=1, axis2=2)
        return {
            "dice_pooled": overlap.dice,
            "iou_pooled": overlap.iou,
            "dice_per_image_mean": self._mean(
                weights, np.nan_to_num(self.dice), ~np.isnan(self.dice)
            ),
            "precision_pooled": overlap.precision,
            "recall_pooled": overlap.recall,
            "pixel_accuracy": ratio(right, pooled.sum(axis=(1, 2))),
            "iou_macro": iou_macro(pooled),
            **{f"iou_{name}": iou[:, index] for index, name in enumerate(classes)},
            "image_auroc": self._ranked(weights, roc_auc_score),
            "image_average_precision": self._ranked(weights, average_precision_score),
            "false_alarm_rate": self._mean(weights, self.flagged, ~self.defect),
            "missed_defect_rate": self._mean(weights, ~self.flagged, self.defect),
        }

    @staticmethod
    def _mean(weights: Float, values: npt.NDArray[Any], among: npt.NDArray[np.bool_]) -> Float:
        return ratio(weights @ (values * among), weights @ among)

    def _ranked(self, weights: Float, score: Any) -> Float:
        values = np.full(len(weights), np.nan)
        for index, weight in enumerate(weights):
            seen = weight > 0
            if len(set(self.defect[seen])) == 2:
                values[index] = score(
                    self.defect[seen], self.score[seen], sample_weight=weight[seen]
                )
        return values


def _number(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 6)


def _interval(values: Float) -> dict[str, float | None]:
    known = values[~np.isnan(values)]
    low, high = np.percentile(known, INTERVAL) if len(known) else (np.nan, np.nan)
    return {"low": _number(low), "high": _number(high)}
