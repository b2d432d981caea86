"""Scored pictures in, what every level of rejection would have done to them out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from defectseg.evaluation.metrics import to_number
from defectseg.evaluation.rule import rates_at
from defectseg.evaluation.scored import ScoredPicture

POINTS = 200  # of a curve


@dataclass(frozen=True)
class CurvePoint:
    """What one `reject` level would do to the pictures of a part."""

    reject: float
    escape_rate: float | None  # of defect pictures: not rejected
    false_alarm_rate: float | None  # of clean pictures: rejected


def escape_curve(pictures: Sequence[ScoredPicture]) -> list[CurvePoint]:
    """From a level that rejects nothing to one that rejects all, at most `POINTS` levels."""
    scores = np.array([picture.score for picture in pictures])
    is_defect = np.array([picture.tile.is_defect for picture in pictures], dtype=bool)
    levels = np.unique(np.concatenate([scores, [0.0, np.nextafter(1.0, 2.0)]]))[::-1]
    if len(levels) > POINTS:
        levels = levels[np.linspace(0, len(levels) - 1, POINTS).round().astype(int)]
    escapes, alarms = rates_at(levels, scores, is_defect)
    rows = zip(np.minimum(levels, 1.0), escapes, alarms, strict=True)
    return [CurvePoint(float(r), to_number(e), to_number(a)) for r, e, a in rows]
