"""metrics: every number of metrics/evaluate.json, worked out by hand."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from defectseg.evaluation.metrics import evaluate_pictures, to_number
from defectseg.evaluation.scored import ScoredPicture
from scored_pictures import scored
from tiny import CLASSES

HEADLINES = (
    "dice_pooled",
    "iou_pooled",
    "dice_per_image_mean",
    "precision_pooled",
    "recall_pooled",
    "pixel_accuracy",
    "iou_macro",
    "iou_crack",
    "iou_blowhole",
    "image_auroc",
    "image_average_precision",
    "escape_rate",
    "escape_rate_crack",
    "escape_rate_blowhole",
    "false_alarm_rate",
    "review_rate",
    "defects_found_iou30",
    "defects_found_iou50",
    "false_regions_per_picture",
)


def evaluate(pictures: Sequence[ScoredPicture], seed: int = 0) -> dict[str, Any]:
    return evaluate_pictures(pictures, CLASSES, resamples=100, seed=seed)


LITTLE_HALF_FOUND = scored("1.1.......", "1.........", score=0.9)  # tp 1, fn 1: Dice 2/3
LARGE_ALL_FOUND = scored("111111....", "111111....", score=0.4)  # tp 6: Dice 1
LEFT_ALONE = scored("..........", "..........", score=0.1)  # no Dice
FALSE_ALARM = scored("..........", ".....2....", score=0.5)  # fp 1: Dice 0
PICTURES = (LITTLE_HALF_FOUND, LARGE_ALL_FOUND, LEFT_ALONE, FALSE_ALARM)


def test_pooled_scores_count_the_pixels_of_all_pictures_together():
    scores = evaluate(PICTURES)  # tp 7, fp 1, fn 1 of 40 pixels
    assert scores["dice_pooled"] == 0.875  # 14 / 16
    assert scores["iou_pooled"] == 0.777778  # 7 / 9
    assert scores["precision_pooled"] == 0.875
    assert scores["recall_pooled"] == 0.875
    assert scores["pixel_accuracy"] == 0.95  # 38 / 40


def test_scores_per_image_are_the_mean_over_pictures_where_there_is_something_to_score():
    assert evaluate(PICTURES)["dice_per_image_mean"] == 0.555556  # (2/3 + 1 + 0) / 3
    assert evaluate(PICTURES[:2])["dice_per_image_mean"] == 0.833333
    assert evaluate(PICTURES[:2])["dice_pooled"] == 0.933333  # 14 / 15


def test_each_class_has_its_iou_and_the_macro_score_is_their_mean():
    scores = evaluate(PICTURES)
    assert scores["iou_crack"] == 0.875  # 7 / 8
    assert scores["iou_blowhole"] == 0  # predicted and nowhere to be found
    assert scores["iou_macro"] == 0.4375


def test_a_class_that_is_nowhere_has_no_iou_and_no_part_in_the_macro_score():
    scores = evaluate(PICTURES[:3])
    assert scores["iou_blowhole"] is None
    assert scores["interval"]["iou_blowhole"] == {"low": None, "high": None}
    assert scores["iou_macro"] == scores["iou_crack"] == 0.875


def test_auroc_is_the_share_of_pairs_in_the_right_order():
    # defects 0.9 and 0.4, clean 0.1 and 0.5: three of four pairs
    assert evaluate(PICTURES)["image_auroc"] == 0.75


def test_pairs_of_equal_scores_are_half_in_order():
    pictures = [scored("1.", "1.", 0.3), scored("..", "..", 0.3)]
    assert evaluate(pictures)["image_auroc"] == 0.5


def test_average_precision_is_the_precision_at_each_defect_that_is_found():
    # in order of score: defect (1/1), clean, defect (2/3), clean
    assert evaluate(PICTURES)["image_average_precision"] == 0.833333


def test_verdicts_decide_what_escapes_and_what_is_a_false_alarm():
    pictures = [
        scored("1.", "..", kind="crack"),  # accepted: escapes
        scored("1.", "1.", kind="crack"),  # rejected
        scored("2.", "..", kind="blowhole", verdict="review"),  # somebody will see it
        scored("..", "1."),  # a false alarm
        scored("..", "..", verdict="review"),
        scored("..", ".."),
        scored("..", ".."),
    ]
    scores = evaluate(pictures)
    assert scores["escape_rate"] == 0.333333
    assert (scores["escape_rate_crack"], scores["escape_rate_blowhole"]) == (0.5, 0)
    assert scores["false_alarm_rate"] == 0.25  # of four clean pictures
    assert scores["review_rate"] == 0.285714  # 2 / 7


def test_a_picture_counts_as_its_label_says_even_with_an_empty_mask():
    empty = replace(LEFT_ALONE, tile=replace(LEFT_ALONE.tile, defect_class="crack"))
    scores = evaluate([empty, LITTLE_HALF_FOUND, LEFT_ALONE])
    assert (scores["escape_rate"], scores["false_alarm_rate"]) == (0.5, 0)


def test_regions_are_found_in_all_pictures_together():
    pictures = [
        scored("11..1", "1...."),  # IoU 1/2, and one that is not found
        scored("111..", "1...1"),  # IoU 1/3, and a false region
        scored(".....", "1.1.1"),  # three false regions
    ]
    scores = evaluate(pictures)
    assert scores["defects_found_iou30"] == 0.666667
    assert scores["defects_found_iou50"] == 0.333333
    assert scores["false_regions_per_picture"] == 1.333333  # 4 / 3


def test_pictures_and_surfaces_are_counted():
    pictures = [scored("1.", "1.", surface="s1"), scored("1.", "..", surface="s1")]
    scores = evaluate([*pictures, scored("..", "..", surface="s2")])
    assert (scores["pictures"], scores["surfaces"]) == (3, 2)


def test_every_headline_has_a_number_and_an_interval():
    scores = evaluate(PICTURES)
    assert tuple(scores["interval"]) == HEADLINES
    assert tuple(scores) == ("pictures", "surfaces", *HEADLINES, "interval")


def test_a_score_lies_within_its_interval():
    scores = evaluate(PICTURES)
    known = {name for name in HEADLINES if scores[name] is not None}
    assert set(HEADLINES) - known == {"escape_rate_blowhole"}
    for name in known:
        interval = scores["interval"][name]
        assert interval["low"] <= scores[name] <= interval["high"]


def test_pictures_of_one_surface_are_one_piece_of_evidence_without_a_spread():
    pictures = [replace(p, tile=replace(p.tile, surface="one")) for p in PICTURES]
    scores = evaluate(pictures)
    for name, interval in scores["interval"].items():
        assert interval == {"low": scores[name], "high": scores[name]}


def test_whole_surfaces_are_drawn_for_an_interval():
    # drawn are: good twice, bad twice (a quarter of the draws each), or one of each
    good = [scored("1.", "1.", n / 8, "good") for n in (1, 2)]
    bad = [scored("1.", ".1", n / 8, "bad") for n in (3, 4)]
    scores = evaluate([*good, *bad])
    assert scores["dice_pooled"] == 0.5
    assert scores["interval"]["dice_pooled"] == {"low": 0, "high": 1}
    mixed = [scored("1.", "1.", 0.1, s) for s in "ab"] + [scored("1.", ".1", 0.2, s) for s in "ab"]
    assert evaluate(mixed)["interval"]["dice_pooled"] == {"low": 0.5, "high": 0.5}


def test_intervals_repeat_themselves_for_one_seed():
    assert evaluate(PICTURES, seed=1) == evaluate(PICTURES, seed=1)


def test_the_seed_moves_intervals_and_no_score():
    pictures = [scored("1" * 9, "1" * n + "." * (9 - n), n / 10) for n in range(10)]
    first, second = evaluate(pictures, seed=1), evaluate(pictures, seed=2)
    assert first.pop("interval") != second.pop("interval")
    assert first == second


RANKS = {"image_auroc", "image_average_precision"}
FOUND = {"defects_found_iou30", "defects_found_iou50"}
ESCAPES = {"escape_rate", "escape_rate_crack", "escape_rate_blowhole"}


@pytest.mark.parametrize(
    ("pictures", "undefined"),
    [
        (PICTURES[:2], RANKS | {"false_alarm_rate", "escape_rate_blowhole"}),
        (PICTURES[2:], RANKS | FOUND | ESCAPES),
    ],
    ids=["no clean picture", "no defect picture"],
)
def test_what_cannot_be_computed_is_none(pictures: Sequence[ScoredPicture], undefined: set[str]):
    scores = evaluate(pictures)
    pixels = {name for name in HEADLINES if name.startswith(("iou_", "dice_", "precision"))}
    assert {n for n in HEADLINES if scores[n] is None} - pixels - {"recall_pooled"} == undefined
    for name in undefined:
        assert scores["interval"][name] == {"low": None, "high": None}


def test_a_part_where_nothing_is_and_nothing_is_found_has_only_what_counts_clean_pictures():
    scores = evaluate([LEFT_ALONE])
    assert {name for name in HEADLINES if scores[name] is not None} == {
        "pixel_accuracy",
        "false_alarm_rate",
        "review_rate",
        "false_regions_per_picture",
    }


def test_a_number_has_six_digits_and_what_is_undefined_is_none():
    assert to_number(2 / 3) == 0.666667
    assert to_number(math.nan) is None


def test_the_dice_of_one_picture_is_undefined_when_it_is_clean_and_left_alone():
    assert [p.dice for p in (LARGE_ALL_FOUND, FALSE_ALARM)] == [1, 0]
    assert math.isnan(LEFT_ALONE.dice)
