"""registration: where two pictures of one surface lie over each other."""

import numpy as np
import pytest

from defectseg.data.quality.registration import Placement, chain, common_window, correlation, refine
from defectseg.data.surfaces.find import Pair
from facts import grain, photograph

RELIEF = grain(1, 160, 170)
FLIPS = [(False, False), (True, False), (False, True), (True, True)]


def pair(shift: tuple[int, int], mirrored: tuple[bool, bool] = (False, False)) -> Pair:
    return Pair("a", "b", 0.9, mirrored, shift)


@pytest.mark.parametrize("mirrored", FLIPS)
def test_a_placement_says_where_each_pixel_lies(mirrored: tuple[bool, bool]):
    scene = np.arange(12 * 15).reshape(12, 15)
    first, second = scene[:9, :11], scene[2:12, 3:15]
    second = second[:: -1 if mirrored[0] else 1, :: -1 if mirrored[1] else 1]
    placement = Placement.of(pair((2, 3), mirrored), second.shape)
    boxes = placement.overlap(first.shape, second.shape)
    assert boxes is not None
    seen = first[boxes[0]]
    assert seen.shape == (7, 8)
    assert (seen == placement.mirror(second)[boxes[1]]).all()
    row, column = 4, 5  # of the second, as it is stored
    value = second[row, column]
    spot = [
        s * p + o for s, p, o in zip(placement.sign, (row, column), placement.offset, strict=True)
    ]
    assert scene[spot[0], spot[1]] == value


@pytest.mark.parametrize("mirrored", FLIPS)
def test_the_inverse_of_a_placement_leads_back(mirrored: tuple[bool, bool]):
    placement = Placement.of(pair((2, -3), mirrored), (10, 20))
    assert placement.then(placement.inverse()) == Placement((1, 1), (0, 0))
    assert placement.inverse().then(placement) == Placement((1, 1), (0, 0))


def test_placements_of_a_chain_add_up():
    steps = [Placement((1, 1), (2, 5)), Placement((1, -1), (1, 9)), Placement((-1, 1), (20, 0))]
    # pixel (4, 3) of the last: (16, 3) in the third, (17, 6) in the second, (19, 11) in the first
    assert chain(steps) == Placement((-1, -1), (23, 14))


def test_an_empty_chain_moves_nothing():
    assert chain([]) == Placement((1, 1), (0, 0))


def test_pictures_that_do_not_meet_have_no_overlap():
    assert Placement((1, 1), (30, 0)).overlap((30, 30), (30, 30)) is None
    assert Placement((1, 1), (0, -30)).overlap((30, 30), (30, 30)) is None
    assert Placement((1, 1), (29, 0)).overlap((30, 30), (30, 30)) is not None


@pytest.mark.parametrize("mirrored", FLIPS)
@pytest.mark.parametrize("wrong_by", [(0, 0), (5, -4), (-6, 6)])
def test_a_coarse_shift_is_refined_to_the_pixel(
    mirrored: tuple[bool, bool], wrong_by: tuple[int, int]
):
    first = photograph(RELIEF[:140, :150], brightness=150)
    second = photograph(RELIEF[9:, 12:], brightness=70, noise=1)
    second = second[:: -1 if mirrored[0] else 1, :: -1 if mirrored[1] else 1]
    right = Placement.of(pair((9, 12), mirrored), second.shape)
    found, alike = refine(first, second, right.moved(wrong_by), reach=6)
    assert found == right
    assert alike > 0.8


def test_a_shift_beyond_reach_is_not_found():
    first, second = photograph(RELIEF), photograph(RELIEF, noise=1)
    found, alike = refine(first, second, Placement((1, 1), (14, 0)), reach=6)
    assert 8 <= found.offset[0] <= 20
    assert alike < 0.3


def test_a_pattern_of_the_camera_does_not_hold_the_surface_in_place():
    rows, columns = np.mgrid[:140, :150]
    ripple = 18 * np.sin(2 * np.pi * (rows + columns) / 9)  # as strong as the grain, and unmoved
    first = photograph(RELIEF[:140, :150]) + ripple
    second = photograph(RELIEF[3:143, 4:154], noise=1) + ripple
    pictures = [np.clip(each, 0, 255).astype(np.uint8) for each in (first, second)]
    found, _ = refine(pictures[0], pictures[1], Placement((1, 1), (0, 0)), reach=6)
    assert found.offset == (3, 4)


def test_what_leaves_at_one_side_does_not_come_back_at_the_other():
    """The lower rows of the second are the upper ones of the first: 21 px away, beyond reach."""
    common, other = grain(5, 40, 200), grain(6, 40, 200)
    first, second = common.copy(), common.copy()
    first[:19] += 3 * other[:19]
    second[21:] += 3 * other[:19]
    found, _ = refine(photograph(first), photograph(second), Placement((1, 1), (0, 0)), reach=19)
    assert found.offset == (0, 0)


def test_strangers_do_not_correlate():
    first, second = photograph(RELIEF), photograph(grain(2, 160, 170))
    assert abs(refine(first, second, Placement((1, 1), (0, 0)), reach=6)[1]) < 0.1


def test_flat_pictures_do_not_correlate():
    flat = np.full((40, 40), 90, dtype=np.uint8)
    assert refine(flat, flat, Placement((1, 1), (0, 0)), reach=3)[1] == 0


@pytest.mark.parametrize("offset", [(500, 0), (150, 0)])
def test_too_little_overlap_is_left_as_it_is(offset: tuple[int, int]):
    coarse = Placement((1, 1), offset)
    assert refine(photograph(RELIEF), photograph(RELIEF), coarse, reach=4) == (coarse, 0.0)


def test_a_large_picture_is_placed_where_the_focus_is():
    """Both halves are shifted differently, as a lens or a turned tile would."""
    wide = grain(3, 100, 900)
    first = photograph(wide)
    second = np.concatenate([first[:, 2:452], first[:, 448:]], axis=1)
    coarse = Placement((1, 1), (0, 0))
    left, _ = refine(first, second, coarse, reach=6, focus=(50, 100))
    right, _ = refine(first, second, coarse, reach=6, focus=(50, 800))
    assert (left.offset, right.offset) == ((0, 2), (0, -2))


def test_the_common_window_shows_the_same_in_both():
    wide = photograph(grain(3, 700, 720))
    windows = common_window(wide[:690], wide[10:], Placement((1, 1), (10, 0)))
    assert windows is not None
    assert windows[0].shape == (320, 320)
    assert (windows[0] == windows[1]).all()
    assert windows[0][0, 0] == wide[10 + (680 - 320) // 2, (720 - 320) // 2]


def test_pictures_that_do_not_meet_have_no_common_window():
    tile = photograph(RELIEF)
    assert common_window(tile, tile, Placement((1, 1), (200, 0))) is None


def test_the_correlation_of_four_numbers():
    one = np.array([[1, 2], [3, 4]], dtype=np.float32)
    other = np.array([[1, 2], [4, 3]], dtype=np.float32)
    assert correlation(one, one * -3 + 7) == pytest.approx(-1)
    assert correlation(one, other) == pytest.approx(0.8)
    assert correlation(one, np.ones((2, 2), dtype=np.float32)) == 0
