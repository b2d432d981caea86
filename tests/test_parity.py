"""parity: how two engines are compared, by engines that say what the test tells them."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from defectseg.data.tile import CLEAN, Tile, TileSet
from defectseg.export.parity import choose_pictures, compare_engines
from tiny import BLOWHOLE, CRACK, FREE, model_info, tile, write_tiles

INFO = model_info(threshold=0.5)


@dataclass(frozen=True)
class Told:
    """An engine that gives one answer for every picture: probabilities of background and crack."""

    crack: npt.NDArray[np.float64]  # (H, W) in [0, 1]

    def run(self, pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """See `Engine.run`."""
        planes = np.stack([1 - self.crack, self.crack, np.zeros_like(self.crack)])
        return np.repeat(planes[None], len(pictures), axis=0).astype(np.float32)


@pytest.fixture
def cracks(tmp_path: Path) -> TileSet:
    """Two pictures (64, 128) that show the same crack of 6 × 1 blocks of 16 pixels."""
    return write_tiles(tmp_path, ["crack", "crack"])


def test_engines_that_agree_differ_by_nothing(cracks: TileSet):
    parity = compare_engines(Told(CRACK * 0.9), Told(CRACK * 0.9), INFO, cracks)
    assert parity == {
        "max_abs_probability_difference": 0.0,
        "flipped_pixel_fraction": 0.0,
        "dice_drop": 0.0,
        "pictures": 2,
        "sizes": 1,
    }


def test_a_difference_below_the_threshold_flips_no_pixel(cracks: TileSet):
    parity = compare_engines(Told(CRACK * 0.9), Told(CRACK * 0.6), INFO, cracks)
    assert parity["max_abs_probability_difference"] == pytest.approx(0.3)
    assert parity["flipped_pixel_fraction"] == 0
    assert parity["dice_drop"] == 0


def test_a_missed_half_of_the_crack_costs_a_third_of_its_dice(cracks: TileSet):
    half = CRACK.copy()
    half[:, :64] = 0  # 3 of the 6 blocks are left: dice = 2 · 3 / (3 + 6) = 2/3
    parity = compare_engines(Told(CRACK * 0.9), Told(half * 0.9), INFO, cracks)
    assert parity["dice_drop"] == pytest.approx(1 / 3)
    assert parity["flipped_pixel_fraction"] == pytest.approx(3 / 32)  # of 4 × 8 blocks
    assert parity["max_abs_probability_difference"] == pytest.approx(0.9)


def test_the_largest_difference_is_that_of_any_picture(tmp_path: Path):
    tiles = write_tiles(tmp_path, [CLEAN, "crack", "blowhole"])

    class Brighter(Told):
        def run(self, pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
            answer = super().run(pictures)
            answer[:, 1] += 0.2 * (pictures.min() < 60)  # only where there is a defect
            return answer

    parity = compare_engines(Told(FREE * 1.0), Brighter(FREE * 1.0), INFO, tiles)
    assert parity["max_abs_probability_difference"] == pytest.approx(0.2)


def test_an_answer_that_is_no_number_is_no_agreement(cracks: TileSet):
    parity = compare_engines(Told(CRACK * 0.9), Told(CRACK * np.nan), INFO, cracks)
    assert np.isnan(parity["max_abs_probability_difference"])


def test_sizes_are_counted_once(tmp_path: Path):
    masks = {"crack": CRACK, "blowhole": BLOWHOLE.T, CLEAN: FREE}
    tiles = write_tiles(tmp_path, ["crack", "blowhole", CLEAN], masks)

    class OfItsSize(Told):
        def run(self, pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
            return Told(np.zeros(pictures.shape[1:3])).run(pictures)

    parity = compare_engines(OfItsSize(FREE * 1.0), OfItsSize(FREE * 1.0), INFO, tiles)
    assert (parity["pictures"], parity["sizes"]) == (3, 2)


def sized(tile_id: str, defect_class: str, side: int) -> Tile:
    return replace(tile(tile_id, defect_class), width=side, height=side)


DEFECTS = [sized(f"d{side}", "crack", side) for side in (500, 100, 300, 200, 400)]
FREES = [sized(f"f{side}", CLEAN, side) for side in (50, 70, 60)]


def chosen(tiles: list[Tile], count: int) -> list[str]:
    return [tile.id for tile in choose_pictures(tiles, count)]


def test_half_of_the_chosen_pictures_show_a_defect_and_sizes_are_spread():
    assert chosen(FREES + DEFECTS, 4) == ["d100", "d500", "f50", "f70"]
    assert chosen(FREES + DEFECTS, 6) == ["d100", "d300", "d500", "f50", "f60", "f70"]


def test_where_one_kind_is_rare_the_other_fills_up():
    assert chosen(FREES[:1] + DEFECTS, 4) == ["d100", "d300", "d500", "f50"]
    assert chosen(FREES + DEFECTS[:1], 4) == ["d500", "f50", "f60", "f70"]
    assert chosen(DEFECTS, 2) == ["d100", "d500"]
    assert chosen(FREES, 2) == ["f50", "f70"]


def test_a_small_test_part_is_compared_whole_and_once():
    assert sorted(chosen(FREES + DEFECTS, 24)) == sorted(tile.id for tile in FREES + DEFECTS)
