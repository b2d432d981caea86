"""Hostile bytes in, a failure out where decoding them would cost far more than their size says.

Each limit is far above what cameras and editors write. Found by trying: a JPEG of 30 000 scans
(1 MB) keeps a decoder busy for minutes, one of 4-byte segments or a PNG of empty chunks for seconds
a megabyte, a TIFF of 249 kB allocates a tile of 256 MB, and run lengths of BMP are read in Python.
"""

import io
import re
import struct

from PIL import Image
from PIL.TiffImagePlugin import TILELENGTH, TILEWIDTH, TiffImageFile

from defectseg.data.picture import DAMAGED
from defectseg.data.pillow_warnings import WARNINGS
from defectseg.service.codes import Failure

MAX_SCANS = 100  # of a JPEG: a progressive one has about ten
MAX_SEGMENTS = 2000  # of a JPEG: a colour profile has up to 255
MAX_CHUNKS = 20_000  # of a PNG: pixels are written in pieces of 8 KiB and more
USUAL_TILE = 1024 * 1024  # pixels of a TIFF's tile that may be larger than the picture
JPEG, PNG, BMP, TIFF = b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"BM", (b"II", b"MM")
MARKER = re.compile(rb"\xff+([^\x00\x01\xff\xd0-\xd7])")  # of a JPEG, those with a length and EOI
START_OF_SCAN, END_OF_IMAGE = b"\xda", b"\xd9"
RUN_LENGTHS = {1, 2}  # compressions of a BMP


def refuse_costly(content: bytes) -> None:
    """Raises: Failure: Decoding it would take a decoder too long, or too much memory."""
    if content.startswith(JPEG):
        refuse_scans(content)
    elif content.startswith(PNG):
        refuse_chunks(content)
    elif content.startswith(BMP):
        refuse_run_lengths(content)
    elif content.startswith(TIFF):
        refuse_tiles(content)


def refuse_scans(jpeg: bytes) -> None:
    """Raises: Failure: It has too many segments or scans."""
    place, scans = len(JPEG), 0
    for _ in range(MAX_SEGMENTS):
        marker = MARKER.search(jpeg, place)
        if marker is None or marker[1] == END_OF_IMAGE or marker.end() + 2 > len(jpeg):
            return
        scans += marker[1] == START_OF_SCAN
        if scans > MAX_SCANS:
            raise Failure("IMAGE_CORRUPT", f"the JPEG has more than {MAX_SCANS} scans")
        place = marker.end() + struct.unpack_from(">H", jpeg, marker.end())[0]
    raise Failure("IMAGE_CORRUPT", f"the JPEG has more than {MAX_SEGMENTS} segments")


def refuse_chunks(png: bytes) -> None:
    """Raises: Failure: It has too many chunks."""
    place = len(PNG)
    for _ in range(MAX_CHUNKS):
        if place + 8 > len(png):
            return
        place += 12 + struct.unpack_from(">I", png, place)[0]
    raise Failure("IMAGE_CORRUPT", f"the PNG has more than {MAX_CHUNKS} chunks")


def refuse_run_lengths(bmp: bytes) -> None:
    """Raises: Failure: Its pixels are stored as run lengths."""
    if len(bmp) >= 34 and struct.unpack_from("<I", bmp, 30)[0] in RUN_LENGTHS:
        raise Failure("UNSUPPORTED_IMAGE", "the BMP is compressed; save it without compression")


def refuse_tiles(tiff: bytes) -> None:
    """Raises: Failure: Its tiles are far larger than it: a decoder allocates a whole one."""
    try:
        with WARNINGS, Image.open(io.BytesIO(tiff), formats=("TIFF",)) as image:
            tags = image.tag_v2 if isinstance(image, TiffImageFile) else {}
            tile = int(tags.get(TILEWIDTH, 0)) * int(tags.get(TILELENGTH, 0))
            pixels = image.width * image.height
    except (*DAMAGED, Image.DecompressionBombError):
        return  # the decoder says why
    if tile > max(pixels, USUAL_TILE):
        raise Failure("IMAGE_CORRUPT", "the tiles of the TIFF are larger than the picture")
