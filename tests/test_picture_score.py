"""picture_score: the score of a picture is the highest level at which it would be rejected."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from conftest import mask
from defectseg.evaluation.picture_score import class_probabilities, largest_area, picture_score
from defectseg.inference.defects import LEVELS
from defectseg.inference.operating_point import ClassPoint, OperatingPoint
from defectseg.inference.predictor import judge

Float = npt.NDArray[np.float32]
Mask = npt.NDArray[np.uint8]
SHAPES = st.tuples(st.integers(1, 8), st.integers(1, 8))
GRIDS = arrays(np.uint8, SHAPES, elements=st.integers(0, 100))
THRESHOLDS = st.sampled_from([0.01, 0.07, 0.33, 0.5, 0.85, 0.98, 0.99, 1.0])
AREAS = (1, 2, 3, 5, 9)


def tenths(drawing: str) -> Float:
    """Probabilities (H, W) in [0, 1) as drawn: each digit is a tenth."""
    return (mask(drawing) / np.float32(10)).astype(np.float32)


def scores(drawing: str, threshold: float, *areas: int) -> list[float]:
    """The scores of one class that every pixel belongs to."""
    defect = tenths(drawing)
    return class_probabilities(defect, np.ones(defect.shape, bool), threshold, areas).tolist()


def points(
    thresholds: Sequence[float], areas: Sequence[int], odds_ratios: Sequence[float] = (1.0, 1.0)
) -> tuple[ClassPoint, ...]:
    """Two classes."""
    each = zip(("crack", "blowhole"), thresholds, areas, odds_ratios, strict=True)
    return tuple(
        ClassPoint(defect_class=n, threshold=t, min_area=a, odds_ratio=o) for n, t, a, o in each
    )


def has_region(where: npt.NDArray[np.bool_], area: int) -> bool:
    """Whether connected pixels have the area: the long way round."""
    labels, count = ndimage.label(where, np.ones((3, 3)))
    return any((labels == label).sum() >= area for label in range(1, count + 1))


def by_force(own: Float, threshold: float, area: int) -> float:
    """The highest score of a region at the threshold, else the highest level with a region."""
    labels, count = ndimage.label(own >= threshold, np.ones((3, 3)))
    regions = [np.sort(own[labels == label])[::-1] for label in range(1, count + 1)]
    strong = [float(region[area - 1]) for region in regions if len(region) >= area]
    below = [v for v in LEVELS if v < threshold and has_region(own >= np.float32(v), area)]
    return max(strong) if strong else max(below, default=0.0)


def test_at_the_threshold_the_score_is_that_of_the_pixel_that_makes_the_area():
    assert scores("8967", 0.5, 1, 2, 3, 4) == pytest.approx([0.9, 0.8, 0.7, 0.6])


def test_the_best_region_decides_whichever_it_is():
    assert scores("9..77", 0.5, 1, 2) == pytest.approx([0.9, 0.7])


def test_below_the_threshold_the_score_is_the_level_with_enough_connected_pixels():
    assert scores("4434", 0.5, 1, 2, 3, 4, 5) == [0.4, 0.4, 0.3, 0.3, 0.0]


def test_a_region_that_is_too_small_at_the_threshold_may_do_below_it():
    assert scores("44844", 0.5, 1, 2, 5) == [pytest.approx(0.8), 0.4, 0.4]


def test_peaks_apart_are_joined_at_the_level_of_the_bridge():
    assert scores("4434", 0.5, 3) == scores("838", 0.5, 2) == [0.3]


def test_only_the_pixels_of_the_class_count():
    is_kind = mask("##..") > 0
    assert class_probabilities(tenths("4499"), is_kind, 0.5, [1, 3]).tolist() == [0.4, 0.0]


def test_the_worst_class_decides_about_the_picture_each_by_its_threshold_and_area():
    defect, kind = tenths("77.6"), mask("1112")
    assert picture_score(defect, kind, points((0.5, 0.5), (1, 1))) == pytest.approx(0.7)
    assert picture_score(defect, kind, points((0.5, 0.5), (3, 1))) == pytest.approx(0.6)
    assert picture_score(defect, kind, points((0.5, 0.9), (3, 1))) == 0.6  # of LEVELS
    assert picture_score(defect, kind, points((0.5, 0.5), (3, 2))) == 0.0


def test_the_worst_class_is_the_one_whose_score_is_the_highest_not_whose_probability_is():
    defect, kind = tenths("77.6"), mask("1112")
    each = points((0.5, 0.5), (1, 1), (1.0, 6.0))
    assert picture_score(defect, kind, each) == pytest.approx(0.9)  # odds of 6 × 0.6 / 0.4 = 9


def test_nothing_scores_below_the_lowest_level():
    faint = np.full((3, 3), 0.009, np.float32)
    assert class_probabilities(faint, np.ones((3, 3), bool), 0.5, [1]).tolist() == [0.0]
    nothing = np.zeros((3, 3), np.float32)
    assert class_probabilities(nothing, np.ones((3, 3), bool), 0.5, [1]) == [0.0]
    assert class_probabilities(faint + np.float32(0.001), faint > 0, 0.5, [9]).tolist() == [0.01]


def test_a_region_touches_at_corners_and_at_the_edge_of_the_picture():
    assert largest_area(mask("#..# .#.. ..## #..#") > 0) == 5
    assert largest_area(mask("... ...") > 0) == 0
    assert largest_area(mask("#") > 0) == 1


@given(GRIDS, THRESHOLDS, st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=150)
def test_the_scores_are_those_of_trying_every_level(grid: Mask, threshold: float, random):
    defect = (grid / np.float32(100)).astype(np.float32)
    is_kind = np.array([random.random() < 0.8 for _ in range(grid.size)]).reshape(grid.shape)
    own = np.where(is_kind, defect, np.float32(0))
    expected = [by_force(own, threshold, area) for area in AREAS]
    found = class_probabilities(defect, is_kind, threshold, AREAS)
    assert found.tolist() == pytest.approx(expected)


@given(GRIDS, THRESHOLDS)
@settings(deadline=None, max_examples=100)
def test_a_larger_minimal_area_never_raises_a_score(grid: Mask, threshold: float):
    defect = (grid / np.float32(100)).astype(np.float32)
    found = class_probabilities(defect, np.ones(grid.shape, bool), threshold, range(1, 12))
    assert (np.diff(found) <= 0).all()


@given(
    GRIDS,
    st.lists(THRESHOLDS, min_size=2, max_size=2),
    st.lists(st.integers(1, 6), min_size=2, max_size=2),
    st.lists(st.sampled_from([0.01, 0.5, 1.0, 3.0, 49.0]), min_size=2, max_size=2),
    st.lists(st.integers(1, 199), min_size=2, max_size=2),
    st.randoms(use_true_random=False),
)
@settings(deadline=None, max_examples=250)
def test_the_verdict_of_a_picture_follows_its_score_at_every_level(
    grid: Mask,
    thresholds: list[float],
    areas: list[int],
    odds_ratios: list[float],
    halves: list[int],
    random,
):
    review, reject = (half / 200 + 0.0001 for half in sorted(halves))  # beside every probability
    background = (1 - grid / 100).astype(np.float32)
    defect = np.float32(1) - background
    kind = np.array([random.randint(1, 2) for _ in range(grid.size)], np.uint8).reshape(grid.shape)
    probability = np.stack([background, defect * (kind == 1), defect * (kind == 2)])
    at = defect >= np.array(thresholds, np.float32)[kind - 1]
    point = OperatingPoint(
        classes=points(thresholds, areas, odds_ratios),
        temperature=1.0,
        review=review,
        reject=reject,
        rule="drawn",
    )
    score = picture_score(defect, kind, point.classes)
    prediction = judge(
        probability.astype(np.float32), np.where(at, kind, 0).astype(np.uint8), point
    )
    assert prediction.verdict == point.verdict(score)
    assert prediction.score == (pytest.approx(score) if score >= review else 0.0)
