"""Hostile pictures: every row of the contract has its code, and none is decoded to find it."""

import io
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from defectseg.service.codes import Failure
from defectseg.service.picture import Limits, decode, describe_rule, measure_light, read_size
from defectseg.service.sides import read_sides
from picture_files import RAMP, encode, write_deep_png, write_tiff

LIMITS = Limits(max_pixels=25_000_000, min_side=4, max_side=20_000, max_aspect=100)
GREY = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16))
OTHER = Image.fromarray(255 - np.arange(256, dtype=np.uint8).reshape(16, 16))
NOISE = Image.effect_noise((64, 64), 50)


def code_of(content: bytes, channels: int = 1) -> str:
    """OK, or how the picture fails."""
    try:
        read_size(content, LIMITS)
        decode(content, channels)
    except Failure as failure:
        assert failure.__cause__ is None or str(failure.__cause__) not in failure.message
        return failure.code
    return "OK"


def write_png(width: int, height: int, *extra: tuple[bytes, bytes]) -> bytes:
    """A PNG of 8-bit grey zeros, however many its header claims; with more chunks before them."""
    content = b"\x89PNG\r\n\x1a\n"
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    for kind, data in ((b"IHDR", header), *extra, (b"IDAT", zlib.compress(b"\0" * 300))):
        content += struct.pack(">I", len(data)) + kind + data
        content += struct.pack(">I", zlib.crc32(kind + data))
    return content + b"\0\0\0\0IEND\xaeB`\x82"


def change(content: bytes, place: int, data: bytes) -> bytes:
    return content[:place] + data + content[place + len(data) :]


def jpeg_of(height: int, width: int) -> bytes:
    content = encode(GREY, "JPEG")
    return change(content, content.index(b"\xff\xc0") + 5, struct.pack(">HH", height, width))


def bmp_of(width: int, height: int) -> bytes:
    return change(encode(GREY, "BMP"), 18, struct.pack("<ii", width, height))


def webp_of(width: int, height: int) -> bytes:
    content = encode(GREY, "WEBP")
    return change(content, content.index(b"\x9d\x01\x2a") + 3, struct.pack("<HH", width, height))


OS2_BMP = b"BM" + struct.pack("<IHHI", 1050, 0, 0, 794) + struct.pack("<IHHHH", 12, 0, 16, 1, 8)
NO_PIXEL = {
    "png 0×5": (write_png(0, 5), (0, 5)),
    "png 5×0": (write_png(5, 0), (5, 0)),
    "bmp 0×16": (bmp_of(0, 16), (0, 16)),
    "bmp 16×0": (bmp_of(16, 0), (16, 0)),
    "bmp of OS/2 0×16": (OS2_BMP + bytes(1024), (0, 16)),
    "tiff 5×0": (write_tiff(np.zeros((0, 5), np.uint16)), (5, 0)),
    "tiff 0×5": (write_tiff(np.zeros((5, 0), np.uint16)), (0, 5)),
    "tiff, the other order": (write_tiff(np.zeros((5, 0), np.uint16), ">"), (0, 5)),
    "webp 0×16": (webp_of(0, 16), (0, 16)),
    "jpeg 16×0": (jpeg_of(0, 16), (16, 0)),
    "jpeg 0×16": (jpeg_of(16, 0), (0, 16)),
}


@pytest.mark.parametrize("name", NO_PIXEL)
def test_a_picture_without_a_pixel_is_told_its_sides(name: str):
    content, sides = NO_PIXEL[name]
    assert read_sides(content) == sides
    with pytest.raises(Failure, match=f"{sides[0]}×{sides[1]}") as caught:
        read_size(content, LIMITS)
    assert caught.value.code == "IMAGE_DIMENSIONS"


@pytest.mark.parametrize("content", [content for content, _ in NO_PIXEL.values()])
def test_a_header_that_is_cut_off_anywhere_has_no_sides_or_the_same(content: bytes):
    whole = read_sides(content)
    assert {read_sides(content[:end]) for end in range(min(len(content), 400))} <= {None, whole}


