"""calibration: networks that boast by a known factor are cooled by that factor."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch.nn.functional import interpolate

from conftest import mask, save_array
from defectseg.data.tile import CLEAN, TileSet, write_manifest
from defectseg.evaluation import calibration
from defectseg.evaluation.calibration import (
    Logits,
    calibrate,
    draw_pixels,
    fit_temperature,
    measure_error,
)
from tiny import CLASSES, tile

SIDE = 60  # pixels: of the pictures, and S


def honest(pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Logits (N, 3, H, W): red for the background, green for a crack, blue for a blowhole."""
    return ((pictures.astype(np.float32) - 128) / 32).transpose(0, 3, 1, 2)


def boasting(factor: float) -> Logits:
    """A network whose logits are too large by a factor."""
    return lambda pictures: honest(pictures) * np.float32(factor)


def write_part(folder: Path, count: int) -> TileSet:
    """Pictures of noise; the true class of a pixel is drawn with the honest probabilities."""
    draw, tiles = np.random.default_rng(0), []
    for index in range(count):
        picture = draw.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
        noise = draw.gumbel(size=(3, SIDE, SIDE))  # the highest sum is a draw from the softmax
        truth = (honest(picture[None])[0] + noise).argmax(axis=0).astype(np.uint8)
        save_array(folder / f"{index}.png", picture)
        save_array(folder / f"{index}_mask.png", truth)
        row = tile(f"p{index}", "crack")
        files = {"image": f"{index}.png", "mask": f"{index}_mask.png"}
        tiles.append(type(row)(**{**vars(row), **files}))
    return write_manifest(folder, CLASSES, tiles)


@pytest.mark.parametrize("factor", [0.25, 0.5, 1.0, 2.0, 5.0])
def test_logits_that_are_too_large_by_a_factor_are_divided_by_it(factor: float, tmp_path: Path):
    found = calibrate(boasting(factor), write_part(tmp_path, 4), channels=3, seed=0)
    assert found.temperature == pytest.approx(factor, rel=0.03)
    assert found.error_after < 0.015
    if factor != 1:
        assert found.error_before > 2 * found.error_after


def test_half_right_and_wholly_sure_is_worth_no_logit_at_all():
    # two pixels of the same logits, one of each class: the best is 1/2 for both, at the end of
    # the range, e^3
    logits, truth = np.array([[0.0, 1.0]] * 2), np.array([0, 1])
    assert fit_temperature(logits, truth) == pytest.approx(np.exp(3), rel=1e-2)


def test_three_of_four_right_is_worth_a_probability_of_three_quarters():
    # e^(2 / T) = 3
    logits, truth = np.array([[0.0, 2.0]] * 4), np.array([1, 1, 1, 0])
    assert fit_temperature(logits, truth) == pytest.approx(2 / np.log(3), rel=1e-3)


def test_always_right_is_as_sure_as_the_range_allows():
    logits, truth = np.array([[0.0, 0.1], [0.1, 0.0]]), np.array([1, 0])
    assert fit_temperature(logits, truth) == pytest.approx(np.exp(-3), rel=1e-2)


def test_huge_logits_are_no_trouble():
    logits, truth = np.array([[-3e38, 3e38]] * 4), np.array([1, 1, 1, 1])
    assert fit_temperature(logits, truth) == 1.0  # nothing is better than perfect


def test_the_error_is_the_gap_between_what_is_said_and_what_is():
    logits = np.log(np.array([[0.2, 0.8]] * 4))
    assert measure_error(logits, np.array([1, 1, 0, 0])) == pytest.approx(0.3)
    assert measure_error(logits, np.array([1, 1, 1, 1])) == pytest.approx(0.2)


def test_a_part_without_pictures_leaves_the_logits_alone(tmp_path: Path):
    empty = write_manifest(tmp_path, CLASSES, [])
    found = calibrate(honest, empty, channels=3, seed=0)
    assert found.temperature == 1.0
    assert np.isnan([found.error_before, found.error_after]).all()


def test_every_pixel_is_drawn_once_where_there_is_room(tmp_path: Path):
    part = write_part(tmp_path, 2)
    logits, truth = draw_pixels(honest, part, channels=3, seed=0)
    assert (logits.shape, truth.shape) == ((2 * SIDE * SIDE, 3), (2 * SIDE * SIDE,))
    first = honest(part.picture(part.tiles[0], 3)[None])[0].reshape(3, -1).T
    pairs = np.column_stack([first, part.mask(part.tiles[0]).ravel()])
    drawn = np.column_stack([logits, truth])[: SIDE * SIDE]
    assert sorted(drawn.tolist()) == sorted(pairs.tolist())


@pytest.mark.parametrize(("cap", "drawn"), [(100, 99), (4, 3), (2, 3)])
def test_many_pictures_share_the_pixels_that_are_looked_at(
    cap: int, drawn: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(calibration, "PIXELS", cap)  # at least one of each picture
    logits, truth = draw_pixels(honest, write_part(tmp_path, 3), channels=3, seed=0)
    assert (len(logits), len(truth)) == (drawn, drawn)


def test_a_seed_draws_the_same_pixels_and_another_one_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(calibration, "PIXELS", 50)
    part = write_part(tmp_path, 1)
    first, same, other = (draw_pixels(honest, part, channels=3, seed=s)[0] for s in (1, 1, 2))
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("size", [(4, 4), (9, 5), (16, 64)])
def test_masks_are_shrunk_as_training_shrinks_them(size: tuple[int, int], tmp_path: Path):
    drawn = np.random.default_rng(0).integers(0, 3, (13, 32), dtype=np.uint8)
    save_array(tmp_path / "a.png", np.zeros((13, 32), np.uint8))
    save_array(tmp_path / "a_mask.png", drawn)
    row = tile("a", "crack")
    files = {"image": "a.png", "mask": "a_mask.png"}
    part = write_manifest(tmp_path, CLASSES, [type(row)(**{**vars(row), **files})])
    place = np.arange(size[0] * size[1], dtype=np.float32).reshape(1, 1, *size)
    logits, truth = draw_pixels(lambda _: np.repeat(place, 3, axis=1), part, channels=1, seed=0)
    small = np.zeros(size, np.uint8)
    small.ravel()[logits[:, 0].astype(int)] = truth  # back to where each pixel came from
    expected = interpolate(torch.from_numpy(drawn)[None, None].float(), size, mode="nearest-exact")
    np.testing.assert_array_equal(small, expected[0, 0].numpy())


def test_a_clean_part_says_that_any_doubt_of_the_background_is_too_much(tmp_path: Path):
    save_array(tmp_path / "c.png", np.full((8, 8, 3), (192, 128, 128), np.uint8))  # logits 2, 0, 0
    save_array(tmp_path / "c_mask.png", mask("." * 8, 1).repeat(8, axis=0))
    row = tile("c", CLEAN)
    files = {"image": "c.png", "mask": "c_mask.png"}
    part = write_manifest(tmp_path, CLASSES, [type(row)(**{**vars(row), **files})])
    found = calibrate(honest, part, channels=3, seed=0)
    assert found.temperature < 0.1  # e^(2 / 0.1) to 2 is sure enough for any number of digits
    assert found.error_before == pytest.approx(2 / (np.exp(2) + 2), rel=1e-3)
    assert found.error_after < 1e-6
