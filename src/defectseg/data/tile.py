"""A tile is one picture with its mask, its class and its surface; manifest.csv has one row a tile.

Shapes: H rows, W columns, C channels (1 grey, 3 RGB), K defect classes.
"""

import csv
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt

from defectseg.data.picture import decode_mask, decode_picture
from defectseg.errors import DataError
from defectseg.files import write_csv, write_json

CLEAN = "clean"  # the defect_class of a picture without a defect; never a class of a mask
MANIFEST = "manifest.csv"
CLASSES = "classes.json"
NOTES = ("labelled_by", "labelled_at", "label_tool")  # the last columns: about a mask, not of it


@dataclass(frozen=True)
class Tile:
    """One row of manifest.csv."""

    id: str  # unique; letters, digits, `_`, `-` and `.`
    image: str  # path of the picture below the folder of the manifest
    mask: str  # path of the class-index PNG below the folder of the manifest
    defect_class: str  # CLEAN or one of the classes: the one with the most pixels
    surface: str  # pictures of one physical surface share it
    width: int  # pixels
    height: int  # pixels
    defect_px: int  # mask pixels above 0
    sha256: str  # of the picture file followed by the mask file
    labelled_by: str = ""  # who drew the mask; "" where the source does not say
    labelled_at: str = ""  # when, as the source writes it
    label_tool: str = ""  # with what

    @property
    def is_defect(self) -> bool:
        """Whether somebody says that this picture shows a defect."""
        return self.defect_class != CLEAN


@dataclass(frozen=True)
class TileSet:
    """The tiles of a folder that data_load wrote."""

    folder: Path
    classes: tuple[str, ...]  # the K defect classes; mask value k is classes[k - 1]
    tiles: tuple[Tile, ...]  # sorted by id

    def picture(self, tile: Tile, channels: int) -> npt.NDArray[np.uint8]:
        """The picture of a tile: (H, W, C) in 0..255."""
        return decode_picture((self.folder / tile.image).read_bytes(), channels)

    def mask(self, tile: Tile) -> npt.NDArray[np.uint8]:
        """The mask of a tile: (H, W) in 0..K."""
        return decode_mask((self.folder / tile.mask).read_bytes())

    def digest(self) -> str:
        """sha256 over every picture, mask, class and surface: two equal digests, the same data.

        Who drew a mask, when and with what changes nothing about it, and does not count.
        """
        rows = [self.classes, *(astuple(tile)[: -len(NOTES)] for tile in self.tiles)]
        lines = [",".join(map(str, row)) for row in rows]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def only(self, ids: Iterable[str]) -> "TileSet":
        """The same folder with some of its tiles."""
        wanted = set(ids)
        return TileSet(self.folder, self.classes, tuple(t for t in self.tiles if t.id in wanted))


def count_classes(tiles: Sequence[Tile], classes: Sequence[str]) -> dict[str, dict[str, int]]:
    """Pictures, surfaces and defect pixels of each class, CLEAN last."""
    members = defaultdict(list)
    for tile in tiles:
        members[tile.defect_class].append(tile)
    return {
        name: {
            "pictures": len(members[name]),
            "surfaces": len({tile.surface for tile in members[name]}),
            "defect_px": sum(tile.defect_px for tile in members[name]),
        }
        for name in (*classes, CLEAN)
    }


def write_manifest(folder: Path, classes: Sequence[str], tiles: Iterable[Tile]) -> TileSet:
    """Write manifest.csv and classes.json into a folder of tiles."""
    tile_set = TileSet(folder, tuple(classes), tuple(sorted(tiles, key=lambda tile: tile.id)))
    names = [field.name for field in fields(Tile)]
    write_csv(folder / MANIFEST, names, (astuple(tile) for tile in tile_set.tiles))
    write_json(folder / CLASSES, list(classes))
    return tile_set


def read_tiles(folder: Path) -> TileSet:
    """Read the manifest and the classes of a folder that data_load wrote.

    Raises:
        DataError: A file is missing or damaged, or has other columns than `Tile`.
    """
    names = [field.name for field in fields(Tile)]
    try:
        classes = tuple(json.loads((folder / CLASSES).read_text(encoding="utf-8")))
        with (folder / MANIFEST).open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            columns = list(reader.fieldnames or [])
            if columns != names:
                raise DataError(f"{folder / MANIFEST} has the columns {columns}, expected {names}")
            tiles = tuple(_to_tile(row) for row in reader)
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{folder} has no good manifest: {error}; run data_load first") from error
    return TileSet(folder, classes, tiles)


def _to_tile(row: Mapping[str, str | None]) -> Tile:
    if None in row.values():
        raise ValueError(f"the row of {row['id']} has too few cells")
    numbers = {name: int(row[name] or "") for name in ("width", "height", "defect_px")}
    return Tile(**{**row, **numbers})  # type: ignore[arg-type]
