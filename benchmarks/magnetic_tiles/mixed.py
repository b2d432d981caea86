"""Real tiles and drawn tiles in, one set to train on out: the drawn ones get a chosen share.

Training draws each class alike, and in it each surface alike. So the drawn tiles of a class are
told as so many surfaces as give them their share, however many pictures there are.
"""

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

from defectseg.data.split import Split
from defectseg.data.tile import Tile, TileSet


def mix(real: TileSet, split: Split, drawn: TileSet, share: float) -> tuple[TileSet, Split]:
    """The real tiles in their parts, and the drawn ones in the train part.

    Args:
        share: Of the pictures of a class, 0 < share < 1, that are drawn tiles on average, where
            train has a real one of it.
    """
    common = Path(os.path.commonpath([real.folder, drawn.folder]))
    trained_on = real.only(split.ids("train")).tiles
    surfaces = Counter(kind for kind, _ in {(t.defect_class, t.surface) for t in trained_on})
    added = []
    seen: Counter[str] = Counter()
    for tile in drawn.tiles:
        groups = max(1, round(surfaces[tile.defect_class] * share / (1 - share)))
        group = seen[tile.defect_class] % groups
        seen[tile.defect_class] += 1
        surface = f"drawn-{tile.defect_class}-{group}"
        added.append(replace(below(common, drawn, tile), id=f"drawn-{tile.id}", surface=surface))
    tiles = sorted([*(below(common, real, tile) for tile in real.tiles), *added], key=by_id)
    parts = split.parts | {tile.id: "train" for tile in added}
    return TileSet(common, real.classes, tuple(tiles)), Split(parts)


def below(folder: Path, tiles: TileSet, tile: Tile) -> Tile:
    """A tile of a set, with paths from another folder on."""
    inside = tiles.folder.relative_to(folder)
    return replace(tile, image=str(inside / tile.image), mask=str(inside / tile.mask))


def by_id(tile: Tile) -> str:
    """The order of a set."""
    return tile.id
