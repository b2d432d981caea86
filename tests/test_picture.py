"""picture: what becomes of the bytes of a picture or a mask, whoever made them."""

import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from conftest import looks_at_the_clock, mask
from defectseg.data.picture import (
    MAX_PIXELS,
    decode_colours,
    decode_mask,
    decode_picture,
    read_header,
    read_size,
)
from defectseg.errors import DataError
from picture_files import RAMP, encode, grey_of

UPRIGHT = {  # of 123 above 456, by the EXIF orientation that it is stored with
    1: [[1, 2, 3], [4, 5, 6]],
    2: [[3, 2, 1], [6, 5, 4]],
    3: [[6, 5, 4], [3, 2, 1]],
    4: [[4, 5, 6], [1, 2, 3]],
    5: [[1, 4], [2, 5], [3, 6]],
    6: [[4, 1], [5, 2], [6, 3]],
    7: [[6, 3], [5, 2], [4, 1]],
    8: [[3, 6], [2, 5], [1, 4]],
}
ORIENTATION = 0x0112  # the EXIF tag


def claim_size(content: bytes, width: int, height: int) -> bytes:
    """The same PNG with another size in its header, and the header's checksum put right."""
    header = content[12:16] + struct.pack(">II", width, height) + content[24:29]
    return content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:]