def test_of_pictures_with_pixels_the_header_says_the_same():
    for form in ("PNG", "BMP", "JPEG", "TIFF", "WEBP"):
        assert read_sides(encode(RAMP, form)) == (8, 6), form


NO_PICTURES = {
    "text": b"hello, this is no picture",
    "html": b"<!doctype html><script>alert(1)</script>",
    "elf": b"\x7fELF\2\1\1" + bytes(60),
    "zero": bytes(100),
    "png's magic": b"\x89PNG\r\n\x1a\n",
    "jpeg's magic": b"\xff\xd8\xff",
    "bmp's magic": b"BM",
    "tiff's magic": b"II*\0",
    "webp's magic": b"RIFF\0\0\0\0WEBP",
    "gif's magic": b"GIF89a",
    "gif of noise": b"GIF89a" + b"\xff" * 40,
    "huge gif": change(encode(GREY, "GIF"), 6, b"\xff\xff\xff\xff"),
    "still gif": encode(GREY, "GIF"),
    "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg' width='10' height='10'/>",
    "fits": b"SIMPLE  =                    T".ljust(2880),
    "psd": b"8BPS\0\1" + bytes(40),
    "avif": b"\0\0\0\x20ftypavif\0\0\0\0avifmif1miaf",
    "jp2": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(40),
    "ppm": b"P6 2 2 255\n" + bytes(12),
}


@pytest.mark.parametrize("name", NO_PICTURES)
def test_what_is_no_picture_of_our_formats_is_refused(name: str):
    assert code_of(NO_PICTURES[name]) == "UNSUPPORTED_IMAGE"


def test_an_empty_file_is_called_so():
    assert code_of(b"") == "EMPTY_FILE"


@pytest.mark.parametrize(
    ("width", "height", "code"),
    [
        (4, 4, "OK"),
        (3, 4, "IMAGE_DIMENSIONS"),
        (4, 3, "IMAGE_DIMENSIONS"),
        (400, 4, "OK"),
        (401, 4, "IMAGE_DIMENSIONS"),
        (4, 401, "IMAGE_DIMENSIONS"),
        (20_001, 300, "IMAGE_DIMENSIONS"),
        (5000, 5000, "OK"),
        (5001, 5000, "IMAGE_TOO_LARGE"),
    ],
)
def test_sides_are_checked_in_the_header(width: int, height: int, code: str):
    content = write_png(width, height)
    if code == "OK":
        assert read_size(content, LIMITS) == (width, height)
        return
    with pytest.raises(Failure, match=f"{width}×{height}") as caught:
        read_size(content, LIMITS)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "content",
    [
        write_png(50_000, 50_000),
        write_png(2**31 - 1, 2**31 - 1),
        bmp_of(50_000, -50_000),
        jpeg_of(65_535, 65_535),
        webp_of(16_383, 16_383),
    ],
)
def test_a_claim_of_too_many_pixels_is_refused_with_flat_memory(content: bytes):
    tracemalloc.start()
    try:
        assert code_of(content) == "IMAGE_TOO_LARGE"
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def text_bomb() -> bytes:
    """A PNG whose compressed text is 100 MB."""
    return write_png(16, 16, (b"zTXt", b"k\0\0" + zlib.compress(bytes(100_000_000), 9)))


@pytest.mark.parametrize("form", ["PNG", "BMP", "JPEG", "TIFF", "WEBP"])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.99])
def test_a_picture_that_is_cut_off_is_corrupt(form: str, share: float):
    content = encode(NOISE, form)
    assert code_of(content[: int(len(content) * share)]) == "IMAGE_CORRUPT"


def test_a_bad_checksum_or_a_bomb_of_text_is_corrupt():
    content = encode(NOISE)
    place = content.index(b"IDAT") + 40
    damaged = change(content, place, bytes([content[place] ^ 0xFF]))
    assert code_of(damaged) == "IMAGE_CORRUPT"
    assert code_of(text_bomb()) == "IMAGE_CORRUPT"


