"""Tiles in, train, valid or test for each out: stratified by class, grouped by surface."""

import csv
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, model_validator
from sklearn.model_selection import StratifiedGroupKFold

from defectseg.data.tile import Tile
from defectseg.errors import SplitError
from defectseg.files import write_csv
from defectseg.params import Section

PARTS = ("train", "valid", "test")


class SplitParams(Section):
    """params.yaml: data_split."""

    folds: int = Field(ge=3)
    fold: int = Field(ge=0)
    seed: int = Field(ge=0)

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
        SplitError: There is too little to fill every part, or a surface would leak.
    """
    refuse_too_few(tiles, params.folds)
    named = {params.fold: "test", params.valid_fold: "valid"}
    folds = assign_folds(tiles, params)
    split = Split({t.id: named.get(f, "train") for t, f in zip(tiles, folds, strict=True)})
    empty = [part for part in PARTS if not split.ids(part)]
    if empty:
        raise SplitError(
            f"no picture is left for {' and '.join(empty)}: a few surfaces hold most of the "
            f"{len(tiles)} pictures; try another data_split.seed or lower data_split.folds"
        )
    refuse_leaks(tiles, split)
    return split


def refuse_too_few(tiles: Sequence[Tile], folds: int) -> None:
    """Raises: SplitError: There are fewer surfaces, or pictures of any one class, than folds."""
    surfaces = len({tile.surface for tile in tiles})
    if surfaces < folds:
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
    fold_of = np.zeros(len(tiles), dtype=int)
    maker = StratifiedGroupKFold(params.folds, shuffle=True, random_state=params.seed)
    with warnings.catch_warnings():
        # A class with fewer pictures than folds is missing in some of them: describe_split tells.
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        for fold, (_, members) in enumerate(maker.split(classes, classes, surfaces)):
            fold_of[members] = fold
    return [int(fold) for fold in fold_of]


def leaked_surfaces(tiles: Sequence[Tile], split: Split) -> dict[str, list[str]]:
    """The surfaces whose pictures lie in more than one part, with those parts."""
    parts: dict[str, set[str]] = {}
    for tile in tiles:
        parts.setdefault(tile.surface, set()).add(split.parts[tile.id])
    return {surface: sorted(seen) for surface, seen in sorted(parts.items()) if len(seen) > 1}


def refuse_leaks(tiles: Sequence[Tile], split: Split) -> None:
    """Raises: SplitError: A surface lies in more than one part: its test score would be a lie."""
    leaks = leaked_surfaces(tiles, split)
    if leaks:
        surface, parts = next(iter(leaks.items()))
        raise SplitError(
            f"{len(leaks)} surfaces lie in more than one part, such as {surface} in "
            f"{' and '.join(parts)}; pictures of one surface must stay together"
        )


def describe_split(tiles: Sequence[Tile], split: Split) -> dict[str, Any]:
    """Pictures and surfaces per part and class, and the number of leaked surfaces (always 0)."""
    report: dict[str, Any] = {"leaked_surfaces": len(leaked_surfaces(tiles, split))}
    for part in PARTS:
        members = [tile for tile in tiles if split.parts[tile.id] == part]
        classes = sorted({tile.defect_class for tile in tiles})
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
    except (OSError, KeyError, ValueError) as error:
        raise SplitError(f"{path} is no split: {error}; run data_split first") from error
    unknown = sorted(set(parts.values()) - set(PARTS))
    if unknown:
        raise SplitError(f"{path} names the parts {unknown}; expected only {', '.join(PARTS)}")
    return Split(parts)
