"""service.guard: bytes that would keep a decoder busy are refused before one sees them."""

import io
import struct
import time
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile

from conftest import looks_at_the_clock
from defectseg.service.codes import Failure
from defectseg.service.guard import (
    MAX_CHUNKS,
    MAX_SCANS,
    MAX_SEGMENTS,
    refuse_costly,
)
from defectseg.service.picture import Limits, decode, read_size
from picture_files import RAMP, encode, write_deep_png

LIMITS = Limits(max_pixels=1_000_000, min_side=1, max_side=20_000, max_aspect=100)
GRAIN = Image.fromarray(np.random.default_rng(0).integers(0, 256, (96, 128), dtype=np.uint8))


def code_of(content: bytes) -> str:
    try:
        refuse_costly(content)
    except Failure as failure:
        return failure.code
    return "OK"


def scans(jpeg: bytes) -> int:
    return jpeg.count(b"\xff\xda")


def with_scans(count: int) -> bytes:
    """A progressive JPEG whose last scan stands there so many times."""
    whole = encode(GRAIN, "JPEG", progressive=True)
    last = whole.rindex(b"\xff\xda")
    return whole[:last] + whole[last:-2] * count + b"\xff\xd9"


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "BMP", "TIFF", "WEBP"])
@pytest.mark.parametrize("image", [RAMP, GRAIN, GRAIN.convert("RGB").resize((900, 700))])
def test_pictures_as_programs_write_them_pass(form: str, image: Image.Image):
    assert code_of(encode(image, form)) == "OK"


def test_progressive_jpegs_with_profile_and_exif_pass():
    exif = Image.Exif()
    exif[0x010F] = "\xff\xda" * 500
    whole = encode(
        GRAIN,
        "JPEG",
        progressive=True,
        icc_profile=bytes(200_000),
        exif=exif,
        restart_marker_rows=1,
    )
    assert scans(whole) > 2
    assert code_of(whole) == "OK"
    assert (
        code_of(whole + b"\xff\xda" * 10_000) == "OK"
    )  # what follows the picture is not looked at


def test_a_jpeg_of_too_many_scans_is_refused():
    own = scans(encode(GRAIN, "JPEG", progressive=True))
    assert code_of(with_scans(MAX_SCANS - own + 1)) == "OK"
    assert code_of(with_scans(MAX_SCANS - own + 2)) == "IMAGE_CORRUPT"


def test_scans_cannot_hide_behind_an_end_that_is_none():
    whole = with_scans(3 * MAX_SCANS)
    first = whole.index(b"\xff\xda")
    hidden = whole[:first] + b"\xff\xfe\0\4\xff\xd9" + whole[first:]
    assert code_of(hidden) == "IMAGE_CORRUPT"


@looks_at_the_clock
def test_a_jpeg_of_tiny_segments_is_refused_soon():
    whole = encode(RAMP, "JPEG")
    many = whole[:2] + b"\xff\xef\0\4ab" * 1_000_000 + whole[2:]
    started = time.process_time()
    assert code_of(many) == "IMAGE_CORRUPT"
    assert time.process_time() - started < 0.5
    assert code_of(whole[:2] + b"\xff\xef\0\4ab" * (MAX_SEGMENTS - 20) + whole[2:]) == "OK"


@looks_at_the_clock
def test_a_png_of_empty_chunks_is_refused_soon():
    whole = encode(RAMP, "PNG")
    many = whole[:33] + chunk(b"quAl") * (MAX_CHUNKS + 1) + whole[33:]
    started = time.process_time()
    assert code_of(many) == "IMAGE_CORRUPT"
    assert time.process_time() - started < 0.5
    few = whole[:33] + chunk(b"quAl") * 1000 + whole[33:]
    assert code_of(few) == "OK"
    assert (decode(few, 1)[:, :, 0] == np.asarray(RAMP)).all()


@pytest.mark.parametrize("compression", [1, 2])
def test_run_lengths_of_bmp_are_refused(compression: int):
    whole = bytearray(encode(RAMP, "BMP"))
    assert struct.unpack_from("<I", whole, 30)[0] == 0
    struct.pack_into("<I", whole, 30, compression)
    assert code_of(bytes(whole)) == "UNSUPPORTED_IMAGE"


def tiled(side: int) -> bytes:
    """A TIFF of 64 × 64 px in one tile of side × side."""
    tile = zlib.compress(bytes(side * side))
    numbers = {256: 64, 257: 64, 258: 8, 259: 8, 262: 1, 277: 1}
    numbers |= {322: side, 323: side, 324: 8, 325: len(tile)}
    place = 8 + len(tile)
    tags = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in numbers.items())
    head = b"II*\0" + struct.pack("<I", place)
    return head + tile + struct.pack("<H", len(numbers)) + tags + struct.pack("<I", 0)


def test_a_tile_far_larger_than_its_picture_is_refused():
    assert code_of(tiled(256)) == "OK"
    assert decode(tiled(256), 1).shape == (64, 64, 1)
    assert code_of(tiled(1024)) == "OK"
    assert code_of(tiled(16_000)) == "IMAGE_CORRUPT"


def test_a_large_png_with_exif_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch):
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encode(Image.new("L", (2000, 1000)), "PNG", exif=exif)
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("it was decoded"))
    with pytest.raises(Failure) as raised:
        read_size(content, LIMITS)
    assert raised.value.code == "IMAGE_TOO_LARGE"


@pytest.mark.parametrize("whole", [encode(GRAIN, form) for form in ("JPEG", "PNG", "BMP", "TIFF")])
def test_what_is_cut_off_is_left_to_the_decoder(whole: bytes):
    for end in [*range(60), len(whole) // 2, len(whole) - 1]:
        assert code_of(whole[:end]) == "OK"


def test_deep_pictures_pass():
    assert code_of(write_deep_png(np.zeros((9, 9, 3), np.uint16))) == "OK"
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((9, 9), np.uint16)).save(buffer, "TIFF")
    assert code_of(buffer.getvalue()) == "OK"
