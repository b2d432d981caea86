"""correlation: how alike two textures are at the best shift and flip."""

import itertools

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage

from defectseg.data.surfaces.correlation import (
    Correlator,
    Flip,
    Spectrum,
    choose_side,
    flip_of,
    take_spectrum,
)

Float = npt.NDArray[np.float32]
FLIPS: list[Flip] = [(False, False), (True, False), (False, True), (True, True)]
SIDE = 100


def texture(seed: int, height: int = 100, width: int = 100) -> Float:
    """Grains of a few pixels, of mean 0 and deviation 1."""
    grain = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(height, width)), 1.2)
    return np.asarray(grain / grain.std(), dtype=np.float32)


def mirror(values: Float, flip: Flip) -> Float:
    return values[:: -1 if flip[0] else 1, :: -1 if flip[1] else 1]


def screen(first: Spectrum, second: Spectrum, crosswise: bool) -> tuple[float, Flip]:
    """The similarity that the coarse grid shows, and the flip that has it."""
    bands = (spectrum.band[None] for spectrum in (first, second))
    heights, seconds = Correlator(SIDE).screen(*bands, np.array([crosswise]))
    return float(heights[0]), flip_of(crosswise, bool(seconds[0]))


@pytest.mark.parametrize(
    ("longest", "side"), [(1, 64), (64, 64), (65, 72), (97, 100), (101, 108), (256, 256)]
)
def test_the_side_is_the_next_product_of_2_3_and_5_from_64_on(longest: int, side: int):
    assert choose_side(longest) == side


@pytest.mark.parametrize("flip", FLIPS)
@pytest.mark.parametrize("shape", [(100, 100), (80, 93), (64, 41)])
def test_a_texture_is_wholly_like_itself_however_mirrored(flip: Flip, shape: tuple[int, int]):
    one = texture(1, *shape)
    first, second = take_spectrum(one, SIDE), take_spectrum(mirror(one, flip), SIDE)
    match = Correlator(SIDE).match(first.band, second.band, flip, (shape, shape))
    assert match.similarity == pytest.approx(1, abs=0.01)
    assert (match.mirrored, match.shift) == (flip, (0, 0))


@pytest.mark.parametrize("flip", FLIPS)
@pytest.mark.parametrize("shift", [(0, 7), (11, 0), (9, -13), (-15, 6), (-3, -20)])
def test_the_shift_lays_the_mirrored_second_on_the_first(flip: Flip, shift: tuple[int, int]):
    surface = texture(2, 140, 140)
    first = surface[20:110, 20:100]
    second = surface[20 + shift[0] : 100 + shift[0], 20 + shift[1] : 115 + shift[1]]
    bands = (take_spectrum(part, SIDE).band for part in (first, mirror(second, flip)))
    match = Correlator(SIDE).match(*bands, flip, (first.shape, second.shape))
    assert match.similarity > 0.3
    assert match.shift == shift


@pytest.mark.parametrize("flip", FLIPS)
def test_different_textures_are_not_alike(flip: Flip):
    bands = [take_spectrum(texture(seed), SIDE).band for seed in range(6)]
    shapes = ((100, 100), (100, 100))
    found = [
        Correlator(SIDE).match(one, other, flip, shapes).similarity
        for one, other in itertools.combinations(bands, 2)
    ]
    assert -0.2 < min(found) <= max(found) < 0.2


@pytest.mark.parametrize("flip", FLIPS)
def test_the_screen_finds_the_flip_and_at_least_0_41_of_the_peak(flip: Flip):
    surface = texture(3, 120, 120)
    first = take_spectrum(surface[:100, :100], SIDE)
    crosswise = flip[0] != flip[1]
    for rows, columns in [(0, 0), (1, 1), (7, 12), (20, 3)]:
        part = surface[rows : rows + 100, columns : columns + 100]
        second = take_spectrum(mirror(part, flip), SIDE)
        shapes = ((100, 100), (100, 100))
        peak = Correlator(SIDE).match(first.band, second.band, flip, shapes).similarity
        height, found = screen(first, second, crosswise)
        assert found == flip
        assert 0.41 * peak <= height <= 1.01
        assert screen(first, second, not crosswise)[0] < 0.2


def test_pairs_are_screened_each_on_its_own():
    spectra = [take_spectrum(texture(seed), SIDE) for seed in (1, 2, 3)]
    upside_down = take_spectrum(texture(1)[::-1], SIDE)
    first = np.stack([spectra[0].band] * 3)
    second = np.stack([spectra[1].band, upside_down.band, spectra[0].band])
    before = second.copy()
    heights, seconds = Correlator(SIDE).screen(first, second, np.array([False, True, False]))
    assert heights[0] < 0.2
    assert (heights[1] > 0.41, heights[2]) == (True, pytest.approx(1, abs=0.01))
    assert seconds[1:].tolist() == [False, False]
    np.testing.assert_array_equal(second, before)


@pytest.mark.parametrize("shift", [0, 5, 12])
def test_no_shift_changes_the_description_much_and_another_texture_does(shift: int):
    surface = texture(4, 120, 120)
    begin, moved = surface[:100, :100], surface[shift : shift + 100, shift : shift + 100]
    one, moved, turned, upside_down, other = (
        take_spectrum(part, SIDE).description.astype(np.float64)
        for part in (begin, moved, begin[::-1, ::-1], begin[::-1], texture(5))
    )
    assert np.linalg.norm(one) == pytest.approx(1, abs=0.01)
    assert np.linalg.norm(one - moved) < 0.9 * np.linalg.norm(one - other)
    np.testing.assert_allclose(turned, one, atol=0.002)
    np.testing.assert_allclose(upside_down[::-1], one, atol=0.002)


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (100, 100)])
def test_a_flat_texture_is_like_nothing(shape: tuple[int, int]):
    flat = take_spectrum(np.zeros(shape, dtype=np.float32), SIDE)
    for other in (flat, take_spectrum(texture(1), SIDE)):
        assert screen(flat, other, False)[0] == pytest.approx(0, abs=0.01)


def best(first: Float, second: Float) -> float:
    one, other = take_spectrum(first, SIDE), take_spectrum(second, SIDE)
    return (
        Correlator(SIDE)
        .match(one.band, other.band, FLIPS[0], (first.shape, second.shape))
        .similarity
    )


def test_blotches_of_one_shape_do_not_make_two_textures_alike():
    rows, columns = np.mgrid[:100, :100]
    outline = np.abs(np.hypot(rows - 50, columns - 50) - 25) < 2  # a ring, 25 px in radius
    one, other = (np.where(outline, 4, texture(seed) / 2).astype(np.float32) for seed in (1, 2))
    assert best(one, other) < 0.25


def test_a_rim_that_two_textures_share_hardly_makes_them_alike():
    one, other = texture(1, 40, 100), texture(2, 40, 100)
    other[:4], other[-4:] = one[:4], one[-4:]  # a fifth of all pixels
    assert best(one, other) < 0.15


def test_a_grain_of_one_kind_does_not_make_two_descriptions_alike():
    rows = [ndimage.gaussian_filter(texture(seed), (6, 0.5)) for seed in (1, 2)]  # one grinding
    one, other = (take_spectrum(r / r.std(), SIDE).description.astype(np.float64) for r in rows)
    assert np.linalg.norm(one - other) > 1
