"""A network and the valid part in, what each picture shows by class and minimal area out.

K defect classes, A candidates of a minimal area, n pictures.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import StratifiedGroupKFold
from tqdm import tqdm

from defectseg.data.tile import TileSet
from defectseg.evaluation.picture_score import class_probabilities
from defectseg.evaluation.pixel_counts import PixelCounts
from defectseg.evaluation.rule import Bool, Float
from defectseg.inference.defects import find_regions
from defectseg.inference.engine import Engine
from defectseg.inference.predictor import defect_probability, likeliest_kind

AREAS = 17  # candidates of a minimal area: 1, 2, 4, … 65 536 px
SMALL = 10  # percentile of a class's true defects: a minimal area is at most half of that one
GROUPS = 5  # of surfaces, each held out once


@dataclass(frozen=True)
class ValidTable:
    """What decides about the valid part, of every picture."""

    probabilities: Float  # (n, K, A) in [0, 1]: see `picture_score.class_probabilities`
    is_defect: Bool  # (n,)
    surfaces: npt.NDArray[np.str_]  # (n,)
    candidates: tuple[int, ...]  # A areas, px, ascending
    largest: tuple[int, ...]  # K areas, px: no candidate above it is tried

    def only(self, chosen: Bool) -> "ValidTable":
        """Those of some of the pictures (n,)."""
        return replace(
            self,
            probabilities=self.probabilities[chosen],
            is_defect=self.is_defect[chosen],
            surfaces=self.surfaces[chosen],
        )

    def with_areas(self, areas: Sequence[int]) -> Float:
        """The probabilities (n, K) with minimal areas: K places among the candidates."""
        return self.probabilities[:, np.arange(len(areas)), list(areas)]

    def groups(self) -> Iterator[Bool]:
        """Which pictures (n,) each of `GROUPS` parts has: whole surfaces, defects spread evenly.

        None where there are fewer surfaces with defects, or without, than groups.
        """
        shown = (set(self.surfaces[which]) for which in (self.is_defect, ~self.is_defect))
        if min(map(len, shown)) < GROUPS:
            return
        maker = StratifiedGroupKFold(GROUPS, shuffle=True, random_state=0)
        for _, members in maker.split(self.probabilities, self.is_defect, self.surfaces):
            inside = np.zeros(len(self.is_defect), dtype=bool)
            inside[members] = True
            yield inside


def count_valid(
    engine: Engine, valid: TileSet, channels: int
) -> tuple[PixelCounts, tuple[int, ...]]:
    """The pixels by probability, and half the size of each class's small true defects, px.

    Of a picture the largest region of a class counts: it is what rejects it. Masks have specks
    beside large defects, which would leave such a class without a minimal area.
    """
    classes = len(valid.classes)
    pixels = PixelCounts(classes)
    areas: list[list[int]] = [[] for _ in range(classes)]
    for tile in tqdm(valid.tiles, desc="thresholds", unit="picture"):
        probability = engine.run(valid.picture(tile, channels)[None]).probability[0]
        true_mask = valid.mask(tile)
        defect = defect_probability(probability)
        pixels.add(defect, likeliest_kind(probability), true_mask)
        for index in np.unique(true_mask[true_mask > 0]):
            regions = find_regions(true_mask == index, defect, 1)
            areas[index - 1].append(max(int(region.inside.sum()) for region in regions))
    half = (np.percentile(each, SMALL) / 2 if each else 1 for each in areas)
    return pixels, tuple(max(1, int(area)) for area in half)


def tabulate_valid(
    engine: Engine,
    valid: TileSet,
    channels: int,
    thresholds: Sequence[float],
    largest: tuple[int, ...],
) -> ValidTable:
    """Look at each picture of the part by each class and each candidate of its minimal area."""
    candidates = [2**step for step in range(AREAS) if 2**step <= max(largest)]
    found = np.zeros((len(valid.tiles), len(thresholds), len(candidates)))
    for row, tile in enumerate(tqdm(valid.tiles, desc="operating point", unit="picture")):
        probability = engine.run(valid.picture(tile, channels)[None]).probability[0]
        defect, kind = defect_probability(probability), likeliest_kind(probability)
        for column, threshold in enumerate(thresholds):
            is_kind = kind == column + 1
            found[row, column] = class_probabilities(defect, is_kind, threshold, candidates)
    is_defect = np.array([tile.is_defect for tile in valid.tiles], dtype=bool)
    surfaces = np.array([tile.surface for tile in valid.tiles])
    return ValidTable(found, is_defect, surfaces, tuple(candidates), largest)
