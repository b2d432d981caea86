"""Scores of pictures and many weightings of them in, how well each ranks the defects out.

The numbers of scikit-learn's roc_auc_score and average_precision_score, for all weightings at once:
a comparison needs thousands. n pictures, B weightings, G distinct scores.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, roc_auc_score

from defectseg.confusion import ratio
from defectseg.evaluation.metrics import ScoreTable

Float = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]
Ranking = Callable[[Float, Float], Float]


class RankedTable(ScoreTable):
    """A ScoreTable whose rankings take milliseconds for a thousand weightings."""

    def _ranked(self, weights: Float, score: object) -> Float:
        return measure_ranking(RANKINGS[score], weights, self.score, self.defect)


def measure_ranking(ranking: Ranking, weights: Float, score: Float, is_defect: Bool) -> Float:
    """A ranking (B,) for each weighting; NaN where it weighs only one kind of picture.

    Args:
        weights: (B, n), not below 0.
        score: (n,).
        is_defect: (n,).
    """
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.diff(score[order], prepend=-np.inf))
    sorted_weights, defect = weights[:, order], is_defect[order]
    pos = np.add.reduceat(sorted_weights * defect, starts, axis=1)  # (B, G), ascending score
    neg = np.add.reduceat(sorted_weights * ~defect, starts, axis=1)
    return ranking(pos, neg)


def auroc(pos: Float, neg: Float) -> Float:
    """The share of pairs (defect, clean) in the right order; of equal scores half counts."""
    below = neg.cumsum(axis=1) - neg / 2
    return ratio((pos * below).sum(axis=1), pos.sum(axis=1) * neg.sum(axis=1))


def average_precision(pos: Float, neg: Float) -> Float:
    """The mean precision over the defects, from the highest score down."""
    pos, neg = pos[:, ::-1], neg[:, ::-1]
    found, flagged = pos.cumsum(axis=1), (pos + neg).cumsum(axis=1)
    precision = np.nan_to_num(ratio(found, flagged))
    mean = ratio((pos * precision).sum(axis=1), pos.sum(axis=1))
    return np.where(neg.sum(axis=1) > 0, mean, np.nan)


RANKINGS: dict[object, Ranking] = {
    roc_auc_score: auroc,
    average_precision_score: average_precision,
}
