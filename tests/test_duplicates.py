"""duplicates: copies of one photograph, as against photographs of one surface."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from defectseg.data.quality.duplicates import DuplicateParams, compare_greys, find_duplicates
from defectseg.data.quality.registration import Placement
from defectseg.data.surfaces.find import Pair
from facts import Picture, grain, measure_set, photograph, write_set

HERE = Placement((1, 1), (0, 0))


def surface(seed: int) -> np.ndarray:
    """A relief with fine grain on coarse shades, 240 × 260 px."""
    coarse = ndimage.gaussian_filter(grain(seed + 100, 240, 260), 15)
    return grain(seed, 240, 260) + 2 * coarse / coarse.std()


def compress(picture: Picture, quality: int = 60) -> Picture:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality)
    return np.array(Image.open(buffer))


def scale(picture: Picture, factor: float) -> Picture:
    size = [round(side * factor) for side in reversed(picture.shape)]
    return np.array(Image.fromarray(picture).resize((size[0], size[1]), Image.Resampling.BICUBIC))


def find(
    folder: Path, pictures: dict[str, Picture], siblings: list[Pair] | None = None, most: int = 100
) -> list[tuple[str, str]]:
    tiles = write_set(folder, pictures)
    params = DuplicateParams(duplicate=2.0, pairs=most)
    found = find_duplicates(tiles, measure_set(tiles), siblings or [], params)
    return [(each.first, each.second) for each in found]


def test_a_compressed_copy_is_found(tmp_path: Path):
    picture = photograph(surface(1))
    pictures = {"a": picture, "b": compress(picture), "c": photograph(surface(2))}
    assert find(tmp_path, pictures) == [("a", "b")]


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.5])
def test_a_scaled_copy_is_found(tmp_path: Path, factor: float):
    picture = photograph(surface(1))
    pictures = {"a": picture, "b": compress(scale(picture, factor)), "c": photograph(surface(2))}
    assert find(tmp_path, pictures) == [("a", "b")]


def test_a_stretched_copy_is_found(tmp_path: Path):
    picture = photograph(surface(1))
    stretched = np.array(Image.fromarray(picture).resize((320, 200), Image.Resampling.BICUBIC))
    assert find(tmp_path, {"a": picture, "b": compress(stretched)}) == [("a", "b")]


def test_a_cropped_copy_is_found_among_siblings(tmp_path: Path):
    picture = photograph(surface(1))
    sibling = Pair("a", "b", 0.9, (False, False), (29, 21))
    pictures = {"a": picture, "b": compress(picture[30:, 20:])}
    assert find(tmp_path, pictures, [sibling]) == [("a", "b")]


def test_a_mirrored_copy_is_found_among_siblings(tmp_path: Path):
    picture = photograph(surface(1))
    sibling = Pair("a", "b", 0.9, (True, False), (0, 0))
    assert find(tmp_path, {"a": picture, "b": compress(picture[::-1])}, [sibling]) == [("a", "b")]


@pytest.mark.parametrize("brightness", [104, 112, 140])
def test_another_exposure_of_the_surface_is_no_duplicate(tmp_path: Path, brightness: int):
    pictures = {"a": photograph(surface(1), 100), "b": photograph(surface(1), brightness, noise=1)}
    assert find(tmp_path, pictures, [Pair("a", "b", 0.9, (False, False), (0, 0))]) == []


def test_exact_duplicates_are_left_to_their_own_check(tmp_path: Path):
    picture = photograph(surface(1))
    pair = Pair("a", "b", 1.0, (False, False), (0, 0))
    assert find(tmp_path, {"a": picture, "b": picture.copy()}, [pair]) == []


def test_flat_pictures_of_one_brightness_are_no_duplicates(tmp_path: Path):
    draw = np.random.default_rng(0)
    pictures = {
        name: np.clip(draw.normal(100, 1, (120, 130)), 0, 255).astype(np.uint8) for name in "abc"
    }
    pairs = [Pair("a", "b", 0.3, (False, False), (0, 0))]
    assert find(tmp_path, pictures, pairs) == []


def test_a_pair_found_both_ways_is_named_once(tmp_path: Path):
    picture = photograph(surface(1))
    pair = Pair("b", "a", 0.9, (False, False), (0, 0))
    assert find(tmp_path, {"a": picture, "b": compress(picture)}, [pair]) == [("a", "b")]


def test_of_too_many_candidates_those_of_the_most_alike_brightness_are_compared(tmp_path: Path):
    picture = photograph(surface(1))
    other = photograph(surface(2))
    brighter = np.clip(compress(picture).astype(int) + 1, 0, 255).astype(np.uint8)
    pictures = {"a": picture, "b": brighter, "c": other, "d": compress(other, 90)}
    assert find(tmp_path, pictures, most=1) == [("c", "d")]
    assert find(tmp_path, pictures, most=2) == [("a", "b"), ("c", "d")]


def test_one_picture_has_no_duplicate(tmp_path: Path):
    assert find(tmp_path, {"a": photograph(surface(1))}) == []


def test_the_difference_is_the_root_mean_square_in_grey_levels():
    picture = np.minimum(photograph(surface(1)), 250)
    assert compare_greys(picture, picture + np.uint8(3), HERE, reach=2) == pytest.approx(3)


def test_noise_of_single_pixels_is_smoothed_away():
    picture = photograph(surface(1))
    noise = np.random.default_rng(0).normal(0, 3, picture.shape)
    noisy = np.clip(picture + noise, 0, 255).round().astype(np.uint8)
    difference = compare_greys(picture, noisy, HERE, reach=2)
    assert difference is not None
    assert difference < 0.6


def test_pictures_of_strangers_have_no_difference_to_speak_of():
    assert compare_greys(photograph(surface(1)), photograph(surface(2)), HERE, reach=2) is None
