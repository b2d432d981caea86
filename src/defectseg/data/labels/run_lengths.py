"""Run lengths as COCO writes them in, pixels out, and back.

Run lengths are R counts that sum up to H · W: how many pixels are not drawn, drawn, not drawn, …,
down the columns from left to right. A file holds them as a list or as a text, which pycocotools
writes; it reads beyond the end of a text that is damaged, so it never sees one from outside.
Shapes: H rows, W columns.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco_mask
from scipy import ndimage

from defectseg.errors import DataError

BITS = 5  # of a number that one character of a text holds
MAX_CHARACTERS = 7  # of one number: 35 bits
FEW = 16  # a picture is drawn pixel by pixel where less than 1 in so many are drawn

Counts = npt.NDArray[np.int64]


def decode_rle(
    counts: str | Sequence[int] | Counts, size: tuple[int, int]
) -> npt.NDArray[np.bool_]:
    """Decode run lengths, a text or a list, to pixels (H, W).

    Args:
        size: Width and height of the picture, px.

    Raises:
        DataError: They are damaged, or not those of a picture of this size.
    """
    return fill_runs(read_counts(counts, size), size)


def encode_rle(region: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """Encode pixels (H, W) as {"size": [H, W], "counts": text}."""
    return _to_text(coco_mask.encode(np.asfortranarray(region, dtype=np.uint8)))


def encode_parts(region: npt.NDArray[np.bool_]) -> Iterator[dict[str, Any]]:
    """Encode each 8-connected part of a region (H, W) by itself, see `encode_rle`.

    The cost grows with the size of the picture and the number of runs, not with that of parts.
    """
    height, width = region.shape
    parts, _ = ndimage.label(region, structure=np.ones((3, 3), dtype=np.int8))
    flat = parts.ravel(order="F")
    starts = np.flatnonzero(np.diff(flat, prepend=-1))
    ends = np.append(starts[1:], flat.size)
    part_of = flat[starts]
    order = np.argsort(part_of, kind="stable")  # of one part, down the columns
    first = np.searchsorted(part_of[order], np.arange(1, int(part_of.max(initial=0)) + 2))
    for begin, end in pairwise(first.tolist()):
        runs = order[begin:end]
        borders = np.stack([starts[runs], ends[runs]], axis=1).ravel()
        rest = [flat.size] if borders[-1] < flat.size else []  # a run of 0 pixels is not written
        counts = np.diff(borders, prepend=0, append=rest)
        plain = {"size": [height, width], "counts": counts.tolist()}
        yield _to_text(coco_mask.frPyObjects(plain, height, width))


def read_counts(counts: str | Sequence[int] | Counts, size: tuple[int, int]) -> Counts:
    """Check run lengths from outside.

    Raises:
        DataError: See `decode_rle`.
    """
    if isinstance(counts, str):
        found = decode_text(counts.encode(errors="surrogatepass"))
    else:
        found = to_counts(counts)
    pixels = size[0] * size[1]
    if found.ndim != 1 or (found < 0).any() or (found > pixels).any() or found.sum() != pixels:
        raise DataError(
            f"its run lengths are not those of a picture of {size[0]}×{size[1]}: expected counts "
            f"of 0 or more that sum up to {pixels}"
        )
    return found


def to_counts(numbers: Sequence[int] | Counts) -> Counts:
    """A list of run lengths in a quarter of its memory.

    Raises:
        DataError: A number is too large for any picture.
    """
    try:
        return np.asarray(numbers, dtype=np.int64)
    except (OverflowError, TypeError, ValueError) as error:
        raise DataError(f"its run lengths are no whole numbers: {error}") from error


def decode_text(text: bytes) -> Counts:
    """The numbers of a text: 5 bits a character, low bits first; from the fourth on differences.

    Raises:
        DataError: The text is damaged.
    """
    values = np.frombuffer(text, dtype=np.uint8).astype(np.int64) - 48
    if ((values < 0) | (values > 63)).any():
        raise DataError("its run lengths have characters that pycocotools never writes")
    is_last = values & 32 == 0
    ends = np.flatnonzero(is_last) + 1
    if values.size and not is_last[-1]:
        raise DataError("its run lengths are cut off")
    starts = np.append(0, ends[:-1])[: len(ends)]
    if (ends - starts).max(initial=0) > MAX_CHARACTERS:
        raise DataError("its run lengths have a number that is too large for any picture")
    if not values.size:
        return np.empty(0, dtype=np.int64)
    place = np.arange(values.size) - np.repeat(starts, ends - starts)
    numbers = np.add.reduceat((values & 31) << (BITS * place), starts)
    numbers -= np.where(values[ends - 1] & 16, 1 << (BITS * (ends - starts)), 0)
    for parity in (1, 2):  # a count differs from the last one of its kind; the first has none
        numbers[parity::2] = np.cumsum(numbers[parity::2])
    return numbers


def fill_runs(counts: Counts, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """The pixels (H, W) of checked run lengths."""
    return np.repeat(np.arange(counts.size) % 2 == 1, counts).reshape(size).T


def paint_runs(mask: npt.NDArray[np.uint8], counts: Counts, value: int) -> None:
    """Set the pixels of checked run lengths in a mask (W, H), which is turned on its side.

    The cost of a small region does not grow with the size of the picture.
    """
    flat = mask.reshape(-1)
    lengths = counts[1::2]
    drawn = int(lengths.sum())
    if drawn * FEW > flat.size:
        flat[np.repeat(np.arange(counts.size) % 2 == 1, counts)] = value
        return
    starts = np.cumsum(counts)[0::2][: lengths.size]
    before = np.cumsum(lengths) - lengths  # pixels of the runs before each run
    flat[np.repeat(starts - before, lengths) + np.arange(drawn)] = value


def _to_text(rle: Mapping[str, Any]) -> dict[str, Any]:
    height, width = rle["size"]
    return {"size": [int(height), int(width)], "counts": rle["counts"].decode("ascii")}
