"""Hostile bytes in, a checked picture (H, W, C) out, or the code that says why not."""

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from defectseg.data.picture import DAMAGED, FORMATS, decode_picture, read_header
from defectseg.data.pillow_warnings import WARNINGS
from defectseg.errors import PictureError
from defectseg.service.codes import Failure
from defectseg.service.guard import refuse_costly
from defectseg.service.sides import read_sides

SAMPLES = 64  # rows and columns that brightness is read from, at the most


@dataclass(frozen=True)
class Limits:
    """Which pictures are taken."""

    max_pixels: int
    min_side: int  # px
    max_side: int  # px
    max_aspect: float  # longer side over shorter side


def read_size(content: bytes, limits: Limits) -> tuple[int, int]:
    """Width and height, upright, px, of a picture that may be decoded; only its header is read.

    Raises:
        Failure: It may not.
    """
    if not content:
        raise Failure("EMPTY_FILE")
    refuse_costly(content)
    sides = read_sides(content)  # a header with EXIF behind its pixels is read only after them
    if sides and sides[0] * sides[1] > limits.max_pixels:
        refuse_dimensions(*sides, limits)
    try:
        width, height = read_header(content).size
    except PictureError as error:
        raise refuse(error, content) from error
    refuse_dimensions(width, height, limits)
    return width, height


def decode(content: bytes, channels: int) -> npt.NDArray[np.uint8]:
    """The picture as the model takes it, (H, W, C) in 0..255.

    Raises:
        Failure: It is damaged, or of a depth that has no rule.
    """
    try:
        return decode_picture(content, channels)
    except PictureError as error:
        raise refuse(error, content) from error


def refuse(error: PictureError, content: bytes) -> Failure:
    """What the client is told: more than Pillow says of pictures that it does not open."""
    sides = read_sides(content)
    if sides and 0 in sides:
        return Failure("IMAGE_DIMENSIONS", f"the picture is {sides[0]}×{sides[1]}: it has no pixel")
    if error.code == "UNSUPPORTED_IMAGE" and is_animated_gif(content):
        return Failure("MULTI_FRAME")
    return Failure.of(error)


def is_animated_gif(content: bytes) -> bool:
    """Whether it has several frames, none of which is decoded."""
    if not content.startswith((b"GIF87a", b"GIF89a")):
        return False
    try:
        with WARNINGS, Image.open(io.BytesIO(content), formats=("GIF",)) as image:
            return bool(getattr(image, "is_animated", False))
    except (*DAMAGED, Image.DecompressionBombError):
        return False


def refuse_dimensions(width: int, height: int, limits: Limits) -> None:
    """Raises: Failure: The picture is larger, smaller or narrower than is taken."""
    came = f"the picture is {width}×{height}"
    if width * height > limits.max_pixels:
        raise Failure("IMAGE_TOO_LARGE", f"{came}; at most {limits.max_pixels} pixels are taken")
    shorter, longer = sorted((width, height))
    if shorter < limits.min_side or longer > limits.max_side:
        expected = f"sides of {limits.min_side} to {limits.max_side} px are taken"
        raise Failure("IMAGE_DIMENSIONS", f"{came}; {expected}")
    if longer > limits.max_aspect * shorter:
        expected = f"the longer side may be at most {limits.max_aspect:g} times the shorter"
        raise Failure("IMAGE_DIMENSIONS", f"{came}; {expected}")


def measure_light(picture: npt.NDArray[np.uint8]) -> tuple[float, float]:
    """Mean and standard deviation of some pixels of a picture (H, W, C), both over 255."""
    height, width = picture.shape[:2]
    some = picture[:: -(-height // SAMPLES), :: -(-width // SAMPLES)]
    return float(some.mean()) / 255, float(some.std()) / 255


def describe_rule(limits: Limits) -> dict[str, object]:
    """What is taken, for GET /v1/model."""
    return {
        "formats": list(FORMATS),
        "max_pixels": limits.max_pixels,
        "min_side": limits.min_side,
        "max_side": limits.max_side,
        "max_aspect": limits.max_aspect,
        "frame": "upright",
        "depth": "8 bits a channel, or 16-bit grey, which becomes round(v · 255 / 65535)",
    }
