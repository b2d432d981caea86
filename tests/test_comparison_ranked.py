"""ranked: the rankings of scikit-learn, for many weightings at once."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from defectseg.comparison.ranked import auroc, average_precision, measure_ranking


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(auroc, roc_auc_score), (average_precision, average_precision_score)],
)
@pytest.mark.parametrize("distinct", [3, 1000])  # few: most scores are equal
def test_the_rankings_are_those_of_scikit_learn(ours, theirs, distinct: int):
    draw = np.random.default_rng(0)
    is_defect = draw.random(60) < 0.4
    score = draw.integers(0, distinct, 60) / distinct + 0.3 * is_defect
    weights = draw.integers(0, 4, (50, 60)).astype(float)
    expected = [theirs(is_defect, score, sample_weight=weight) for weight in weights]
    assert measure_ranking(ours, weights, score, is_defect) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("ranking", [auroc, average_precision])
def test_a_ranking_without_both_kinds_of_pictures_is_undefined(ranking):
    is_defect, score = np.array([True, True, False]), np.array([0.2, 0.9, 0.5])
    weights = np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 2.0], [0.0, 1.0, 1.0]])
    values = measure_ranking(ranking, weights, score, is_defect)
    assert np.isnan(values[:2]).all()
    assert values[2] == 1.0  # 0.9 is above 0.5
