"""A prediction in, its mask as a PNG of class indexes out: 0 background, 1..K in colours."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from defectseg.inference.predictor import Prediction
from defectseg.inference.writers.picture_file import PictureFile
from defectseg.overlay import COLOURS


def draw_mask(
    pixels: npt.NDArray[np.uint8], prediction: Prediction, classes: Sequence[str]
) -> Image.Image:
    """The mask (H, W) in 0..K; a person sees the colours of an overlay, a program the indexes."""
    return to_palette(prediction.mask, len(classes))


def to_palette(mask: npt.NDArray[np.uint8], classes: int) -> Image.Image:
    """Class indexes (H, W) in 0..K as a picture that shows their colours and keeps their values."""
    image = Image.fromarray(mask)
    colours = [int(value) for k in range(classes) for value in COLOURS[k % len(COLOURS)]]
    image.putpalette([0, 0, 0, *colours])
    return image


MASK_FILE = PictureFile("masks", "PNG", ".png", (("compress_level", 1),), draw_mask)
