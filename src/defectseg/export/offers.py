"""How far a file is from the trusted engine in, whether it may be offered out, and why not."""

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import Field

from defectseg.export.variants import Difference
from defectseg.params import Section


class MaxDrop(Section):
    """params.yaml: export.max_drop."""

    dice: float = Field(ge=0, le=1)
    class_iou: float = Field(ge=0, le=1)


@dataclass(frozen=True)
class Limits:
    """What a file may lose against the trusted engine."""

    dice_drop: float
    class_iou_drop: float
    verdicts_changed: float  # share of the pictures
    probability: float | None = None  # largest difference of one; None: any

    def halved(self) -> "Limits":
        """A margin for pictures that were not seen: half of every limit."""
        return Limits(
            self.dice_drop / 2,
            self.class_iou_drop / 2,
            self.verdicts_changed / 2,
            None if self.probability is None else self.probability / 2,
        )


@dataclass(frozen=True)
class Offer:
    """One file in one engine, and the verdict on it."""

    difference: Difference
    limits: Limits
    reasons: tuple[str, ...]  # why it is not offered; empty: it is

    @property
    def is_offered(self) -> bool:
        """Whether it keeps every limit."""
        return not self.reasons


def judge_difference(difference: Difference, limits: Limits) -> Offer:
    """Hold a file against the limits."""
    return Offer(difference, limits, tuple(_reasons(difference, limits)))


def _reasons(difference: Difference, limits: Limits) -> Iterator[str]:
    largest = difference.max_abs_probability_difference
    if largest is None:
        yield "it gives a probability that is no number"
    elif limits.probability is not None and not largest <= limits.probability:
        yield f"a probability differs by {largest:.2g}, at most {limits.probability:.2g} is allowed"
    if difference.dice_drop is not None and difference.dice_drop > limits.dice_drop:
        yield f"Dice drops by {difference.dice_drop:.4f}, at most {limits.dice_drop:g} is allowed"
    for name, drop in difference.iou_drop.items():
        if drop is not None and drop > limits.class_iou_drop:
            yield f"IoU of {name} drops by {drop:.4f}, at most {limits.class_iou_drop:g} is allowed"
    if difference.verdicts_changed > limits.verdicts_changed:
        yield (
            f"{100 * difference.verdicts_changed:.2f} % of the verdicts change, at most "
            f"{100 * limits.verdicts_changed:g} % may"
        )
