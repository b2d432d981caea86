"""promise: the operating point in words, and valid against test."""

import pytest

from defectseg.evaluation.report.promise import (
    calibration_before,
    compare_parts,
    explain,
    level,
)
from report_facts import make_metrics, make_point


def judgement(key: str, promised: float | None, shown: float | None, **ends: float) -> str:
    """The words for one number."""
    interval = {key: ends} if ends else {}
    metrics = {key: shown, "valid": {key: promised}, "interval": interval}
    keys = ["escape_rate", "false_alarm_rate", "review_rate", "iou_macro"]
    return compare_parts(metrics)[keys.index(key)].judgement


def test_test_may_be_no_worse_worse_by_chance_or_clearly_worse():
    assert judgement("escape_rate", 0.1, 0.1, low=0.0, high=0.3) == "no worse than promised"
    assert judgement("escape_rate", 0.1, 0.2, low=0.1, high=0.3).startswith("worse, but chance")
    assert judgement("escape_rate", 0.1, 0.2, low=0.11, high=0.3) == "clearly worse"
    assert judgement("escape_rate", 0.1, 0.2) == "worse than promised"
    assert judgement("escape_rate", None, 0.2) == judgement("escape_rate", 0.2, None) == ""


def test_of_an_overlap_less_is_worse():
    assert judgement("iou_macro", 0.6, 0.7) == "no worse than promised"
    assert judgement("iou_macro", 0.6, 0.5, low=0.4, high=0.59) == "clearly worse"


def test_both_parts_are_told_with_the_interval_of_test():
    row = compare_parts(make_metrics())[0]
    assert (row.valid, row.test, row.interval) == ("8.0 of 100", "15 of 100", "5.0 to 30")


def test_metrics_without_valid_are_dashes():
    assert {row.valid for row in compare_parts({})} == {"–"}
    assert calibration_before({"valid": None}) == ("–", "–")
    assert calibration_before(make_metrics()) == ("0.034", "0.009")


def test_the_steps_name_the_levels_and_the_review():
    steps = " ".join(explain(make_point()))
    assert "reaches 0.700 is rejected" in steps
    assert "only 0.400 goes to a person" in steps
    assert "98 of 100 clean valid pictures score at most 0.5" in steps
    plain = tuple(c.model_copy(update={"odds_ratio": 1.0}) for c in make_point().classes)
    assert "That probability is its score." in explain(make_point(classes=plain))
    assert "There is no review" in " ".join(explain(make_point(review=0.7)))


@pytest.mark.parametrize(("temperature", "word"), [(1.4, "less sure"), (0.7, "more sure")])
def test_a_temperature_above_one_makes_less_sure(temperature: float, word: str):
    assert word in explain(make_point(temperature=temperature))[0]
    assert "as the network gives them" in explain(make_point(temperature=1.0))[0]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5, "0.500"), (0.0002, "0.0002"), (0.99996, "0.99996"), (0.0, "0"), (1.0, "1")],
)
def test_a_level_never_looks_like_never_or_always_unless_it_is(value: float, text: str):
    assert level(value) == text
