"""A model and a part in, what each of its pictures adds to the scores out."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from defectseg.confusion import Counts, any_defect, count_pixels
from defectseg.data.tile import CLEAN, Tile, TileSet
from defectseg.evaluation.found import Found, count_found
from defectseg.evaluation.picture_score import picture_score
from defectseg.evaluation.pixel_counts import PixelCounts
from defectseg.inference.engine import Engine
from defectseg.inference.operating_point import OperatingPoint, Verdict
from defectseg.inference.predictor import likeliest_kind, predict


@dataclass(frozen=True)
class ScoredPicture:
    """One picture of a part: its counts, not its pixels."""

    tile: Tile
    confusion: Counts  # (1 + K, 1 + K) pixels; the prediction is the mask of the defects
    score: float  # the highest level at which it would be rejected, in [0, 1]
    verdict: Verdict
    said: str  # the class of its surest defect, or CLEAN
    found: Found
    brightness: float  # mean grey, 0..255
    at_border: bool  # a true defect touches the border of the picture

    @property
    def dice(self) -> float:
        """Of any defect against background; NaN when there is none and none was predicted."""
        return float(any_defect(self.confusion).dice)

    @property
    def escapes(self) -> bool:
        """A defect that nobody would look at."""
        return self.tile.is_defect and self.verdict == "accept"

    @property
    def is_false_alarm(self) -> bool:
        """A clean picture that is rejected."""
        return not self.tile.is_defect and self.verdict == "reject"


def score_part(
    engine: Engine, point: OperatingPoint, part: TileSet, channels: int, what: str
) -> tuple[list[ScoredPicture], PixelCounts]:
    """Predict every picture once. `what` names the progress bar."""
    pixels = PixelCounts(len(part.classes))
    pictures = []
    for tile in tqdm(part.tiles, desc=what, unit="picture"):
        picture, true_mask = part.picture(tile, channels), part.mask(tile)
        prediction = predict(engine, picture, point)
        kind = likeliest_kind(prediction.probability)
        pixels.add(prediction.defect, kind, true_mask)
        scored = ScoredPicture(
            tile=tile,
            confusion=count_pixels(prediction.mask, true_mask, len(part.classes)),
            score=picture_score(prediction.defect, kind, point.classes),
            verdict=prediction.verdict,
            said=prediction.defects[0].defect_class if prediction.defects else CLEAN,
            found=count_found(prediction.mask, true_mask),
            brightness=float(picture.mean()),
            at_border=touches_border(true_mask),
        )
        pictures.append(scored)
    return pictures, pixels


def touches_border(mask: npt.NDArray[np.uint8]) -> bool:
    """Whether a mask (H, W) has a defect pixel in its first or last row or column."""
    edges = (mask[0], mask[-1], mask[:, 0], mask[:, -1])
    return any(bool(edge.any()) for edge in edges)
