"""Scored pictures drawn by hand, as `score_part` makes them, without a model or a file."""

from dataclasses import replace

from conftest import mask
from defectseg.confusion import count_pixels
from defectseg.data.tile import CLEAN, Tile
from defectseg.evaluation.found import count_found
from defectseg.evaluation.scored import ScoredPicture, touches_border
from defectseg.inference.operating_point import Verdict
from tiny import CLASSES, tile


def scored(
    true: str,
    pred: str,
    score: float = 0.0,
    surface: str = "",
    kind: str = "crack",
    verdict: Verdict | None = None,
    brightness: float = 128.0,
) -> ScoredPicture:
    """A picture with drawn masks; clean if nothing is drawn.

    Args:
        kind: The defect class of its tile, whatever is drawn.
        verdict: None: reject if the prediction has a pixel, else accept.
    """
    true_mask, pred_mask = mask(true), mask(pred)
    found = pred_mask[pred_mask > 0]
    return ScoredPicture(
        tile=drawn_tile(true, kind, surface, f"{true}-{pred}-{score}"),
        confusion=count_pixels(pred_mask, true_mask, len(CLASSES)),
        score=score,
        verdict=verdict or ("reject" if len(found) else "accept"),
        said=CLASSES[found[0] - 1] if len(found) else CLEAN,
        found=count_found(pred_mask, true_mask),
        brightness=brightness,
        at_border=touches_border(true_mask),
    )


def drawn_tile(true: str, kind: str, surface: str = "", tile_id: str = "t") -> Tile:
    """The row of a manifest for a drawn mask; its own surface unless one is given."""
    true_mask = mask(true)
    defect_px = int((true_mask > 0).sum())
    row = tile(tile_id, kind if defect_px else CLEAN, surface)
    height, width = true_mask.shape
    return replace(row, width=width, height=height, defect_px=defect_px)
