"""pixel_counts: bins, thresholds and trust, worked out by hand from a few pixels."""

import numpy as np
import numpy.typing as npt
import pytest
import torch

from conftest import mask
from defectseg.confusion import count_pixels
from defectseg.evaluation.pixel_counts import (
    BINS,
    PixelCounts,
    Reliability,
    best_thresholds,
    calibration_error,
    flagged_at,
    reliability,
)
from defectseg.inference.predictor import defect_probability, likeliest_kind
from defectseg.pixels import to_mask

Float = npt.NDArray[np.float32]


def one_class(*defect: float) -> Float:
    """Probabilities (2, 1, W) of one row of pixels, by their defect probability."""
    row = np.array([defect], dtype=np.float32)
    return np.stack([1 - row, row])


def two_classes(*defect: tuple[float, float]) -> Float:
    """Probabilities (3, 1, W) of one row of pixels, by those of both classes."""
    row = np.array(defect, dtype=np.float32).T[:, None]
    return np.concatenate([1 - row.sum(axis=0, keepdims=True), row])


def counted(probability: Float, truth: str | npt.NDArray[np.uint8]) -> PixelCounts:
    """One picture, counted."""
    pixels = PixelCounts(len(probability) - 1)
    true_mask = mask(truth) if isinstance(truth, str) else truth
    pixels.add(defect_probability(probability), likeliest_kind(probability), true_mask)
    return pixels


def best(probability: Float, truth: str) -> tuple[float, ...]:
    return best_thresholds(counted(probability, truth).counts)


def test_a_pixel_is_counted_in_the_bin_of_its_probability():
    counts = counted(one_class(0.0, 0.255, 0.5, 1.0), ".#.#").counts
    assert counts.shape == (BINS, 2, 2)
    found = [tuple(map(int, cell)) for cell in np.argwhere(counts)]
    assert found == [(0, 0, 1), (25, 1, 1), (50, 0, 1), (99, 1, 1)]  # bin, truth, likeliest


def test_a_pixel_is_counted_under_its_likeliest_defect_class():
    counts = counted(np.array([0.7, 0.1, 0.2], np.float32)[:, None, None], "1").counts
    assert np.argwhere(counts).tolist() == [[30, 1, 2]]


def test_the_sum_of_the_probabilities_of_a_bin_is_kept():
    sums = counted(one_class(0.251, 0.255, 0.5, 1.0), "....").probability
    assert sums.shape == (BINS,)
    assert sums[[25, 50, 99]].tolist() == pytest.approx([0.506, 0.5, 1.0])
    assert sums.sum() == pytest.approx(2.006)


def test_pictures_of_any_size_add_up_and_take_no_more_room():
    pixels = PixelCounts(2)
    size = pixels.counts.nbytes + pixels.probability.nbytes
    for shape in ((3, 4), (50, 60), (1, 1)):
        defect = np.full(shape, 0.305, np.float32)
        pixels.add(defect, np.full(shape, 2, np.uint8), np.ones(shape, np.uint8))
    assert pixels.counts[30, 1, 2] == pixels.counts.sum() == 12 + 3000 + 1
    assert pixels.probability[30] == pytest.approx(3013 * 0.305)
    assert pixels.counts.nbytes + pixels.probability.nbytes == size


@pytest.mark.parametrize("step", range(1, BINS))
def test_a_bin_begins_where_a_mask_of_that_threshold_does(step: int):
    row = np.array([[step / BINS - 1e-6, step / BINS + 1e-6]], dtype=np.float32)
    pixels = PixelCounts(1)
    pixels.add(row, np.ones((1, 2), np.uint8), mask(".#"))
    assert np.argwhere(pixels.counts)[:, 0].tolist() == [step - 1, step]


@pytest.mark.parametrize("threshold", [0.01, 0.3, 0.5, 0.77, 0.99])
def test_the_bins_say_what_the_masks_at_that_threshold_say(threshold: float):
    draw = np.random.default_rng(0)
    probability = draw.dirichlet([2, 1, 1], size=(40, 50)).transpose(2, 0, 1).astype(np.float32)
    truth = draw.integers(0, 3, (40, 50), dtype=np.uint8)
    flagged = flagged_at(counted(probability, truth).counts)[round(threshold * BINS)]
    masks = to_mask(torch.from_numpy(probability)[None], [threshold] * 2)
    assert flagged.tolist() == count_pixels(masks[0].numpy(), truth, 2).tolist()


