"""The operating point in, its words and what valid promised against what test shows out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from defectseg.evaluation.report.wording import (
    decimal,
    interval_in,
    metric_of,
    number_in,
    say,
    say_interval,
)
from defectseg.inference.operating_point import OperatingPoint

PROMISED = ("escape_rate", "false_alarm_rate", "review_rate", "iou_macro")
HIGHER_IS_BETTER = ("iou_macro",)
HELD_OUT = (
    "The rates that valid promises are those of held-out surfaces, as far as it has enough: "
    "smallest areas and scale were then chosen without them, thresholds and levels with all."
)


@dataclass(frozen=True)
class Promise:
    """One number, as valid chose the operating point by it, and as test has it."""

    title: str
    valid: str
    test: str
    interval: str
    judgement: str  # "" where nothing can be said


def compare_parts(metrics: Mapping[str, Any]) -> list[Promise]:
    """What valid promised against what test shows."""
    valid = metrics.get("valid") or {}
    return [_promise(key, metrics, number_in(valid, key)) for key in PROMISED]


def _promise(key: str, metrics: Mapping[str, Any], promised: float | None) -> Promise:
    metric, shown, ends = metric_of(key), number_in(metrics, key), interval_in(metrics, key)
    return Promise(
        metric.title,
        valid=say(metric, promised),
        test=say(metric, shown),
        interval=say_interval(metric, ends),
        judgement=_judge(promised, shown, ends, -1 if key in HIGHER_IS_BETTER else 1),
    )


def _judge(
    promised: float | None, shown: float | None, ends: tuple[float, float] | None, sign: int
) -> str:
    """The words for the difference; `sign` is 1 where lower is better, else -1."""
    if promised is None or shown is None:
        return ""
    if sign * shown <= sign * promised:
        return "no worse than promised"
    if ends is None:
        return "worse than promised"
    is_chance = ends[0] <= promised <= ends[1]
    return "worse, but chance can explain it" if is_chance else "clearly worse"


def explain(point: OperatingPoint) -> list[str]:
    """How a picture gets its verdict, step by step."""
    steps = [
        _temper(point.temperature),
        "A pixel is of its likeliest defect class where the probability of any defect reaches the "
        "threshold of that class.",
        "Connected pixels of one class are a region. What decides is the probability that its "
        "surest pixels reach, as many as the smallest area of the class; a smaller region counts "
        "for nothing. Regions of several classes that touch are told as one defect, of the class "
        "with most of their pixels.",
    ]
    if any(each.odds_ratio != 1 for each in point.classes):
        steps.append(
            "The probability becomes a score that says the same of every class: in each, about 98 "
            "of 100 clean valid pictures score at most 0.5."
        )
    else:
        steps.append("That probability is its score.")
    if point.review < point.reject:
        steps.append(
            f"A picture with a region whose score reaches {level(point.reject)} is rejected; one "
            f"with a region that reaches only {level(point.review)} goes to a person for review; "
            "any other is accepted."
        )
    else:
        steps.append(
            f"A picture with a region whose score reaches {level(point.reject)} is rejected; any "
            "other is accepted. There is no review by a person."
        )
    return steps


def level(value: float) -> str:
    """A threshold or a level with as many digits as tell it apart from 0 and 1."""
    for digits in (3, 4, 5, 6):
        text = f"{value:.{digits}f}"
        if float(text) not in (0.0, 1.0):
            return text
    return f"{value:.6g}"


def calibration_before(metrics: Mapping[str, Any]) -> tuple[str, str]:
    """The calibration error of valid before and after the temperature; dashes where unknown."""
    valid = metrics.get("valid") or {}
    return decimal(number_in(valid, "ece_before")), decimal(number_in(valid, "ece_after"))


def _temper(temperature: float) -> str:
    if temperature == 1.0:
        return "The probabilities are taken as the network gives them (temperature 1)."
    effect = "less" if temperature > 1 else "more"
    return (
        f"The probabilities of the network are made {effect} sure (temperature "
        f"{temperature:.3f}), so that they come true about as often as they say."
    )
