"""offers: what a file may lose before it is withdrawn."""

from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from defectseg.export.offers import Limits, MaxDrop, judge_difference
from defectseg.export.variants import Difference

LIMITS = Limits(dice_drop=0.005, class_iou_drop=0.01, verdicts_changed=0.01)
SAME = Difference(
    variant="int8",
    engine="onnxruntime",
    pictures=200,
    max_abs_probability_difference=0.3,
    dice_drop=0.0,
    iou_drop={"crack": 0.0, "blowhole": None},
    flipped_pixel_fraction=0.5,
    verdicts_changed=0.0,
)


def reasons(limits: Limits = LIMITS, **changes: Any) -> tuple[str, ...]:
    return judge_difference(replace(SAME, **changes), limits).reasons


def test_what_keeps_every_limit_is_offered():
    assert judge_difference(SAME, LIMITS).is_offered
    at_the_limit = {"dice_drop": 0.005, "iou_drop": {"crack": 0.01}, "verdicts_changed": 0.01}
    assert reasons(**at_the_limit) == ()
    assert reasons(dice_drop=-0.5, iou_drop={"crack": -0.5}) == ()  # a gain is no loss


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"dice_drop": 0.0061}, "Dice drops by 0.0061, at most 0.005 is allowed"),
        (
            {"iou_drop": {"crack": 0.0, "blowhole": 0.02}},
            "IoU of blowhole drops by 0.0200, at most 0.01 is allowed",
        ),
        ({"verdicts_changed": 0.015}, "1.50 % of the verdicts change, at most 1 % may"),
        (
            {"max_abs_probability_difference": None},
            "it gives a probability that is no number",
        ),
    ],
)
def test_what_loses_more_is_not_offered_and_says_why(changes: dict[str, Any], reason: str):
    assert reasons(**changes) == (reason,)
    assert not judge_difference(replace(SAME, **changes), LIMITS).is_offered


def test_every_reason_is_named():
    assert len(reasons(dice_drop=1.0, iou_drop={"a": 1.0, "b": 1.0}, verdicts_changed=1.0)) == 4


def test_a_score_that_is_undefined_is_ignored():
    assert reasons(dice_drop=None, iou_drop={"crack": None}) == ()


def test_only_where_a_probability_is_limited_does_its_difference_count():
    strict = replace(LIMITS, probability=1e-4)
    assert reasons(strict) == ("a probability differs by 0.3, at most 0.0001 is allowed",)
    assert reasons(strict, max_abs_probability_difference=1e-4) == ()
    assert len(reasons(strict, max_abs_probability_difference=float("nan"))) == 1


def test_a_margin_is_half_of_every_limit():
    assert LIMITS.halved() == Limits(0.0025, 0.005, 0.005, None)
    assert replace(LIMITS, probability=0.2).halved().probability == 0.1


@pytest.mark.parametrize("params", [{"dice": -0.1, "class_iou": 0}, {"dice": 0.1}, {"dise": 1}])
def test_limits_that_mean_nothing_are_refused(params: dict[str, float]):
    with pytest.raises(ValidationError):
        MaxDrop.model_validate(params)
