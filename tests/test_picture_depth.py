"""picture: how 16 bits a channel become 8, and what is refused rather than clipped."""

import numpy as np
import pytest
from PIL import Image

from defectseg.data.picture import decode_colours, decode_picture, largest_value
from defectseg.errors import DataError
from picture_files import BIG, LITTLE, RAMP, encode, grey_of, write_deep_png, write_tiff

DEEP = np.array([[0, 128, 129, 257], [25_700, 32_896, 65_406, 65_535]], dtype=np.uint16)


def test_sixteen_bits_are_divided_by_257_and_not_clipped():
    expected = [[0, 0, 1, 1], [100, 128, 254, 255]]
    assert grey_of(encode(Image.fromarray(DEEP))).tolist() == expected


@pytest.mark.parametrize("order", [LITTLE, BIG])
def test_sixteen_bits_of_a_tiff_are_the_same_in_both_byte_orders(order: str):
    assert grey_of(write_tiff(DEEP, order)).tolist() == [[0, 0, 1, 1], [100, 128, 254, 255]]


def test_sixteen_bits_of_a_compressed_tiff_are_the_same():
    content = encode(Image.fromarray(DEEP), "TIFF", compression="tiff_lzw")
    assert grey_of(content).tolist() == [[0, 0, 1, 1], [100, 128, 254, 255]]


@pytest.mark.parametrize(("bits", "white"), [(10, 1023), (12, 4095), (14, 16_383)])
def test_the_white_of_a_camera_becomes_255(bits: int, white: int):
    # white / 2 is 127.5; one value above black of 12 bits is 255 / 4095 = 0.06
    values = np.array([[0, white // 2, white // 2 + 1, white - 1, white]], dtype=np.uint16)
    scaled = decode_picture(encode(Image.fromarray(values)), 1, white)[:, :, 0]
    assert scaled.tolist() == [[0, 127, 128, 255, 255]]


def test_a_tiff_of_twelve_bits_a_value_is_read_too():
    content = write_tiff(np.array([[0, 2048, 4095]], dtype=np.uint16), bits=12)
    assert decode_picture(content, 1, white=4095)[:, :, 0].tolist() == [[0, 128, 255]]


def test_a_value_above_white_is_an_error_that_says_which_depth_would_hold_it():
    content = encode(Image.fromarray(np.array([[5, 4096]], dtype=np.uint16)))
    with pytest.raises(DataError, match=r"value 4096, above 4095, .*bit_depth 12; set it to 13"):
        decode_picture(content, 1, white=4095)
    assert decode_picture(content, 1, white=8191).max() == 128  # 4096 · 255 / 8191 = 127.52


def test_white_changes_nothing_in_eight_bits():
    assert np.array_equal(
        decode_picture(encode(RAMP), 1, white=1023), grey_of(encode(RAMP))[..., None]
    )


@pytest.mark.parametrize("planes", ["png", "tiff"])
def test_sixteen_bit_colours_are_within_one_level_of_the_rule_of_grey(planes: str):
    values = np.arange(0, 65_536, 1, dtype=np.uint16)[: 256 * 256].reshape(256, 256)
    colours = np.stack([values, values[::-1], values.T], axis=2)
    content = write_deep_png(colours) if planes == "png" else write_tiff(colours)
    exact = np.rint(colours / 257)
    assert np.abs(decode_picture(content, 3) - exact).max() == 1


def test_sixteen_bit_colours_cannot_be_scaled_by_another_white():
    content = write_deep_png(DEEP[..., None].repeat(3, axis=2))
    with pytest.raises(DataError, match="16-bit picture of mode RGB; only grey ones can be scaled"):
        decode_picture(content, 1, white=4095)


def test_a_tiff_whose_16_bit_colours_lie_in_planes_is_refused_because_pillow_garbles_it():
    colours = DEEP[..., None].repeat(3, axis=2)
    with pytest.raises(DataError, match="16-bit TIFF with a plane for each colour"):
        decode_picture(write_tiff(colours, is_planar=True), 3)


def test_a_tiff_in_which_0_is_white_is_refused_because_pillow_does_not_invert_it():
    with pytest.raises(DataError, match="16-bit TIFF in which 0 is white"):
        grey_of(write_tiff(DEEP, black_is_zero=False))


def test_the_largest_value_of_16_bits_is_told_and_of_8_bits_is_not():
    assert largest_value(encode(Image.fromarray(DEEP[:1]))) == 257
    assert largest_value(write_tiff(DEEP, BIG)) == 65_535
    assert largest_value(write_deep_png(DEEP[..., None].repeat(3, axis=2))) is None
    assert largest_value(encode(RAMP)) is None


def test_eight_bits_are_not_decoded_to_find_no_largest_value():
    content = encode(RAMP)
    assert largest_value(content[: content.index(b"IDAT") + 10]) is None


@pytest.mark.parametrize(
    "content", [encode(Image.fromarray(DEEP)), write_deep_png(np.zeros((1, 1, 3), np.uint16))]
)
def test_a_mask_of_16_bit_colours_is_refused(content: bytes):
    with pytest.raises(DataError, match="16 bits a channel; expected a palette or 8-bit RGB"):
        decode_colours(content)
