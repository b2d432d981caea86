"""The name or the value of a metric in, the words that a quality manager reads out.

Rates are told as "of 100", scores with three digits, and what is undefined as a dash.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal

DASH = "–"
MOST_DIGITS = 6  # as many as metrics/evaluate.json has
Kind = Literal["rate", "score", "count"]


@dataclass(frozen=True)
class Metric:
    """How one key of metrics/evaluate.json is told."""

    key: str
    title: str
    kind: Kind  # rate: a share of pictures or defects; score: 0..1; count: 0 and above


TOLD = (
    Metric("escape_rate", "Escapes: pictures with a defect that pass unseen", "rate"),
    Metric("false_alarm_rate", "False alarms: good pictures that are rejected", "rate"),
    Metric("review_rate", "Reviews: pictures that a person must look at", "rate"),
    Metric("defects_found_iou30", "Defects found (IoU of at least 0.3)", "rate"),
    Metric("defects_found_iou50", "Defects found closely (IoU of at least 0.5)", "rate"),
    Metric("false_regions_per_picture", "False regions per picture", "count"),
    Metric("dice_pooled", "Dice, all pixels together", "score"),
    Metric("iou_pooled", "IoU, all pixels together", "score"),
    Metric("iou_macro", "IoU, mean of the classes", "score"),
    Metric("dice_per_image_mean", "Dice, mean of the pictures", "score"),
    Metric("precision_pooled", "Precision of the pixels", "score"),
    Metric("recall_pooled", "Recall of the pixels", "score"),
    Metric("pixel_accuracy", "Pixels with the right class", "score"),
    Metric("image_auroc", "AUROC of the pictures", "score"),
    Metric("image_average_precision", "Average precision of the pictures", "score"),
    Metric("ece", "Calibration error (ECE)", "score"),
)


def metric_of(key: str) -> Metric:
    """The words for a key; a key that nobody knows is told by its own name."""
    known = {metric.key: metric for metric in TOLD}
    if key in known:
        return known[key]
    if key.startswith("escape_rate_"):
        return Metric(key, f"Escapes of {key.removeprefix('escape_rate_')}", "rate")
    if key.startswith("iou_"):
        return Metric(key, f"IoU of {key.removeprefix('iou_')}", "score")
    return Metric(key, key, "score")


def number_in(metrics: Mapping[str, Any], key: str) -> float | None:
    """A number of metrics/evaluate.json; None where it is missing, null or no number."""
    value = metrics.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return None
    return float(value)


def interval_in(metrics: Mapping[str, Any], key: str) -> tuple[float, float] | None:
    """The 95 % interval of a metric; None where there is none."""
    ends = (metrics.get("interval") or {}).get(key) or {}
    low, high = number_in(ends, "low"), number_in(ends, "high")
    return None if low is None or high is None else (low, high)


def of_100(rate: float | None) -> str:
    """A share 0..1 as a number of 100, such as `22`, `7.4` or `below 0.1`; without the words."""
    if rate is None or not isfinite(rate):
        return DASH
    hundredths = 100 * rate
    if 0 < hundredths < 0.05:
        return "below 0.1"
    if 99.95 <= hundredths < 100:
        return "above 99.9"
    is_near_an_end = 0 < hundredths < 9.95 or 99.5 <= hundredths < 100
    return f"{hundredths:.{1 if is_near_an_end else 0}f}"


def decimal(value: float | None, digits: int = 3) -> str:
    """A score such as `0.756`."""
    return DASH if value is None or not isfinite(value) else f"{value:.{digits}f}"


def say(metric: Metric, value: float | None) -> str:
    """A value with its unit, such as `22 of 100` or `0.756`."""
    if value is None or metric.kind != "rate":
        return decimal(value)
    return f"{of_100(value)} of 100"


def say_interval(metric: Metric, ends: tuple[float, float] | None) -> str:
    """Such as `9.2 to 35` or `0.513 to 0.887`."""
    if ends is None:
        return DASH
    low, high = (of_100(end) if metric.kind == "rate" else decimal(end) for end in ends)
    return f"{low} to {high}"


def say_apart(metric: Metric, value: float, limit: float) -> tuple[str, str, str]:
    """A value, a limit and the distance between, with enough digits to tell them apart."""
    scale, unit, digits = (100, " of 100", 1) if metric.kind == "rate" else (1, "", 3)
    while digits < MOST_DIGITS and f"{scale * abs(value - limit):.{digits}f}".strip("0.") == "":
        digits += 1
    shown = [f"{scale * each:.{digits}f}" for each in (value, limit, abs(value - limit))]
    return f"{shown[0]}{unit}", f"{shown[1]}{unit}", f"{shown[2]}{unit}"


def list_numbers(metrics: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """Title, value, interval and key of every number that is not of one class."""
    return [
        (
            metric.title,
            say(metric, number_in(metrics, metric.key)),
            say_interval(metric, interval_in(metrics, metric.key)),
            metric.key,
        )
        for metric in TOLD
    ]


def count(number: int, word: str) -> str:
    """Such as `1 picture` or `12 345 pictures`, with thin spaces between thousands."""
    return f"{number:,}".replace(",", "\u202f") + f" {word}" + ("" if number == 1 else "s")
