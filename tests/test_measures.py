"""measures: the numbers that tell an odd picture from its set."""

import io

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from conftest import mask
from defectseg.data.quality.measures import (
    halve,
    laplacian_energy,
    measure,
    measure_regions,
    measure_sharpness,
    sign_picture,
)
from facts import Picture, grain, photograph


def measured(picture: Picture, drawn: Picture | None = None, classes: int = 2):
    """The measures of a picture (H, W)."""
    empty = np.zeros_like(picture)
    return measure(picture[:, :, None], empty if drawn is None else drawn, classes)


def signature_distance(first: Picture, second: Picture) -> float:
    """The distance of two signatures of norm 1."""
    one, other = (np.frombuffer(sign_picture(p), dtype=np.int8) / 256 for p in (first, second))
    return float(np.linalg.norm(one - other))


def test_brightness_contrast_and_saturation_are_of_all_pixels():
    found = measured(np.array([[0, 255, 100], [100, 100, 45]], dtype=np.uint8))
    assert (found.width, found.height, found.brightness) == (3, 2, 100)
    assert found.contrast == pytest.approx(((100**2 + 155**2 + 55**2) / 6) ** 0.5)
    assert found.saturated == pytest.approx(2 / 6)


def test_regions_are_connected_over_corners():
    drawn = mask("""
        #....
        .#..#
        ....#
        ....#""")
    found = measured(np.full(drawn.shape, 90, dtype=np.uint8), drawn)
    assert (found.defect_px, found.regions) == (5, 2)
    assert (found.smallest_region_px, found.largest_region_px) == (2, 3)


def test_two_classes_that_touch_are_one_region_but_counted_apart():
    found = measured(np.zeros((3, 4), dtype=np.uint8), mask("....  .12.  .12."))
    assert (found.regions, found.class_px, found.defect_px) == (1, (2, 2), 4)


def test_an_empty_mask_has_no_region_and_touches_nothing():
    found = measured(np.zeros((3, 4), dtype=np.uint8))
    assert (found.regions, found.largest_region_px, found.smallest_region_px) == (0, 0, 0)
    assert (found.touches_border, found.class_px) == (False, (0, 0))


@pytest.mark.parametrize("drawing", [".#. ... ...", "... ... ..#", "... #.. ...", "... ..# ..."])
def test_a_defect_in_the_outermost_row_or_column_touches_the_border(drawing: str):
    drawn = mask(drawing)
    assert measured(np.zeros_like(drawn), drawn).touches_border


def test_a_defect_one_pixel_inside_does_not_touch_the_border():
    drawn = mask("... .#. ...")
    assert not measured(np.zeros_like(drawn), drawn).touches_border


def test_regions_of_a_mask_without_a_defect_are_none():
    assert measure_regions(mask("... ...")) == []


def test_pictures_of_the_same_pixels_have_one_hash_and_others_have_not():
    picture = photograph(grain(1))
    reshaped = picture.reshape(picture.shape[1], picture.shape[0])
    changed = picture.copy()
    changed[5, 5] ^= 1
    hashes = [measured(p).picture_sha256 for p in (picture, picture.copy(), reshaped, changed)]
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 3


@pytest.mark.parametrize(("gain", "offset"), [(0.5, 0), (1.6, 0), (1, 60)])
def test_exposure_does_not_change_sharpness(gain: float, offset: int):
    grey = 60 + 10 * grain(1)
    plain, exposed = (g.round().astype(np.uint8) for g in (grey, gain * grey + offset))
    assert measure_sharpness(exposed) == pytest.approx(measure_sharpness(plain), rel=0.02)


def test_a_slope_of_the_lighting_does_not_change_sharpness():
    grey = 80 + 10 * grain(1)
    sloped = grey + np.linspace(0, 90, grey.shape[1])
    plain, lit = (measure_sharpness(g.round().astype(np.uint8)) for g in (grey, sloped))
    assert lit == pytest.approx(plain, rel=0.03)


def test_defocus_lowers_sharpness_the_more_the_stronger_it_is():
    picture = photograph(grain(1)).astype(float)
    blurred = [ndimage.gaussian_filter(picture, sigma).round() for sigma in (0, 1, 2, 3)]
    found = [measure_sharpness(each.astype(np.uint8)) for each in blurred]
    assert found == sorted(found, reverse=True)
    assert found[2] < 0.5 * found[0]


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (5, 5), (11, 300)])
def test_a_picture_too_small_for_detail_has_no_sharpness(shape: tuple[int, int]):
    assert measure_sharpness(np.full(shape, 7, dtype=np.uint8)) == 0


def test_halving_takes_means_of_two_by_two_pixels_and_drops_the_odd_rest():
    grey = np.array([[0, 4, 1, 1, 9], [8, 0, 1, 5, 9], [9, 9, 9, 9, 9]], dtype=np.float32)
    assert halve(grey).tolist() == [[3, 2]]


def test_the_laplacian_energy_of_one_bright_pixel():
    grey = np.zeros((5, 5), dtype=np.float32)
    grey[2, 2] = 1  # 16 in the middle, 1 at each of its four neighbours, over 9 pixels
    assert laplacian_energy(grey) == pytest.approx(20 / 9)


def test_signatures_are_alike_at_any_scale_exposure_and_compression():
    picture = photograph(ndimage.gaussian_filter(grain(1, 300, 400), 12) * 20)
    half = np.asarray(Image.fromarray(picture).resize((200, 150), Image.Resampling.BICUBIC))
    buffer = io.BytesIO()
    Image.fromarray(half).save(buffer, "JPEG", quality=60)
    packed = np.asarray(Image.open(buffer))
    darker = (picture * 0.5).astype(np.uint8)
    other = photograph(ndimage.gaussian_filter(grain(2, 300, 400), 12) * 20)
    assert signature_distance(picture, packed) < 0.05
    assert signature_distance(picture, darker) < 0.05
    assert signature_distance(picture, other) > 0.5


def test_a_flat_picture_has_a_signature_of_zeros():
    assert sign_picture(np.full((9, 9), 50, dtype=np.uint8)) == bytes(64)
