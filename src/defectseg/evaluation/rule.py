"""The scores of pictures in, the level from which a picture is rejected out: what costs demand.

n pictures; an escape is a defect picture that is accepted, a false alarm a clean one rejected.
"""

from typing import Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from defectseg.confusion import ratio
from defectseg.params import Section

Float = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]
UNSURE = 0.5  # the level where a part without clean or without defect pictures says nothing


class Costs(Section):
    """What a wrong verdict costs, in any unit."""

    escape: float = Field(gt=0)
    false_alarm: float = Field(gt=0)
    defect_rate: float | None = Field(default=None, gt=0, lt=1)  # on the line; null = as in valid


class RuleParams(Section):
    """params.yaml: evaluate.operating_point; exactly one of the first three is not null."""

    costs: Costs | None = None
    max_false_alarm_rate: float | None = Field(default=None, ge=0, lt=1)
    max_escape_rate: float | None = Field(default=None, ge=0, lt=1)
    review: float = Field(default=0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        rules = {
            "costs": self.costs,
            "max_false_alarm_rate": self.max_false_alarm_rate,
            "max_escape_rate": self.max_escape_rate,
        }
        given = [name for name, value in rules.items() if value is not None]
        if len(given) != 1:
            raise ValueError(
                f"set exactly one of {', '.join(rules)}, the others to null; "
                f"set are: {', '.join(given) or 'none'}"
            )
        return self

    def describe(self) -> str:
        """The rule in words, such as `at most 5 % false alarms`."""
        if self.costs:
            rate = self.costs.defect_rate
            line = "" if rate is None else f", {100 * rate:g} % of the pictures have a defect"
            return (
                f"an escape costs {self.costs.escape:g}, "
                f"a false alarm {self.costs.false_alarm:g}{line}"
            )
        if self.max_escape_rate is not None:
            return f"at most {100 * self.max_escape_rate:g} % escapes"
        return f"at most {100 * (self.max_false_alarm_rate or 0):g} % false alarms"


def rates_at(levels: Float, scores: Float, is_defect: Bool) -> tuple[Float, Float]:
    """Escape and false-alarm rate when scores at or above each level are rejected; NaN if none.

    Args:
        levels: (L,).
        scores: (n,) in [0, 1].
        is_defect: (n,).
    """
    defects, clean = np.sort(scores[is_defect]), np.sort(scores[~is_defect])
    escapes = np.searchsorted(defects, levels, side="left")
    alarms = len(clean) - np.searchsorted(clean, levels, side="left")
    return ratio(escapes, len(defects)), ratio(alarms, len(clean))


def loss(levels: Float, scores: Float, is_defect: Bool, rule: RuleParams) -> Float:
    """What each level costs by the rule, (L, 2): the first column decides, the second if equal."""
    escape, alarm = rates_at(levels, scores, is_defect)
    if rule.costs:
        rate = rule.costs.defect_rate or float(is_defect.mean())
        paid = rule.costs.escape * rate * escape + rule.costs.false_alarm * (1 - rate) * alarm
        return np.stack([paid, escape], axis=1)
    if rule.max_escape_rate is not None:
        excess = np.maximum(escape - rule.max_escape_rate, 0)
        return np.stack([10 * excess + (excess > 0) + alarm * (excess == 0), alarm], axis=1)
    excess = np.maximum(alarm - float(rule.max_false_alarm_rate or 0), 0)
    return np.stack([10 * excess + (excess > 0) + escape * (excess == 0), alarm], axis=1)


def choose_reject(scores: Float, is_defect: Bool, rule: RuleParams) -> tuple[float, Float]:
    """The level from which to reject, and its loss (2,); half-way to the next lower score.

    A part without clean or without defect pictures gives `UNSURE`.
    """
    if is_defect.all() or not is_defect.any():
        return UNSURE, np.zeros(2)
    levels = np.unique(np.append(scores[scores > 0], 1.0))
    losses = loss(levels, scores, is_defect, rule)
    best = int(np.lexsort((losses[:, 1], losses[:, 0]))[0])
    return above(scores, float(levels[best])), losses[best]


def choose_review(scores: Float, is_defect: Bool, reject: float, share: float) -> float:
    """The lowest level with at most this share of the clean pictures between it and `reject`."""
    clean = np.sort(scores[~is_defect])
    below = clean[clean < reject][::-1]
    allowed = int(share * len(clean) + 1e-9)
    if not share or not len(clean):
        return reject
    blocked = float(below[allowed]) if len(below) > allowed else 0.0
    higher = scores[(scores > blocked) & (scores < reject)]
    return above(scores, float(higher.min())) if len(higher) else reject


def above(scores: Float, level: float) -> float:
    """A level that separates the same pictures as `level`, as far as can be from the next lower."""
    lower = scores[scores < level]
    return (level + float(lower.max(initial=0.0))) / 2
