"""wording: numbers and names of metrics as a quality manager reads them."""

import pytest

from defectseg.evaluation.report.wording import (
    count,
    decimal,
    interval_in,
    list_numbers,
    metric_of,
    number_in,
    of_100,
    say,
    say_apart,
    say_interval,
)
from report_facts import make_metrics


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (0.0, "0"),
        (0.0004, "below 0.1"),
        (0.0006, "0.1"),
        (0.074, "7.4"),
        (0.0996, "10"),
        (0.2167, "22"),
        (0.994, "99"),
        (0.997, "99.7"),  # 100 would be a lie
        (0.9999, "above 99.9"),
        (1.0, "100"),
        (None, "–"),
        (float("nan"), "–"),
    ],
)
def test_a_rate_is_told_of_100_without_rounding_to_none_or_all(rate: float | None, text: str):
    assert of_100(rate) == text


def test_an_undefined_score_is_a_dash():
    assert [decimal(value) for value in (0.75549, None, float("inf"))] == ["0.755", "–", "–"]


def test_numbers_that_are_missing_null_or_no_numbers_are_unknown():
    metrics = {"a": 1, "b": None, "c": "0.5", "d": float("nan"), "e": True}
    assert [number_in(metrics, key) for key in "abcdef"] == [1.0, None, None, None, None, None]


def test_an_interval_needs_both_ends():
    metrics = {"interval": {"a": {"low": 0.1, "high": 0.3}, "b": {"low": None, "high": 1.0}}}
    assert interval_in(metrics, "a") == (0.1, 0.3)
    assert interval_in(metrics, "b") is None
    assert interval_in({}, "a") is None
    assert interval_in({"interval": None}, "a") is None


def test_a_rate_and_a_score_have_their_units():
    rate, score = metric_of("escape_rate"), metric_of("iou_macro")
    assert (say(rate, 0.2), say(score, 0.2), say(rate, None)) == ("20 of 100", "0.200", "–")
    assert (say_interval(rate, (0.05, 0.3)), say_interval(score, None)) == ("5.0 to 30", "–")


@pytest.mark.parametrize(
    ("key", "title", "kind"),
    [
        ("escape_rate_crack", "Escapes of crack", "rate"),
        ("iou_fray", "IoU of fray", "score"),
        ("iou_macro", "IoU, mean of the classes", "score"),
        ("false_regions_per_picture", "False regions per picture", "count"),
        ("new_score", "new_score", "score"),
    ],
)
def test_a_key_has_its_words(key: str, title: str, kind: str):
    metric = metric_of(key)
    assert (metric.key, metric.title, metric.kind) == (key, title, kind)


@pytest.mark.parametrize(
    ("key", "value", "limit", "told"),
    [
        ("iou_macro", 0.432, 0.5, ("0.432", "0.500", "0.068")),
        ("iou_macro", 0.49996, 0.5, ("0.49996", "0.50000", "0.00004")),
        ("escape_rate", 0.079, 0.05, ("7.9 of 100", "5.0 of 100", "2.9 of 100")),
        ("iou_macro", 0.5, 0.5, ("0.500000", "0.500000", "0.000000")),
    ],
)
def test_a_value_and_its_limit_never_look_the_same_unless_they_are(
    key: str, value: float, limit: float, told: tuple[str, str, str]
):
    assert say_apart(metric_of(key), value, limit) == told


def test_a_count_has_its_plural_and_thin_spaces():
    assert (count(1, "gate"), count(0, "gate")) == ("1 gate", "0 gates")
    assert count(1234567, "picture") == "1\u202f234\u202f567 pictures"


def test_every_number_is_listed_and_missing_ones_are_dashes():
    rows = {key: (value, interval) for _, value, interval, key in list_numbers(make_metrics())}
    assert rows["dice_pooled"] == ("0.759", "0.600 to 0.900")
    assert rows["image_auroc"] == ("–", "–")
    assert "iou_crack" not in rows  # it is in the table of the classes
