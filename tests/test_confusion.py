"""confusion: every overlap score, worked out by hand on drawn masks."""

import numpy as np
import pytest

from conftest import mask
from defectseg.confusion import (
    Overlap,
    any_defect,
    count_pixels,
    each_class,
    iou_by_class,
    iou_macro,
    ratio,
)


def overlap(pred: str, true: str, classes: int = 1) -> Overlap:
    """Any defect against background of two drawn masks."""
    return any_defect(count_pixels(mask(pred), mask(true), classes))


def test_rows_are_the_truth_and_columns_the_prediction():
    counts = count_pixels(mask("01221"), mask("01120"), classes=2)
    assert counts.tolist() == [[1, 1, 0], [0, 1, 1], [0, 0, 1]]


def test_one_hit_one_false_alarm_and_one_miss_are_a_dice_of_a_half():
    scores = overlap(pred=".##.", true="##..")
    assert (scores.tp, scores.fp, scores.fn) == (1, 1, 1)
    assert scores.dice == 0.5
    assert scores.iou == pytest.approx(1 / 3)


def test_precision_asks_the_prediction_and_recall_the_truth():
    scores = overlap(pred="###.", true="#..#")  # tp 1, fp 2, fn 1
    assert scores.precision == pytest.approx(1 / 3)
    assert scores.recall == 0.5


def test_a_perfect_prediction_scores_one():
    scores = overlap(pred="##.", true="##.")
    assert (scores.dice, scores.iou, scores.precision, scores.recall) == (1, 1, 1, 1)


def test_a_false_alarm_on_a_clean_tile_scores_zero():
    scores = overlap(pred="#.", true="..")
    assert (scores.dice, scores.iou, scores.precision) == (0, 0, 0)
    assert np.isnan(scores.recall)


def test_a_missed_defect_scores_zero():
    scores = overlap(pred="..", true="#.")
    assert (scores.dice, scores.iou, scores.recall) == (0, 0, 0)
    assert np.isnan(scores.precision)


def test_a_clean_tile_that_is_left_alone_has_no_score():
    scores = overlap(pred="..", true="..")
    assert np.isnan([scores.dice, scores.iou, scores.precision, scores.recall]).all()


def test_a_defect_taken_for_another_kind_is_still_a_defect():
    assert overlap(pred="2.", true="1.", classes=2).dice == 1


def test_each_class_stands_against_all_else():
    counts = count_pixels(mask("1222."), mask("1122."), classes=2)
    scores = each_class(counts)
    assert (scores.tp.tolist(), scores.fp.tolist(), scores.fn.tolist()) == ([1, 2], [0, 1], [1, 0])
    assert iou_by_class(counts, ["crack", "hole"]) == {
        "iou_crack": 0.5,
        "iou_hole": pytest.approx(2 / 3),
    }


def test_the_macro_score_is_the_mean_of_the_classes():
    counts = count_pixels(mask("1222."), mask("1122."), classes=2)
    assert iou_macro(counts) == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_the_macro_score_leaves_the_background_out():
    small, large = "1222.", "1222" + 96 * "."
    true_small, true_large = "1122.", "1122" + 96 * "."
    assert iou_macro(count_pixels(mask(large), mask(true_large), 2)) == iou_macro(
        count_pixels(mask(small), mask(true_small), 2)
    )


def test_the_macro_score_leaves_absent_classes_out():
    counts = count_pixels(mask("1222."), mask("1122."), classes=5)
    assert iou_macro(counts) == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_a_class_that_is_only_predicted_counts_as_zero():
    assert iou_macro(count_pixels(mask("112"), mask("11."), classes=2)) == 0.5


def test_without_any_defect_there_is_no_macro_score():
    assert np.isnan(iou_macro(count_pixels(mask("..."), mask("..."), classes=2)))


def test_a_stack_of_matrices_is_scored_one_by_one():
    pairs = [(".##.", "##.."), ("#...", "...."), ("##..", "##..")]
    stack = np.stack([count_pixels(mask(pred), mask(true), 1) for pred, true in pairs])
    assert any_defect(stack).dice.tolist() == [0.5, 0, 1]
    assert each_class(stack).tp.tolist() == [[1], [0], [2]]
    assert iou_macro(stack).tolist() == [pytest.approx(1 / 3), 0, 1]


def test_many_classes_do_not_overflow_the_bytes_of_a_mask():
    last = np.full((2, 3), 200, dtype=np.uint8)
    counts = count_pixels(last, last, classes=200)
    assert (counts[200, 200], counts.sum()) == (6, 6)


def test_masks_of_two_shapes_are_an_error_that_says_what_to_do():
    with pytest.raises(
        ValueError, match=r"pred_mask is \(1, 3\) but true_mask is \(2, 3\); resize"
    ):
        count_pixels(mask("..."), mask("... ..."), classes=1)


def test_a_class_without_scores_is_an_error():
    with pytest.raises(ValueError, match="shorter"):
        iou_by_class(np.eye(2), ["crack", "hole"])


def test_nothing_over_nothing_is_no_number():
    values = ratio([1, 0, 3], [2, 0, 0])
    assert values[0] == 0.5
    assert np.isnan(values[1:]).all()
