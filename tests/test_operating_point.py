"""operating_point: thresholds, areas and levels worked out by hand from a few pixels."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from answers import Answer, ColourEngine, write_answers
from defectseg.data.tile import CLEAN, TileSet
from defectseg.evaluation.operating_point import (
    Choice,
    RegionRule,
    can_scale,
    choose_areas,
    choose_operating_point,
    fit_regions,
    held_out_scores,
    score_pictures,
)
from defectseg.evaluation.rule import Costs, RuleParams, choose_reject
from defectseg.evaluation.scored import score_part
from defectseg.evaluation.valid_table import ValidTable, count_valid, tabulate_valid
from defectseg.inference.operating_point import OperatingPoint, neutral_point, to_score

EQUAL = RuleParams(costs=Costs(escape=1, false_alarm=1))
NO_ALARM = RuleParams(max_false_alarm_rate=0.0)
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
    return choose_operating_point(ColourEngine(), valid, 3, rule, temperature).point


def table(*scores: Sequence[Sequence[float]], defects: str, largest: Sequence[int]) -> ValidTable:
    """Probabilities (n, K, A) of candidates 1, 2, 4, …, each a surface; `#` shows a defect."""
    array = np.array(scores, dtype=float)
    candidates = tuple(2**step for step in range(array.shape[2]))
    is_defect = np.array([mark == "#" for mark in defects])
    surfaces = np.array([f"s{number}" for number in range(len(defects))])
    return ValidTable(array, is_defect, surfaces, candidates, tuple(largest))


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
    scored = tabulate_valid(ColourEngine(), valid_part(tmp_path), 3, (0.5, 0.5), (4, 1))
    assert scored.candidates == (1, 2, 4)
    assert scored.probabilities[:, 0] == pytest.approx(  # tiles by id: c1, c2, d1, d2
        np.array([[0.902, 0, 0], [0, 0, 0], [0.8, 0.8, 0.8], [0.6, 0.6, 0.6]]), abs=1e-3
    )
    assert not scored.probabilities[:, 1].any()
    assert scored.is_defect.tolist() == [False, False, True, True]


def test_large_defects_may_have_a_large_minimal_area(tmp_path: Path):
    scored = tabulate_valid(ColourEngine(), valid_part(tmp_path), 3, (0.5, 0.5), (40_000, 1))
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
    assert choose_areas(scores, EQUAL) == (1, 1)


def test_an_area_above_the_largest_of_its_class_is_not_tried():
    scores = table([[0.9, 0.1]], [[0.7, 0.7]], defects=".#", largest=(1,))
    assert choose_areas(scores, EQUAL) == (0,)


def test_of_equal_areas_the_smaller_is_taken():
    scores = table([[0.1, 0.1, 0.1]], [[0.7, 0.7, 0.7]], defects=".#", largest=(4,))
    assert choose_areas(scores, EQUAL) == (0,)


def test_a_picture_is_as_bad_as_its_worst_class():
    scores = table([[0.2], [0.8]], [[0.5], [0.1]], defects="##", largest=(1, 1))
    assert score_pictures(scores, RegionRule((0, 0), (1.0, 1.0))).tolist() == [0.8, 0.5]
    # odds of 4 × 0.2 / 0.8 = 1 and 0.8 / 0.2 / 16 = 0.25
    assert score_pictures(scores, RegionRule((0, 0), (4.0, 1 / 16)))[0] == pytest.approx(0.5)


def test_on_its_scale_two_clean_pictures_of_a_hundred_score_more_than_half_in_each_class():
    draw = np.random.default_rng(0)
    clean = draw.beta([2, 6], [3, 1], (100, 2))
    scores = table(*clean[..., None], [[0.9], [0.9]], defects="." * 100 + "#", largest=(1, 1))
    regions = fit_regions(scores, NO_ALARM, is_scaled=True)
    assert regions.odds_ratios[0] > 10 * regions.odds_ratios[1]  # it is surer of the second
    on_scale = to_score(clean, np.array(regions.odds_ratios))
    assert (on_scale > 0.5).sum(axis=0).tolist() == [2, 2]


def test_pictures_that_score_the_same_score_half_together():
    rows = [[[0.4], [0.0]]] * 10 + [[[0.3], [1.0]]] * 90
    scores = table(*rows, [[0.9], [0.9]], defects="." * 100 + "#", largest=(1, 1))
    ratios = fit_regions(scores, NO_ALARM, is_scaled=True).odds_ratios
    assert to_score(0.4, ratios[0]) == pytest.approx(0.5)
    assert ratios[1] == pytest.approx(0.001 / 0.999)  # 1 would be never


def test_one_level_finds_what_is_less_sure_because_of_its_class():
    rows = [[[0.1], [0.9]]] * 10 + [[[0.8], [0.0]]] * 5 + [[[0.0], [0.97]]] * 5
    scores = table(*rows, defects="." * 10 + "#" * 10, largest=(1, 1))
    escapes = []
    for is_scaled in (False, True):
        each = score_pictures(scores, fit_regions(scores, NO_ALARM, is_scaled))
        reject, _ = choose_reject(each, scores.is_defect, NO_ALARM)
        escapes.append((each < reject)[10:].sum())
    assert escapes == [5, 0]


@pytest.mark.parametrize(
    ("pictures", "surfaces", "ratio"), [(50, 10, 4.0), (49, 49, 1.0), (50, 9, 1.0)]
)
def test_a_class_that_no_clean_picture_shows_is_surest_if_there_are_enough(
    tmp_path: Path, pictures: int, surfaces: int, ratio: float
):
    answers = [
        Answer(f"c{n}", CLEAN, f"s{n % surfaces}", NOTHING, NOTHING) for n in range(pictures)
    ]
    point = choose(valid_part(tmp_path, [*answers, ANSWERS[0]]), EQUAL)
    assert [each.odds_ratio for each in point.classes] == pytest.approx([ratio, ratio])


def test_a_single_class_needs_no_scale():
    rows = [[[n / 100]] for n in range(60)]
    assert can_scale(table(*[row * 2 for row in rows], defects="." * 60, largest=(1, 1)))
    assert not can_scale(table(*rows, defects="." * 60, largest=(1,)))


def test_a_picture_is_held_out_of_the_choice_that_scores_it():
    speck, nothing, defect = [[0.9, 0.1]], [[0.1, 0.1]], [[0.7, 0.7]]
    rows = [speck] + [nothing] * 4 + [defect] * 5
    scores = table(*rows, defects="." * 5 + "#" * 5, largest=(2,))
    regions = fit_regions(scores, EQUAL, is_scaled=False)
    assert regions.areas == (1,)
    fitted = score_pictures(scores, regions)
    held_out = held_out_scores(scores, regions, EQUAL, is_scaled=False)
    assert fitted[0] < fitted[5:].min()
    assert held_out[0] > held_out[5:].max()  # nothing else asks for two pixels
    few = table(*rows[:-1], defects="." * 5 + "#" * 4, largest=(2,))
    own = fit_regions(few, EQUAL, is_scaled=False)
    scores_of_few = held_out_scores(few, own, EQUAL, is_scaled=False)
    assert scores_of_few.tolist() == score_pictures(few, own).tolist()


def test_a_scale_is_held_out_too():
    clean = [[[n / 20], [0.1]] for n in range(20)]
    rows = [*clean, *[[[0.9], [0.0]]] * 10]
    scores = table(*rows, defects="." * 20 + "#" * 10, largest=(1, 1))
    regions = fit_regions(scores, EQUAL, is_scaled=True)
    held_out = held_out_scores(scores, regions, EQUAL, is_scaled=True)
    assert held_out[19] > score_pictures(scores, regions)[19]  # it has no say in its scale
    assert len(set(held_out[20:])) > 1  # equal probabilities, on the scales of different pictures


def test_the_level_and_what_it_promises_are_those_of_the_held_out_scores(tmp_path: Path):
    answers = [Answer("c0", CLEAN, "s0", truth=NOTHING, said=SPECK, grey=230)]  # 0.902
    answers += [Answer(f"c{n}", CLEAN, f"s{n}", NOTHING, NOTHING) for n in range(1, 5)]
    answers += [Answer(f"d{n}", "crack", f"t{n}", LONG, LONG, grey=204) for n in range(5)]
    valid = valid_part(tmp_path, answers)
    choice = choose_operating_point(ColourEngine(), valid, 3, EQUAL, 1.0)
    assert choice.point.classes[0].min_area == 2  # with it the speck counts for nothing
    assert choice.promised() == {"escape_rate": 0, "false_alarm_rate": 0.2, "review_rate": 0}
    assert choose(valid, NO_ALARM).reject == pytest.approx((1 + 0.902) / 2, abs=1e-3)


def test_what_is_promised_is_the_share_on_either_side_of_both_levels():
    scores = np.array([0.1, 0.5, 0.9, 0.2, 0.4, 0.6, 0.8])
    is_defect = np.array([True, True, True, False, False, False, False])
    point = neutral_point(["crack"]).model_copy(update={"review": 0.4, "reject": 0.7})
    assert Choice(point, scores, is_defect).promised() == {
        "escape_rate": pytest.approx(1 / 3),
        "false_alarm_rate": pytest.approx(1 / 4),
        "review_rate": pytest.approx(3 / 7),
    }


@pytest.mark.parametrize(
    "rule",
    [
        RuleParams(max_false_alarm_rate=0.25, review=0.25),
        RuleParams(max_escape_rate=0.25),
        RuleParams(costs=Costs(escape=10, false_alarm=1), review=0.25),
    ],
    ids=RuleParams.describe,
)
@pytest.mark.parametrize("pictures", [24, 112])
def test_the_verdicts_on_valid_are_those_that_were_chosen(
    tmp_path: Path, pictures: int, rule: RuleParams
):
    """What the table says is what `predict` then says of the same pictures, on one scale or not."""
    draw = np.random.default_rng(1)
    answers = []
    for number in range(pictures):
        shape = "".join(draw.choice(["1", "2", "."], 24, p=[0.3, 0.2, 0.5]))
        drawn = f"{shape[:8]} {shape[8:16]} {shape[16:]}"
        grey = int(draw.integers(20, 256))
        is_defect = number % 2 == 0
        truth = drawn if is_defect else f"{NOTHING} {NOTHING} {NOTHING}"
        kind = "crack" if is_defect else CLEAN
        answers.append(Answer(f"t{number:03}", kind, f"s{number}", truth, drawn, grey))
    valid = valid_part(tmp_path, answers)
    point = choose(valid, rule)
    assert (point.classes[0].odds_ratio != 1) == (pictures > 100)
    engine = ColourEngine(point.thresholds)
    found, _ = score_part(engine, point, valid, 3, "test")
    for picture in found:
        assert picture.verdict == point.verdict(picture.score), picture.tile.id
    largest = count_valid(engine, valid, 3)[1]
    seen = tabulate_valid(engine, valid, 3, point.thresholds, largest)
    areas = tuple(seen.candidates.index(each.min_area) for each in point.classes)
    ratios = tuple(each.odds_ratio for each in point.classes)
    expected = score_pictures(seen, RegionRule(areas, ratios))
    assert [picture.score for picture in found] == pytest.approx(expected.tolist())


@pytest.mark.parametrize("missing", [CLEAN, "crack"])
def test_a_part_with_one_kind_of_picture_promises_nothing_of_the_other(
    tmp_path: Path, missing: str
):
    answers = [each for each in ANSWERS if each.defect_class != missing]
    choice = choose_operating_point(ColourEngine(), valid_part(tmp_path, answers), 3, EQUAL, 1.0)
    unknown = "false_alarm_rate" if missing == CLEAN else "escape_rate"
    told = choice.promised()
    assert np.isnan(told.pop(unknown))
    assert np.isfinite(list(told.values())).all()
