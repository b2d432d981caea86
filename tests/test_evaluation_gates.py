"""gates of evaluation: each demand against its score, at the limit and on both sides of it."""

import pytest

from defectseg.errors import ParamsError
from defectseg.evaluation.gates import Gate, check_gates
from defectseg.evaluation.metrics import evaluate_pictures
from scored_pictures import scored
from tiny import CLASSES

METRICS = {
    "pictures": 12,
    "surfaces": 7,
    "iou_macro": 0.5,
    "iou_blowhole": None,
    "escape_rate": 0.2,
    "escape_rate_crack": 0.4,
    "false_alarm_rate": 0.05,
    "false_regions_per_picture": 1.5,
    "review_rate": 0.1,
    "ece": 0.01,
    "interval": {"iou_macro": {"low": 0.1, "high": 0.9}},
    "valid": {"escape_rate": 0.1},
}


def passes(metric: str, limit: float) -> bool:
    (gate,) = check_gates(METRICS, {metric: limit})
    return gate.passed


def test_a_score_must_reach_its_floor():
    assert passes("iou_macro", 0.5)
    assert passes("iou_macro", 0.49)
    assert not passes("iou_macro", 0.51)


@pytest.mark.parametrize(
    "metric",
    [
        "escape_rate",
        "escape_rate_crack",
        "false_alarm_rate",
        "false_regions_per_picture",
        "review_rate",
        "ece",
    ],
)
def test_a_rate_of_mistakes_must_not_exceed_its_ceiling(metric: str):
    value = float(str(METRICS[metric]))
    assert passes(metric, value)
    assert passes(metric, value + 0.001)
    assert not passes(metric, value - 0.001)


def test_a_gate_tells_what_was_asked_and_what_came():
    gates = check_gates(METRICS, {"escape_rate": 0.1, "iou_macro": 0.4})
    assert gates == [
        Gate("escape_rate", limit=0.1, is_floor=False, value=0.2, passed=False),
        Gate("iou_macro", limit=0.4, is_floor=True, value=0.5, passed=True),
    ]


def test_a_score_that_is_undefined_never_passes():
    assert check_gates(METRICS, {"iou_blowhole": 0.0}) == [
        Gate("iou_blowhole", limit=0.0, is_floor=True, value=None, passed=False)
    ]
    (gate,) = check_gates({"escape_rate": None}, {"escape_rate": 1.0})
    assert not gate.passed


def test_without_gates_nothing_is_demanded():
    assert check_gates(METRICS, {}) == []


@pytest.mark.parametrize("name", ["iou_marco", "interval", "valid", "pictures", ""])
def test_a_gate_for_what_is_no_score_is_refused_with_all_that_are(name: str):
    with pytest.raises(ParamsError, match=rf"gates: no such score: {name}; the scores are: ece, "):
        check_gates(METRICS, {name: 0.5})


def test_all_misspelt_gates_are_named_at_once():
    with pytest.raises(ParamsError, match="no such score: dice, recall; "):
        check_gates(METRICS, {"recall": 0.5, "iou_macro": 0.5, "dice": 0.5})


def test_every_score_of_a_part_has_the_direction_in_which_a_better_model_moves():
    true = ["1...", "2...", "....", "...."]
    good = [scored(t, t, score=0.0 if t == "...." else 1.0) for t in true]
    bad = [scored(t, "...1" if t == "...." else "....", score=0.5) for t in true]
    best, worst = (evaluate_pictures(each, CLASSES, 100, 0) for each in (good, bad))
    names = [n for n, value in best.items() if isinstance(value, float) and value != worst[n]]
    assert {"iou_macro", "escape_rate", "escape_rate_crack", "false_alarm_rate"} <= set(names)
    assert {"false_regions_per_picture", "image_auroc", "defects_found_iou30"} <= set(names)
    for name in names:
        assert check_gates(best, {name: best[name]})[0].passed
        assert not check_gates(worst, {name: best[name]})[0].passed


def test_a_limit_of_none_is_no_gate():
    assert check_gates({"iou_macro": 0.3}, {"iou_macro": None}) == []


def test_a_limit_of_none_for_something_that_is_no_score_is_still_a_mistake():
    with pytest.raises(ParamsError, match="iou_makro"):
        check_gates({"iou_macro": 0.3}, {"iou_makro": None})
