"""One picture with its mask, on its way to a labelling tool."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from defectseg.data.layouts.layout import Batch

Shapes = Literal["masks", "polygons"]  # masks lose no pixel; polygons are what some tools can edit


@dataclass(frozen=True)
class ExportItem:
    """A picture and what somebody, or a model, says about it."""

    id: str  # unique, see `Tile.id`
    picture: Path  # the file to copy, upright, 8 bit
    mask: npt.NDArray[np.uint8]  # (H, W) in 0..K, of the picture's size
    batch: Batch  # who, when, with what
    score: float | None = None  # 0..1 of a prediction; None: these are labels, not a prediction
