"""Files that somebody sends to the service: hostile ones with the code that each must get.

And odd ones that show the same picture as a plain one.
"""

import io
import struct
import zlib
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from drawn_model import paint
from http_sockets import ask, upload
from picture_files import encode, write_deep_png, write_tiff

PNG = b"\x89PNG\r\n\x1a\n"
ORIENTATION = 0x0112  # the EXIF tag
DRAWING = """
................
..####..........
..####..........
................
..........22....
..........22....
................
................
""".replace("\n", " ")
GOOD_BOXES = {"crack": [2, 1, 6, 3], "blowhole": [10, 4, 12, 6]}  # of the picture below
GOOD = encode(Image.fromarray(paint(DRAWING)))  # 16 × 8


class Hostile(NamedTuple):
    """A file and what it must get."""

    content: bytes
    status: int
    code: str


@cache
def hostile_files() -> dict[str, Hostile]:
    """Every file that is refused, by a name."""
    found: dict[str, Hostile] = {"of 0 bytes": Hostile(b"", 422, "EMPTY_FILE")}
    groups = {
        (415, "UNSUPPORTED_IMAGE"): no_pictures(),
        (422, "IMAGE_DIMENSIONS"): wrong_sides(),
        (413, "IMAGE_TOO_LARGE"): huge_pictures(),
        (422, "IMAGE_CORRUPT"): damaged_pictures(),
        (422, "BIT_DEPTH"): deep_pictures(),
        (422, "MULTI_FRAME"): moving_pictures(),
    }
    for (status, code), files in groups.items():
        found |= {name: Hostile(content, status, code) for name, content in files.items()}
    return found


def no_pictures() -> dict[str, bytes]:
    """What is none of the formats that are taken."""
    box = b"ftyp"
    return {
        "text": b"no picture at all\n" * 50,
        "HTML": b"<!DOCTYPE html><html><script>alert(1)</script></html>",
        "ELF": b"\x7fELF\x02\x01\x01" + bytes(500),
        "ZIP": b"PK\x03\x04" + bytes(500),
        "PDF": b"%PDF-1.7\n" + bytes(500),
        "the magic number of a PNG": PNG,
        "the magic number of a JPEG": b"\xff\xd8\xff",
        "the magic number of a TIFF": b"II*\0",
        "the magic number of a BMP": b"BM",
        "the magic number of a WebP": b"RIFF\0\0\0\0WEBP",
        "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 16 16\n%%EndComments\n" * 9,
        "SVG": b'<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16"/>',
        "FITS": b"SIMPLE  =                    T".ljust(2880),
        "PSD": b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 16, 16, 8, 3) + bytes(200),
        "AVIF": struct.pack(">I", 28) + box + b"avif\0\0\0\0avifmif1miaf" + bytes(200),
        "JP2": struct.pack(">I", 12) + b"jP  \r\n\x87\n" + bytes(200),
        "a still GIF": encode(Image.new("L", (16, 8)), "GIF"),
        "ICO": encode(Image.new("L", (16, 16)), "ICO"),
        "PPM": encode(Image.new("RGB", (16, 8)), "PPM"),
        "TGA": encode(Image.new("RGB", (16, 8)), "TGA"),
        "zeros": bytes(5000),
        "0xff": b"\xff" * 5000,
    }


def wrong_sides() -> dict[str, bytes]:
    """Too short, too long, too narrow."""
    return {
        "a PNG of no width": claim_size(GOOD, 0, 8),
        "a PNG of no height": claim_size(GOOD, 16, 0),
        "a BMP of no height": set_bytes(encode(Image.new("L", (16, 8)), "BMP"), 22, bytes(4)),
        "of one pixel": encode(Image.new("L", (1, 1))),
        "7 px high": encode(Image.new("L", (64, 7)), "JPEG"),
        "7 px wide by its EXIF alone": encode(Image.new("L", (9, 7)), "JPEG", exif=lies(6)),
        "20 001 px wide": encode(Image.new("1", (20_001, 300))),
        "101 times as wide as high": encode(Image.new("L", (8 * 101, 8))),
    }


