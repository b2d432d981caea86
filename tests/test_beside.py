"""data/beside: other tiles to learn from, in a chosen share, and never one that is scored."""

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from defectseg.data.beside import BesideParams, lay_beside, read_beside
from defectseg.data.split import Split
from defectseg.data.tile import CLEAN, TileSet, write_manifest
from defectseg.errors import TrainingError
from defectseg.network.sampling import draw_weights
from tiny import CLASSES, write_tiles

KINDS = (*CLASSES, CLEAN)


@pytest.fixture
def train(tmp_path: Path) -> TileSet:
    """Three surfaces of each kind, with two pictures each."""
    tiles = write_tiles(tmp_path / "real/tiles", KINDS * 6)
    named = [
        replace(tile, surface=f"{tile.defect_class}-{number // len(KINDS) // 2}")
        for number, tile in enumerate(tiles.tiles)
    ]
    return replace(tiles, tiles=tuple(named))


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_the_other_tiles_of_each_kind_get_their_share(train: TileSet, tmp_path: Path, share: float):
    others = write_tiles(tmp_path / "drawn/tiles", KINDS * 20)
    both = lay_beside(train, others, share).tiles
    assert len(both) == len(train.tiles) + len(others.tiles)
    shares: dict[tuple[str, bool], float] = defaultdict(float)
    for tile, weight in zip(both, draw_weights(both, 0.5), strict=True):
        shares[tile.defect_class, tile.id.startswith("beside-")] += weight
    assert set(shares) == {(kind, where) for kind in KINDS for where in (True, False)}
    for kind in KINDS:
        drawn = shares[kind, True] + shares[kind, False]
        assert shares[kind, True] / drawn == pytest.approx(share)


def test_every_file_is_found_from_wherever_the_sets_were_named(
    train: TileSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    others = write_tiles(tmp_path / "drawn/tiles", KINDS * 2)
    monkeypatch.chdir(tmp_path)
    both = lay_beside(replace(train, folder=Path("real/tiles")), others, 0.5)
    assert [tile.id for tile in both.tiles] == sorted({tile.id for tile in both.tiles})
    for tile in both.tiles:
        source = others if tile.id.startswith("beside-") else train
        was = next(each for each in source.tiles if each.id == tile.id.removeprefix("beside-"))
        assert np.array_equal(both.picture(tile, 1), source.picture(was, 1))
        assert np.array_equal(both.mask(tile), source.mask(was))


@pytest.mark.parametrize("part", ["valid", "test"])
def test_a_picture_that_is_scored_is_refused_whatever_its_mask(
    train: TileSet, tmp_path: Path, part: str
):
    split = Split({tile.id: "train" for tile in train.tiles} | {"t04": part})
    others = write_tiles(tmp_path / "drawn", KINDS)
    params = BesideParams(tiles=str(others.folder), share=0.5)
    scored, known = train.tiles[4], train.tiles[3]
    copied = (train.folder / known.image).read_bytes()
    (others.folder / others.tiles[1].image).write_bytes(copied)
    assert read_beside(params, train, split) is not None  # a picture of train: no leak
    copied = (train.folder / scored.image).read_bytes()
    (others.folder / others.tiles[1].image).write_bytes(copied)
    with pytest.raises(TrainingError, match=r"1 pictures of .*such as t01, which is t04 there"):
        read_beside(params, train, split)


def test_other_classes_and_no_folder_are_refused(train: TileSet, tmp_path: Path):
    split = Split(dict.fromkeys((tile.id for tile in train.tiles), "train"))
    others = write_tiles(tmp_path / "drawn", KINDS)
    write_manifest(others.folder, CLASSES[::-1], others.tiles)
    with pytest.raises(TrainingError, match="has the classes blowhole, crack; the data have crack"):
        read_beside(BesideParams(tiles=str(others.folder), share=0.5), train, split)
    assert read_beside(BesideParams(tiles=None, share=0.5), train, split) is None
