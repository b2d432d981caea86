"""comparison: two masks of one surface, compared where both pictures show it."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from conftest import mask
from defectseg.data.quality.comparison import Comparing, Route, find_focus, routes_to_defects
from defectseg.data.quality.registration import Placement
from defectseg.data.surfaces.find import Pair
from facts import Picture, grain, photograph, write_set

RELIEF = grain(1, 140, 150)


def square(top: int, left: int, side: int, value: int = 1, shape: tuple[int, int] = (120, 130)):
    """A mask (H, W) with a square of a class."""
    drawn = np.zeros(shape, dtype=np.uint8)
    drawn[top : top + side, left : left + side] = value
    return drawn


def pair(first: str, second: str, shift: tuple[int, int] = (0, 0)) -> Pair:
    return Pair(first, second, 0.9, (False, False), shift)


def view(rows: int, columns: int, noise: int) -> Picture:
    """A photograph of 120 × 130 px of the surface, taken from another place."""
    return photograph(RELIEF[rows : rows + 120, columns : columns + 130], 100 + noise, noise)


def test_masks_are_compared_where_both_pictures_show_the_surface(tmp_path: Path):
    masks = {"a": square(50, 60, 10), "b": square(44, 48, 10)}
    tiles = write_set(tmp_path, {"a": view(0, 0, 1), "b": view(8, 10, 2)}, masks)
    result = Comparing(tiles).compare(Route((pair("a", "b", (7, 11)),), False))
    assert result is not None
    # a's square lies at (42, 50) of b: 8 × 8 pixels of both coincide
    comparison, contradictions = result
    overlap = (120 - 8) * (130 - 10)
    assert comparison.confusion.tolist() == [
        [overlap - 136, 36, 0],
        [36, 64, 0],
        [0, 0, 0],
    ]
    assert comparison.dice == pytest.approx(0.64)
    assert comparison.correlation > 0.8
    assert (comparison.first, comparison.second, comparison.surface) == ("a", "b", "s")
    assert contradictions == []


def test_a_defect_outside_of_the_frame_is_not_compared(tmp_path: Path):
    masks = {"a": square(20, 20, 10) | square(0, 100, 5), "b": square(12, 10, 10)}
    tiles = write_set(tmp_path, {"a": view(0, 0, 1), "b": view(8, 10, 2)}, masks)
    result = Comparing(tiles).compare(Route((pair("a", "b", (8, 10)),), False))
    assert result is not None
    assert result[0].dice == 1


def test_a_mirrored_sibling_is_turned_before_its_mask_is_compared(tmp_path: Path):
    masks = {"a": square(30, 40, 12), "b": square(30, 40, 12)[:, ::-1]}
    tiles = write_set(tmp_path, {"a": view(0, 0, 1), "b": view(0, 0, 2)[:, ::-1]}, masks)
    mirrored = Pair("a", "b", 0.9, (False, True), (0, 0))
    result = Comparing(tiles).compare(Route((mirrored,), False))
    assert result is not None
    assert result[0].dice == 1


def test_pictures_whose_textures_do_not_fit_are_not_compared(tmp_path: Path):
    masks = {"a": square(30, 40, 12), "b": square(30, 40, 12)}
    tiles = write_set(tmp_path, {"a": view(0, 0, 1), "b": photograph(grain(7))}, masks)
    assert Comparing(tiles).compare(Route((pair("a", "b"),), False)) is None


def test_a_clean_picture_that_shows_the_defect_of_its_sibling_contradicts_it(tmp_path: Path):
    masks = {"b": square(50, 60, 10, value=2)}
    tiles = write_set(tmp_path, {"a": view(0, 0, 1), "b": view(0, 0, 2)}, masks)
    result = Comparing(tiles).compare(Route((pair("a", "b"),), False))
    assert result is not None
    (found,) = result[1]
    assert (found.picture, found.sibling, found.surface) == ("a", "b", "s")
    assert (found.defect_class, found.defect_px, found.inside) == ("dent", 100, 1)


@pytest.mark.parametrize(("top", "defect_px"), [(0, []), (6, []), (12, [60]), (16, [100])])
def test_only_what_lies_inside_the_frame_of_a_clean_picture_contradicts_it(
    tmp_path: Path, top: int, defect_px: list[int]
):
    """The frame of the clean picture begins 16 px below that of its sibling."""
    masks = {"b": square(top, 60, 10)}
    tiles = write_set(tmp_path, {"a": view(16, 0, 1), "b": view(0, 0, 2)}, masks)
    result = Comparing(tiles).compare(Route((pair("a", "b", (-16, 0)),), False))
    assert result is not None
    assert [each.defect_px for each in result[1]] == defect_px


def test_a_sliver_inside_the_frame_is_no_contradiction(tmp_path: Path):
    masks = {"b": square(0, 60, 20)}
    tiles = write_set(tmp_path, {"a": view(19, 0, 1), "b": view(0, 0, 2)}, masks)
    result = Comparing(tiles).compare(Route((pair("a", "b", (-19, 0)),), False))
    assert result is not None  # 1 of 20 rows: less than a wrong shift of a pixel or two would show
    assert result[1] == []


def test_two_names_for_one_defect_contradict_each_other(tmp_path: Path):
    masks = {"a": square(50, 60, 10, value=1), "b": square(50, 60, 10, value=2)}
    tiles = write_set(tmp_path, {"a": view(0, 0, 1), "b": view(0, 0, 2)}, masks)
    result = Comparing(tiles).compare(Route((pair("a", "b"),), False))
    assert result is not None
    assert [(c.picture, c.sibling, c.defect_class) for c in result[1]] == [
        ("a", "b", "dent"),
        ("b", "a", "crack"),
    ]


def test_a_full_mask_does_not_lack_background(tmp_path: Path):
    masks = {"a": square(0, 0, 130), "b": square(50, 60, 10)}
    tiles = write_set(tmp_path, {"a": view(0, 0, 1), "b": view(0, 0, 2)}, masks)
    result = Comparing(tiles).compare(Route((pair("a", "b"),), False))
    assert result is not None
    assert result[1] == []


def test_a_route_over_several_siblings_adds_their_shifts(tmp_path: Path):
    places = {"a": (0, 0), "b": (10, 2), "c": (18, 16)}
    views = {name: view(*place, noise) for noise, (name, place) in enumerate(places.items())}
    tiles = write_set(tmp_path, views, {"c": square(50, 60, 10)})
    steps = (pair("a", "b", (12, 4)), pair("b", "c", (10, 16)))  # each wrong by 2 px
    result = Comparing(tiles).compare(Route(steps, False))
    assert result is not None
    assert (result[0].first, result[0].second) == ("a", "c")
    assert result[0].correlation > 0.8
    assert [c.defect_px for c in result[1]] == [100]


def test_a_route_backwards_goes_from_the_brighter_picture(tmp_path: Path):
    views = {"a": view(0, 0, 1), "b": view(8, 10, 2)}
    tiles = write_set(tmp_path, views, {"a": square(50, 60, 10)})
    result = Comparing(tiles).compare(Route((pair("a", "b", (8, 10)),), True))
    assert result is not None
    assert (result[0].first, result[0].second) == ("b", "a")
    assert [(c.picture, c.sibling) for c in result[1]] == [("b", "a")]


def test_each_clean_picture_is_led_to_its_nearest_sibling_with_a_defect():
    siblings = [pair("a", "b"), pair("b", "c"), pair("c", "d"), pair("d", "e"), pair("x", "y")]
    routes = list(routes_to_defects(siblings, {"b", "e"}))
    assert [route.ends for route in routes] == [("a", "b"), ("c", "b"), ("d", "e")]
    assert [route.is_backwards for route in routes] == [False, True, False]


def test_surfaces_without_a_defect_or_without_a_clean_picture_have_no_route():
    siblings = [pair("a", "b"), pair("c", "d")]
    assert list(routes_to_defects(siblings, {"c", "d"})) == []
    assert list(routes_to_defects([], set())) == []


def test_a_sibling_too_far_away_is_not_asked():
    names = [f"p{k:02}" for k in range(19)]
    siblings = [pair(first, second) for first, second in pairwise(names)]
    assert len(list(routes_to_defects(siblings, {"p00"}))) == 16


def test_the_focus_is_the_middle_of_both_defects_in_the_first():
    first, second = mask("...... ...#.. ...... ......"), mask("...... ...... ...#.. ......")
    # the second's pixel (2, 3) lies at (3, 5) of the first
    assert find_focus(first, second, Placement((1, 1), (1, 2))) == (2, 4)


def test_without_a_defect_or_an_overlap_there_is_no_focus():
    empty, drawn = mask("... ..."), mask("#.. ...")
    assert find_focus(empty, empty, Placement((1, 1), (0, 0))) is None
    assert find_focus(drawn, drawn, Placement((1, 1), (5, 0))) is None
