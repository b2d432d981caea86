"""benchmarks/magnetic_tiles/protocol: the folds are those committed, and keep surfaces apart."""

import csv
import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from defectseg.data.tile import CLEAN, Tile, TileSet
from defectseg.errors import DataError
from tiny import CLASSES, write_tiles

BENCHMARK = Path(__file__).parents[1] / "benchmarks/magnetic_tiles"
sys.path.insert(0, str(BENCHMARK))

import protocol  # noqa: E402

KINDS = ("crack", "blowhole", CLEAN)


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    with (BENCHMARK / "folds.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_committed_folds_are_those_of_the_digest(rows: list[dict[str, str]]):
    told = json.loads((BENCHMARK / "protocol.json").read_text())
    assert protocol.folds_digest() == told["folds_digest"]
    assert len({row["id"] for row in rows}) == len(rows) == told["pictures"]
    assert len(rows) + len(told["left_out"]) == 1344


def test_no_surface_lies_in_two_folds_and_every_class_lies_in_all(rows: list[dict[str, str]]):
    folds = defaultdict(set)
    classes = defaultdict(set)
    for row in rows:
        folds[row["surface"]].add(row["fold"])
        classes[row["fold"]].add(row["defect_class"])
    assert {len(where) for where in folds.values()} == {1}
    assert {len(found) for found in classes.values()} == {6}
    assert sorted(classes) == list("01234")


def test_other_tiles_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_tiles(tmp_path / "tiles", KINDS)
    with pytest.raises(DataError, match=r"tiles_digest is .* scores on other data"):
        protocol.open_protocol("nowhere", tmp_path)


def test_a_surface_in_two_folds_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    tiles = write_tiles(tmp_path, KINDS)
    one = TileSet(tiles.folder, tiles.classes, tuple(same_surface(tiles)))
    folds = tmp_path / "folds.csv"
    folds.write_text("id,fold\nt00,0\nt01,1\nt02,1\n")
    monkeypatch.setattr(protocol, "FOLDS", folds)
    assert protocol.read_folds(tiles) == {"t00": 0, "t01": 1, "t02": 1}
    with pytest.raises(DataError, match="surface one lies in two folds"):
        protocol.read_folds(one)
    folds.write_text("id,fold\nt00,0\nt01,1\n")
    with pytest.raises(DataError, match="differ in 1 pictures, such as t02"):
        protocol.read_folds(tiles)


def test_an_exposure_that_is_left_out_is_tested_alone():
    names = [f"exp{e}_num_{n}" for n in range(3) for e in (1, 2, 3)]
    folds = {name: number // 3 for number, name in enumerate(names)}
    whole = protocol.Protocol(TileSet(Path(), (), ()), folds)
    assert whole.split(0).ids("test") == ("exp1_num_0", "exp2_num_0", "exp3_num_0")
    without = whole.split(0, left_out=2)
    assert without.ids("test") == ("exp2_num_0",)
    assert without.ids("valid") == ("exp1_num_1", "exp3_num_1")
    assert without.ids("train") == ("exp1_num_2", "exp3_num_2")
    with pytest.raises(DataError, match="'t00' does not begin with its exposure"):
        protocol.exposure_of("t00")


def test_a_random_split_is_of_pictures(tmp_path: Path):
    rows = [replace(each, surface=each.id[1:2]) for each in write_tiles(tmp_path, KINDS * 10).tiles]
    tiles = TileSet(tmp_path, CLASSES, tuple(rows))
    whole = protocol.Protocol(tiles, {each.id: int(each.surface) for each in rows})
    apart, mixed = (whole.split(0, leaks=leaks) for leaks in (False, True))
    surfaces = [
        [{tile_id[1:2] for tile_id in split.ids(part)} for part in ("train", "test")]
        for split in (apart, mixed)
    ]
    assert not set.intersection(*surfaces[0])
    assert set.intersection(*surfaces[1]) == {"0", "1", "2"}
    assert len(mixed.ids("test")) == len(apart.ids("test")) == 10


def same_surface(tiles: TileSet) -> Iterator[Tile]:
    return (replace(tile, surface="one") for tile in tiles.tiles)
