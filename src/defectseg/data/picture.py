"""Bytes of one picture or mask in, a checked uint8 array out: the only decoder of the data side.

Shapes: H rows, W columns, C channels (1 grey, 3 RGB).
"""

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import (
    BITSPERSAMPLE,
    PHOTOMETRIC_INTERPRETATION,
    PLANAR_CONFIGURATION,
    TiffImageFile,
)

from defectseg.data.pillow_warnings import WARNINGS
from defectseg.errors import PictureError

FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP")  # by content, never by name
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})
MAX_PIXELS = 100_000_000  # checked in the header, before anything is decoded
MODES = {1: "L", 3: "RGB"}
COLOUR_MODES = frozenset({"P", "PA", "LA", "RGB", "RGBA"})
WHITE_16_BIT = 65535
ORIENTATION = 0x0112  # the EXIF tag; 1 is upright, 5 to 8 lie on their side
JPEG, EXIF = b"\xff\xd8", b"Exif\0\0"  # how the file begins, and its EXIF
PNG_TEXTS = (b"XML:com.adobe.xmp", b"Raw profile type")  # they may say how a PNG lies, as eXIf may
UNSUPPORTED, CORRUPT, DEPTH = "UNSUPPORTED_IMAGE", "IMAGE_CORRUPT", "BIT_DEPTH"  # codes
TOO_LARGE, FRAMES = "IMAGE_TOO_LARGE", "MULTI_FRAME"
DAMAGED = (  # what Pillow lets through, or might, for damaged pixels, tags and EXIF
    OSError,
    ValueError,
    SyntaxError,
    TypeError,
    LookupError,
    ArithmeticError,
    EOFError,
    struct.error,
    Warning,
)


@dataclass(frozen=True)
class Header:
    """What the first bytes of a picture say, as far as they are needed."""

    form: str  # one of FORMATS
    mode: str  # Pillow's, such as L, P, RGB, I;16
    bits: int  # a channel, as stored; 8 where the format has no other
    size: tuple[int, int]  # width and height, upright, px
    is_upright: bool

    @property
    def is_16_bit_grey(self) -> bool:
        return self.mode.startswith("I;16")


def decode_picture(
    content: bytes, channels: int, white: int = WHITE_16_BIT
) -> npt.NDArray[np.uint8]:
    """Decode a picture to (H, W, C) uint8 in 0..255, upright by its EXIF orientation.

    A grey value v of a 16-bit picture becomes round(v · 255 / white). Nothing is clipped: a value
    above white is an error. Of 16-bit colours only the high byte is read, at most 1 level away.

    Args:
        white: The 16-bit value that becomes 255, such as 4095 of a 12-bit camera.

    Raises:
        PictureError: The bytes are no picture of `FORMATS`, are damaged, hold several frames, a
            depth that has no rule or a value above white, or say that they have more pixels than
            `MAX_PIXELS`.
    """
    header, image = _decode(content)
    if header.is_16_bit_grey:
        image = Image.fromarray(_scale(np.asarray(image, dtype=np.uint16), white))
    elif header.bits == 16 and white != WHITE_16_BIT:
        raise PictureError(
            f"16-bit picture of mode {header.mode}; only grey ones can be scaled by "
            f"data_load.bit_depth: convert it to grey or to 8 bits a channel, or set 16",
            DEPTH,
        )
    elif image.mode in {"I", "F"}:
        raise PictureError(
            f"32-bit or signed picture ({image.mode}); expected 8 or 16 bits a channel", DEPTH
        )
    elif image.mode == "LAB":
        raise PictureError("picture in CIELAB; expected grey, palette, RGB or CMYK", UNSUPPORTED)
    image.info.pop("transparency", None)  # dropped like an alpha channel; else Pillow may warn
    array = np.asarray(image.convert(MODES[channels]), dtype=np.uint8)
    return array.reshape(*array.shape[:2], channels)


def decode_mask(content: bytes) -> npt.NDArray[np.uint8]:
    """Decode a mask to its stored grey or palette values: (H, W) uint8, upright like its picture.

    Raises:
        PictureError: As `decode_picture`, or the mask is neither 8-bit grey, palette nor 1-bit.
    """
    _, image = _decode(content)
    if image.mode == "1":
        image = image.convert("L")
    if image.mode not in {"L", "P"}:
        raise PictureError(
            f"mask of mode {image.mode}; expected 8-bit grey, palette or 1-bit", UNSUPPORTED
        )
    return np.asarray(image, dtype=np.uint8)


def decode_colours(content: bytes) -> npt.NDArray[np.uint8]:
    """Decode a mask of colours to (H, W, 3) uint8, upright, without its alpha channel.

    Raises:
        PictureError: As `decode_picture`, or the mask is neither of a palette nor 8-bit RGB.
    """
    header, image = _decode(content)
    if image.mode not in COLOUR_MODES or header.bits == 16:
        raise PictureError(
            f"mask of mode {header.mode}, {header.bits} bits a channel; "
            "expected a palette or 8-bit RGB",
            UNSUPPORTED,
        )
    image.info.pop("transparency", None)
    return np.asarray(image.convert("RGB"), dtype=np.uint8)


