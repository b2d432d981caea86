"""A tile in, a small picture with its defects outlined out, as text that a page can hold.

Shapes: H rows, W columns, h and w those of the thumbnail.
"""

import base64
import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageColor
from scipy import ndimage

from defectseg.data.tile import Tile, TileSet
from defectseg.overlay import COLOURS

SIDE = 160  # px: the longer side
QUALITY = 72  # of the JPEG
AROUND = np.ones((3, 3), dtype=bool)


@dataclass(frozen=True)
class Thumbnail:
    """One picture of a page."""

    name: str  # id of the tile
    uri: str  # data:image/jpeg;base64,…; "" where the page has enough of them
    width: int  # px
    height: int  # px
    alt: str  # what it shows, for whoever cannot see it


class Thumbnails:
    """Draws the tiles of one set, up to a number, so that a page stays small."""

    def __init__(self, tiles: TileSet, most: int) -> None:
        self._set = tiles
        self._tiles = {tile.id: tile for tile in tiles.tiles}
        self._left = most
        self._drawn: dict[str, Thumbnail] = {}

    def draw(self, name: str) -> Thumbnail:
        """The thumbnail of a tile by its id; of an unknown one, or one too many, the name only."""
        tile = self._tiles.get(name)
        if tile is None or self._left == 0:
            return Thumbnail(name, "", 0, 0, "")
        self._left -= 1
        if name not in self._drawn:
            self._drawn[name] = self._draw(tile)
        return self._drawn[name]

    def _draw(self, tile: Tile) -> Thumbnail:
        small = outline(self._set.picture(tile, channels=3), self._set.mask(tile))
        buffer = io.BytesIO()
        Image.fromarray(small).save(buffer, "JPEG", quality=QUALITY)
        code = base64.b64encode(buffer.getvalue()).decode()
        shown = f"{tile.defect_class}, {tile.defect_px} px of defect outlined"
        alt = f"{tile.id}: {shown if tile.defect_px else tile.defect_class}"
        uri = f"data:image/jpeg;base64,{code}"
        return Thumbnail(tile.id, uri, small.shape[1], small.shape[0], alt)


def outline(picture: npt.NDArray[np.uint8], mask: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Shrink a picture (H, W, 3) and draw a line around the defects of its mask (H, W) in 0..K.

    Returns:
        (h, w, 3) in 0..255, at most `SIDE` a side. The line lies outside, in the colour of the
        class, and a defect keeps at least one pixel however small it is.
    """
    scale = min(1.0, SIDE / max(mask.shape))
    height, width = (max(1, round(size * scale)) for size in mask.shape)
    image = Image.fromarray(np.ascontiguousarray(picture)).resize(
        (width, height), Image.Resampling.BOX
    )
    drawn = np.array(image)
    for index in np.unique(mask[mask > 0]):
        inside = _shrink(mask == index, width, height)
        line = ndimage.binary_dilation(inside, AROUND) & ~inside
        drawn[line] = ImageColor.getrgb(colour_of(int(index)))
    return drawn


def colour_of(index: int) -> str:
    """The colour of the line around a class 1..K, such as `#e69f00`."""
    return "#{:02x}{:02x}{:02x}".format(*COLOURS[(index - 1) % len(COLOURS)])


def _shrink(inside: npt.NDArray[np.bool_], width: int, height: int) -> npt.NDArray[np.bool_]:
    """(H, W) → (h, w): true where any pixel is."""
    rows, columns = (
        np.arange(size) * full // size
        for size, full in zip((height, width), inside.shape, strict=True)
    )
    return np.logical_or.reduceat(np.logical_or.reduceat(inside, rows, axis=0), columns, axis=1)
