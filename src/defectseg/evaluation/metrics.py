"""Scored pictures in, every number of metrics/evaluate.json out, each headline with its interval.

Pooled = over all pixels of all pictures together; per image = the mean of each picture's score.
n pictures, B resamples, K defect classes, M = 1 + K.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, roc_auc_score

from defectseg.confusion import any_defect, each_class, iou_macro, ratio
from defectseg.evaluation.scored import ScoredPicture

Float = npt.NDArray[np.float64]
INTERVAL = (2.5, 97.5)  # percentiles: 95 %


def evaluate_pictures(
    pictures: Sequence[ScoredPicture],
    classes: Sequence[str],
    resamples: int,
    seed: int,
) -> dict[str, Any]:
    """Every score of a part, and 95 % bootstrap intervals over its surfaces.

    Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, percentile intervals.
    """
    table = ScoreTable.of(pictures)
    whole = table.scores(np.ones((1, len(pictures))), classes)
    surfaces = [picture.tile.surface for picture in pictures]
    spread = table.scores(resample(surfaces, resamples, seed), classes)
    return {
        "pictures": len(pictures),
        "surfaces": len(set(surfaces)),
        **{name: to_number(values[0]) for name, values in whole.items()},
        "interval": {name: interval(values) for name, values in spread.items()},
    }


def resample(surfaces: Sequence[str], resamples: int, seed: int) -> Float:
    """Weights (B, n) of n pictures in B resamples of their surfaces.

    Surfaces are resampled, not pictures: six photographs of one tile are one piece of evidence.
    """
    names = sorted(set(surfaces))
    draw = np.random.default_rng(seed)
    drawn = draw.multinomial(len(names), np.full(len(names), 1 / len(names)), resamples)
    column = {surface: index for index, surface in enumerate(names)}
    return drawn[:, [column[surface] for surface in surfaces]].astype(float)


@dataclass(frozen=True)
class ScoreTable:
    """The pictures as arrays, so that all resamples are one matrix product."""

    confusion: Float  # (n, M, M)
    dice: Float  # (n,), NaN where undefined
    score: Float  # (n,)
    defect_class: npt.NDArray[np.str_]  # (n,)
    defect: npt.NDArray[np.bool_]  # (n,)
    escape: npt.NDArray[np.bool_]  # (n,)
    false_alarm: npt.NDArray[np.bool_]  # (n,)
    review: npt.NDArray[np.bool_]  # (n,)
    found: Float  # (n, 4): true regions, found at IoU 0.3, at 0.5, false regions

    @staticmethod
    def of(pictures: Sequence[ScoredPicture]) -> "ScoreTable":
        return ScoreTable(
            confusion=np.stack([picture.confusion for picture in pictures]).astype(float),
            dice=np.array([picture.dice for picture in pictures]),
            score=np.array([picture.score for picture in pictures]),
            defect_class=np.array([picture.tile.defect_class for picture in pictures]),
            defect=np.array([picture.tile.is_defect for picture in pictures]),
            escape=np.array([picture.escapes for picture in pictures]),
            false_alarm=np.array([picture.is_false_alarm for picture in pictures]),
            review=np.array([picture.verdict == "review" for picture in pictures]),
            found=np.array([astuple(picture.found) for picture in pictures], dtype=float),
        )

    def scores(self, weights: Float, classes: Sequence[str]) -> dict[str, Float]:
        """Every score (B,) of the pictures with weights (B, n)."""
        return self._pixels(weights, classes) | self._verdicts(weights, classes)

    def _pixels(self, weights: Float, classes: Sequence[str]) -> dict[str, Float]:
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
        }

    def _verdicts(self, weights: Float, classes: Sequence[str]) -> dict[str, Float]:
        true, iou30, iou50, false = (weights @ self.found).T
        return {
            "image_auroc": self._ranked(weights, roc_auc_score),
            "image_average_precision": self._ranked(weights, average_precision_score),
            "escape_rate": self._mean(weights, self.escape, self.defect),
            **{
                f"escape_rate_{name}": self._mean(weights, self.escape, self.defect_class == name)
                for name in classes
            },
            "false_alarm_rate": self._mean(weights, self.false_alarm, ~self.defect),
            "review_rate": ratio(weights @ self.review, weights.sum(axis=1)),
            "defects_found_iou30": ratio(iou30, true),
            "defects_found_iou50": ratio(iou50, true),
            "false_regions_per_picture": ratio(false, weights.sum(axis=1)),
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


def to_number(value: float) -> float | None:
    """A number for JSON, 6 digits; None for NaN: undefined."""
    return None if np.isnan(value) else round(float(value), 6)


def interval(values: Float) -> dict[str, float | None]:
    """The 95 % percentile interval of resampled scores (B,); None where all are undefined."""
    known = values[~np.isnan(values)]
    low, high = np.percentile(known, INTERVAL) if len(known) else (np.nan, np.nan)
    return {"low": to_number(low), "high": to_number(high)}