@pytest.mark.parametrize("form", ["GIF", "PNG", "TIFF", "WEBP"])
def test_several_frames_are_refused(form: str):
    content = encode(GREY, form, save_all=True, append_images=[OTHER])
    assert code_of(content) == "MULTI_FRAME"


@pytest.mark.parametrize("mode", ["F", "I"])
def test_pixels_of_32_bits_have_no_rule(mode: str):
    assert code_of(encode(RAMP.convert(mode), "TIFF")) == "BIT_DEPTH"


def test_16_bit_grey_is_scaled_and_never_clipped():
    values = np.linspace(0, 65535, 16 * 16).astype(np.uint16).reshape(16, 16)
    expected = np.rint(values.astype(float) * 255 / 65535).astype(np.uint8)
    deep = Image.fromarray(values)
    for content in (encode(deep), encode(deep, "TIFF"), write_tiff(values)):
        assert read_size(content, LIMITS) == (16, 16)
        assert np.array_equal(decode(content, 1)[:, :, 0], expected)


def test_16_bit_colours_are_taken():
    assert code_of(write_deep_png(np.full((16, 16, 3), 40_000, np.uint16)), 3) == "OK"


@pytest.mark.parametrize("mode", ["1", "P", "LA", "RGBA", "CMYK", "RGB"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_kind_of_colour_becomes_what_the_model_takes(mode: str, channels: int):
    content = encode(Image.new("L", (16, 8), 255).convert(mode), "TIFF")
    assert read_size(content, LIMITS) == (16, 8)
    assert (decode(content, channels) == 255).all()
    assert decode(content, channels).shape == (8, 16, channels)


@pytest.mark.parametrize("turn", range(1, 9))
def test_sides_are_those_of_the_upright_picture(turn: int):
    exif = Image.Exif()
    exif[0x0112] = turn
    upright = (8, 6) if turn < 5 else (6, 8)
    for form in ("JPEG", "PNG", "WEBP"):
        content = encode(RAMP, form, exif=exif)
        assert read_size(content, LIMITS) == upright, form
        assert decode(content, 1).shape[:2] == upright[::-1], form


@pytest.mark.parametrize("exif", [b"Exif\0\0MM\0*\xff\xff\xff\xff", b"Exif\0\0<script>", b"x"])
def test_broken_exif_turns_nothing(exif: bytes):
    assert read_size(encode(RAMP, "JPEG", exif=exif), LIMITS) == (8, 6)
    assert code_of(encode(RAMP, "JPEG", exif=exif)) == "OK"


def test_what_follows_a_jpeg_is_never_looked_at():
    assert code_of(encode(RAMP, "JPEG") + b"PK\3\4" + bytes(1000)) == "OK"


def test_texts_of_a_png_do_no_harm():
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "<script>alert(1)</script>")
    assert code_of(encode(RAMP, "PNG", pnginfo=info)) == "OK"


def test_light_is_measured_between_0_and_1():
    black, white = np.zeros((5, 300, 3), np.uint8), np.full((300, 5, 1), 255, np.uint8)
    assert measure_light(black) == (0, 0)
    assert measure_light(white) == (1, 0)
    halves = np.repeat(np.array([[[0]], [[255]]], np.uint8), 64, axis=0)
    assert measure_light(halves) == (0.5, 0.5)
    assert measure_light(np.full((4000, 3000, 3), 51, np.uint8)) == (0.2, 0)


def test_the_rule_for_pictures_is_told():
    told = describe_rule(LIMITS)
    assert told["formats"] == ["JPEG", "PNG", "BMP", "TIFF", "WEBP"]
    assert told["max_pixels"] == 25_000_000
    assert told["frame"] == "upright"


def test_a_message_has_no_words_of_pillow_and_no_content():
    for content in NO_PICTURES.values():
        with pytest.raises(Failure) as caught:
            read_size(content, LIMITS)
        assert "cannot identify" not in caught.value.message
        assert "0x" not in caught.value.message
        assert io.BytesIO.__name__ not in caught.value.message
