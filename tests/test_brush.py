"""brush: Label Studio's run lengths become the mask that was drawn, and back; damage is told."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from label_studio_converter import brush as label_studio

import defectseg.data.labels.brush as brush
from conftest import mask
from defectseg.data.labels.brush import decode_brush, encode_brush, encode_runs
from defectseg.errors import DataError

sides = st.integers(1, 40)
regions = st.tuples(sides, sides).flatmap(lambda shape: arrays(np.bool_, shape))


def pack(*fields: tuple[int, int]) -> bytes:
    """A stream of numbers, each with its bits, filled up with zeros."""
    text = "".join(f"{number:0{bits}b}" for number, bits in fields)
    return bytes(int(text[at : at + 8].ljust(8, "0"), 2) for at in range(0, len(text), 8))


def header(values: int, value_bits: int = 8) -> list[tuple[int, int]]:
    return [(values, 32), (value_bits - 1, 5), (2, 4), (3, 4), (7, 4), (15, 4)]


def run(length: int, value: int) -> list[tuple[int, int]]:
    """A run of at most 8 values."""
    return [(1, 1), (0, 2), (length - 1, 3), (value, 8)]


def literal(*values: int, value_bits: int = 8) -> list[tuple[int, int]]:
    """At most 8 values, one after the other."""
    return [(0, 1), (0, 2), (len(values) - 1, 3), *((value, value_bits) for value in values)]


def test_a_stream_worked_out_by_hand_is_drawn():
    stream = pack(*header(12), *run(4, 0), *literal(9, 9, 9, 255), *run(4, 0))
    assert decode_brush(stream, (3, 1)).tolist() == [[False, True, False]]


def test_the_stream_of_a_mask_is_the_one_worked_out_by_hand():
    assert encode_brush(mask(".#.") > 0) == pack(*header(12), *run(4, 0), *run(4, 255), *run(4, 0))


@pytest.mark.parametrize(("alpha", "drawn"), [(0, False), (1, True), (127, True), (255, True)])
def test_any_alpha_above_0_is_drawn_whatever_the_colour(alpha: int, drawn: bool):
    assert decode_brush(pack(*header(4), *literal(7, 0, 7, alpha)), (1, 1)).item() is drawn


def test_a_run_that_starts_and_ends_amid_a_pixel_counts_by_its_alpha():
    # values 0..2, 3..8, 9..11: the run has the alphas of pixels 0 and 1, not that of pixel 2
    stream = pack(*header(12), *run(3, 0), *run(6, 255), *run(3, 0))
    assert decode_brush(stream, (3, 1)).tolist() == [[True, True, False]]


def test_values_of_fewer_bits_are_read():
    stream = pack(*header(8, 1), *literal(0, 0, 0, 1, value_bits=1), (1, 1), (0, 2), (3, 3), (0, 1))
    assert decode_brush(stream, (2, 1)).tolist() == [[True, False]]


def test_a_token_that_lies_in_the_last_byte_is_read():
    sizes = [(0, 4), (3, 4), (7, 4), (15, 4)]
    two_values = [(1, 1), (0, 2), (1, 1)]
    stream = pack((4, 32), (0, 5), *sizes, *two_values, (0, 1), *two_values, (1, 1))
    assert decode_brush(stream, (1, 1)).item() is True


def test_rows_are_not_columns():
    region = mask("##. ...") > 0
    assert (decode_brush(encode_brush(region), (3, 2)) == region).all()
    assert label_studio.mask2rle(region.astype(np.uint8) * 255) == list(encode_brush(region))


@settings(deadline=None)
@given(regions)
def test_a_mask_comes_back_as_it_was(region: np.ndarray):
    assert (decode_brush(encode_brush(region), region.shape[::-1]) == region).all()


@settings(deadline=None)
@given(regions)
def test_label_studio_reads_what_we_write(region: np.ndarray):
    values = label_studio.decode_rle(list(encode_brush(region)))
    assert (values.reshape(*region.shape, 4) == np.where(region, 255, 0)[..., None]).all()


@settings(deadline=None)
@given(regions)
def test_we_read_and_write_what_label_studio_writes(region: np.ndarray):
    theirs = bytes(label_studio.mask2rle(region.astype(np.uint8) * 255))
    assert (decode_brush(theirs, region.shape[::-1]) == region).all()
    ours = encode_brush(region)
    assert theirs in {ours, ours + b"\0"}  # they fill up a whole byte more where none is open


@settings(deadline=None)
@given(
    st.tuples(sides, sides).flatmap(lambda s: arrays(np.uint8, (*s, 4), elements=st.integers(0, 3)))
)
def test_pictures_of_any_colour_are_read_by_their_alpha(picture: np.ndarray):
    stream = bytes(label_studio.encode_rle(picture.ravel()))
    size = picture.shape[1], picture.shape[0]
    assert (decode_brush(stream, size) == (picture[..., 3] > 0)).all()


@pytest.mark.parametrize("pixels", [2, 3, 4, 5, 63, 64, 65, 16383, 16384, 16385, 32768, 40000])
def test_runs_of_every_width_come_back_and_are_those_of_label_studio(pixels: int):
    region = np.zeros((1, pixels + 2), dtype=np.bool_)
    region[0, 1:-1] = True
    ours = encode_brush(region)
    theirs = bytes(label_studio.mask2rle(region.astype(np.uint8) * 255))
    assert theirs in {ours, ours + b"\0"}
    assert (decode_brush(ours, (pixels + 2, 1)) == region).all()


def test_runs_that_meet_are_one_region():
    stream = encode_runs(np.array([1, 3]), np.array([3, 4]), 6)
    assert decode_brush(stream, (3, 2)).astype(int).tolist() == [[0, 1, 1], [1, 0, 0]]


def test_blocks_do_not_change_what_is_drawn(monkeypatch: pytest.MonkeyPatch):
    region = np.random.default_rng(0).random((37, 41)) < 0.5
    colours = np.random.default_rng(1).integers(1, 255, (37, 41, 4)) * region[..., None]
    stream = bytes(label_studio.encode_rle(colours.ravel().astype(np.uint8)))
    for block in (1, 7, 1000):
        monkeypatch.setattr(brush, "BLOCK", block)
        assert (decode_brush(stream, (41, 37)) == region).all()


def test_what_follows_the_last_value_is_passed_over():
    stream = encode_brush(mask(".#") > 0) + b"\xff\xff"
    assert decode_brush(stream, (2, 1)).tolist() == [[False, True]]


def test_a_stream_of_another_size_is_refused_before_it_is_read():
    with pytest.raises(DataError, match=r"4294967295 values of 8 bits; .* 2×3 pixels has 24 of 8"):
        decode_brush(pack(*header(2**32 - 1)), (2, 3))


def test_values_of_more_bits_are_refused():
    with pytest.raises(DataError, match=r"4 values of 16 bits"):
        decode_brush(pack(*header(4, 16), (1, 1), (0, 2), (3, 3), (1, 16)), (1, 1))


@pytest.mark.parametrize("stream", [b"", b"\0", b"\0\0\0\4"])
def test_a_stream_without_a_header_is_refused(stream: bytes):
    with pytest.raises(DataError, match="the brush"):
        decode_brush(stream, (1, 1))


def test_a_stream_that_is_cut_off_anywhere_is_refused():
    region = np.eye(9, dtype=np.bool_)
    stream = encode_brush(region)
    for length in range(len(stream)):
        with pytest.raises(DataError, match="the brush"):
            decode_brush(stream[:length], (9, 9))


@pytest.mark.parametrize("block", [1, 1000])
def test_a_run_or_values_beyond_the_picture_are_refused(
    monkeypatch: pytest.MonkeyPatch, block: int
):
    monkeypatch.setattr(brush, "BLOCK", block)
    for token in (run(8, 255), literal(0, 0, 0, 1, 0, 0, 0, 1)):
        with pytest.raises(DataError, match=r"damaged: .* overrun at value 8 of 4"):
            decode_brush(pack(*header(4), *token), (1, 1))


@settings(deadline=None)
@given(st.binary(max_size=60), st.integers(1, 9), st.integers(1, 9))
def test_any_bytes_are_drawn_or_refused(content: bytes, width: int, height: int):
    stream = (4 * width * height).to_bytes(4) + content
    with suppress(DataError):
        assert decode_brush(stream, (width, height)).shape == (height, width)
