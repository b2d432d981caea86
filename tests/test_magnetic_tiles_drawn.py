"""benchmarks/magnetic_tiles/drawn: what its measures say of defects that are known."""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from defectseg.data.tile import CLEAN
from tiny import CLASSES, write_tiles

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks/magnetic_tiles"))

import drawn


def square(top: int, left: int, side: int = 20) -> drawn.Mask:
    mask = np.zeros((200, 300), dtype=bool)
    mask[top : top + side, left : left + side] = True
    return mask


@pytest.mark.parametrize(
    ("top", "left", "expected"),
    [(90, 90, False), (6, 90, False), (5, 90, True), (90, 274, False), (90, 275, True)],
)
def test_an_edge_is_three_hundredths_of_the_shorter_side_wide(top: int, left: int, expected: bool):
    assert drawn.is_at_edge(square(top, left)) is expected


def test_the_contrast_is_that_to_the_ring_around_it():
    mask = square(90, 90)
    image = np.full(mask.shape, 7, dtype=np.uint8)
    image[80:120, 80:120] = 100  # all that the ring may see
    image[ndimage.binary_dilation(mask, iterations=2)] = 255  # the seam, which is left out
    image[mask] = 60
    assert drawn.contrast(image, mask) == pytest.approx(-0.4)
    assert drawn.contrast(image, np.ones_like(mask)) == 0.0  # nothing surrounds it


def test_a_class_is_described_by_one_picture_of_each_surface(tmp_path: Path):
    tiles = write_tiles(tmp_path, (*CLASSES, CLEAN) * 3)
    told = drawn.describe(tiles)
    assert set(told) == set(CLASSES)
    for name in CLASSES:
        shown = [tile for tile in tiles.tiles if tile.defect_class == name]
        assert told[name]["surfaces"] == len({tile.surface for tile in shown})
        shares = [tile.defect_px / tile.width / tile.height for tile in shown]
        assert told[name]["share"]["p50"] == pytest.approx(np.median(shares), abs=1e-4)
