"""predictor: what an engine says of one picture, its defects and its verdict."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from answers import Answer, ColourEngine, answer_point, paint
from conftest import mask
from defectseg.errors import ModelOutputError
from defectseg.inference.operating_point import ClassPoint, OperatingPoint
from defectseg.inference.predictor import (
    Prediction,
    defect_probability,
    judge,
    likeliest_kind,
    predict,
)

Float = npt.NDArray[np.float32]
BAND = answer_point(review=0.3, reject=0.7)


def probabilities(*pixels: tuple[float, ...]) -> Float:
    """A picture of one row; each pixel says background, class 1, class 2, …: (1 + K, 1, W)."""
    return np.array(pixels, dtype=np.float32).T[:, None, :]


def said(drawing: str, grey: int, point: OperatingPoint = BAND) -> Prediction:
    """What is predicted of a picture that holds the answer with the probability grey / 255."""
    answer = Answer("a", "crack", "s", truth="", said=drawing, grey=grey)
    return predict(ColourEngine(point.thresholds), paint(answer), point)


def test_a_defect_is_as_likely_as_the_background_is_not():
    probability = probabilities((0.25, 0.5, 0.25), (1.0, 0.0, 0.0), (0.0, 0.5, 0.5))
    assert defect_probability(probability).tolist() == [[0.75, 0, 1]]


def test_rounding_never_leaves_the_range_of_a_probability():
    probability = probabilities((1.0000001, 0.0), (-0.0000001, 1.0))
    assert defect_probability(probability).tolist() == [[0, 1]]
    assert defect_probability(probability).dtype == np.float32


def test_the_likeliest_kind_is_a_defect_class_even_where_none_is_likely():
    kind = likeliest_kind(probabilities((0.9, 0.02, 0.08), (0.2, 0.5, 0.3), (1.0, 0.0, 0.0)))
    assert (kind.tolist(), kind.dtype) == ([[2, 1, 1]], np.uint8)  # of equals the first


def test_a_prediction_has_the_size_of_the_picture():
    prediction = said(".1.2 .1.. ....", grey=204)
    assert prediction.probability.shape == (3, 3, 4)
    assert prediction.defect.shape == (3, 4)
    assert prediction.mask.tolist() == mask(".1.2 .1.. ....").tolist()


def test_a_prediction_carries_what_its_defects_come_from():
    prediction = said(".12", grey=51)
    assert prediction.defect[0].tolist() == pytest.approx([0, 0.2, 0.2])
    assert prediction.probability[2, 0].tolist() == pytest.approx([0, 0, 0.2])
    assert prediction.mask.tolist() == [[0, 0, 0]]


@pytest.mark.parametrize(
    ("grey", "verdict", "score"),
    [
        (255, "reject", 1.0),
        (179, "reject", 179 / 255),
        (178, "review", 178 / 255),
        (128, "review", 128 / 255),
        (127, "review", 0.45),  # below the threshold of 0.5 a defect scores the level below it
        (77, "review", 0.3),
        (76, "accept", 0.0),
    ],
)  # 0.7 of 255 is 178.5, 0.3 of it 76.5
def test_the_verdict_is_that_of_the_surest_defect(grey: int, verdict: str, score: float):
    prediction = said(".1.", grey)
    assert (prediction.verdict, len(prediction.defects)) == (verdict, int(score > 0))
    assert prediction.score == pytest.approx(score)


def test_the_score_is_that_of_the_surest_of_several_defects():
    picture = np.zeros((1, 5, 3), dtype=np.uint8)
    picture[0, 0] = (0, 102, 26)  # 0.4 + 0.1 of a crack
    picture[0, 4] = (0, 51, 102)  # 0.2 + 0.4 of a blowhole
    prediction = predict(ColourEngine(), picture, BAND)
    assert [defect.defect_class for defect in prediction.defects] == ["blowhole", "crack"]
    assert prediction.score == pytest.approx(0.6)


def test_specks_below_the_minimal_area_are_neither_mask_nor_defect():
    large = tuple(
        ClassPoint(defect_class=name, threshold=0.5, min_area=2) for name in ("crack", "blowhole")
    )
    prediction = said("1..11", 255, answer_point(classes=large))
    assert prediction.mask.tolist() == mask("...11").tolist()
    alone = said("1....", 255, answer_point(classes=large))
    assert (alone.verdict, alone.score, alone.mask.any()) == ("accept", 0.0, False)


def test_without_a_defect_even_a_level_of_0_accepts():
    assert judge(probabilities((1.0, 0.0, 0.0)), mask("."), answer_point(review=0.0)).score == 0
    prediction = judge(
        probabilities((1.0, 0.0, 0.0)), mask("."), answer_point(review=0.0, reject=0.0)
    )
    assert (prediction.verdict, prediction.defects) == ("accept", ())


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_a_probability_that_is_no_number_is_never_judged(wrong: float):
    probability = probabilities(*[(0.9, 0.05, 0.05)] * 12).reshape(3, 3, 4)
    probability[0, 1, 2] = wrong
    with pytest.raises(ModelOutputError, match="no number; the model file may be damaged"):
        judge(probability, np.zeros((3, 4), np.uint8), BAND)


def test_a_network_that_gives_only_nan_is_an_error_and_no_clean_picture():
    probability = np.full((3, 2, 2), np.nan, dtype=np.float32)
    with pytest.raises(ModelOutputError, match="precision too low"):
        judge(probability, np.zeros((2, 2), np.uint8), BAND)


@given(
    arrays(np.uint8, (5, 6), elements=st.integers(0, 9)),
    arrays(np.uint8, (5, 6), elements=st.integers(1, 2)),
    st.tuples(*[st.integers(0, 10)] * 4),
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
)
@settings(deadline=None, max_examples=200)
def test_a_picture_is_accepted_exactly_when_it_has_no_defect(
    grid: npt.NDArray[np.uint8],
    kind: npt.NDArray[np.uint8],
    tenths: tuple[int, ...],
    areas: tuple[int, int],
):
    review, reject = sorted(tenth / 10 for tenth in tenths[:2])
    thresholds = np.array(tenths[2:]) / 10
    defect = (grid / np.float32(10)).astype(np.float32)
    probability = np.stack([1 - defect, defect * (kind == 1), defect * (kind == 2)])
    drawn = np.where(defect >= thresholds.astype(np.float32)[kind - 1], kind, 0)
    each = zip(("crack", "blowhole"), thresholds, areas, strict=True)
    classes = tuple(ClassPoint(defect_class=n, threshold=t, min_area=a) for n, t, a in each)
    point = answer_point(classes=classes, review=review, reject=reject)
    prediction = judge(probability.astype(np.float32), drawn.astype(np.uint8), point)
    assert (prediction.verdict == "accept") == (not prediction.defects)
    assert bool(prediction.defects) == bool(prediction.mask.any())
    assert (prediction.verdict == "reject") == any(
        one.score >= reject for one in prediction.defects
    )
    assert prediction.score == max((one.score for one in prediction.defects), default=0.0)
