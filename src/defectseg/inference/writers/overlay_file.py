"""A prediction in, a picture out that a person looks at: defects tinted and named, and the verdict.

Below the picture a strip has the verdict, so that nothing of the surface is covered by it.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from defectseg.inference.defects import Defect
from defectseg.inference.operating_point import Verdict
from defectseg.inference.predictor import Prediction
from defectseg.inference.writers.picture_file import PictureFile
from defectseg.overlay import COLOURS, to_rgb

TINT = 0.45  # of the class's colour; the rest is the picture
SMALLEST_TEXT, PICTURE_HEIGHTS = 12, 45  # px; a text is a 45th of the picture, at least 12 px
GAP = "   "  # between the parts of the strip
MARGIN = 3  # px between a box and its defect
BADGES: dict[Verdict, tuple[int, int, int]] = {  # told apart by the colour-blind, and by the word
    "accept": (0, 114, 178),
    "review": (178, 120, 0),
    "reject": (176, 40, 0),
}
WORDS: dict[Verdict, str] = {"accept": "ACCEPT", "review": "REVIEW", "reject": "REJECT"}
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
Colour = tuple[int, int, int]


def draw_overlay(
    pixels: npt.NDArray[np.uint8], prediction: Prediction, classes: Sequence[str]
) -> Image.Image:
    """Draw a picture (H, W, C) with its defects: (H + strip, W) in RGB."""
    image = Image.fromarray(tint(pixels, prediction.mask))
    size = max(SMALLEST_TEXT, max(image.size) // PICTURE_HEIGHTS)
    font = ImageFont.load_default(size)
    draw = ImageDraw.Draw(image)
    for defect in reversed(prediction.defects):  # the surest above the others
        colour = colour_of(1 + classes.index(defect.defect_class))
        _draw_box(draw, defect, colour, font, size)
    strip = size + 2 * MARGIN + 2
    sheet = Image.new("RGB", (image.width, image.height + strip), BADGES[prediction.verdict])
    sheet.paste(image, (0, 0))
    text = _fit(describe(prediction), image.width - 4 * MARGIN, font)
    middle = image.height + strip / 2
    ImageDraw.Draw(sheet).text((2 * MARGIN, middle), text, "white", font, anchor="lm")
    return sheet


def tint(pixels: npt.NDArray[np.uint8], mask: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Mix the colours of the classes into the defects and draw their edges: (H, W, 3)."""
    rgb = np.array(to_rgb(pixels))
    rows, columns = np.nonzero(mask)
    if not rows.size:
        return rgb
    colours = COLOURS[(mask[rows, columns].astype(int) - 1) % len(COLOURS)]
    inside = (1 - TINT) * rgb[rows, columns] + TINT * colours
    is_edge = find_edges(mask)[rows, columns]
    rgb[rows, columns] = np.where(is_edge[:, None], colours, inside).round().astype(np.uint8)
    return rgb


def find_edges(mask: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """The pixels of a mask (H, W) that have another value to a side of them, or the border."""
    around = np.pad(mask, 1)
    sides = (around[:-2, 1:-1], around[2:, 1:-1], around[1:-1, :-2], around[1:-1, 2:])
    edges = np.zeros(mask.shape, dtype=bool)
    for side in sides:
        edges |= side != mask
    return edges & (mask > 0)


def describe(prediction: Prediction) -> list[str]:
    """What the strip says: the verdict, the highest score and how many defects."""
    count = len(prediction.defects)
    if not count:
        return [WORDS[prediction.verdict]]
    noun = "defect" if count == 1 else "defects"
    return [WORDS[prediction.verdict], f"{prediction.score:.2f}", f"{count} {noun}"]


def colour_of(k: int) -> Colour:
    """The colour that the pixels of class k, 1..K, are tinted with."""
    red, green, blue = COLOURS[(k - 1) % len(COLOURS)].tolist()
    return red, green, blue


def _draw_box(
    draw: ImageDraw.ImageDraw, defect: Defect, colour: Colour, font: Font, size: int
) -> None:
    """A box around a defect with its class and score above, or below where there is no room."""
    x1, y1, x2, y2 = defect.box
    width, height = draw.im.size
    box = (
        max(0, x1 - MARGIN),
        max(0, y1 - MARGIN),
        min(width, x2 + MARGIN) - 1,
        min(height, y2 + MARGIN) - 1,
    )
    draw.rectangle(box, outline=colour, width=max(1, size // 10))
    text = f"{defect.defect_class} {defect.score:.2f}"
    long, tall = round(draw.textlength(text, font)) + 2 * MARGIN, size + MARGIN
    left = max(0, min(box[0], width - long))
    top = box[1] - tall if box[1] >= tall else min(box[3] + 1, height - tall)
    draw.rectangle((left, top, left + long - 1, top + tall - 1), fill=colour)
    draw.text((left + MARGIN, top + tall / 2), text, "black", font, anchor="lm")


def _fit(parts: list[str], width: int, font: Font) -> str:
    """As many parts as fit; the first always."""
    while len(parts) > 1 and font.getlength(GAP.join(parts)) > width:
        parts = parts[:-1]
    return GAP.join(parts)


OVERLAY_FILE = PictureFile("overlays", "JPEG", ".jpg", (("quality", 90),), draw_overlay)
