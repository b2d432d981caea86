"""picture: what becomes of the bytes of a picture or a mask, whoever made them."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from conftest import mask
from defectseg.data.picture import MAX_PIXELS, decode_mask, decode_picture
from defectseg.errors import DataError

RAMP = Image.fromarray(np.arange(0, 240, 5, dtype=np.uint8).reshape(6, 8))
ORIENTATION = 0x0112  # the EXIF tag


def encode(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def claim_size(content: bytes, width: int, height: int) -> bytes:
    """The same PNG with another size in its header, and the header's checksum put right."""
    header = content[12:16] + struct.pack(">II", width, height) + content[24:29]
    return content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:]


def lies_on_its_side() -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # turn it clockwise by 90° to see it upright
    return exif


def grey_of(content: bytes) -> npt.NDArray[np.uint8]:
    return decode_picture(content, 1)[:, :, 0]


def test_a_grey_picture_has_one_channel_or_three_equal_ones():
    grey = np.asarray(RAMP)
    assert decode_picture(encode(RAMP), 1).tolist() == grey[:, :, None].tolist()
    assert decode_picture(encode(RAMP), 3).tolist() == np.stack([grey] * 3, axis=2).tolist()


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF"])
def test_lossless_formats_keep_every_value(form: str):
    assert grey_of(encode(RAMP, form)).tolist() == np.asarray(RAMP).tolist()


@pytest.mark.parametrize("mode", ["P", "LA", "RGB", "RGBA", "YCbCr"])
def test_what_shows_grey_is_grey_however_it_is_stored(mode: str):
    form = "TIFF" if mode == "YCbCr" else "PNG"
    assert grey_of(encode(RAMP.convert(mode), form)).tolist() == np.asarray(RAMP).tolist()


def test_a_one_bit_picture_is_black_and_white():
    bits = Image.fromarray(mask("#.#. .##.") * np.uint8(255)).convert("1")
    assert grey_of(encode(bits)).tolist() == [[255, 0, 255, 0], [0, 255, 255, 0]]


def test_a_cmyk_picture_is_as_bright_as_it_looks():
    half_black = Image.new("CMYK", (16, 16), (0, 0, 0, 155))  # 255 - 155 = 100
    assert np.abs(grey_of(encode(half_black, "JPEG", quality=95)).astype(int) - 100).max() <= 1


def test_colours_stay_in_three_channels():
    orange = Image.new("RGB", (2, 1), (230, 159, 0))
    assert decode_picture(encode(orange), 3).tolist() == [[[230, 159, 0]] * 2]


def test_transparency_is_dropped_without_a_warning():
    palette = RAMP.convert("P")
    content = encode(palette, transparency=bytes([0, 100, 200]))
    assert grey_of(content).tolist() == np.asarray(RAMP).tolist()


def test_sixteen_bits_are_divided_by_257_and_not_clipped():
    values = np.array([[0, 128, 129, 257], [25_700, 32_896, 65_406, 65_535]], dtype=np.uint16)
    assert grey_of(encode(Image.fromarray(values))).tolist() == [[0, 0, 1, 1], [100, 128, 254, 255]]


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_a_picture_that_lies_on_its_side_is_turned_upright(form: str):
    picture = Image.fromarray(mask("#...", 16) * np.uint8(255))  # white on the left
    upright = grey_of(encode(picture, form, exif=lies_on_its_side()))
    assert upright.shape == (64, 16)
    assert (upright[:14].min() > 200, upright[18:].max() < 50) == (True, True)  # white on top


def test_sixteen_bits_are_turned_upright_too():
    values = np.array([[1, 2, 3], [4, 5, 6]], dtype=np.uint16) * np.uint16(257)
    content = encode(Image.fromarray(values), exif=lies_on_its_side())
    assert grey_of(content).tolist() == [[4, 1], [5, 2], [6, 3]]


def test_a_mask_keeps_its_values():
    drawn = mask("012. ..21")
    assert decode_mask(encode(Image.fromarray(drawn))).tolist() == drawn.tolist()


def test_a_palette_mask_keeps_its_indexes_and_not_its_colours():
    image = Image.fromarray(mask("012. ..21")).convert("P")
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    assert decode_mask(encode(image)).tolist() == [[0, 1, 2, 0], [0, 0, 2, 1]]


def test_a_one_bit_mask_is_0_and_255():
    bits = Image.fromarray(mask("#..# .#..") * np.uint8(255)).convert("1")
    assert decode_mask(encode(bits)).tolist() == [[255, 0, 0, 255], [0, 255, 0, 0]]


def test_a_mask_is_turned_as_its_picture_is():
    content = encode(Image.fromarray(mask("12. 345")), exif=lies_on_its_side())
    assert decode_mask(content).tolist() == [[3, 1], [4, 2], [5, 0]]


@pytest.mark.parametrize("mode", ["RGB", "LA", "RGBA", "I;16"])
def test_a_mask_of_colours_or_16_bits_has_no_class_indexes(mode: str):
    with pytest.raises(DataError, match=f"mask of mode {mode}; expected 8-bit grey, palette or 1"):
        decode_mask(encode(RAMP.convert(mode)))


@pytest.mark.parametrize("mode", ["I", "F"])
def test_32_bits_are_refused_because_their_scale_is_unknown(mode: str):
    with pytest.raises(DataError, match=rf"32-bit picture \({mode}\); expected 8 or 16 bits"):
        decode_picture(encode(RAMP.convert(mode), "TIFF"), 1)


def test_a_colour_space_that_pillow_cannot_turn_grey_is_refused():
    with pytest.raises(DataError, match="picture in CIELAB; expected grey"):
        decode_picture(encode(Image.new("LAB", (4, 4)), "TIFF"), 1)


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_a_truncated_picture_is_damaged_and_never_half_grey(form: str):
    grain = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    content = encode(Image.fromarray(grain), form)
    with pytest.raises(DataError, match="damaged picture"):
        decode_picture(content[: len(content) // 2], 1)


@pytest.mark.parametrize("content", [b"", b"no picture", b"\xff\xd8\xff", encode(RAMP, "GIF")])
def test_what_is_no_picture_of_a_known_format_is_refused(content: bytes):
    with pytest.raises(DataError, match="no picture of the formats JPEG, PNG, BMP, TIFF, WEBP"):
        decode_picture(content, 1)


@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP"])
def test_several_frames_are_no_still_picture(form: str):
    other = Image.fromarray(255 - np.asarray(RAMP))
    with pytest.raises(DataError, match="several frames; expected one still picture"):
        decode_picture(encode(RAMP, form, save_all=True, append_images=[other]), 1)


@pytest.mark.parametrize("size", [(10_001, 10_000), (13_400, 13_400), (60_000, 60_000)])
def test_a_header_that_claims_a_huge_size_is_refused_before_decoding(size: tuple[int, int]):
    with pytest.raises(DataError, match=f"more than {MAX_PIXELS}"):
        decode_picture(claim_size(encode(RAMP), *size), 1)


def test_a_size_below_the_limit_is_decoded_and_then_found_to_be_truncated():
    with pytest.raises(DataError, match="damaged picture: image file is truncated"):
        decode_picture(claim_size(encode(RAMP), 9_600, 10_000), 1)
