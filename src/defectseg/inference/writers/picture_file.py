"""A prediction in, a picture file out: its mask, or the picture with its defects drawn."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from defectseg.files import replace_atomically
from defectseg.inference.predictor import Prediction

Draw = Callable[[npt.NDArray[np.uint8], Prediction, Sequence[str]], Image.Image]


class DrawingError(Exception):
    """One picture cannot be made a file of this kind."""


@dataclass(frozen=True)
class PictureFile:
    """A kind of file that is made of every picture."""

    folder: str  # below the output folder
    form: str  # as Pillow calls it
    ending: str
    options: tuple[tuple[str, int], ...]  # of Pillow's save
    draw: Draw

    def place(self, output: Path, image_id: str) -> Path:
        """Where the file of a picture lies; the picture's own ending stays, so no two collide."""
        return output / self.folder / f"{image_id}{self.ending}"

    def write(
        self,
        output: Path,
        image_id: str,
        pixels: npt.NDArray[np.uint8],
        prediction: Prediction,
        classes: Sequence[str],
    ) -> None:
        """Draw and write the file, as a whole or not at all.

        Args:
            pixels: The upright picture (H, W, C) in 0..255.
            classes: The K names; mask value k is classes[k - 1].

        Raises:
            DrawingError: This picture cannot be drawn or encoded.
            OSError: It cannot be written.
        """
        content = io.BytesIO()
        try:
            image = self.draw(pixels, prediction, classes)
            image.save(content, self.form, **dict(self.options))
        except (OSError, ValueError, MemoryError) as error:  # such as more pixels than JPEG has
            height, width = pixels.shape[:2]
            said = f"no {self.form} file can be made of {width}×{height} px: {error}"
            raise DrawingError(said) from error
        with replace_atomically(self.place(output, image_id)) as staging:
            staging.write_bytes(content.getbuffer())
