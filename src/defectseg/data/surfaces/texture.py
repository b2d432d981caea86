"""A picture in, its texture out: what stays the same whatever the exposure, and can be compared.

Each picture is reduced by one factor for the whole set, so that scale is kept, then high-passed and
normalised by its local contrast. Row and column means are taken off, else the straight edges that
all tiles share would count as likeness.
H rows, W columns of a picture; F the reduction factor; h, w rows and columns of a texture.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Float = npt.NDArray[np.float32]
SIDE = 100  # pixels: the side of the square with as many pixels as a reduced picture
LONGEST = 256  # pixels: the longest side of a texture; of a longer one the middle is kept


@dataclass(frozen=True)
class Texture:
    """The texture of one picture, and where in the picture it lies."""

    values: Float  # (h, w) in -4..4, in units of the local contrast
    brightness: float  # mean grey of the picture, 0..255
    before: tuple[int, int]  # px of the picture above and left of the texture
    after: tuple[int, int]  # px of the picture below and right of the texture


def choose_factor(sizes: Sequence[tuple[int, int]]) -> int:
    """The one F that brings pictures of these sizes (width, height) to about SIDE px a side."""
    area = float(np.median([width * height for width, height in sizes])) if sizes else 1.0
    return max(1, int(area**0.5 / SIDE + 0.5))


def choose_longest(sizes: Sequence[tuple[int, int]], factor: int) -> int:
    """The longest side that a texture of pictures of these sizes (width, height) has: px."""
    return min(LONGEST, max((max(size) // factor for size in sizes), default=1))


def take_texture(picture: npt.NDArray[np.uint8], factor: int, longest: int) -> Texture:
    """The texture of a picture (H, W, C) in 0..255; of more than `longest` px a side the middle."""
    grey = picture.mean(axis=2, dtype=np.float32)
    factor = min(factor, *grey.shape)
    values = to_texture(reduce_picture(grey, factor))
    top, left = (max(0, length - longest) // 2 for length in values.shape)
    values = values[top : top + longest, left : left + longest]
    before = (top * factor, left * factor)
    after = [
        whole - start - factor * kept
        for whole, start, kept in zip(grey.shape, before, values.shape, strict=True)
    ]
    return Texture(values, float(grey.mean(dtype=np.float64)), before, (after[0], after[1]))


def reduce_picture(grey: Float, factor: int) -> Float:
    """Average blocks of F × F pixels: (H, W) → (H // F, W // F); F is `factor`, at most H and W."""
    rows, columns = grey.shape[0] // factor, grey.shape[1] // factor
    blocks = grey[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor)
    return np.asarray(blocks.mean(axis=(1, 3)), dtype=np.float32)


def to_texture(grey: Float) -> Float:
    """High-passed grey over its local contrast, without row and column means: (h, w) in -4..4."""
    detail = grey - ndimage.gaussian_filter(grey, 3, mode="nearest")
    contrast = np.sqrt(ndimage.gaussian_filter(detail * detail, 6, mode="nearest"))
    texture = np.clip(detail / (contrast + 1.0), -3, 3)
    texture -= texture.mean(axis=0, keepdims=True)
    texture -= texture.mean(axis=1, keepdims=True)
    return np.asarray(np.clip(texture, -4, 4), dtype=np.float32)
