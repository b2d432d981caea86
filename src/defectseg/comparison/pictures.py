"""The pictures that both revisions have in, those that changed most out."""

from dataclasses import dataclass

import numpy as np

from defectseg.comparison.per_image import Row
from defectseg.comparison.test_part import Pairs

MOST = 10
SEVERITY = {"accept": 0, "review": 1, "reject": 2}
RULE = (
    "First the pictures whose verdict changed, from accept to reject or back before those that go "
    "to or come from review; then the rest. Within each the largest change of the picture's Dice "
    "first. A clean picture on which nothing is predicted has a Dice of 1."
)


@dataclass(frozen=True)
class Change:
    """One picture that the two models see differently."""

    id: str
    defect_class: str
    surface: str
    base: Row
    head: Row

    @property
    def dice(self) -> tuple[float, float]:
        """Of base and head; 1 where there is no defect and none is predicted."""
        before, after = (1.0 if np.isnan(r.dice) else r.dice for r in (self.base, self.head))
        return before, after

    @property
    def steps(self) -> int:
        """How far the verdict moved: 0..2."""
        verdicts = self.base.verdict, self.head.verdict
        before, after = (SEVERITY.get(verdict or "", 0) for verdict in verdicts)
        return abs(after - before) if all(verdicts) else 0

    @property
    def size(self) -> tuple[int, float]:
        """By which changes are sorted: see `RULE`."""
        before, after = self.dice
        return self.steps, abs(after - before)

    @property
    def caption(self) -> str:
        """Such as `t07, crack: accept → reject, Dice 0.12 → 0.81`."""
        before, after = self.dice
        said = f"{self.base.verdict or '?'} → {self.head.verdict or '?'}"
        return f"{self.id}, {self.defect_class}: {said}, Dice {before:.2f} → {after:.2f}"


def choose_changes(pairs: Pairs, most: int = MOST) -> tuple[Change, ...]:
    """The pictures that changed most, see `RULE`; those that did not change are left out."""
    changes = [
        Change(head.id, head.defect_class, head.surface, base, head)
        for base, head in zip(pairs.base, pairs.head, strict=True)
    ]
    moved = [change for change in changes if change.size > (0, 0.0)]
    return tuple(sorted(moved, key=lambda c: (-c.size[0], -c.size[1], c.id))[:most])
