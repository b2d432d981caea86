"""benchmarks/magnetic_tiles/mixed: drawn tiles beside real ones, in a chosen share."""

import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from defectseg.data.split import Split
from defectseg.data.tile import CLEAN, TileSet
from defectseg.network.sampling import draw_weights
from tiny import CLASSES, write_tiles

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks/magnetic_tiles"))

from mixed import mix

KINDS = (*CLASSES, CLEAN)


@pytest.fixture
def real(tmp_path: Path) -> TileSet:
    """Three surfaces of each kind, with two pictures each."""
    tiles = write_tiles(tmp_path / "real/tiles", KINDS * 6)
    named = [
        replace(tile, surface=f"{tile.defect_class}-{number // len(KINDS) // 2}")
        for number, tile in enumerate(tiles.tiles)
    ]
    return replace(tiles, tiles=tuple(named))


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_the_drawn_tiles_of_each_kind_get_their_share(real: TileSet, tmp_path: Path, share: float):
    drawn = write_tiles(tmp_path / "drawn/tiles", KINDS * 20)
    split = Split(dict.fromkeys((tile.id for tile in real.tiles), "train"))
    tiles, mixed = mix(real, split, drawn, share)
    train = tiles.only(mixed.ids("train")).tiles
    assert len(train) == len(real.tiles) + len(drawn.tiles)
    shares: dict[tuple[str, bool], float] = defaultdict(float)
    for tile, weight in zip(train, draw_weights(train, 0.5), strict=True):
        shares[tile.defect_class, tile.id.startswith("drawn-")] += weight
    assert set(shares) == {(kind, where) for kind in KINDS for where in (True, False)}
    for kind in KINDS:
        both = shares[kind, True] + shares[kind, False]
        assert shares[kind, True] / both == pytest.approx(share)


def test_what_is_scored_stays_real_and_every_file_is_found(real: TileSet, tmp_path: Path):
    drawn = write_tiles(tmp_path / "drawn/tiles", KINDS * 2)
    parts = {tile.id: ("train", "valid", "test")[n % 3] for n, tile in enumerate(real.tiles)}
    tiles, split = mix(real, Split(parts), drawn, 0.5)
    for part in ("valid", "test"):
        assert split.ids(part) == Split(parts).ids(part)
    assert [tile.id for tile in tiles.tiles] == sorted({tile.id for tile in tiles.tiles})
    for tile in tiles.tiles:
        source = drawn if tile.id.startswith("drawn-") else real
        was = next(each for each in source.tiles if each.id == tile.id.removeprefix("drawn-"))
        assert np.array_equal(tiles.picture(tile, 1), source.picture(was, 1))
        assert np.array_equal(tiles.mask(tile), source.mask(was))
    assert tiles.digest() != real.digest()