def lies(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


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


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_a_picture_that_lies_on_its_side_is_turned_upright(form: str):
    picture = Image.fromarray(mask("#...", 16) * np.uint8(255))  # white on the left
    upright = grey_of(encode(picture, form, exif=lies(6)))
    assert upright.shape == (64, 16)
    assert (upright[:14].min() > 200, upright[18:].max() < 50) == (True, True)  # white on top


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_every_orientation_turns_grey_colours_16_bits_and_masks_alike(form: str, orientation: int):
    stored = np.array(UPRIGHT[1], dtype=np.uint8)
    exif = lies(orientation)
    palette = Image.fromarray(stored).convert("P")
    palette.putpalette([value for k in range(256) for value in (k, 0, 0)])
    palette.frombytes(stored.tobytes())
    grey, colours, deep, indexes = (
        encode(image, form, exif=exif)
        for image in (
            Image.fromarray(stored),
            Image.fromarray(stored).convert("RGB"),
            Image.fromarray(stored.astype(np.uint16) * np.uint16(257)),
            palette,
        )
    )
    expected = UPRIGHT[orientation]
    assert grey_of(grey).tolist() == expected
    assert decode_picture(colours, 3)[:, :, 2].tolist() == expected
    assert grey_of(deep).tolist() == expected
    assert decode_mask(grey).tolist() == expected
    assert decode_mask(indexes).tolist() == expected
    assert decode_colours(indexes)[:, :, 0].tolist() == expected


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_the_header_says_the_upright_size(form: str, orientation: int, tmp_path: Path):
    (tmp_path / "a").write_bytes(encode(RAMP, form, exif=lies(orientation)))
    assert read_size(tmp_path / "a") == ((8, 6) if orientation < 5 else (6, 8))
    header = read_header((tmp_path / "a").read_bytes())
    assert (header.form, header.is_upright) == (form, orientation == 1)


def test_an_orientation_after_the_pixels_of_a_png_counts():
    content = encode(RAMP, exif=lies(6))
    start = content.index(b"eXIf") - 4
    end = start + 12 + struct.unpack(">I", content[start : start + 4])[0]
    moved = content[:start] + content[end:-12] + content[start:end] + content[-12:]
    assert read_header(moved).size == (6, 8)
    assert grey_of(moved).shape == (8, 6)


@pytest.mark.parametrize("key", ["XML:com.adobe.xmp", "Comment"])
def test_an_orientation_in_the_text_of_a_png_counts_where_it_is_meant_as_one(key: str):
    notes = PngInfo()
    notes.add_itxt(key, '<rdf:Description tiff:Orientation="6"/>')
    content = encode(RAMP, pnginfo=notes)
    is_turned = key != "Comment"
    assert read_header(content).size == ((6, 8) if is_turned else (8, 6))
    assert grey_of(content).shape == ((8, 6) if is_turned else (6, 8))


def test_the_header_of_a_png_is_read_without_its_pixels():
    notes = PngInfo()
    notes.add_text("Software", "a camera")
    content = encode(RAMP, pnginfo=notes)
    assert read_header(content[: content.index(b"IDAT") + 10]).size == (8, 6)


def test_what_cannot_be_read_has_no_size(tmp_path: Path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    assert read_size(tmp_path / "a.png") is None
    assert read_size(tmp_path / "nothing.png") is None


@pytest.mark.parametrize("orientation", [0, 9, 65_535])
def test_an_orientation_that_does_not_exist_turns_nothing(orientation: int):
    assert grey_of(encode(RAMP, exif=lies(orientation))).tolist() == np.asarray(RAMP).tolist()


@pytest.mark.parametrize("exif", [b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0junk", b"Exif\0\0MM"])
def test_a_damaged_exif_never_raises_anything_but_a_data_error(exif: bytes):
    for form in ("JPEG", "PNG", "WEBP"):
        try:
            assert grey_of(encode(RAMP, form, exif=exif)).shape == (6, 8)
        except DataError as error:
            assert "damaged picture" in str(error)


@pytest.mark.parametrize("tag", [0x011B, 0x0102])  # a resolution, bits a sample: no texts
def test_an_exif_that_pillow_cannot_rewrite_when_it_turns_a_picture_is_damage(tag: int):
    text = struct.pack(">HHII", tag, 2, 6, 38)
    turned = struct.pack(">HHIHH", ORIENTATION, 3, 1, 6, 0)
    first, second = sorted([text, turned])
    exif = b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 2) + first + second + b"\0\0\0\0maker\0"
    with pytest.raises(DataError, match="damaged picture"):
        decode_picture(encode(RAMP, "JPEG", exif=exif), 1)


def test_colours_of_a_mask_are_those_of_its_palette_or_its_own():
    palette = Image.fromarray(mask("012")).convert("P")
    palette.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    palette.frombytes(mask("012").tobytes())
    expected = [[[0, 0, 0], [128, 0, 0], [0, 128, 0]]]
    assert decode_colours(encode(palette)).tolist() == expected
    assert decode_colours(encode(palette, transparency=bytes([0, 9, 9]))).tolist() == expected
    assert decode_colours(encode(palette.convert("RGB"))).tolist() == expected
    clear = palette.convert("RGBA")
    clear.putalpha(0)
    assert decode_colours(encode(clear)).tolist() == expected


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
    content = encode(Image.fromarray(mask("12. 345")), exif=lies(6))
    assert decode_mask(content).tolist() == [[3, 1], [4, 2], [5, 0]]


@pytest.mark.parametrize("mode", ["RGB", "LA", "RGBA", "I;16"])
def test_a_mask_of_colours_or_16_bits_has_no_class_indexes(mode: str):
    with pytest.raises(DataError, match=f"mask of mode {mode}; expected 8-bit grey, palette or 1"):
        decode_mask(encode(RAMP.convert(mode)))


@pytest.mark.parametrize("mode", ["I", "F"])
def test_32_bits_are_refused_because_their_scale_is_unknown(mode: str):
    with pytest.raises(
        DataError, match=rf"32-bit or signed picture \({mode}\); expected 8 or 16 bits"
    ):
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


def test_a_header_that_is_too_short_is_damage():
    content = encode(RAMP)
    data = struct.pack(">I", 5) + b"IHDR" + content[16:21]
    cut = content[:8] + data + struct.pack(">I", zlib.crc32(data[4:])) + content[33:]
    with pytest.raises(DataError, match="damaged picture: Truncated IHDR chunk"):
        decode_picture(cut, 1)


@pytest.mark.parametrize("content", [b"", b"no picture", b"\xff\xd8\xff", encode(RAMP, "GIF")])
def test_what_is_no_picture_of_a_known_format_is_refused(content: bytes):
    with pytest.raises(DataError, match="no picture of the formats JPEG, PNG, BMP, TIFF, WEBP"):
        decode_picture(content, 1)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("kept", [10, 20, -3], ids=["head", "middle", "end"])
def test_exif_that_is_cut_off_is_no_exif(form: str, kept: int):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a maker of cameras"
    assert grey_of(encode(RAMP, form, exif=exif.tobytes())).shape == (8, 6)
    damaged = encode(RAMP, form, exif=exif.tobytes()[:kept])
    assert grey_of(damaged).shape == (6, 8)
    assert read_header(damaged).size == (8, 6)


@looks_at_the_clock
def test_a_tiff_of_thousands_of_pages_is_refused_at_its_second():
    pages = [Image.new("1", (1, 1)) for _ in range(3000)]
    content = encode(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    started = time.process_time()
    with pytest.raises(DataError, match="several frames"):
        read_header(content)
    assert time.process_time() - started < 0.2  # going through all of them takes 8 s


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
