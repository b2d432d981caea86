"""Bytes of a picture in, the sides that its header names out: decoders open none without a pixel.

Asked before a decoder is, and where it has refused a picture, to tell why.
"""

import struct
from collections.abc import Callable

Sides = tuple[int, int]  # width and height, px, as stored
WIDTH, HEIGHT = 256, 257  # tags of a TIFF
FRAMES_OF_JPEG = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})  # SOF markers


def read_sides(content: bytes) -> Sides | None:
    """What the header says; None where it cannot be read."""
    for magic, read in READERS.items():
        if content.startswith(magic):
            try:
                return read(content)
            except (struct.error, IndexError):  # it ends too early
                return None
    return None


def of_png(content: bytes) -> Sides | None:
    """The chunk IHDR is always the first."""
    width, height = struct.unpack_from(">II", content, 16)
    return (width, height) if content[12:16] == b"IHDR" else None


def of_bmp(content: bytes) -> Sides | None:
    """A header of 12 bytes, by OS/2, has short sides; of the others a height may be negative."""
    is_short = struct.unpack_from("<I", content, 14)[0] == 12
    width, height = struct.unpack_from("<HH" if is_short else "<ii", content, 18)
    return width, abs(height)


def of_jpeg(content: bytes) -> Sides | None:
    """The sides stand in the frame's header, after any number of other segments."""
    place = 2
    while content[place] == 0xFF:
        if content[place + 1] in FRAMES_OF_JPEG:
            height, width = struct.unpack_from(">HH", content, place + 5)
            return width, height
        place += 2 + max(struct.unpack_from(">H", content, place + 2)[0], 2)
    return None


def of_tiff(content: bytes) -> Sides | None:
    """Two tags of the first directory."""
    order = "<" if content.startswith(b"II") else ">"
    place = struct.unpack_from(f"{order}I", content, 4)[0]
    found: dict[int, int] = {}
    for n in range(struct.unpack_from(f"{order}H", content, place)[0]):
        tag, kind = struct.unpack_from(f"{order}HH", content, place + 2 + 12 * n)
        if tag in {WIDTH, HEIGHT}:
            form = "H" if kind == 3 else "I"
            found[tag] = struct.unpack_from(f"{order}{form}", content, place + 10 + 12 * n)[0]
    return (found[WIDTH], found[HEIGHT]) if len(found) == 2 else None


def of_webp(content: bytes) -> Sides | None:
    """Only the lossy kind can say 0: the others store a side less one."""
    width, height = struct.unpack_from("<HH", content, 26)
    return (width & 0x3FFF, height & 0x3FFF) if content[8:16] == b"WEBPVP8 " else None


READERS: dict[bytes, Callable[[bytes], Sides | None]] = {
    b"\x89PNG\r\n\x1a\n": of_png,
    b"BM": of_bmp,
    b"\xff\xd8": of_jpeg,
    b"II*\0": of_tiff,
    b"MM\0*": of_tiff,
    b"RIFF": of_webp,
}