def test_the_lowest_bin_calls_every_pixel_a_defect():
    flagged = flagged_at(counted(one_class(0.0, 0.4, 0.995), ".##").counts)
    assert flagged[0].tolist() == [[0, 1], [0, 2]]
    assert flagged[99].tolist() == [[1, 0], [1, 1]]


def test_the_threshold_keeps_both_defects_when_that_is_worth_one_false_alarm():
    # IoU by threshold: up to 0.105: 2/4; up to 0.605: 2/3; up to 0.705: 1/3; up to 0.805: 1/2
    assert best(one_class(0.805, 0.605, 0.705, 0.105), "##..") == (0.5,)


def test_the_threshold_rises_above_the_false_alarms():
    # from 0.61 to 0.80 only the defect is flagged; 0.61 is the nearest to 0.5
    assert best(one_class(0.805, 0.605, 0.205), "#..") == (0.61,)


def test_the_threshold_falls_to_faint_defects():
    # from 0.21 to 0.30 all defects and nothing else; 0.30 is the nearest to 0.5
    assert best(one_class(0.305, 0.305, 0.205), "##.") == (0.3,)


def test_a_threshold_is_never_0_or_1():
    assert best(one_class(1.0, 0.0), "..") == (0.5,)
    assert best(one_class(0.005, 0.005), "##") == (0.5,)  # found at 0 only: all others are equal


def test_each_class_has_the_threshold_that_suits_it():
    # cracks at 0.805 beside a false one at 0.605; blowholes at 0.205 and nothing else
    probability = two_classes((0.805, 0), (0.605, 0), (0, 0.205), (0, 0.205))
    assert best(probability, "1.22") == (0.61, 0.2)


def test_a_pixel_taken_for_another_class_counts_against_both():
    # the second pixel is a blowhole that looks like a crack of 0.605: above it both are right
    probability = two_classes((0.805, 0), (0.605, 0), (0, 0.305))
    assert best(probability, "122") == (0.61, 0.3)


@pytest.mark.parametrize("truth", ["1...", "1.2."], ids=["never met", "never hit"])
def test_a_class_without_a_hit_takes_the_threshold_that_suits_all(truth: str):
    # cracks: best at 0.61 to 0.80; a false blowhole at 0.405 or a missed one change nothing
    probability = two_classes((0.805, 0), (0.605, 0), (0.105, 0), (0, 0.405))
    assert best(probability, truth) == (0.61, 0.61)


def test_without_any_defect_every_threshold_is_a_half():
    assert best(two_classes((0.205, 0), (0, 0.105)), "..") == (0.5, 0.5)


def test_without_any_pixel_every_threshold_is_a_half():
    assert best_thresholds(PixelCounts(3).counts) == (0.5, 0.5, 0.5)


def test_the_plot_says_how_often_the_model_is_right_when_it_says_so():
    # twentieths: 0.01 and 0.03; 0.61, 0.62 and 0.64; 1.0
    pixels = counted(one_class(0.01, 0.03, 0.61, 0.62, 0.64, 1.0), "..#.##")
    low, middle, high = reliability(pixels)
    assert (low.probability, low.share, low.pixels) == (pytest.approx(0.02), 0, 2)
    assert (middle.probability, middle.pixels) == (pytest.approx(1.87 / 3), 3)
    assert middle.share == pytest.approx(2 / 3)
    assert high == Reliability(pytest.approx(1.0), 1, 1)


def test_the_plot_does_not_ask_which_defect_it_is():
    assert reliability(counted(two_classes((0.7, 0.1)), "2"))[0].share == 1


def test_fewer_bins_may_be_shown():
    rows = reliability(counted(one_class(0.01, 0.41, 0.61), "..#"), bins=2)
    assert [(row.pixels, row.share) for row in rows] == [(2, 0), (1, 1)]


def test_the_calibration_error_is_the_mean_gap_of_all_pixels():
    rows = [Reliability(0.1, 0.1, 10), Reliability(0.9, 0.5, 30)]
    assert calibration_error(rows) == pytest.approx(0.3)  # (0 × 10 + 0.4 × 30) / 40
    assert calibration_error([Reliability(0.2, 0.5, 7)]) == pytest.approx(0.3)


def test_an_honest_model_has_no_calibration_error():
    draw = np.random.default_rng(0)
    defect = draw.random((400, 500)).astype(np.float32)
    truth = (draw.random((400, 500)) < defect).astype(np.uint8)
    pixels = PixelCounts(1)
    pixels.add(defect, np.ones_like(truth), truth)
    assert calibration_error(reliability(pixels)) < 0.01


def test_without_pixels_there_is_nothing_to_trust():
    assert reliability(PixelCounts(2)) == []
    assert np.isnan(calibration_error([]))
