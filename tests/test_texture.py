"""texture: what of a picture stays the same whatever the exposure."""

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage

from defectseg.data.surfaces.texture import (
    choose_factor,
    choose_longest,
    reduce_picture,
    take_texture,
    to_texture,
)

Float = npt.NDArray[np.float32]


@pytest.fixture
def relief() -> Float:
    """Grains of a few pixels on a grey ground: (120, 110), mean 100, deviation 10."""
    grain = ndimage.gaussian_filter(np.random.default_rng(1).normal(size=(120, 110)), 1.5)
    return (100 + 10 * grain / grain.std()).astype(np.float32)


def likeness(one: Float, other: Float) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


@pytest.mark.parametrize(
    ("sizes", "factor"),
    [
        ([], 1),
        ([(1, 1)], 1),
        ([(149, 149)], 1),
        ([(150, 150)], 2),
        ([(200, 450)], 3),
        ([(100, 100), (300, 300), (5000, 5000)], 3),
    ],
)
def test_the_median_picture_is_reduced_to_about_100_px_a_side(
    sizes: list[tuple[int, int]], factor: int
):
    assert choose_factor(sizes) == factor


@pytest.mark.parametrize(
    ("sizes", "factor", "longest"),
    [
        ([], 3, 1),
        ([(300, 200), (100, 310)], 3, 103),
        ([(100, 256)], 1, 256),
        ([(257, 100)], 1, 256),
        ([(90_000, 9)], 1, 256),
    ],
)
def test_the_longest_side_is_that_of_the_longest_picture_up_to_256_px(
    sizes: list[tuple[int, int]], factor: int, longest: int
):
    assert choose_longest(sizes, factor) == longest


def test_blocks_are_averaged_and_incomplete_ones_left_out():
    grey = np.array([[0, 2, 10, 10, 9], [4, 6, 20, 0, 9], [9, 9, 9, 9, 9]], dtype=np.float32)
    assert reduce_picture(grey, 2).tolist() == [[3, 10]]
    assert reduce_picture(grey, 1).tolist() == grey.tolist()


def test_a_flat_picture_has_no_texture():
    assert np.abs(to_texture(np.full((40, 30), 200, dtype=np.float32))).max() < 1e-3


@pytest.mark.parametrize(("gain", "offset"), [(0.5, 0), (2, 0), (1, 90), (1.5, -60)])
def test_neither_brightness_nor_contrast_changes_the_texture(
    relief: Float, gain: float, offset: float
):
    assert likeness(to_texture(relief), to_texture(gain * relief + offset)) > 0.99


def test_light_from_one_side_hardly_changes_the_texture(relief: Float):
    light = np.linspace(0.5, 1.5, 110, dtype=np.float32)
    assert likeness(to_texture(relief), to_texture(relief * light)) > 0.95


def test_straight_edges_from_side_to_side_hardly_change_the_texture(relief: Float):
    edges = np.zeros((120, 110), dtype=np.float32)
    edges[60:62] = 15
    assert likeness(to_texture(relief), to_texture(relief + edges)) > 0.9
    only_edges = to_texture(100 + edges)
    assert np.abs(only_edges).max() < 0.01


def test_rows_and_columns_of_a_texture_have_no_mean(relief: Float):
    texture = to_texture(relief)
    assert (texture.shape, texture.dtype) == ((120, 110), np.float32)
    assert max(np.abs(texture.mean(axis=axis)).max() for axis in (0, 1)) < 1e-3


def test_a_glaring_dot_stays_within_the_range(relief: Float):
    relief[60, 50] = 255
    assert 2 < np.abs(to_texture(relief)).max() <= 4


def test_the_middle_of_a_long_picture_is_kept_and_its_place_told():
    picture = np.random.default_rng(0).integers(0, 256, (50, 47, 3), dtype=np.uint8)
    whole = take_texture(picture, 5, 10)
    middle = take_texture(picture, 5, 6)  # 10 × 9 blocks: 2 rows above and below, 1 and 2 columns
    assert (whole.before, whole.after) == ((0, 0), (0, 2))
    assert (middle.before, middle.after) == ((10, 5), (10, 12))
    np.testing.assert_array_equal(middle.values, whole.values[2:8, 1:7])


def test_brightness_is_the_mean_grey_of_the_whole_picture():
    picture = np.zeros((8, 9, 3), dtype=np.uint8)
    picture[:4], picture[4:] = (30, 60, 90), (0, 120, 240)
    assert take_texture(picture, 3, 1).brightness == pytest.approx((60 + 120) / 2)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 9), (9, 2)])
def test_a_picture_smaller_than_the_factor_still_has_a_texture(height: int, width: int):
    picture = np.full((height, width, 1), 7, dtype=np.uint8)
    texture = take_texture(picture, 4, 100)
    factor = min(4, height, width)
    assert texture.values.shape == (height // factor, width // factor)
    assert np.isfinite(texture.values).all()
