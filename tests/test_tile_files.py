"""tile_files: which pictures are kept byte for byte, and what becomes of the others."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from conftest import mask
from defectseg.data.picture import decode_mask, decode_picture
from defectseg.data.tile_files import to_mask_file, to_picture_file
from picture_files import write_deep_png

GREY = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(6, 8))


def encode(image: Image.Image, form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def turned(degrees_tag: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = degrees_tag
    return exif


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize(("form", "ending"), [("JPEG", ".jpg"), ("PNG", ".png")])
def test_grey_and_rgb_jpeg_and_png_are_kept(mode: str, form: str, ending: str):
    content = encode(GREY.convert(mode), form)
    kept = to_picture_file(content)
    assert (kept.content, kept.ending, kept.is_reencoded) == (content, ending, False)


def test_a_picture_that_says_it_is_upright_is_kept():
    assert not to_picture_file(encode(GREY, "JPEG", exif=turned(1))).is_reencoded


def test_a_picture_that_lies_on_its_side_is_turned_for_good():
    content = encode(GREY, "PNG", exif=turned(6))
    written = to_picture_file(content)
    assert written.is_reencoded
    array = np.asarray(Image.open(io.BytesIO(written.content)))
    assert array.tolist() == np.rot90(np.asarray(GREY), -1).tolist()


@pytest.mark.parametrize(
    ("image", "form", "mode"),
    [
        (GREY, "BMP", "L"),
        (GREY.convert("RGB"), "WEBP", "RGB"),
        (GREY.convert("LA"), "PNG", "L"),
        (GREY.convert("RGBA"), "PNG", "RGB"),
        (GREY.convert("P"), "PNG", "RGB"),
        (GREY.convert("1"), "PNG", "L"),
        (GREY.convert("CMYK"), "JPEG", "RGB"),
        (Image.fromarray(np.full((6, 8), 65535, np.uint16)), "PNG", "L"),
    ],
)
def test_anything_else_becomes_an_8_bit_png(image: Image.Image, form: str, mode: str):
    content = encode(image, form)
    written = to_picture_file(content)
    assert (written.ending, written.is_reencoded) == (".png", True)
    decoded = Image.open(io.BytesIO(written.content))
    assert (decoded.format, decoded.mode) == ("PNG", mode)
    channels = len(mode) if mode == "RGB" else 1
    assert np.array_equal(
        decode_picture(written.content, channels), decode_picture(content, channels)
    )


def test_a_16_bit_rgb_png_is_made_8_bit():
    content = write_deep_png(np.array([[[256, 512, 768]]], np.uint16))
    assert Image.open(io.BytesIO(content)).mode == "RGB"  # Pillow does not tell the depth
    written = to_picture_file(content)
    assert written.is_reencoded
    assert np.asarray(Image.open(io.BytesIO(written.content))).tolist() == [[[1, 2, 3]]]


def test_white_says_how_16_bits_become_8():
    content = encode(Image.fromarray(np.array([[0, 2048, 4095]], np.uint16)), "PNG")
    written = to_picture_file(content, white=4095)
    assert decode_picture(written.content, 1)[:, :, 0].tolist() == [[0, 128, 255]]


def test_a_picture_of_few_bits_a_pixel_becomes_8_bit():
    content = encode(Image.fromarray(mask("#. .#")).convert("1"), "PNG")
    assert to_picture_file(content).is_reencoded


def test_a_mask_is_an_8_bit_grey_png_of_its_indexes():
    indexes = mask("0120\n3000")
    content = to_mask_file(indexes)
    assert Image.open(io.BytesIO(content)).mode == "L"
    assert np.array_equal(decode_mask(content), indexes)
    assert to_mask_file(indexes) == content