def largest_value(content: bytes) -> int | None:
    """The largest value of a 16-bit grey picture; None for any other, which is not decoded.

    Raises:
        PictureError: See `decode_picture`.
    """
    if not read_header(content).is_16_bit_grey:
        return None
    return int(np.asarray(_decode(content)[1], dtype=np.uint16).max())


def read_size(path: Path) -> tuple[int, int] | None:
    """Width and height of a picture, upright, px; None where `decode_picture` will say why not."""
    try:
        return read_header(path.read_bytes()).size
    except (PictureError, OSError):
        return None


def read_header(content: bytes) -> Header:
    """Read what a hostile picture says of itself without decoding its pixels.

    Raises:
        PictureError: See `decode_picture`.
    """
    with _refuse_damage():
        return _describe(_open(content), content)


def _decode(content: bytes) -> tuple[Header, Image.Image]:
    """Open and fully decode one hostile picture, and turn it upright."""
    with _refuse_damage():
        image = _open(content)
        header = _describe(image, content)
        image.load()
        return header, image if header.is_upright else ImageOps.exif_transpose(image)


@contextmanager
def _refuse_damage() -> Iterator[None]:
    try:
        with WARNINGS:
            yield
    except Image.DecompressionBombError as error:
        raise PictureError(f"more than {MAX_PIXELS} pixels: {error}", TOO_LARGE) from error
    except UnidentifiedImageError as error:
        said = f"no picture of the formats {', '.join(FORMATS)}"
        raise PictureError(said, UNSUPPORTED) from error
    except DAMAGED as error:
        raise PictureError(f"damaged picture: {error}", CORRUPT) from error


def _open(content: bytes) -> Image.Image:
    image = _open_first(content)
    if image.width * image.height > MAX_PIXELS:
        said = f"{image.width}×{image.height} pixels, more than {MAX_PIXELS}"
        raise PictureError(said, TOO_LARGE)
    if _has_frames(image):
        raise PictureError("several frames; expected one still picture", FRAMES)
    return image


def _open_first(content: bytes) -> Image.Image:
    """Open a picture; a JPEG whose EXIF is cut off is one without EXIF, as viewers have it."""
    try:
        return Image.open(io.BytesIO(content), formats=FORMATS)
    except Warning:
        if not content.startswith(JPEG) or EXIF not in content:
            raise
        without = content.replace(EXIF, bytes(len(EXIF)), 1)
        return Image.open(io.BytesIO(without), formats=FORMATS)


def _has_frames(image: Image.Image) -> bool:
    """Whether there are several; of a TIFF only the second is looked for: it may have thousands."""
    if not isinstance(image, TiffImageFile):
        return int(getattr(image, "n_frames", 1)) > 1
    if image.is_animated:
        with suppress(EOFError):  # what it names as the second is none
            image.seek(1)
            return True
        image.seek(0)
    return False


def _describe(image: Image.Image, content: bytes) -> Header:
    size, turn = image.size, 1
    if isinstance(image, TiffImageFile):
        turn = image.tag_v2.get(ORIENTATION, 1)  # Pillow's size is upright already
    elif image.format != "PNG" or _may_be_turned(content):
        turn = _read_turn(image)
        size = size[::-1] if turn in {5, 6, 7, 8} else size
    return Header(str(image.format), image.mode, _read_bits(image, content), size, turn == 1)


def _read_turn(image: Image.Image) -> int:
    """The orientation in the EXIF; 1 where that is damaged."""
    if image.format == "PNG":
        image.load()  # it may follow the pixels, whose damage is no damage of the EXIF
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except DAMAGED:
        return 1


def _may_be_turned(png: bytes) -> bool:
    """Whether a PNG has a chunk that could say how it lies, before its pixels or after them."""
    start = 8
    while start + 8 <= len(png):
        length, kind = struct.unpack_from(">I4s", png, start)
        if kind == b"eXIf" or png.startswith(PNG_TEXTS, start + 8):
            return True
        start += 12 + length
    return False


def _read_bits(image: Image.Image, content: bytes) -> int:
    """Bits a channel, which Pillow does not tell, of the formats that have more than 8."""
    if image.format == "PNG":
        return content[content.index(b"IHDR") + 12]  # after the width and the height
    if not isinstance(image, TiffImageFile):
        return 8
    bits = max(image.tag_v2.get(BITSPERSAMPLE, (1,)))
    if bits == 16 and image.tag_v2.get(PLANAR_CONFIGURATION) == 2 and len(image.getbands()) > 1:
        raise PictureError(
            "16-bit TIFF with a plane for each colour; save it with interleaved ones", DEPTH
        )
    if bits > 8 and image.tag_v2.get(PHOTOMETRIC_INTERPRETATION) == 0:
        raise PictureError(f"{bits}-bit TIFF in which 0 is white; save it with 0 as black", DEPTH)
    return int(bits)


def _scale(grey: npt.NDArray[np.uint16], white: int) -> npt.NDArray[np.uint8]:
    """Values (H, W) in 0..white → 0..255, by a table: exact, and no array of floats."""
    largest = int(grey.max())
    if largest > white:
        raise PictureError(
            f"16-bit picture with the value {largest}, above {white}, the largest of "
            f"data_load.bit_depth {white.bit_length()}; set it to {largest.bit_length()}",
            DEPTH,
        )
    table: npt.NDArray[np.uint8] = np.rint(np.arange(white + 1) * 255 / white).astype(np.uint8)
    return table[grey]
