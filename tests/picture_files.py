"""Pictures as the bytes of files; some of them byte by byte, because Pillow cannot write them."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from defectseg.data.picture import decode_picture

LITTLE, BIG = "<", ">"
RAMP = Image.fromarray(np.arange(0, 240, 5, dtype=np.uint8).reshape(6, 8))


def encode(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def grey_of(content: bytes) -> npt.NDArray[np.uint8]:
    return decode_picture(content, 1)[:, :, 0]


def write_deep_png(values: npt.NDArray[np.uint16]) -> bytes:
    """A PNG of values (H, W, 3) in 0..65535."""
    height, width, _ = values.shape
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    content = b"\x89PNG\r\n\x1a\n"
    for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")):
        content += struct.pack(">I", len(data)) + kind + data
        content += struct.pack(">I", zlib.crc32(kind + data))
    return content


def write_tiff(
    values: npt.NDArray[np.uint16],
    order: str = LITTLE,
    black_is_zero: bool = True,
    is_planar: bool = False,
    bits: int = 16,
) -> bytes:
    """A TIFF of values (H, W) or (H, W, 3) in 0..65535, not compressed."""
    height, width = values.shape[:2]
    bands = 1 if values.ndim == 2 else 3
    planes = np.moveaxis(values, -1, 0) if is_planar else values[None]
    strips = [
        pack_bits(plane, bits) if bits != 16 else plane.astype(f"{order}u2").tobytes()
        for plane in planes
    ]
    start = 8  # of the strips; the tags follow them
    offsets = [start + sum(map(len, strips[:k])) for k in range(len(strips))]
    numbers = {256: [width], 257: [height], 258: [bits] * bands, 259: [1]}
    numbers |= {262: [2 if bands == 3 else int(black_is_zero)], 273: offsets, 277: [bands]}
    numbers |= {278: [height], 279: [len(strip) for strip in strips], 284: [1 + is_planar]}
    directory = start + sum(map(len, strips))
    beyond = directory + 2 + 12 * len(numbers) + 4  # where values lie that do not fit into a tag
    tags, rest = struct.pack(f"{order}H", len(numbers)), b""
    for tag, found in numbers.items():
        data = struct.pack(f"{order}{len(found)}I", *found)
        tags += struct.pack(f"{order}HHI", tag, 4, len(found))
        tags += data if len(data) == 4 else struct.pack(f"{order}I", beyond + len(rest))
        rest += b"" if len(data) == 4 else data
    magic = b"II*\0" if order == LITTLE else b"MM\0*"
    head = magic + struct.pack(f"{order}I", directory)
    return head + b"".join(strips) + tags + struct.pack(f"{order}I", 0) + rest


def pack_bits(values: npt.NDArray[np.uint16], bits: int) -> bytes:
    """Values (H, W) with so many bits each, every row on a whole byte."""
    wide = (values[..., None] >> np.arange(bits - 1, -1, -1)) & 1
    return np.packbits(wide.reshape(len(values), -1).astype(np.uint8), axis=1).tobytes()
