"""Run lengths: as pycocotools writes them, and nothing that a damaged file says gets through."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco_mask
from scipy import ndimage

from conftest import mask
from defectseg.data.labels.run_lengths import (
    decode_rle,
    decode_text,
    encode_parts,
    encode_rle,
    paint_runs,
    read_counts,
)
from defectseg.errors import DataError

# pycocotools 2.0.11 with numpy 2 when it decodes
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

REGION = arrays(np.bool_, st.tuples(st.integers(1, 40), st.integers(1, 40)))
SUM = "not those of a picture of 3×2.*sum up to 6"


def test_runs_go_down_the_columns_and_start_with_what_is_not_drawn():
    np.testing.assert_array_equal(decode_rle([1, 2, 3], (3, 2)), mask(".#. #.."))


def test_a_run_of_no_pixels_starts_a_region_in_the_corner():
    np.testing.assert_array_equal(decode_rle([0, 6], (3, 2)), mask("### ###"))
    np.testing.assert_array_equal(decode_rle([6], (3, 2)), mask("... ..."))


def test_a_text_has_five_bits_a_character_and_differences_from_the_fourth_number_on():
    # 5, 2, 33 = 1 + 32 · 1, then 2 + 1, 33 - 3: `1` - 48 = 1, `Q` - 48 = 33, `M` - 48 = 29 = -3
    assert decode_text(b"52Q11M").tolist() == [5, 2, 33, 3, 30]


def test_no_text_is_no_number():
    assert decode_text(b"").tolist() == []


@given(REGION)
@settings(deadline=None)
def test_what_pycocotools_writes_is_read_and_what_we_write_it_reads(drawn: npt.NDArray[np.bool_]):
    theirs = coco_mask.encode(np.asfortranarray(drawn.astype(np.uint8)))
    size = drawn.shape[::-1]
    np.testing.assert_array_equal(decode_rle(theirs["counts"].decode(), size), drawn)
    plain = read_counts(theirs["counts"].decode(), size).tolist()
    np.testing.assert_array_equal(decode_rle(plain, size), drawn)
    ours = encode_rle(drawn)
    assert ours["size"] == list(drawn.shape)
    np.testing.assert_array_equal(coco_mask.decode(ours), drawn)


@given(REGION)
@settings(deadline=None)
def test_each_part_of_a_region_is_encoded_by_itself(drawn: npt.NDArray[np.bool_]):
    parts = [coco_mask.decode(rle).astype(np.bool_) for rle in encode_parts(drawn)]
    found, count = ndimage.label(drawn, structure=np.ones((3, 3)))
    assert {part.tobytes() for part in parts} == {
        np.asfortranarray(found == number).astype(np.bool_).tobytes()
        for number in range(1, count + 1)
    }


def test_parts_that_touch_at_a_corner_are_one():
    (rle,) = encode_parts(mask("#. .#").astype(np.bool_))
    assert rle == encode_rle(mask("#. .#").astype(np.bool_))


@given(REGION, st.integers(1, 255))
@settings(deadline=None)
def test_painting_leaves_what_is_not_drawn_as_it_was(drawn: npt.NDArray[np.bool_], value: int):
    height, width = drawn.shape
    painted = np.full((width, height), 7, dtype=np.uint8)
    paint_runs(painted, read_counts(encode_rle(drawn)["counts"], (width, height)), value)
    np.testing.assert_array_equal(painted.T, np.where(drawn, value, 7))


@pytest.mark.parametrize("drawing", ["#" + "." * 39, "." * 39 + "#", "." * 20 + "##" + "." * 18])
def test_a_small_region_is_painted_where_it_is(drawing: str):
    painted = np.zeros((40, 1), dtype=np.uint8)
    paint_runs(painted, read_counts(encode_rle(mask(drawing) > 0)["counts"], (40, 1)), 1)
    np.testing.assert_array_equal(painted.T, mask(drawing))


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([1, 2], SUM),
        ([1, 2, 4], SUM),
        ([-1, 7], SUM),
        ([7, -1], SUM),
        ([3, -1, 4], SUM),
        ([], SUM),
        ([2**62, 2**62, 2**62, 2**62, 6], SUM),
        ([10**30], "no whole numbers"),
        ([[1, 2], [3, 0]], SUM),
        ("", SUM),
        ("12", SUM),
        ("123 ", "characters that pycocotools never writes"),
        ("12é", "characters that pycocotools never writes"),
        ("12\ud800", "characters that pycocotools never writes"),
        ("12\x00", "characters that pycocotools never writes"),
        ("12p", "characters that pycocotools never writes"),
        ("12P", "cut off"),
        ("Q" * 50, "cut off"),
        ("Q" * 7 + "1", "too large for any picture"),
    ],
)
def test_damaged_run_lengths_are_refused(counts: str | list[int], message: str):
    with pytest.raises(DataError, match=f"(?s){message}"):
        decode_rle(counts, (3, 2))


@given(REGION, st.data())
@settings(deadline=None)
def test_a_text_that_is_cut_off_is_refused(drawn: npt.NDArray[np.bool_], data: st.DataObject):
    text = encode_rle(drawn)["counts"]
    end = data.draw(st.integers(0, len(text) - 1))
    runs = decode_text(text.encode())
    if runs[-1]:  # pycocotools writes no run of 0 at the end
        with pytest.raises(DataError):
            decode_rle(text[:end], drawn.shape[::-1])


@given(st.text(st.characters(min_codepoint=48, max_codepoint=111), max_size=60), st.integers(1, 40))
@settings(deadline=None)
def test_any_text_is_read_or_refused(text: str, width: int):
    try:
        drawn = decode_rle(text, (width, 3))
    except DataError:
        return
    assert drawn.shape == (3, width)
