"""operating_point: thresholds, areas and levels worked out by hand from a few pixels."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from answers import Answer, ColourEngine, write_answers
from defectseg.data.tile import CLEAN, TileSet
from defectseg.evaluation.operating_point import (
    ValidScores,
    choose_areas,
    choose_operating_point,
    count_valid,
    score_valid,
    scores_with,
)
from defectseg.evaluation.rule import Costs, RuleParams
from defectseg.evaluation.scored import score_part
from defectseg.inference.operating_point import OperatingPoint

EQUAL = RuleParams(costs=Costs(escape=1, false_alarm=1))
LONG = "11111111"
SPECK = "1......."
NOTHING = "........"
ANSWERS = (
    Answer("d1", "crack", "s1", truth=LONG, said=LONG, grey=204),  # 0.8
    Answer("d2", "crack", "s2", truth=LONG, said=LONG, grey=153),  # 0.6
    Answer("c1", CLEAN, "s3", truth=NOTHING, said=SPECK, grey=230),  # 0.902, one pixel
    Answer("c2", CLEAN, "s4", truth=NOTHING, said=NOTHING),
)


def valid_part(folder: Path, answers: Sequence[Answer] = ANSWERS) -> TileSet:
    return write_answers(folder, answers)


def choose(valid: TileSet, rule: RuleParams, temperature: float = 1.0) -> OperatingPoint:
    return choose_operating_point(ColourEngine(), valid, 3, rule, temperature)


def table(*scores: Sequence[Sequence[float]], defects: str, largest: Sequence[int]) -> ValidScores:
    """Scores (n, K, A) of candidates 1, 2, 4, …; `#` is a picture with a defect."""
    array = np.array(scores, dtype=float)
    candidates = tuple(2**step for step in range(array.shape[2]))
    is_defect = np.array([mark == "#" for mark in defects])
    return ValidScores(array, is_defect, candidates, tuple(largest))


def test_a_minimal_area_makes_a_sure_speck_count_for_nothing(tmp_path: Path):
    point = choose(valid_part(tmp_path), EQUAL)
    crack = point.classes[0]
    assert crack.min_area == 2  # the smallest that helps; half of the true regions is 4
    assert point.reject == pytest.approx(0.3)  # half-way between 0.6 and nothing


def test_the_threshold_of_a_class_has_its_highest_iou(tmp_path: Path):
    # up to 0.60 both cracks and the speck: 16 of 17 pixels; above only one crack: 8 of 17
    assert choose(valid_part(tmp_path), EQUAL).thresholds[0] == 0.5


def test_a_class_that_valid_has_not_takes_the_threshold_of_all(tmp_path: Path):
    point = choose(valid_part(tmp_path), EQUAL)
    assert point.thresholds[1] == point.thresholds[0]
    assert (point.names, point.classes[1].min_area) == (("crack", "blowhole"), 1)


def test_the_rule_and_the_temperature_travel_with_the_point(tmp_path: Path):
    point = choose(valid_part(tmp_path), EQUAL, temperature=1.25)
    assert (point.temperature, point.rule) == (1.25, EQUAL.describe())


def test_without_a_band_review_is_reject(tmp_path: Path):
    point = choose(valid_part(tmp_path), EQUAL)
    assert point.review == point.reject


def test_a_band_takes_in_as_many_clean_pictures_as_it_may(tmp_path: Path):
    answers = [
        Answer("d1", "crack", "s1", truth=LONG, said=LONG, grey=255),
        *(Answer(f"c{n}", CLEAN, f"s{n}", NOTHING, LONG, grey=51 * n) for n in (1, 2, 3)),
        Answer("c4", CLEAN, "s5", truth=NOTHING, said=NOTHING),
    ]
    rule = RuleParams(max_false_alarm_rate=0.0, review=0.5)
    point = choose(valid_part(tmp_path, answers), rule)
    assert point.reject == pytest.approx(0.8)  # half-way between 1 and 0.6
    # two of four; the pictures at 0.2 and 0.4 reach the levels 0.15 and 0.35
    assert point.review == pytest.approx(0.25)


def test_half_of_a_small_true_defect_is_the_most_that_a_minimal_area_may_be(tmp_path: Path):
    answers = [
        Answer(f"d{n}", "crack", f"s{n}", truth="1" * n + "." * (12 - n) + ".1", said="." * 14)
        for n in (4, 8, 12)
    ]  # each with a speck, which is not what its picture is rejected for
    _, largest = count_valid(ColourEngine(), valid_part(tmp_path, answers), 3)
    assert largest == (2, 1)  # the 10th percentile of 4, 8 and 12 is 4.8


def test_every_picture_has_a_score_for_each_class_and_area(tmp_path: Path):
    scored = score_valid(ColourEngine(), valid_part(tmp_path), 3, (0.5, 0.5), (4, 1))
    assert scored.candidates == (1, 2, 4)
    assert scored.scores[:, 0] == pytest.approx(  # tiles by id: c1, c2, d1, d2
        np.array([[0.902, 0, 0], [0, 0, 0], [0.8, 0.8, 0.8], [0.6, 0.6, 0.6]]), abs=1e-3
    )
    assert not scored.scores[:, 1].any()
    assert scored.is_defect.tolist() == [False, False, True, True]


def test_large_defects_may_have_a_large_minimal_area(tmp_path: Path):
    scored = score_valid(ColourEngine(), valid_part(tmp_path), 3, (0.5, 0.5), (40_000, 1))
    assert scored.candidates[-1] == 32_768


def test_the_areas_of_several_classes_are_chosen_together():
    # both clean pictures vanish only when both classes ask for two pixels
    scores = table(
        [[0.9, 0.1], [0.0, 0.0]],
        [[0.0, 0.0], [0.9, 0.1]],
        [[0.7, 0.7], [0.0, 0.0]],
        [[0.0, 0.0], [0.6, 0.6]],
        defects="..##",
        largest=(2, 2),
    )
    areas, reject = choose_areas(scores, EQUAL)
    assert areas == [1, 1]
    assert reject == pytest.approx(0.35)


def test_an_area_above_the_largest_of_its_class_is_not_tried():
    scores = table([[0.9, 0.1]], [[0.7, 0.7]], defects=".#", largest=(1,))
    assert choose_areas(scores, EQUAL)[0] == [0]


def test_of_equal_areas_the_smaller_is_taken():
    scores = table([[0.1, 0.1, 0.1]], [[0.7, 0.7, 0.7]], defects=".#", largest=(4,))
    assert choose_areas(scores, EQUAL)[0] == [0]


def test_a_picture_is_as_bad_as_its_worst_class():
    scores = table([[0.2], [0.8]], [[0.5], [0.1]], defects="##", largest=(1, 1))
    assert scores_with(scores, [0, 0]).tolist() == [0.8, 0.5]


@pytest.mark.parametrize(
    "rule",
    [
        RuleParams(max_false_alarm_rate=0.25, review=0.25),
        RuleParams(max_escape_rate=0.25),
        RuleParams(costs=Costs(escape=10, false_alarm=1), review=0.25),
    ],
    ids=RuleParams.describe,
)
def test_the_verdicts_on_valid_are_those_that_were_chosen(tmp_path: Path, rule: RuleParams):
    """What the table promised is what `predict` then says of the same pictures."""
    draw = np.random.default_rng(1)
    answers = []
    for number in range(24):
        shape = "".join(draw.choice(["1", "2", "."], 24, p=[0.3, 0.2, 0.5]))
        drawn = f"{shape[:8]} {shape[8:16]} {shape[16:]}"
        grey = int(draw.integers(20, 256))
        is_defect = number % 2 == 0
        truth = drawn if is_defect else f"{NOTHING} {NOTHING} {NOTHING}"
        kind = "crack" if is_defect else CLEAN
        answers.append(Answer(f"t{number:02}", kind, f"s{number}", truth, drawn, grey))
    valid = valid_part(tmp_path, answers)
    point = choose(valid, rule)
    engine = ColourEngine(point.thresholds)
    pictures, _ = score_part(engine, point, valid, 3, "test")
    for picture in pictures:
        assert picture.verdict == point.verdict(picture.score), picture.tile.id
