"""The benchmark's data in, its five folds out: the same pictures in the same folds for everyone.

folds.csv and protocol.json are committed; they name pictures and hold none of them.
"""

import argparse
import csv
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from defectseg.data.load import LoadParams, Places, load_tiles
from defectseg.data.split import Split, SplitParams, assign_folds, split_tiles
from defectseg.data.tile import MANIFEST, Tile, TileSet, read_tiles
from defectseg.errors import DataError
from defectseg.files import write_csv, write_json
from defectseg.params import read_params

SOURCE = "https://github.com/abin24/Magnetic-tile-defect-datasets./archive/refs/heads/master.zip"
WORK = Path(".benchmark/magnetic_tiles")
HERE = Path(__file__).parent
FOLDS = HERE / "folds.csv"
PROTOCOL = HERE / "protocol.json"
COLUMNS = ("id", "defect_class", "surface", "fold")
EXPOSURE = re.compile(r"exp(\d)_")
EXPOSURES = (1, 2, 3, 4, 5, 6)  # three pictures have a seventh, 0


def add_places(parser: argparse.ArgumentParser) -> None:
    """The options of every script that reads the data."""
    add = parser.add_argument
    add("--source", default=SOURCE, help="folder, archive or address; default: the public one")
    add("--work", type=Path, default=WORK, help="for tiles and models; default: %(default)s")


@dataclass(frozen=True)
class Protocol:
    """What a score must keep to, to be compared with the others."""

    tiles: TileSet
    folds: dict[str, int]  # tile id → fold

    @property
    def count(self) -> int:
        """How many folds."""
        return 1 + max(self.folds.values())

    def split(self, fold: int, left_out: int | None = None, leaks: bool = False) -> Split:
        """Fold `fold` is test, the next one valid, the rest train.

        Args:
            left_out: An exposure that is tested alone, and neither trained nor chosen on.
            leaks: Folds of pictures drawn at random instead, as a surface's are in all parts.
        """
        params = SplitParams(folds=self.count, fold=fold, seed=0, random=leaks)
        if leaks:
            return split_tiles(self.tiles.tiles, params)
        named = {fold: "test", params.valid_fold: "valid"}
        parts = {tile: named.get(at, "train") for tile, at in self.folds.items()}
        if left_out is None:
            return Split(parts)
        return Split(
            {
                tile: part
                for tile, part in parts.items()
                if (exposure_of(tile) == left_out) == (part == "test")
            }
        )


def exposure_of(tile_id: str) -> int:
    """The number of the exposure that the name of a picture begins with: exp3_num_1 → 3.

    Raises:
        DataError: It does not.
    """
    found = EXPOSURE.match(tile_id)
    if not found:
        raise DataError(f"{tile_id!r} does not begin with its exposure, such as exp3_")
    return int(found[1])


def open_protocol(source: str, work: Path) -> Protocol:
    """Read the tiles, which are loaded from the source where `work` has none, and their folds.

    Raises:
        DataError: The tiles are not those of the benchmark, or the folds are not those committed.
    """
    committed = json.loads(PROTOCOL.read_text(encoding="utf-8"))
    tiles = load(source, work, committed["source_digest"])
    for name, came in (("tiles_digest", tiles.digest()), ("folds_digest", folds_digest())):
        if came != committed[name]:
            raise DataError(
                f"{name} is {came}, but {PROTOCOL} has {committed[name]}: scores on other data or "
                f"folds say nothing beside these; remove {work} and take the public archive"
            )
    return Protocol(tiles, read_folds(tiles))


def load(source: str, work: Path, digest: str | None) -> TileSet:
    """The tiles of the source, loaded once by the settings of params.yaml."""
    if not (work / "tiles" / MANIFEST).exists():
        params = read_params("data_load", LoadParams)
        changes = {"source": source, "digest": digest}
        load_tiles(
            params.model_copy(update=changes),
            Places.under(work),
        )
    return read_tiles(work / "tiles")


def read_folds(tiles: TileSet) -> dict[str, int]:
    """The fold of each tile, by id.

    Raises:
        DataError: folds.csv has other tiles, or a surface lies in two folds.
    """
    with FOLDS.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    folds = {row["id"]: int(row["fold"]) for row in rows}
    known = {tile.id for tile in tiles.tiles}
    if folds.keys() != known:
        odd = sorted(folds.keys() ^ known)
        raise DataError(f"{FOLDS} and the tiles differ in {len(odd)} pictures, such as {odd[0]}")
    where: dict[str, int] = {}
    for tile in tiles.tiles:
        if where.setdefault(tile.surface, folds[tile.id]) != folds[tile.id]:
            raise DataError(f"{FOLDS}: surface {tile.surface} lies in two folds")
    return folds


def folds_digest() -> str:
    """sha256 of folds.csv."""
    return hashlib.sha256(FOLDS.read_bytes()).hexdigest()


def write_protocol(tiles: TileSet, source_digest: str, left_out: list[dict[str, Any]]) -> None:
    """Draw the folds and write both files: done once, committed, never again."""
    params = SplitParams(folds=5, fold=0, seed=0, random=False)
    folds = assign_folds(tiles.tiles, params)
    write_csv(FOLDS, COLUMNS, map(fold_row, tiles.tiles, folds))
    facts = {
        "source_digest": source_digest,
        "tiles_digest": tiles.digest(),
        "folds_digest": folds_digest(),
        "pictures": len(tiles.tiles),
        "surfaces": len({tile.surface for tile in tiles.tiles}),
        "left_out": left_out,
    }
    write_json(PROTOCOL, facts)


def fold_row(tile: Tile, fold: int) -> tuple[str, str, str, int]:
    """One row of folds.csv."""
    return tile.id, tile.defect_class, tile.surface, fold
