"""Tiles in, train, valid or test for each out: stratified by class, grouped by surface.

`data_split.random` leaves the surfaces out of it. Such a split leaks, and a score on it flatters:
it is there to show by how much.
"""

import csv
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from defectseg.data.audit.leaks import PARTS, Leaks, find_leaks
from defectseg.data.tile import Tile
from defectseg.errors import SplitError
from defectseg.files import write_csv
from defectseg.params import Section

IntArray = npt.NDArray[np.int_]


class SplitParams(Section):
    """params.yaml: data_split."""

    folds: int = Field(ge=3)
    fold: int = Field(ge=0)
    seed: int = Field(ge=0)
    random: bool  # True: pictures are assigned one by one, and surfaces leak

    @model_validator(mode="after")
    def _fold_exists(self) -> "SplitParams":
        if self.fold >= self.folds:
            raise ValueError(f"fold {self.fold} of {self.folds} folds; count from 0")
        return self

    @property
    def valid_fold(self) -> int:
        """The one after the test fold: over all folds each tile is in valid once, in test once."""
        return (self.fold + 1) % self.folds


@dataclass(frozen=True)
class Split:
    """Which part each tile belongs to."""

    parts: dict[str, str]  # tile id → train | valid | test, in the order of the manifest

    def ids(self, part: str) -> tuple[str, ...]:
        """The ids of one part."""
        return tuple(tile_id for tile_id, where in self.parts.items() if where == part)

    def summary(self) -> str:
        """Such as `train 144, valid 48, test 48`."""
        counts = Counter(self.parts.values())
        return ", ".join(f"{part} {counts[part]}" for part in PARTS)


def split_tiles(tiles: Sequence[Tile], params: SplitParams) -> Split:
    """Assign every tile to train, valid or test: the same on every machine for the same tiles.

    Raises:
        SplitError: There is too little to fill every part, or a surface would leak though
            `params.random` does not ask for it.
    """
    refuse_too_few(tiles, params.folds, params.random)
    named = {params.fold: "test", params.valid_fold: "valid"}
    folds = assign_random_folds(tiles, params) if params.random else assign_folds(tiles, params)
    split = Split({t.id: named.get(f, "train") for t, f in zip(tiles, folds, strict=True)})
    empty = [part for part in PARTS if not split.ids(part)]
    if empty:
        raise SplitError(
            f"no picture is left for {' and '.join(empty)}: a few surfaces hold most of the "
            f"{len(tiles)} pictures; try another data_split.seed or lower data_split.folds"
        )
    if not params.random:
        refuse_leaks(tiles, split)
    return split


def refuse_too_few(tiles: Sequence[Tile], folds: int, is_random: bool = False) -> None:
    """Raises: SplitError: There are fewer surfaces, or pictures of any one class, than folds."""
    if not tiles:
        raise SplitError("the manifest lists no picture; run data_load first")
    surfaces = len({tile.surface for tile in tiles})
    if surfaces < folds and not is_random:
        raise SplitError(
            f"{surfaces} surfaces cannot fill {folds} folds; "
            "lower data_split.folds or add pictures of other surfaces"
        )
    largest, pictures = Counter(tile.defect_class for tile in tiles).most_common(1)[0]
    if pictures < folds:
        raise SplitError(
            f"the largest class, {largest}, has {pictures} pictures for {folds} folds; "
            "lower data_split.folds or add pictures"
        )


def assign_folds(tiles: Sequence[Tile], params: SplitParams) -> list[int]:
    """The fold of each tile: the classes spread evenly, each surface whole."""
    classes = np.array([tile.defect_class for tile in tiles])
    surfaces = np.array([tile.surface for tile in tiles])
    maker = StratifiedGroupKFold(params.folds, shuffle=True, random_state=params.seed)
    return _number_folds(len(tiles), maker.split(classes, classes, surfaces))


