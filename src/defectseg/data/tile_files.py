"""A checked picture or mask in, the bytes of its file in the folder of tiles out.

Shapes: H rows, W columns, K defect classes.
"""

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from defectseg.data.picture import WHITE_16_BIT, decode_picture, read_header

ENDINGS = {"JPEG": ".jpg", "PNG": ".png"}  # formats that are kept byte for byte
KEPT_MODES = frozenset({"L", "RGB"})
GREY_MODES = frozenset({"1", "L", "LA", "La", "I;16", "I;16B", "I;16L"})
COMPRESS_LEVEL = 1  # zlib; masks are long runs of one value, a higher level only costs time


@dataclass(frozen=True)
class PictureFile:
    """A picture as it lies in the folder of tiles."""

    content: bytes
    ending: str  # .jpg or .png
    is_reencoded: bool


def to_picture_file(content: bytes, white: int = WHITE_16_BIT) -> PictureFile:
    """Keep an upright 8-bit grey or RGB JPEG or PNG as it is; make such a PNG of anything else.

    Args:
        content: A file that `decode_picture` has accepted with the same white.
        white: The 16-bit value that becomes 255.
    """
    header = read_header(content)
    is_kept = header.form in ENDINGS and header.mode in KEPT_MODES and header.bits == 8
    if is_kept and header.is_upright:
        return PictureFile(content, ENDINGS[header.form], is_reencoded=False)
    picture = decode_picture(content, channels=1 if header.mode in GREY_MODES else 3, white=white)
    array = picture[:, :, 0] if picture.shape[2] == 1 else picture
    return PictureFile(_encode_png(array), ".png", is_reencoded=True)


def to_mask_file(indexes: npt.NDArray[np.uint8]) -> bytes:
    """Encode class indexes (H, W) in 0..K as an 8-bit grey PNG."""
    return _encode_png(indexes)


def _encode_png(array: npt.NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG", compress_level=COMPRESS_LEVEL)
    return buffer.getvalue()
