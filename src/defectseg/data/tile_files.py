"""A checked picture or mask in, the bytes of its file in the folder of tiles out.

Shapes: H rows, W columns, K defect classes.
"""

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from defectseg.data.picture import FORMATS, decode_picture

ENDINGS = {"JPEG": ".jpg", "PNG": ".png"}  # formats that are kept byte for byte
KEPT_MODES = frozenset({"L", "RGB"})
GREY_MODES = frozenset({"1", "L", "LA", "La", "I;16", "I;16B", "I;16L"})
ORIENTATION = 0x0112  # the EXIF tag; 1 is upright
PNG_DEPTH = 24  # offset of the bits a channel in a PNG file
COMPRESS_LEVEL = 1  # zlib; masks are long runs of one value, a higher level only costs time


@dataclass(frozen=True)
class PictureFile:
    """A picture as it lies in the folder of tiles."""

    content: bytes
    ending: str  # .jpg or .png
    is_reencoded: bool


def to_picture_file(content: bytes) -> PictureFile:
    """Keep an upright 8-bit grey or RGB JPEG or PNG as it is; make such a PNG of anything else.

    Args:
        content: A file that `decode_picture` has accepted.
    """
    with Image.open(io.BytesIO(content), formats=FORMATS) as image:
        form, mode = str(image.format), image.mode
        is_upright = image.getexif().get(ORIENTATION, 1) == 1
    is_8_bit = form != "PNG" or content[PNG_DEPTH] == 8
    if form in ENDINGS and mode in KEPT_MODES and is_upright and is_8_bit:
        return PictureFile(content, ENDINGS[form], is_reencoded=False)
    picture = decode_picture(content, channels=1 if mode in GREY_MODES else 3)
    array = picture[:, :, 0] if picture.shape[2] == 1 else picture
    return PictureFile(_encode_png(array), ".png", is_reencoded=True)


def to_mask_file(indexes: npt.NDArray[np.uint8]) -> bytes:
    """Encode class indexes (H, W) in 0..K as an 8-bit grey PNG."""
    return _encode_png(indexes)


def _encode_png(array: npt.NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG", compress_level=COMPRESS_LEVEL)
    return buffer.getvalue()
