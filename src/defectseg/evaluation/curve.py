"""The scores of pictures in, what every level of rejection would have done to them out.

n pictures.
"""

from dataclasses import dataclass

import numpy as np

from defectseg.evaluation.metrics import to_number
from defectseg.evaluation.rule import Bool, Float, rates_at

POINTS = 200  # of a curve


@dataclass(frozen=True)
class CurvePoint:
    """What one `reject` level would do to the pictures of a part."""

    reject: float
    escape_rate: float | None  # of defect pictures: not rejected
    false_alarm_rate: float | None  # of clean pictures: rejected


def escape_curve(scores: Float, is_defect: Bool) -> list[CurvePoint]:
    """From a level that rejects nothing to one that rejects all, at most `POINTS` levels.

    Args:
        scores: (n,) in [0, 1].
        is_defect: (n,).
    """
    levels = np.unique(np.concatenate([scores, [0.0, np.nextafter(1.0, 2.0)]]))[::-1]
    if len(levels) > POINTS:
        levels = levels[np.linspace(0, len(levels) - 1, POINTS).round().astype(int)]
    escapes, alarms = rates_at(levels, scores, is_defect)
    rows = zip(np.minimum(levels, 1.0), escapes, alarms, strict=True)
    return [CurvePoint(float(r), to_number(e), to_number(a)) for r, e, a in rows]
