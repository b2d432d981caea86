"""Facts in, how much there is of each class out, and whether that is too little."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from defectseg.data.quality.findings import CheckParams, Facts, Found
from defectseg.data.tile import CLEAN


@dataclass(frozen=True)
class ClassCount:
    """How much there is of one class."""

    name: str
    pictures: int  # whose class it is
    surfaces: int  # of these pictures
    defect_px: int  # of this class, in all masks

    def say(self) -> str:
        """Such as `fray: 3 surfaces, 12 pictures, 8040 px`."""
        return (
            f"{self.name}: {self.surfaces} surfaces, {self.pictures} pictures, {self.defect_px} px"
        )


def count_classes(facts: Facts) -> list[ClassCount]:
    """Pictures, surfaces and pixels of each class in their order, CLEAN last if there is one."""
    pictures = Counter(tile.defect_class for tile in facts.tiles)
    surfaces = Counter(name for name, _ in {(t.defect_class, t.surface) for t in facts.tiles})
    pixels = np.zeros(len(facts.classes), dtype=np.int64)
    for tile in facts.tiles:
        pixels += facts.measures[tile.id].class_px
    rows = [
        ClassCount(name, pictures[name], surfaces[name], int(pixels[k]))
        for k, name in enumerate(facts.classes)
    ]
    clean = ClassCount(CLEAN, pictures[CLEAN], surfaces[CLEAN], 0)
    return [*rows, clean] if clean.pictures else rows


def find_imbalance(facts: Facts, params: CheckParams) -> Found | None:
    """Classes on too few surfaces to be learnt and tested."""
    least = max(params.least_surfaces, facts.folds or 0)
    few = [row for row in count_classes(facts) if row.surfaces < least]
    if not few:
        return None
    names = {row.name for row in few}
    return Found(
        f"{', '.join(row.say() for row in few)}: fewer than {least} surfaces, so that some part "
        "of a split cannot have one; photograph more of them or merge classes.",
        pictures=tuple(tile.id for tile in facts.tiles if tile.defect_class in names),
    )
