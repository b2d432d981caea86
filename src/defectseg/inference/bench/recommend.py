"""What was measured in, the contender to take and why out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from defectseg.inference.bench.contender import Contender
from defectseg.inference.bench.measure import Kind, Speed
from defectseg.inference.refusals import Refusals

Dice = Mapping[Kind, float]  # those that nobody measured are missing
NEARLY = 0.03  # as fast as the fastest but for this share: the measurement knows no better


@dataclass(frozen=True)
class Advice:
    """Which contender to take."""

    contender: Contender
    ratio: float  # how many times the baseline's speed, over all sizes
    reasons: tuple[str, ...]  # sentences


def find_baseline(contenders: Sequence[Contender]) -> Contender:
    """What the others are compared with: torch, else ONNX Runtime, in fp32 with the most threads.

    Without any fp32 among them the first kind.
    """
    rank = {"torch": 0, "onnxruntime": 1, "openvino": 2}
    return min(
        contenders,
        key=lambda each: (each.precision != "fp32", rank[each.engine], -each.threads),
    )


def recommend(
    speeds: Sequence[Speed], dice: Dice, max_drop: float, refusals: Refusals | None = None
) -> Advice:
    """The fastest over all sizes whose Dice is within `max_drop` of the baseline's.

    What the stage export refused is never taken, whatever its Dice.
    Of those within 3 % of the fastest the one with the fewest threads: its spare core can decode.
    """
    contenders = list(dict.fromkeys(speed.contender for speed in speeds))
    baseline = find_baseline(contenders)
    ratio = {each: _ratio(speeds, each, baseline) for each in contenders}
    refused = refusals or {}
    faults = {
        each: _describe_refusal(each, refused) or describe_fault(each, baseline, dice, max_drop)
        for each in contenders
    }
    allowed = [each for each in contenders if faults[each] is None] or [baseline]
    fastest = max(ratio[each] for each in allowed)
    near = [each for each in allowed if ratio[each] >= fastest * (1 - NEARLY)]
    best = min(near, key=lambda each: (each.threads, -ratio[each]))
    reasons = [f"{ratio[best]:.1f} × the pictures/s of {baseline.label}"]
    reasons += [_describe_dice(best, baseline, dice)]
    reasons += [
        f"{each.label} is faster ({ratio[each]:.1f} ×), but {fault}"
        for each, fault in faults.items()
        if fault and ratio[each] > ratio[best]
    ]
    return Advice(best, ratio[best], tuple(reasons))


def describe_fault(
    contender: Contender, baseline: Contender, dice: Dice, max_drop: float
) -> str | None:
    """Why a contender may not be taken; None where it may."""
    if contender.kind == baseline.kind:
        return None
    if contender.kind not in dice or baseline.kind not in dice:
        return None if contender.precision == "fp32" else "nobody measured its Dice here"
    drop = dice[baseline.kind] - dice[contender.kind]
    if drop <= max_drop:  # never true of a NaN
        return None
    return f"its Dice is {drop:.4f} lower, more than the {max_drop:g} allowed"


def _describe_refusal(contender: Contender, refusals: Refusals) -> str | None:
    reason = refusals.get(contender.kind)
    return None if reason is None else f"the stage export refused it: {reason}"


def _describe_dice(best: Contender, baseline: Contender, dice: Dice) -> str:
    if best.kind not in dice or baseline.kind not in dice:
        return "its Dice was not measured; the stage export compares fp32 with torch"
    drop = dice[baseline.kind] - dice[best.kind]
    return f"Dice {dice[best.kind]:.4f}, {abs(drop):.4f} {'below' if drop > 0 else 'above'} it"


def _ratio(speeds: Sequence[Speed], contender: Contender, baseline: Contender) -> float:
    """The geometric mean over the sizes of how many times the baseline's pictures/s."""
    rate = {(speed.contender, speed.size): speed.pictures_per_second for speed in speeds}
    sizes = [speed.size for speed in speeds if speed.contender == contender]
    ratios = [rate[contender, size] / rate[baseline, size] for size in sizes]
    return float(np.exp(np.mean(np.log(ratios))))