def huge_pictures() -> dict[str, bytes]:
    """More pixels than are taken, by the header or in truth."""
    return {
        "a PNG that claims 50 000 × 50 000": claim_size(GOOD, 50_000, 50_000),
        "a PNG that claims 2³¹ − 1 squared": claim_size(GOOD, 2**31 - 1, 2**31 - 1),
        "a BMP that claims 50 000 × 50 000": set_bytes(
            encode(Image.new("L", (16, 8)), "BMP"), 18, struct.pack("<ii", 50_000, 50_000)
        ),
        "a flat PNG of 160 megapixels": flat_png(16_000, 10_000),
        "a flat PNG of 17 megapixels": flat_png(4_250, 4_000),
    }


def damaged_pictures() -> dict[str, bytes]:
    """Cut off, with wrong checksums, or bombs."""
    grain = Image.fromarray(draw_grain())
    found: dict[str, bytes] = {}
    for form in ("PNG", "JPEG", "TIFF", "WEBP", "BMP"):
        whole = encode(grain, form)
        for share in (50, 99):
            found[f"{form} cut off at {share} %"] = whole[: len(whole) * share // 100]
    for form in ("PNG", "JPEG", "BMP"):  # of a TIFF the directory comes last, WebP says its length
        whole = encode(grain, form)
        found[f"{form} cut off at 20 %"] = whole[: len(whole) * 20 // 100]
    middle = GOOD.index(b"IDAT") + 6
    found["a PNG with a wrong checksum"] = set_bytes(GOOD, middle, bytes([GOOD[middle] ^ 1]))
    found["a PNG with a zTXt bomb"] = with_chunk(
        GOOD, b"zTXt", b"Comment\0\0" + zlib.compress(bytes(80_000_000), 9)
    )
    found["a PNG with an iTXt bomb"] = with_chunk(
        GOOD, b"iTXt", b"Comment\0\1\0\0\0" + zlib.compress(bytes(80_000_000), 9)
    )
    found["a PNG whose header is larger than its pixels"] = claim_size(GOOD, 3000, 3000)
    return found


def deep_pictures() -> dict[str, bytes]:
    """Values of more bits than there is a rule for."""
    grain = Image.fromarray(draw_grain())
    deep = np.arange(64, dtype=np.uint16).reshape(8, 8)
    return {
        "a TIFF of 32-bit floats": encode(grain.convert("F"), "TIFF"),
        "a TIFF of 32-bit integers": encode(grain.convert("I"), "TIFF"),
        "a TIFF of 16-bit colours in planes": write_tiff(np.stack([deep] * 3, 2), is_planar=True),
        "a 16-bit TIFF in which 0 is white": write_tiff(deep, black_is_zero=False),
    }


def moving_pictures() -> dict[str, bytes]:
    """Several frames."""
    one, two = Image.new("L", (16, 8), 10), Image.new("L", (16, 8), 200)
    names = {"PNG": "APNG", "TIFF": "a TIFF of two pages", "WEBP": "WebP", "GIF": "GIF"}
    return {
        f"{name}, moving": encode(one, form, save_all=True, append_images=[two])
        for form, name in names.items()
    }


@cache
def odd_files() -> dict[str, bytes]:
    """Files that show the picture of `GOOD`, each in another way."""
    colours = paint(DRAWING)
    image = Image.fromarray(colours)
    deep = colours.astype(np.uint16) * np.uint16(257)
    palette = image.quantize(8)
    found = {
        "BMP": encode(image, "BMP"),
        "TIFF": encode(image, "TIFF"),
        "TIFF with LZW": encode(image, "TIFF", compression="tiff_lzw"),
        "TIFF with deflate": encode(image, "TIFF", compression="tiff_adobe_deflate"),
        "WebP without loss": encode(image, "WEBP", lossless=True, exact=True),
        "RGBA": encode(with_alpha(image)),
        "RGBA that is clear": encode(with_alpha(image, 0)),
        "palette": encode(palette),
        "palette with transparency": encode(palette, transparency=0),
        "16-bit colours in a PNG": write_deep_png(deep),
        "16-bit colours in a TIFF": write_tiff(deep),
        "interlaced": interlaced(colours),
        "with a ZIP behind it": GOOD + b"PK\x05\x06" + bytes(18),
        "with a script in a text": encode(image, pnginfo=script_text()),
        "with an EXIF that says nothing": with_chunk(GOOD, b"eXIf", b"MM\0*\0\0\0\x08" + bytes(6)),
        "with an unknown chunk": with_chunk(GOOD, b"heLo", b"<?php system('id') ?>"),
        "CMYK in a TIFF": encode(to_cmyk(colours), "TIFF"),
    }
    for turn in range(1, 9):
        found[f"EXIF orientation {turn}"] = encode(lay(image, turn), "PNG", exif=lies(turn))
        found[f"TIFF orientation {turn}"] = encode(lay(image, turn), "TIFF", exif=lies(turn))
    return found


def lies(orientation: int) -> Image.Exif:
    """An EXIF that says how the stored picture lies."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


BACK = {  # how to store a picture so that its orientation turns it upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def lay(image: Image.Image, orientation: int) -> Image.Image:
    """The picture as a camera would store it that lay like this."""
    return image.transpose(BACK[orientation]) if orientation in BACK else image


def with_alpha(image: Image.Image, alpha: int = 128) -> Image.Image:
    """The same picture, partly clear."""
    found = image.convert("RGBA" if image.mode == "RGB" else "LA")
    found.putalpha(alpha)
    return found


def to_cmyk(colours: npt.NDArray[np.uint8]) -> Image.Image:
    """The same colours in ink, without black: 255 less each."""
    inks = np.dstack([255 - colours, np.zeros_like(colours[..., :1])])
    return Image.frombytes("CMYK", colours.shape[1::-1], inks.tobytes())


def interlaced(colours: npt.NDArray[np.uint8]) -> bytes:
    """A PNG in seven passes (Adam7)."""
    height, width, _ = colours.shape
    starts = [(0, 0), (0, 4), (4, 0), (0, 2), (2, 0), (0, 1), (1, 0)]  # row, column
    steps = [(8, 8), (8, 8), (8, 4), (4, 4), (4, 2), (2, 2), (2, 1)]
    rows = b""
    for (row, column), (down, right) in zip(starts, steps, strict=True):
        for line in colours[row::down, column::right]:
            rows += b"\0" + line.tobytes() if line.size else b""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 1)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return PNG + b"".join(chunk(*part) for part in parts)


def script_text() -> PngInfo:
    """A text of a PNG that would run in a page that trusted it."""
    notes = PngInfo()
    notes.add_text("Comment", "<script>alert(1)</script>")
    return notes


def chunk(kind: bytes, data: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_chunk(png: bytes, kind: bytes, data: bytes) -> bytes:
    """The PNG with one more chunk behind its header."""
    return png[:33] + chunk(kind, data) + png[33:]


def claim_size(png: bytes, width: int, height: int) -> bytes:
    """The PNG with another size in its header, and the header's checksum put right."""
    return PNG + chunk(b"IHDR", struct.pack(">II", width, height) + png[24:29]) + png[33:]


def set_bytes(content: bytes, start: int, found: bytes) -> bytes:
    """The content with some bytes replaced."""
    return content[:start] + found + content[start + len(found) :]


@cache
def flat_png(width: int, height: int) -> bytes:
    """A real 8-bit grey PNG of one value: some hundred kB for hundreds of megapixels."""
    press = zlib.compressobj(9)
    rows = b"".join(press.compress(bytes(width + 1)) for _ in range(height)) + press.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b""))
    return PNG + b"".join(chunk(*part) for part in parts)


def draw_grain(height: int = 64, width: int = 64, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Noise (H, W): every format stores it in many bytes."""
    return np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)


def read_png(content: bytes) -> npt.NDArray[np.uint8]:
    """Pixels as Pillow has them."""
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image)


def assert_good_is_served(port: int) -> None:
    """The service still says of `GOOD` what is true."""
    answer = ask(port, upload(GOOD))
    assert answer.status == 200, answer
    told = answer.json()
    boxes = {defect["defect_class"]: defect["box"] for defect in told["defects"]}
    assert (told["verdict"], boxes) == ("reject", GOOD_BOXES)