def assign_random_folds(tiles: Sequence[Tile], params: SplitParams) -> list[int]:
    """The fold of each tile: the classes spread evenly, the pictures of a surface anywhere."""
    order = sorted(range(len(tiles)), key=lambda index: tiles[index].id)  # the draw depends on it
    classes = np.array([tiles[index].defect_class for index in order])
    maker = StratifiedKFold(params.folds, shuffle=True, random_state=params.seed)
    drawn = _number_folds(len(tiles), maker.split(classes, classes))
    fold_of = dict(zip(order, drawn, strict=True))
    return [fold_of[index] for index in range(len(tiles))]


def _number_folds(count: int, draw: Iterator[tuple[IntArray, IntArray]]) -> list[int]:
    """The fold of each of `count` tiles, from the (train, test) indices that scikit-learn draws."""
    fold_of = np.zeros(count, dtype=int)
    with warnings.catch_warnings():
        # A class with fewer pictures than folds is missing in some of them: describe_split tells.
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        for fold, (_, members) in enumerate(draw):
            fold_of[members] = fold
    return [int(fold) for fold in fold_of]


def leaks_of(tiles: Sequence[Tile], split: Split) -> Leaks:
    """The surfaces of these tiles that a split shares between its parts."""
    parts = {tile.id: split.parts[tile.id] for tile in tiles}
    return find_leaks(parts, {tile.id: tile.surface for tile in tiles})


def refuse_leaks(tiles: Sequence[Tile], split: Split) -> None:
    """Raises: SplitError: A surface lies in more than one part: its test score would be a lie."""
    leaks = leaks_of(tiles, split).straddling
    if leaks:
        surface, parts = next(iter(leaks.items()))
        raise SplitError(
            f"{len(leaks)} surfaces lie in more than one part, such as {surface} in "
            f"{' and '.join(parts)}; pictures of one surface must stay together"
        )


def warn_of_leaks(tiles: Sequence[Tile], split: Split) -> str:
    """What the summary line of a leaking split has to say; empty where nothing leaks."""
    leaks = leaks_of(tiles, split)
    if not leaks.straddling:
        return ""
    return (
        f" — WARNING, THIS SPLIT LEAKS: {len(leaks.siblings('test'))} of "
        f"{leaks.pictures['test']} test pictures have a sibling in train, so its scores flatter; "
        "data_split.random is only there to show by how much"
    )


def describe_split(tiles: Sequence[Tile], split: Split) -> dict[str, Any]:
    """Pictures and surfaces per part and class, and what leaks: 0 unless the split is random."""
    leaks = leaks_of(tiles, split)
    report: dict[str, Any] = {
        "leaked_surfaces": len(leaks.straddling),
        "test_pictures_with_a_sibling_in_train": len(leaks.siblings("test")),
    }
    classes = sorted({tile.defect_class for tile in tiles})
    for part in PARTS:
        members = [tile for tile in tiles if split.parts[tile.id] == part]
        report[part] = {
            "pictures": len(members),
            "surfaces": len({tile.surface for tile in members}),
            "classes": {name: _count(members, name) for name in classes},
        }
    return report


def _count(tiles: Sequence[Tile], defect_class: str) -> dict[str, int]:
    members = [tile for tile in tiles if tile.defect_class == defect_class]
    return {"pictures": len(members), "surfaces": len({tile.surface for tile in members})}


def write_split(path: Path, split: Split) -> None:
    """Write split.csv: one row (id, part) a tile."""
    write_csv(path, ["id", "part"], split.parts.items())


def read_split(path: Path) -> Split:
    """Read split.csv.

    Raises:
        SplitError: The file is missing or is no split.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            parts = {row["id"]: row["part"] or "" for row in csv.DictReader(file)}
    except (OSError, KeyError, ValueError, csv.Error) as error:
        raise SplitError(f"{path} is no split: {error}; run data_split first") from error
    unknown = sorted(set(parts.values()) - set(PARTS))
    if unknown:
        raise SplitError(f"{path} names the parts {unknown}; expected only {', '.join(PARTS)}")
    return Split(parts)
