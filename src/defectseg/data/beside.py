"""The train part and other tiles in, one set to learn from out: the others get a chosen share.

Other tiles are those of drawn defects, of an older camera, of a like surface: too unlike to be
scored on, and worth learning from. Training draws each class alike, and in it each surface alike
(`network.sampling`). So the others of a class are told as so many surfaces as give them their
share, however many pictures there are.
"""

import hashlib
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

from pydantic import Field

from defectseg.data.split import Split
from defectseg.data.tile import Tile, TileSet, read_tiles
from defectseg.errors import TrainingError
from defectseg.params import Section

SCORED = ("valid", "test")


class BesideParams(Section):
    """params.yaml: train.beside."""

    tiles: str | None  # folder that data_load wrote; None = the train part alone
    share: float = Field(gt=0, lt=1)


def read_beside(params: BesideParams, tiles: TileSet, split: Split) -> TileSet | None:
    """The other tiles, or None; none of them is a picture that `tiles` are scored on.

    Raises:
        DataError: The folder has no good manifest.
        TrainingError: Its classes are others, or it has a picture of the valid or the test part.
    """
    if params.tiles is None:
        return None
    others = read_tiles(Path(params.tiles))
    if others.classes != tiles.classes:
        raise TrainingError(
            f"train.beside.tiles: {params.tiles} has the classes {', '.join(others.classes)}; "
            f"the data have {', '.join(tiles.classes)}, and both must have the same in one order"
        )
    refuse_scored(others, tiles.only(part_id for part in SCORED for part_id in split.ids(part)))
    return others


def refuse_scored(others: TileSet, scored: TileSet) -> None:
    """Raises: TrainingError: A picture to learn from is, byte for byte, one that is scored."""
    known = {picture_digest(scored, tile): tile.id for tile in scored.tiles}
    same = [(tile.id, known.get(picture_digest(others, tile))) for tile in others.tiles]
    leaks = [(other, here) for other, here in same if here]
    if leaks:
        other, here = leaks[0]
        raise TrainingError(
            f"train.beside.tiles: {len(leaks)} pictures of {others.folder} are in the valid or the "
            f"test part too, such as {other}, which is {here} there; learnt from, they would make "
            "the scores lie. Take them out of that folder"
        )


def picture_digest(tiles: TileSet, tile: Tile) -> bytes:
    """sha256 of a picture's file, without its mask."""
    return hashlib.sha256((tiles.folder / tile.image).read_bytes()).digest()


def lay_beside(train: TileSet, others: TileSet, share: float) -> TileSet:
    """Both as one set, for training alone.

    Args:
        share: Of the pictures that training draws of a class, 0 < share < 1, those that are of
            `others` on average, where both have some of it.
    """
    folder = Path(os.path.commonpath([train.folder.resolve(), others.folder.resolve()]))
    surfaces = Counter(kind for kind, _ in {(t.defect_class, t.surface) for t in train.tiles})
    added = []
    seen: Counter[str] = Counter()
    for tile in others.tiles:
        groups = max(1, round(surfaces[tile.defect_class] * share / (1 - share)))
        group = seen[tile.defect_class] % groups
        seen[tile.defect_class] += 1
        surface = f"beside-{tile.defect_class}-{group}"
        added.append(replace(below(folder, others, tile), id=f"beside-{tile.id}", surface=surface))
    tiles = [*(below(folder, train, tile) for tile in train.tiles), *added]
    return TileSet(folder, train.classes, tuple(sorted(tiles, key=lambda tile: tile.id)))


def below(folder: Path, tiles: TileSet, tile: Tile) -> Tile:
    """A tile of a set, with paths from another folder on."""
    inside = tiles.folder.resolve().relative_to(folder)
    return replace(tile, image=str(inside / tile.image), mask=str(inside / tile.mask))
