"""rule: the level of rejection, worked out by hand on eight pictures, and never beaten."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from defectseg.evaluation.rule import (
    UNSURE,
    RuleParams,
    above,
    choose_reject,
    choose_review,
    loss,
    rates_at,
)

Float = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

# clean:            .1   .2        .4        .6
# with a defect:              .3        .5        .7   .9
SCORES = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.9])
DEFECT = np.array([0, 0, 1, 0, 1, 0, 1, 1], dtype=bool)
PARTS = st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=12)
RULES = st.one_of(
    st.builds(
        lambda e, f, r: {"costs": {"escape": e, "false_alarm": f, "defect_rate": r}},
        st.integers(1, 20),
        st.integers(1, 20),
        st.sampled_from([None, 0.01, 0.5]),
    ),
    st.sampled_from([0.0, 0.1, 0.25, 0.5]).map(lambda limit: {"max_false_alarm_rate": limit}),
    st.sampled_from([0.0, 0.1, 0.25, 0.5]).map(lambda limit: {"max_escape_rate": limit}),
)


def rule(**params: Any) -> RuleParams:
    return RuleParams.model_validate(params)


def costs(escape: float, false_alarm: float, defect_rate: float | None = None) -> RuleParams:
    given = {"escape": escape, "false_alarm": false_alarm, "defect_rate": defect_rate}
    return rule(costs=given)


def chosen(params: RuleParams, scores: Float = SCORES, is_defect: Bool = DEFECT) -> float:
    return choose_reject(scores, is_defect, params)[0]


def arrays(pictures: list[tuple[int, bool]]) -> tuple[Float, Bool]:
    """Scores in twentieths and which of the pictures have a defect."""
    return np.array([s / 20 for s, _ in pictures]), np.array([d for _, d in pictures], dtype=bool)


def wrong(level: float, scores: Float, is_defect: Bool) -> tuple[float, float]:
    """The escape and the false-alarm rate, counted one by one."""
    escapes = [score < level for score, bad in zip(scores, is_defect, strict=True) if bad]
    alarms = [score >= level for score, bad in zip(scores, is_defect, strict=True) if not bad]
    return sum(escapes) / len(escapes), sum(alarms) / len(alarms)


def test_a_picture_at_the_level_is_rejected():
    escape, alarm = rates_at(np.array([0.0, 0.3, 0.31, 0.6, 0.61, 1.0]), SCORES, DEFECT)
    assert escape.tolist() == [0, 0, 0.25, 0.5, 0.5, 1]
    assert alarm.tolist() == [1, 0.5, 0.5, 0.25, 0, 0]


def test_a_rate_of_nothing_is_no_number():
    levels = np.array([0.5])
    escape, alarm = rates_at(levels, SCORES, np.zeros(8, dtype=bool))
    assert np.isnan(escape).all()
    assert alarm.tolist() == [0.5]  # 0.5, 0.6, 0.7 and 0.9 of eight
    escape, alarm = rates_at(levels, SCORES, np.ones(8, dtype=bool))
    assert escape.tolist() == [0.5]
    assert np.isnan(alarm).all()


@pytest.mark.parametrize(
    ("limit", "level"),
    [(0.0, 0.65), (0.24, 0.65), (0.25, 0.45), (0.5, 0.25), (0.99, 0.25)],
)
def test_a_limit_of_false_alarms_lets_as_few_defects_escape_as_it_can(limit: float, level: float):
    # of four clean pictures none from 0.7 on (2 of 4 escape), one from 0.5 on, two from 0.3 on
    assert chosen(rule(max_false_alarm_rate=limit)) == pytest.approx(level)


@pytest.mark.parametrize(
    ("limit", "level"), [(0.0, 0.25), (0.24, 0.25), (0.25, 0.45), (0.5, 0.65), (0.75, 0.65)]
)
def test_a_limit_of_escapes_raises_as_few_false_alarms_as_it_can(limit: float, level: float):
    assert chosen(rule(max_escape_rate=limit)) == pytest.approx(level)


@pytest.mark.parametrize(
    ("escape", "false_alarm", "level"),
    [
        (1, 1, 0.65),  # 2 + 0 at 0.7, 1 + 1 at 0.5, 0 + 2 at 0.3: of equals …
        (3, 2, 0.25),  # 6 at 0.7, 3 + 2 at 0.5, 4 at 0.3
        (2, 3, 0.65),  # 4 at 0.7, 2 + 3 at 0.5, 6 at 0.3
        (100, 1, 0.25),
        (1, 100, 0.65),
    ],
)
def test_costs_take_the_cheapest_level(escape: float, false_alarm: float, level: float):
    if escape == false_alarm:
        level = 0.25  # … the one with the fewest escapes
    assert chosen(costs(escape, false_alarm)) == pytest.approx(level)


def test_rare_defects_on_the_line_make_false_alarms_dear():
    # an escape costs 10: with 1 % of defects 10 × 0.01 × 2/4 = 0.05 beats 0.99 × 1/4
    assert chosen(costs(10, 1)) == pytest.approx(0.25)
    assert chosen(costs(10, 1, defect_rate=0.01)) == pytest.approx(0.65)
    assert chosen(costs(10, 1, defect_rate=0.5)) == pytest.approx(0.25)


def test_the_cost_of_a_level_is_what_it_costs_a_picture():
    (paid, escape), *_ = loss(np.array([0.5]), SCORES, DEFECT, costs(10, 2))
    assert (paid, escape) == (pytest.approx(0.5 * 10 / 4 + 0.5 * 2 / 4), 0.25)
    (paid, _), *_ = loss(np.array([0.5]), SCORES, DEFECT, costs(10, 2, defect_rate=0.1))
    assert paid == pytest.approx(0.1 * 10 / 4 + 0.9 * 2 / 4)


def test_pictures_of_one_score_are_never_told_apart():
    scores, defect = np.array([0.2, 0.5, 0.5, 0.8]), np.array([0, 0, 1, 1], dtype=bool)
    assert chosen(rule(max_false_alarm_rate=0.0), scores, defect) == pytest.approx(0.65)
    assert chosen(rule(max_escape_rate=0.0), scores, defect) == pytest.approx(0.35)


def test_defects_that_nobody_can_see_are_accepted_where_a_limit_of_escapes_cannot_be_kept():
    # one of two has no score at all: the least violation is 1/2, and no false alarm is needed
    scores, defect = np.array([0.0, 0.8, 0.3, 0.1]), np.array([1, 1, 0, 0], dtype=bool)
    level, paid = choose_reject(scores, defect, rule(max_escape_rate=0.1))
    assert level == pytest.approx(0.55)
    assert paid.tolist() == pytest.approx([5.0, 0.0])  # 1 + 10 × (0.5 - 0.1)


def test_clean_pictures_that_are_surely_rejected_break_a_limit_as_little_as_can_be():
    # two clean ones score 1: from there on 2 of 3 are false alarms, below all three
    scores, defect = np.array([1.0, 1.0, 0.6, 1.0, 0.7]), np.array([0, 0, 0, 1, 1], dtype=bool)
    assert chosen(rule(max_false_alarm_rate=0.1), scores, defect) == pytest.approx(0.65)


def test_a_limit_can_always_be_kept_by_rejecting_nothing():
    # the only picture above the defect is clean: no defect is worth it
    scores, defect = np.array([0.9, 0.4]), np.array([0, 1], dtype=bool)
    assert chosen(rule(max_false_alarm_rate=0.0), scores, defect) == pytest.approx(0.95)


@pytest.mark.parametrize("is_defect", [np.zeros(8, dtype=bool), np.ones(8, dtype=bool)])
@pytest.mark.parametrize("params", [rule(max_escape_rate=0.1), costs(10, 1)])
def test_a_part_of_one_kind_of_picture_says_nothing(is_defect: Bool, params: RuleParams):
    level, paid = choose_reject(SCORES, is_defect, params)
    assert (level, paid.tolist()) == (UNSURE, [0, 0])


def test_a_part_without_pictures_says_nothing():
    assert choose_reject(np.zeros(0), np.zeros(0, dtype=bool), costs(1, 1))[0] == UNSURE


@given(PARTS, RULES)
@settings(deadline=None, max_examples=300)
def test_no_other_level_is_better_by_the_rule(
    pictures: list[tuple[int, bool]], params: dict[str, Any]
):
    scores, is_defect = arrays(pictures)
    if is_defect.all() or not is_defect.any():
        return
    asked = rule(**params)
    level, paid = choose_reject(scores, is_defect, asked)
    assert 0 < level <= 1
    assert tuple(loss(np.array([level]), scores, is_defect, asked)[0]) == pytest.approx(paid)
    escape, alarm = wrong(level, scores, is_defect)
    others = [wrong(step / 40, scores, is_defect) for step in range(1, 41)]
    if asked.costs:
        rate = asked.costs.defect_rate or is_defect.mean()
        price = (asked.costs.escape * rate, asked.costs.false_alarm * (1 - rate))
        cheapest = min(price[0] * e + price[1] * a for e, a in others)
        assert price[0] * escape + price[1] * alarm == pytest.approx(cheapest)
        return
    limit = asked.max_escape_rate if asked.max_false_alarm_rate is None else None
    mine = (alarm, escape) if limit is None else (escape, alarm)
    rest = [(a, e) if limit is None else (e, a) for e, a in others]
    bound = asked.max_false_alarm_rate if limit is None else limit
    assert bound is not None
    allowed = [other for limited, other in rest if limited <= bound]
    if allowed:
        assert mine[0] <= bound
        assert mine[1] == min(allowed)
    else:
        assert mine == min(rest)  # the least violation, then the fewest of the others


def test_the_level_lies_half_way_to_the_next_lower_score():
    assert above(SCORES, 0.7) == pytest.approx(0.65)
    assert above(SCORES, 0.1) == pytest.approx(0.05)  # none is lower: half-way to 0
    assert above(SCORES, 1.0) == pytest.approx(0.95)


def test_without_a_share_nothing_goes_to_review():
    assert choose_review(SCORES, DEFECT, 0.65, 0.0) == 0.65


@pytest.mark.parametrize(
    ("share", "level"),
    [
        (0.25, 0.45),  # one of four clean ones: 0.6; the next lower defect is at 0.5
        (0.49, 0.45),
        (0.5, 0.25),  # 0.6 and 0.4: down to the defect at 0.3
        (0.75, 0.15),  # and 0.2
        (0.99, 0.15),
    ],
)
def test_review_reaches_as_far_down_as_its_share_of_the_clean_pictures(share: float, level: float):
    assert choose_review(SCORES, DEFECT, 0.65, share) == pytest.approx(level)


def test_a_share_that_is_too_small_for_one_clean_picture_still_takes_the_defects_before_it():
    # from 0.45 on there is the defect at 0.5 and no clean picture
    assert choose_review(SCORES, DEFECT, 0.55, 0.1) == pytest.approx(0.45)


def test_a_share_that_covers_all_reviews_every_picture_with_a_score():
    scores, defect = np.array([0.0, 0.2, 0.4, 0.8]), np.array([0, 0, 1, 1], dtype=bool)
    assert choose_review(scores, defect, 0.6, 0.99) == pytest.approx(0.1)


def test_clean_pictures_of_one_score_go_to_review_together_or_not_at_all():
    scores, defect = np.array([0.3, 0.3, 0.5, 0.9]), np.array([0, 0, 1, 1], dtype=bool)
    assert choose_review(scores, defect, 0.7, 0.5) == pytest.approx(0.4)  # one of two may, not both


def test_where_nothing_lies_below_reject_there_is_no_band():
    scores, defect = np.array([0.7, 0.9]), np.array([0, 1], dtype=bool)
    assert choose_review(scores, defect, 0.6, 0.9) == 0.6


def test_a_part_without_clean_pictures_says_nothing_about_review():
    assert choose_review(SCORES, np.ones(8, dtype=bool), UNSURE, 0.5) == UNSURE


@given(PARTS, st.integers(1, 20), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9]))
@settings(deadline=None, max_examples=300)
def test_no_lower_review_keeps_the_share(
    pictures: list[tuple[int, bool]], twentieth: int, share: float
):
    scores, is_defect = arrays(pictures)
    reject = twentieth / 20 - 0.025
    level = choose_review(scores, is_defect, reject, share)
    clean = scores[~is_defect]
    assert 0 < level <= reject
    assert ((clean >= level) & (clean < reject)).sum() <= share * len(clean) + 1e-9
    if share and len(clean):
        lower = [v for v in set(scores) if 0 < v < level]
        reviewed = [((clean >= v) & (clean < reject)).sum() for v in lower]
        assert all(count > share * len(clean) + 1e-9 for count in reviewed)


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({}, "set are: none"),
        ({"review": 0.1}, "set are: none"),
        ({"max_escape_rate": 0.1, "max_false_alarm_rate": 0.0}, "max_false_alarm_rate, max_escape"),
        ({"costs": {"escape": 1, "false_alarm": 1}, "max_escape_rate": 0.1}, "costs, max_escape"),
        ({"max_escape_rate": 1.0}, "less than 1"),
        ({"max_escape_rate": -0.1}, "greater than or equal to 0"),
        ({"max_false_alarm_rate": float("nan")}, "finite number"),
        ({"max_escape_rate": 0.1, "review": 1.0}, "less than 1"),
        ({"costs": {"escape": 0, "false_alarm": 1}}, "greater than 0"),
        ({"costs": {"escape": 1}}, "Field required"),
        ({"costs": {"escape": 1, "false_alarm": 1, "defect_rate": 0}}, "greater than 0"),
        ({"max_escapes": 0.1}, "Extra inputs"),
    ],
)
def test_there_is_exactly_one_rule_and_it_makes_sense(params: dict[str, Any], named: str):
    with pytest.raises(ValidationError, match=named):
        rule(**params)


def test_a_limit_of_0_is_a_rule_and_not_the_lack_of_one():
    assert rule(max_escape_rate=0).max_escape_rate == 0
    assert rule(max_false_alarm_rate=0, costs=None).max_false_alarm_rate == 0


def test_a_rule_says_in_words_what_was_asked_for():
    assert rule(max_escape_rate=0.05).describe() == "at most 5 % escapes"
    assert rule(max_false_alarm_rate=0.0).describe() == "at most 0 % false alarms"
    assert costs(10, 0.5).describe() == "an escape costs 10, a false alarm 0.5"
    assert costs(10, 1, 0.001).describe().endswith(", 0.1 % of the pictures have a defect")
