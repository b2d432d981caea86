"""A brush stroke of Label Studio in, a mask out, and back: RGBA run lengths packed in bits.

The stream: 32 bits the number of values, 5 bits the width of a value less 1, four times 4 bits the
width of a length less 1; then tokens: 1 bit whether it is a run, 2 bits which of the four widths,
the length less 1, and one value (a run) or as many values as the length says. The values are those
of a picture of H rows, W columns and 4 channels, the alpha channel last.

A pixel is labelled where its alpha is above 0: Label Studio colours these pixels on the screen and
counts them when it writes COCO, and some programs write brushes with an alpha of 1.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from defectseg.errors import DataError

CHANNELS = 4
VALUE_BITS = 8
LENGTH_BITS = (3, 4, 8, 16)  # as Label Studio writes them
HEADER_BITS = 32 + 5 + 4 * 4
WINDOW = 5  # bytes that hold a number of 32 bits wherever it starts
BLOCK = 1 << 18  # stored values that are decoded at a time: bounds the memory
LONGEST = 1 << LENGTH_BITS[-1]  # values in one token; a longer run is several

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Tokens:
    """Some consecutive tokens of a stream; each array has T entries."""

    is_run: npt.NDArray[np.bool_]
    length: Ints  # values that the token stands for, ≥ 1
    value_at: Ints  # bit where its first value starts


def decode_brush(stream: bytes, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Draw a stroke: (H, W), True where its alpha is above 0.

    Args:
        stream: `value.rle` of a region, hostile.
        size: Width and height of the picture, px; memory is taken by it and by the stream alone.

    Raises:
        DataError: The stream is damaged or was drawn on a picture of another size.
    """
    width, height = size
    bits, length_bits = _read_header(stream, size)
    region = np.zeros(width * height, dtype=np.bool_)
    content = np.frombuffer(stream + bytes(1), dtype=np.uint8)
    done = 0  # values so far
    for tokens in _read_tokens(stream, CHANNELS * region.size, bits, length_bits):
        stored = np.where(tokens.is_run, 1, tokens.length)  # values that each token holds
        offset = np.arange(stored.sum()) - np.repeat(np.cumsum(stored) - stored, stored)
        at = np.repeat(tokens.value_at, stored) + bits * offset
        lengths = np.repeat(np.where(tokens.is_run, tokens.length, 1), stored)
        ends = done + np.cumsum(lengths)
        pixels = np.diff(ends // CHANNELS, prepend=done // CHANNELS)  # alpha: the last of four
        is_drawn = np.repeat(_read_values(content, at, bits) > 0, pixels)
        region[done // CHANNELS : ends[-1] // CHANNELS] = is_drawn
        done = int(ends[-1])
    return region.reshape(height, width)


def encode_brush(region: npt.NDArray[np.bool_]) -> bytes:
    """The stream of a mask (H, W): 255 in all four channels where it is True, else 0."""
    edges = np.flatnonzero(np.diff(region.ravel(), prepend=False, append=False))
    return encode_runs(edges[::2], edges[1::2], region.size)


def encode_runs(starts: Ints, stops: Ints, pixels: int) -> bytes:
    """The stream of a mask that is given by its runs, row by row.

    Args:
        starts: First pixel of each run, ascending, in 0..pixels - 1.
        stops: Pixel after each run; above its start, at most the next start.
        pixels: H × W.
    """
    edges = np.stack([starts, stops], axis=1).ravel()
    lengths = CHANNELS * np.diff(edges, prepend=0, append=pixels)
    values = np.arange(lengths.size) % 2 * 255
    lengths, values = lengths[lengths > 0], values[lengths > 0]
    widths = np.digitize(lengths, [1 + (1 << bits) for bits in LENGTH_BITS[:-1]])
    pieces = -(-lengths // LONGEST)
    last = np.cumsum(pieces) - 1
    piece = np.full(pieces.sum(), LONGEST)
    piece[last] = lengths - (pieces - 1) * LONGEST
    widths, values = np.repeat(widths, pieces), np.repeat(values, pieces)
    length_bits = np.array(LENGTH_BITS)[widths]
    token = (((4 + widths) << length_bits) | (piece - 1)) << VALUE_BITS | values
    header = (CHANNELS * pixels, VALUE_BITS - 1, *(bits - 1 for bits in LENGTH_BITS))
    return _pack(
        np.concatenate([np.array(header), token]),
        np.concatenate([np.array([32, 5, 4, 4, 4, 4]), 3 + length_bits + VALUE_BITS]),
    )


def _read_header(stream: bytes, size: tuple[int, int]) -> tuple[int, tuple[int, ...]]:
    """The bits of a value, and of the four kinds of length."""
    header = int.from_bytes(stream[:7].ljust(7, b"\0")) >> (56 - HEADER_BITS)
    announced, bits = header >> 21, (header >> 16 & 31) + 1
    total = CHANNELS * size[0] * size[1]
    if announced != total or bits > VALUE_BITS:
        raise DataError(
            f"the brush says that it has {announced} values of {bits} bits; a picture of "
            f"{size[0]}×{size[1]} pixels has {total} of {VALUE_BITS}"
        )
    return bits, tuple((header >> shift & 15) + 1 for shift in (12, 8, 4, 0))


def _read_tokens(
    stream: bytes, total: int, bits: int, length_bits: tuple[int, ...]
) -> Iterator[_Tokens]:
    """The tokens of a stream that stands for `total` values, about `BLOCK` values at a time."""
    end = 8 * len(stream)
    padded = stream + bytes(4)
    at, done, stored = HEADER_BITS, 0, 0
    found: list[tuple[int, int, int]] = []
    while done < total and at < end:
        # 32 bits that hold the token's kind, its width and its length: at most 7 + 3 + 16
        window = int.from_bytes(padded[at >> 3 : (at >> 3) + 4]) << (at & 7)
        width = length_bits[window >> 29 & 3]
        length = (window >> (29 - width) & ((1 << width) - 1)) + 1
        is_run = window >> 31 & 1
        at += 3 + width
        found.append((is_run, length, at))
        count = 1 if is_run else length
        at += bits * count
        done += length
        stored += count
        if stored >= BLOCK and done <= total and at <= end:
            yield _to_tokens(found)
            stored, found = 0, []
    if done != total or at > end:
        raise DataError(
            f"the brush is damaged: its {len(stream)} bytes end or overrun at value {done} "
            f"of {total}"
        )
    if found:
        yield _to_tokens(found)


def _to_tokens(found: list[tuple[int, int, int]]) -> _Tokens:
    is_run, length, value_at = np.array(found, dtype=np.int64).T
    return _Tokens(is_run > 0, length, value_at)


def _read_values(content: npt.NDArray[np.uint8], at: Ints, bits: int) -> Ints:
    """Values of at most 8 bits that start at the given bits."""
    pair = content[at >> 3].astype(np.int64) << 8 | content[(at >> 3) + 1]
    values: Ints = pair >> (16 - bits - (at & 7)) & ((1 << bits) - 1)
    return values


def _pack(numbers: Ints, widths: Ints) -> bytes:
    """Numbers one after the other, each in as many bits as its width says."""
    stop = np.cumsum(widths)
    first = stop - widths
    size = -(-int(stop[-1]) // 8)
    window = numbers << (8 * WINDOW - (first & 7) - widths)
    packed = np.zeros(size + WINDOW, dtype=np.uint8)
    for byte in range(WINDOW):
        part = window >> 8 * (WINDOW - 1 - byte) & 255
        np.bitwise_or.at(packed, (first >> 3) + byte, part.astype(np.uint8))
    return packed[:size].tobytes()
