"""predictor: probabilities of one picture, its mask and its score."""

import numpy as np
import numpy.typing as npt
import pytest

from answers import Answer, ColourEngine, paint
from conftest import mask
from defectseg.inference.predictor import defect_probability, likeliest_kind, predict, to_mask


def probabilities(*pixels: tuple[float, ...]) -> npt.NDArray[np.float32]:
    """A picture of one row; each pixel says background, class 1, class 2, …: (1 + K, 1, W)."""
    return np.array(pixels, dtype=np.float32).T[:, None, :]


def test_a_defect_is_as_likely_as_the_background_is_not():
    probability = probabilities((0.25, 0.5, 0.25), (1.0, 0.0, 0.0), (0.0, 0.5, 0.5))
    assert defect_probability(probability).tolist() == [[0.75, 0, 1]]


def test_rounding_never_leaves_the_range_of_a_probability():
    probability = probabilities((1.0000001, 0.0), (-0.0000001, 1.0))
    assert defect_probability(probability).tolist() == [[0, 1]]


def test_the_likeliest_kind_is_a_defect_class_even_where_none_is_likely():
    kind = likeliest_kind(probabilities((0.9, 0.02, 0.08), (0.2, 0.5, 0.3), (1.0, 0.0, 0.0)))
    assert (kind.tolist(), kind.dtype) == ([[2, 1, 1]], np.uint8)  # of equals the first


def test_a_pixel_gets_the_likeliest_defect_class_even_where_the_background_is_likelier():
    probability = probabilities((0.5, 0.125, 0.375), (0.5, 0.375, 0.125))
    assert to_mask(probability, 0.5).tolist() == [[2, 1]]


def test_the_classes_of_a_pixel_count_together_against_the_threshold():
    assert to_mask(probabilities((0.5, 0.25, 0.25)), 0.5).tolist() == [[1]]


def test_a_pixel_at_the_threshold_is_a_defect_and_below_it_is_none():
    probability = probabilities((0.5, 0.5), (0.625, 0.375))
    assert to_mask(probability, 0.5).tolist() == [[1, 0]]


def test_a_mask_has_one_byte_a_pixel():
    assert to_mask(probabilities((0.0, 1.0)), 0.5).dtype == np.uint8


def test_a_prediction_has_the_size_of_the_picture():
    answer = Answer("a", "crack", "s", truth="", said=".1.. .12. ....", grey=204)
    prediction = predict(ColourEngine(), paint(answer), 0.5)
    assert prediction.probability.shape == (3, 3, 4)
    assert prediction.mask.tolist() == mask(answer.said).tolist()


def test_a_prediction_carries_what_its_mask_and_score_come_from():
    answer = Answer("a", "crack", "s", truth="", said=".12", grey=51)
    prediction = predict(ColourEngine(), paint(answer), 0.5)
    assert prediction.defect[0].tolist() == pytest.approx([0, 0.2, 0.2])
    assert prediction.kind.tolist() == [[1, 1, 2]]
    assert prediction.mask.tolist() == [[0, 0, 0]]
    assert prediction.defect.tolist() == defect_probability(prediction.probability).tolist()


def test_the_score_is_the_highest_defect_probability_of_any_pixel():
    picture = np.zeros((2, 3, 3), dtype=np.uint8)
    picture[0, 1] = (0, 51, 102)  # 0.2 + 0.4
    picture[1, 2] = (0, 0, 127)
    assert predict(ColourEngine(), picture, 0.5).score == pytest.approx(0.6)


def test_the_score_does_not_depend_on_the_threshold():
    picture = paint(Answer("a", "crack", "s", truth="", said=".1.", grey=51))
    low, high = (predict(ColourEngine(), picture, threshold) for threshold in (0.1, 0.9))
    assert low.score == high.score == pytest.approx(0.2)
    assert (low.mask.tolist(), high.mask.tolist()) == ([[0, 1, 0]], [[0, 0, 0]])
