"""operating_point: thresholds worked out by hand from a few pixels and pictures."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from answers import Answer, ColourEngine, write_answers
from conftest import mask
from defectseg.confusion import Counts, count_pixels
from defectseg.data.tile import CLEAN
from defectseg.evaluation.operating_point import (
    BINS,
    OperatingPoint,
    best_picture_threshold,
    best_threshold,
    choose_operating_point,
    count_by_bin,
    flagged_at,
)
from defectseg.inference.predictor import defect_probability, likeliest_kind, to_mask


def one_class(*defect: float) -> npt.NDArray[np.float32]:
    """Probabilities (2, 1, W) of one row of pixels, by their defect probability."""
    row = np.array([defect], dtype=np.float32)
    return np.stack([1 - row, row])


def counted(
    probability: npt.NDArray[np.float32], truth: npt.NDArray[np.uint8], size: int
) -> Counts:
    defect, kind = defect_probability(probability), likeliest_kind(probability)
    return count_by_bin(defect, kind, truth, size)


def choose(defect: tuple[float, ...], truth: str) -> float:
    return best_threshold(counted(one_class(*defect), mask(truth), size=2))


def test_a_pixel_is_counted_in_the_bin_of_its_probability():
    counts = counted(one_class(0.0, 0.255, 0.5, 1.0), mask(".#.#"), size=2)
    assert counts.shape == (BINS, 2, 2)
    found = [tuple(map(int, cell)) for cell in np.argwhere(counts)]
    assert found == [(0, 0, 1), (25, 1, 1), (50, 0, 1), (99, 1, 1)]  # bin, truth, likeliest


def test_a_pixel_is_counted_under_its_likeliest_defect_class():
    probability = np.array([0.7, 0.1, 0.2], dtype=np.float32)[:, None, None]
    assert np.argwhere(counted(probability, mask("1"), size=3)).tolist() == [[30, 1, 2]]


@pytest.mark.parametrize("threshold", [0.01, 0.3, 0.5, 0.77, 0.99])
def test_the_bins_say_what_the_masks_at_that_threshold_say(threshold: float):
    draw = np.random.default_rng(0)
    probability = draw.dirichlet([2, 1, 1], size=(40, 50)).transpose(2, 0, 1).astype(np.float32)
    truth = draw.integers(0, 3, (40, 50), dtype=np.uint8)
    flagged = flagged_at(counted(probability, truth, size=3))[round(threshold * BINS)]
    assert flagged.tolist() == count_pixels(to_mask(probability, threshold), truth, 2).tolist()


def test_the_threshold_keeps_both_defects_when_that_is_worth_one_false_alarm():
    # IoU by threshold: up to 0.105: 2/4; up to 0.605: 2/3; up to 0.705: 1/3; up to 0.805: 1/2
    assert choose((0.805, 0.605, 0.705, 0.105), "##..") == 0.5


def test_the_threshold_rises_above_the_false_alarms():
    # from 0.61 to 0.80 only the defect is flagged; 0.61 is the nearest to 0.5
    assert choose((0.805, 0.605, 0.205), "#..") == 0.61


def test_the_threshold_falls_to_faint_defects():
    # from 0.21 to 0.30 all defects and nothing else; 0.30 is the nearest to 0.5
    assert choose((0.305, 0.305, 0.205), "##.") == 0.3


def test_without_any_defect_the_threshold_is_a_half():
    assert choose((0.205, 0.105), "..") == 0.5


def test_a_threshold_is_never_0_or_1():
    assert choose((1.0, 0.0), "..") == 0.5
    assert choose((0.005, 0.005), "##") == 0.5  # nothing can be found above 0.01: all are equal


def test_the_threshold_weighs_every_class_the_same():
    # class 1: four pixels at 0.605; class 2: one at 0.305, and a clean one taken for it at 0.405
    probability = np.zeros((3, 1, 6), dtype=np.float32)
    probability[1, 0, :4] = 0.605
    probability[2, 0, 4:] = 0.305, 0.405
    probability[0] = 1 - probability.sum(axis=0)
    # up to 0.30: (1 + 1/2) / 2; above 0.40: (1 + 0) / 2
    assert best_threshold(counted(probability, mask("11112."), size=3)) == 0.3


def test_the_picture_threshold_has_the_highest_youden_index():
    # 0.4: all defects, one of three false alarms: 1 - 1/3; 0.9: one of two defects: 1/2
    scores, defects = np.array([0.9, 0.4, 0.5, 0.3, 0.2]), np.array([1, 1, 0, 0, 0], dtype=bool)
    assert best_picture_threshold(scores, defects, otherwise=0.7) == 0.4


def test_a_perfect_model_flags_from_its_faintest_defect_on():
    scores, defects = np.array([0.9, 0.6, 0.5, 0.1]), np.array([1, 1, 0, 0], dtype=bool)
    assert best_picture_threshold(scores, defects, otherwise=0.7) == 0.6


@pytest.mark.parametrize("defects", [[True, True], [False, False]])
def test_with_one_kind_of_picture_missing_pictures_follow_the_pixels(defects: list[bool]):
    assert best_picture_threshold(np.array([0.9, 0.1]), np.array(defects), otherwise=0.7) == 0.7


@pytest.mark.parametrize("scores", [[0.5, 0.5], [0.1, 0.8]], ids=["equal", "upside down"])
def test_a_useless_model_still_has_a_finite_picture_threshold(scores: list[float]):
    threshold = best_picture_threshold(np.array(scores), np.array([True, False]), otherwise=0.7)
    assert threshold == scores[0]  # the highest that flags every defect


def test_both_thresholds_are_chosen_on_the_pictures_of_the_valid_part(tmp_path: Path):
    valid = write_answers(
        tmp_path,
        [
            Answer("d1", "crack", "s1", truth="1...", said="1...", grey=204),  # 0.8
            Answer("d2", "crack", "s2", truth="1...", said="1...", grey=128),  # 0.502
            Answer("c1", CLEAN, "s3", truth="....", said="1...", grey=153),  # 0.6
            Answer("c2", CLEAN, "s4", truth="....", said="...."),
            Answer("c3", CLEAN, "s5", truth="....", said="...."),
        ],
    )
    # pixels: 2/3 up to 0.50, then 1/3 up to 0.60, 1/2 up to 0.80
    # pictures: 1/2 at 0.8, 1/6 at 0.6, 2/3 at 0.502
    point = choose_operating_point(ColourEngine(), valid, channels=3)
    assert point == OperatingPoint(0.5, pytest.approx(128 / 255))


def test_a_valid_part_without_clean_pictures_has_one_threshold_for_both(tmp_path: Path):
    answers = [Answer("d1", "crack", "s1", truth="1...", said="12..", grey=78)]  # 0.306
    point = choose_operating_point(ColourEngine(), write_answers(tmp_path, answers), channels=3)
    assert point == OperatingPoint(0.3, 0.3)
