"""Two pictures of one surface in, their masks compared where both show it out.

K defect classes, M = 1 + K with the background.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from defectseg.confusion import Counts, any_defect, count_pixels
from defectseg.data.quality.registration import Placement, chain, refine
from defectseg.data.surfaces.find import Pair
from defectseg.data.surfaces.texture import choose_factor
from defectseg.data.tile import Tile, TileSet

LEAST_CORRELATION = 0.1  # of the textures: below it nothing says that the pictures lie right
LEAST_INSIDE = (
    0.1  # share of a defect that a picture must show to lack it; less may be a wrong shift
)
MOST_HOPS = 16  # pairs between a clean picture and a sibling with a defect: errors of shift add up
Mask = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Comparison:
    """Two masks of one surface, compared where both pictures show it."""

    first: str  # picture id
    second: str  # picture id
    surface: str
    correlation: float  # of the two textures where they lie over each other, -1..1
    confusion: Counts  # (M, M) pixels of the overlap; rows: first, columns: second
    dice: float  # of any defect against background, 0..1; NaN where neither has one there


@dataclass(frozen=True)
class Contradiction:
    """A picture without a class of defect that its sibling shows inside this very picture."""

    picture: str  # the id of the picture that lacks the defect
    sibling: str  # the id of the picture whose mask says otherwise
    surface: str
    defect_class: str  # of the sibling's defect
    defect_px: int  # pixels of the sibling's defect that lie inside this picture
    inside: float  # the share of the sibling's defect that lies inside this picture, 0..1


@dataclass(frozen=True)
class Route:
    """The way from one picture over its siblings to another: pairs in the order of brightness."""

    pairs: tuple[Pair, ...]
    is_backwards: bool  # whether the first picture is the second of the last pair

    @property
    def ends(self) -> tuple[str, str]:
        ends = self.pairs[0].first, self.pairs[-1].second
        return ends[::-1] if self.is_backwards else ends


def routes_to_defects(siblings: Sequence[Pair], labelled: set[str]) -> Iterator[Route]:
    """From each picture without a defect to the nearest sibling with one, if there is any."""
    start = 0
    for end in range(1, len(siblings) + 1):
        if end < len(siblings) and siblings[end - 1].second == siblings[end].first:
            continue
        yield from _routes_of_surface(siblings[start:end], labelled)
        start = end


def _routes_of_surface(pairs: Sequence[Pair], labelled: set[str]) -> Iterator[Route]:
    ids = [pairs[0].first, *(pair.second for pair in pairs)]
    defects = [index for index, name in enumerate(ids) if name in labelled]
    for index, name in enumerate(ids):
        if name in labelled or not defects:
            continue
        place = bisect_left(defects, index)
        near = min(defects[max(0, place - 1) : place + 1], key=lambda other: abs(other - index))
        if abs(near - index) <= MOST_HOPS:
            yield Route(tuple(pairs[min(near, index) : max(near, index)]), near < index)


class Comparing:
    """Opens two pictures at a time, lays them over each other and compares their masks."""

    def __init__(self, tiles: TileSet) -> None:
        self._set = tiles
        self._tiles = {tile.id: tile for tile in tiles.tiles}
        self._factor = choose_factor([(tile.width, tile.height) for tile in tiles.tiles])

    def compare(self, route: Route) -> tuple[Comparison, list[Contradiction]] | None:
        """Compare the two ends of a route; None where their textures do not fit."""
        first, second = (self._tiles[name] for name in route.ends)
        masks = self._set.mask(first), self._set.mask(second)
        coarse = self._place(route)
        placement, correlation = refine(
            self._set.picture(first, channels=1)[:, :, 0],
            self._set.picture(second, channels=1)[:, :, 0],
            coarse,
            reach=2 * self._factor * len(route.pairs),
            focus=find_focus(*masks, coarse),
        )
        boxes = placement.overlap(masks[0].shape, masks[1].shape)
        if correlation < LEAST_CORRELATION or boxes is None:
            return None
        inside = masks[0][boxes[0]], placement.mirror(masks[1])[boxes[1]]
        counts = count_pixels(inside[1], inside[0], len(self._set.classes))
        dice = float(any_defect(counts).dice)
        comparison = Comparison(first.id, second.id, first.surface, correlation, counts, dice)
        return comparison, self._contradict(first, second, counts, masks)

    def _place(self, route: Route) -> Placement:
        """Where the second picture lies in the first, from the coarse shifts."""
        shapes = [self._tiles[pair.second] for pair in route.pairs]
        steps = [
            Placement.of(pair, (tile.height, tile.width))
            for pair, tile in zip(route.pairs, shapes, strict=True)
        ]
        return chain(steps).inverse() if route.is_backwards else chain(steps)

    def _contradict(
        self, first: Tile, second: Tile, counts: Counts, masks: tuple[Mask, Mask]
    ) -> list[Contradiction]:
        """The classes that one mask has where the other picture shows it, and the other has not."""
        found = []
        sides = ((first, second, counts, masks[1]), (second, first, counts.T, masks[0]))
        for picture, sibling, table, mask in sides:
            drawn, seen = table.sum(axis=1), table.sum(axis=0)
            whole = np.bincount(mask.ravel(), minlength=len(seen))
            for k in np.flatnonzero((drawn == 0) & (seen > 0)):
                share = float(seen[k] / whole[k])
                if k > 0 and share >= LEAST_INSIDE:
                    name = self._set.classes[k - 1]
                    found.append(
                        Contradiction(
                            picture.id, sibling.id, first.surface, name, int(seen[k]), share
                        )
                    )
        return found


def find_focus(first: Mask, second: Mask, placement: Placement) -> tuple[int, int] | None:
    """The middle (row, column) of all defects of both masks in the first; None: there are none."""
    boxes = placement.overlap(first.shape, second.shape)
    if boxes is None:
        return None
    union = (first[boxes[0]] > 0) | (placement.mirror(second)[boxes[1]] > 0)
    if not union.any():
        return None
    rows, columns = (np.flatnonzero(union.any(axis=axis)) for axis in (1, 0))
    corner = boxes[0][0].start, boxes[0][1].start
    return corner[0] + int(rows[0] + rows[-1]) // 2, corner[1] + int(columns[0] + columns[-1]) // 2
