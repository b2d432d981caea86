"""Bytes of one picture or mask in, a checked uint8 array out: the only decoder of the data side.

Shapes: H rows, W columns, C channels (1 grey, 3 RGB).
"""

import io
import warnings

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from defectseg.errors import DataError

FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP")  # by content, never by name
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})
MAX_PIXELS = 100_000_000  # checked in the header, before anything is decoded
MODES = {1: "L", 3: "RGB"}


def decode_picture(content: bytes, channels: int) -> npt.NDArray[np.uint8]:
    """Decode a picture to (H, W, C) uint8 in 0..255, upright by its EXIF orientation.

    16-bit grey is divided by 257, so that 65535 becomes 255: nothing is clipped.

    Raises:
        DataError: The bytes are no picture of `FORMATS`, are damaged, hold several frames or a
            depth that has no rule, or say that they have more than `MAX_PIXELS`.
    """
    image = ImageOps.exif_transpose(open_image(content))
    if image.mode.startswith("I;16"):
        grey = np.asarray(image, dtype=np.uint16)
        image = Image.fromarray(np.round(grey / 257.0).astype(np.uint8))
    elif image.mode in {"I", "F"}:
        raise DataError(f"32-bit picture ({image.mode}); expected 8 or 16 bits a channel")
    elif image.mode == "LAB":
        raise DataError("picture in CIELAB; expected grey, palette, RGB or CMYK")
    image.info.pop("transparency", None)  # dropped like an alpha channel; else Pillow may warn
    array = np.asarray(image.convert(MODES[channels]), dtype=np.uint8)
    return array.reshape(*array.shape[:2], channels)


def decode_mask(content: bytes) -> npt.NDArray[np.uint8]:
    """Decode a mask to its stored grey or palette values: (H, W) uint8, upright like its picture.

    Raises:
        DataError: As `decode_picture`, or the mask is neither 8-bit grey, palette nor 1-bit.
    """
    image = ImageOps.exif_transpose(open_image(content))
    if image.mode == "1":
        image = image.convert("L")
    if image.mode not in {"L", "P"}:
        raise DataError(f"mask of mode {image.mode}; expected 8-bit grey, palette or 1-bit")
    return np.asarray(image, dtype=np.uint8)


def open_image(content: bytes) -> Image.Image:
    """Open and fully decode one hostile picture.

    Raises:
        DataError: See `decode_picture`.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            # Pillow has its own limit, lower than ours: it warns above it, raises above twice that.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(content), formats=FORMATS)
            if image.width * image.height > MAX_PIXELS:
                raise DataError(f"{image.width}×{image.height} pixels, more than {MAX_PIXELS}")
            if getattr(image, "n_frames", 1) > 1:
                raise DataError("several frames; expected one still picture")
            image.load()
    except Image.DecompressionBombError as error:
        raise DataError(f"more than {MAX_PIXELS} pixels: {error}") from error
    except UnidentifiedImageError as error:
        raise DataError(f"no picture of the formats {', '.join(FORMATS)}") from error
    except (OSError, ValueError, SyntaxError, Warning) as error:
        raise DataError(f"damaged picture: {error}") from error
    return image
