"""decoded: tiles at the network's size, as the pixel path makes them."""

from pathlib import Path

import numpy as np
import pytest
import torch

from defectseg.data.tile import CLEAN, TileSet
from defectseg.network.decoded import Decoded, decode_tiles
from defectseg.pixels import CONTRAST_FLOOR, standardize, to_input
from tiny import BLOWHOLE, CRACK, FREE, write_tiles

SIDE = 32  # pixels


@pytest.fixture
def tiles(tmp_path: Path) -> TileSet:
    """Four tiles of two sizes; every block of a mask is 16 pixels a side."""
    masks = {"crack": CRACK, "blowhole": BLOWHOLE.T, CLEAN: FREE}
    return write_tiles(tmp_path, ["crack", CLEAN, "blowhole", "crack"], masks)


def decode(tiles: TileSet, channels: int = 1) -> Decoded:
    return decode_tiles(tiles, SIDE, channels, "test")


@pytest.mark.parametrize("channels", [1, 3])
def test_what_the_network_sees_in_training_is_what_it_sees_in_serving(
    tiles: TileSet, channels: int
):
    decoded = decode(tiles, channels)
    assert decoded.pictures.shape[:3] == (4, SIDE, SIDE)
    assert decoded.pictures.dtype == torch.uint8
    for index, tile in enumerate(tiles.tiles):
        raw = torch.from_numpy(tiles.picture(tile, channels).copy())[None]
        stored = decoded.pictures[[index]]
        seen = standardize(stored.permute(0, 3, 1, 2).float() / 255.0)
        served = to_input(raw, SIDE)
        assert seen.shape == served.shape
        assert (seen - served).abs().max() < 0.5 / 255 / CONTRAST_FLOOR  # half a grey value


def test_masks_are_reduced_by_nearest_neighbour(tiles: TileSet):
    decoded = decode(tiles)
    assert decoded.masks.shape == (4, SIDE, SIDE)
    # 128 × 64 pixels become 32 × 32: every block of 16 × 16 becomes 4 wide and 8 high.
    assert np.array_equal(decoded.masks[0], CRACK[1::2, 1::4])


def test_reduced_masks_never_get_a_class_that_lies_between_two_others(tiles: TileSet):
    # Of 41 samples the middle one lies on the edge of a block.
    assert np.unique(decode_tiles(tiles, 41, 1, "test").masks[2]).tolist() == [0, 2]


def test_a_batch_is_fetched_at_once_in_the_order_asked(tiles: TileSet):
    decoded = decode(tiles)
    pictures, masks = decoded.__getitems__([2, 0, 2])
    assert (len(decoded), pictures.dtype, masks.dtype) == (4, torch.uint8, torch.int64)
    assert torch.equal(pictures, torch.stack([decoded.pictures[n] for n in (2, 0, 2)]))
    assert torch.equal(masks, torch.stack([decoded.masks[n] for n in (2, 0, 2)]))


def test_what_does_not_fit_into_half_of_an_accelerator_stays_outside(
    tiles: TileSet, monkeypatch: pytest.MonkeyPatch
):
    decoded = decode(tiles)
    assert decoded.nbytes == 4 * SIDE * SIDE * (2 + 1)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (2 * decoded.nbytes - 2, 10**12))
    assert decoded.to(torch.device("cuda")) is decoded
    assert decoded.to(torch.device("cpu")) is decoded


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA here")
def test_an_accelerator_holds_the_pictures_and_slices_the_batches(tiles: TileSet):
    decoded = decode(tiles)
    pictures, masks = decoded.to(torch.device("cuda")).__getitems__([2, 0])
    assert pictures.is_cuda and masks.is_cuda
    assert torch.equal(pictures.cpu(), decoded.pictures[[2, 0]])
    assert torch.equal(masks.cpu(), decoded.masks[[2, 0]].long())


def test_some_defects_are_spread_over_the_set_and_never_clean(tiles: TileSet):
    decoded = decode(tiles)
    two = decoded.some_defects(2)
    assert [tile.id for tile in two.tiles.tiles] == ["t00", "t03"]
    assert torch.equal(two.pictures, decoded.pictures[[0, 3]])
    assert torch.equal(two.masks, decoded.masks[[0, 3]])
    assert [tile.id for tile in decoded.some_defects(9).tiles.tiles] == ["t00", "t02", "t03"]


def test_a_set_without_defects_has_none_to_show(tmp_path: Path):
    assert len(decode(write_tiles(tmp_path / "clean", [CLEAN, CLEAN])).some_defects(3)) == 0
