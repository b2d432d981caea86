"""Two pictures of one surface in, the pixels of both that show the same spot out.

The pair already says the flip and a coarse shift; the textures say the rest, to the pixel. Masks
are never asked: they would flatter their own agreement.
H rows, W columns.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

import numpy as np
import numpy.typing as npt
from scipy import fft

from defectseg.data.surfaces.find import Pair
from defectseg.data.surfaces.texture import to_texture

Float = npt.NDArray[np.float32]
Picture = npt.NDArray[np.uint8]
Box = tuple[slice, slice]
Two = tuple[int, int]  # rows, columns
WINDOW = 320  # px: the longest side that is compared, so that a picture of any size costs the same
LEAST_WINDOW = 16  # px: a shorter side has no texture to go by


@dataclass(frozen=True)
class Placement:
    """Where the pixels of one picture lie in another: pixel p is at sign * p + offset."""

    sign: Two  # -1 where the axis is mirrored, else 1
    offset: Two  # px

    @staticmethod
    def of(pair: Pair, second: tuple[int, ...]) -> "Placement":
        """Of the second picture, of shape (H, W), in the first."""
        flips = pair.mirrored
        lost = [size - 1 if flip else 0 for size, flip in zip(second, flips, strict=False)]
        return Placement(
            (-1 if flips[0] else 1, -1 if flips[1] else 1),
            (pair.shift[0] + lost[0], pair.shift[1] + lost[1]),
        )

    def inverse(self) -> "Placement":
        """Where the other picture's pixels lie in this one."""
        (row, column), (rows, columns) = self.sign, self.offset
        return Placement(self.sign, (-row * rows, -column * columns))

    def then(self, outer: "Placement") -> "Placement":
        """Where the pixels lie in a third picture, in which `outer` places the second."""
        (r, c), (rows, columns) = outer.sign, outer.offset
        return Placement(
            (r * self.sign[0], c * self.sign[1]),
            (r * self.offset[0] + rows, c * self.offset[1] + columns),
        )

    def moved(self, by: Two) -> "Placement":
        """The same, some pixels (rows, columns) further."""
        return Placement(self.sign, (self.offset[0] + by[0], self.offset[1] + by[1]))

    def overlap(self, first: tuple[int, ...], second: tuple[int, ...]) -> tuple[Box, Box] | None:
        """The part of two shapes (H, W) that both show; of the second as `mirror` returns it."""
        axes = [self._overlap_axis(axis, first[axis], second[axis]) for axis in (0, 1)]
        if any(one.stop <= one.start for one, _ in axes):
            return None
        return (axes[0][0], axes[1][0]), (axes[0][1], axes[1][1])

    def mirror(self, array: Picture) -> Picture:
        """The second picture or mask (H, W, …) turned as the first one is."""
        return array[:: self.sign[0], :: self.sign[1]]

    def _overlap_axis(self, axis: int, first: int, second: int) -> tuple[slice, slice]:
        shift = self.offset[axis] - (second - 1 if self.sign[axis] < 0 else 0)
        start, stop = max(0, shift), min(first, second + shift)
        return slice(start, stop), slice(start - shift, stop - shift)


def chain(placements: Iterable[Placement]) -> Placement:
    """The placement of the last picture in the first, from that of each in the one before it."""
    return reduce(lambda outer, inner: inner.then(outer), placements, Placement((1, 1), (0, 0)))


def refine(
    first: Picture, second: Picture, coarse: Placement, reach: int, focus: Two | None = None
) -> tuple[Placement, float]:
    """Place the second picture in the first to the pixel, by their textures.

    Args:
        first: (H, W) in 0..255.
        second: (H, W) in 0..255.
        coarse: Where the second lies, but for `reach`.
        reach: Pixels, at most this much either way.
        focus: The pixel of the first that must fit best, such as the middle of a defect: a lens or
            a turned tile does not shift all parts alike. None: the middle of the overlap.

    Returns:
        The placement, and the correlation of both textures there in -1..1 (0: no overlap).
    """
    boxes = coarse.overlap(first.shape, second.shape)
    if boxes is None or min(side.stop - side.start for side in boxes[0]) < LEAST_WINDOW:
        return coarse, 0.0
    one, other = (_window(box, boxes[0], focus) for box in boxes)
    textures = (
        to_texture(_as_float(first[one])),
        to_texture(_as_float(coarse.mirror(second)[other])),
    )
    moved = _best_shift(*textures, reach)
    refined = Placement((1, 1), moved)
    found = refined.overlap(textures[0].shape, textures[1].shape)
    if found is None:
        return coarse, 0.0
    return coarse.moved(moved), correlation(textures[0][found[0]], textures[1][found[1]])


def common_window(
    first: Picture, second: Picture, placement: Placement
) -> tuple[Picture, Picture] | None:
    """The middle of what two pictures (H, W) both show, of one shape; None: they share nothing."""
    boxes = placement.overlap(first.shape, second.shape)
    if boxes is None:
        return None
    one, other = (_window(box, boxes[0], None) for box in boxes)
    return first[one], placement.mirror(second)[other]


def correlation(first: Float, second: Float) -> float:
    """Pearson's, of two arrays of one shape: -1..1, 0 where one of them is flat."""
    one, other = first - first.mean(), second - second.mean()
    scale = float(np.sqrt((one * one).sum() * (other * other).sum()))
    return float((one * other).sum()) / scale if scale > 0 else 0.0


def _as_float(picture: Picture) -> Float:
    return picture.astype(np.float32)


def _window(box: Box, of_first: Box, focus: Two | None) -> Box:
    """At most WINDOW px a side of a box, about the focus; the same part of both pictures' boxes."""
    sides = []
    for axis in (0, 1):
        length = of_first[axis].stop - of_first[axis].start
        middle = focus[axis] - of_first[axis].start if focus else length // 2
        start = min(max(0, middle - WINDOW // 2), max(0, length - WINDOW))
        begin = box[axis].start + start
        sides.append(slice(begin, begin + min(WINDOW, length)))
    return sides[0], sides[1]


def _best_shift(first: Float, second: Float, reach: int) -> Two:
    """The shift (rows, columns) within ± reach at which the half-whitened correlation peaks."""
    reach = min(reach, *(size - 1 for size in first.shape))
    shape = [fft.next_fast_len(size + reach, real=True) for size in first.shape]
    spectrum = fft.rfft2(first, shape) * np.conj(fft.rfft2(second, shape))
    spectrum /= np.sqrt(np.abs(spectrum)) + 1e-3
    near = np.arange(-reach, reach + 1)
    values = fft.irfft2(spectrum, shape)[np.ix_(near, near)]
    row, column = np.unravel_index(int(values.argmax()), values.shape)
    return int(row) - reach, int(column) - reach
