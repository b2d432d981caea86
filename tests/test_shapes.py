"""Polygons and pixels: what pycocotools fills, and outlines that give back exactly their region."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco_mask
from scipy import ndimage

from conftest import mask
from defectseg.data.labels.polygons import MAX_PATH, fill_polygons, to_polygons
from defectseg.errors import DataError

# pycocotools 2.0.11 with numpy 2 when it decodes
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SIZE = st.tuples(st.integers(1, 40), st.integers(1, 40))
REGION = arrays(np.bool_, SIZE)
SQUARE = [1, 1, 3, 1, 3, 3, 1, 3]


def region(drawing: str) -> npt.NDArray[np.bool_]:
    return mask(drawing).astype(np.bool_)


def assert_filled(rings: list[list[float]], drawing: str) -> None:
    expected = region(drawing)
    filled = fill_polygons(rings, (expected.shape[1], expected.shape[0]))
    assert filled.dtype == np.bool_
    np.testing.assert_array_equal(filled, expected)


def test_a_ring_covers_the_pixels_between_its_edges():
    assert_filled([SQUARE], "..... .##.. .##.. .....")


def test_several_rings_are_the_union_of_all_even_where_they_overlap():
    assert_filled(
        [SQUARE, [2, 2, 5, 2, 5, 4, 2, 4], [0, 0, 1, 0, 1, 1, 0, 1]], "#.... .##.. .#### ..###"
    )


def test_a_ring_that_goes_round_twice_leaves_out_what_it_covers_twice():
    hole = [1, 1, 4, 1, 4, 4, 1, 4, 1, 1, 2, 2, 2, 3, 3, 3, 3, 2, 2, 2]
    assert_filled([hole], "..... .###. .#.#. .###. .....")


def test_a_ring_reaches_beyond_the_picture_and_is_cut_off_there():
    assert_filled([[-2, -1, 2, -1, 2, 4, -2, 4]], "##.. ##..")


def test_a_pixel_is_covered_if_its_middle_column_is():
    assert_filled([[0.4, 0, 1.4, 0, 1.4, 2, 0.4, 2]], "#.. #..")
    assert_filled([[0.6, 0, 1.6, 0, 1.6, 2, 0.6, 2]], ".#. .#.")


@given(
    SIZE,
    st.lists(st.lists(st.floats(-0.9, 1.9), min_size=6, max_size=20), min_size=1, max_size=5),
)
@settings(deadline=None)
def test_any_rings_are_filled_as_pycocotools_fills_them(
    size: tuple[int, int], shares: list[list[float]]
):
    width, height = size
    rings = [
        [share * size[place % 2] for place, share in enumerate(ring[: len(ring) // 2 * 2])]
        for ring in shares
    ]
    drawn = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(rings, height, width)))
    np.testing.assert_array_equal(fill_polygons(rings, size), drawn)


@pytest.mark.parametrize(
    ("rings", "message"),
    [
        ([], "no ring; expected at least one"),
        ([SQUARE, [1, 1, 2, 2]], "ring 2 has 4 numbers; expected x and y of three points"),
        ([[0, 0, 1, 0, 1, 1, 0]], "ring 1 has 7 numbers"),
        ([[]], "ring 1 has 0 numbers"),
        ([[0, 0, 1, 0, 1, float("nan")]], "ring 1 has a point that is no number"),
        ([[0, 0, float("inf"), 0, 1, 1]], "ring 1 has a point that is no number"),
        ([[0, 0, 1e308, 0, 1, 1]], r"ring 1 has the point \(1e\+308, 0\), far outside .* 4×3"),
        ([[0, 0, 1, 0, 1, 6.1]], r"the point \(1, 6.1\), far outside of a picture of 4×3"),
        ([[0, 0, -4.1, 0, 1, 1]], r"the point \(-4.1, 0\), far outside"),
    ],
)
def test_a_damaged_ring_is_refused(rings: list[list[float]], message: str):
    with pytest.raises(DataError, match=message):
        fill_polygons(rings, (4, 3))


def test_points_may_lie_outside_by_the_size_of_the_picture():
    assert fill_polygons([[-4, -3, 8, -3, 8, 6, -4, 6]], (4, 3)).all()


def test_a_ring_of_endless_zigzag_is_refused_before_memory_is_taken():
    width = 10_000
    turns = MAX_PATH // width + 1
    with pytest.raises(DataError, match=r"px long, more than 5000000.*save the region as a mask"):
        fill_polygons([[0, 0, width, 1] * turns], (width, 2))


def test_many_rings_cost_no_more_than_their_length():
    rings = [
        [x, y, x + 1, y, x + 1, y + 1, x, y + 1] for x in range(0, 400, 2) for y in range(0, 200, 2)
    ]
    filled = fill_polygons(rings, (400, 200))
    assert filled.sum() == len(rings) == 20_000


def test_the_outline_of_a_pixel_goes_round_it_clockwise():
    assert to_polygons(region("... .#. ...")) == [[1, 1, 2, 1, 2, 2, 1, 2]]


def test_an_outline_has_points_only_where_it_turns():
    assert to_polygons(region("##. ###")) == [[0, 0, 2, 0, 2, 1, 3, 1, 3, 2, 0, 2]]


def test_a_hole_is_joined_to_the_outline_above_it():
    (ring,) = to_polygons(region("### #.# ###"))
    assert ring == [0, 0, 1, 0, 1, 2, 2, 2, 2, 1, 1, 1, 1, 0, 3, 0, 3, 3, 0, 3]


def test_pixels_that_touch_at_a_corner_share_an_outline():
    assert to_polygons(region("#. .#")) == [[0, 0, 1, 0, 1, 1, 2, 1, 2, 2, 1, 2, 1, 1, 0, 1]]
    assert len(to_polygons(region(".#.# #.#."))) == 1


def test_parts_of_a_region_have_an_outline_each_the_topmost_first():
    assert to_polygons(region("..# ... #..")) == [
        [2, 0, 3, 0, 3, 1, 2, 1],
        [0, 2, 1, 2, 1, 3, 0, 3],
    ]


def test_nothing_has_no_outline():
    assert to_polygons(region("... ...")) == []


@pytest.mark.parametrize(
    "drawing",
    [
        "##### #...# #.#.# #...# #####",  # an island in a hole
        "####### #.#.#.# ####### #.###.# #######",  # several holes, one below another
        "##### #.#.# ##.## #.#.# #####",  # holes that touch at corners
        "#####. #..### #.#..# #..##. ####..",
    ],
)
def test_holes_and_islands_come_back(drawing: str):
    assert_filled(to_polygons(region(drawing)), drawing)


@given(REGION)
@settings(deadline=None, max_examples=300)
def test_every_region_comes_back_from_its_outlines_pixel_by_pixel(drawn: npt.NDArray[np.bool_]):
    rings = to_polygons(drawn)
    _, parts = ndimage.label(drawn, structure=np.ones((3, 3)))
    assert len(rings) == parts
    if rings:
        np.testing.assert_array_equal(fill_polygons(rings, drawn.shape[::-1]), drawn)
        assert all(0 <= place <= max(drawn.shape) for ring in rings for place in ring)


def test_blots_of_a_large_picture_come_back():
    noise = np.random.default_rng(1).normal(size=(600, 800))
    drawn = ndimage.gaussian_filter(noise, 3) > 0.02
    rings = to_polygons(drawn)
    np.testing.assert_array_equal(fill_polygons(rings, (800, 600)), drawn)
