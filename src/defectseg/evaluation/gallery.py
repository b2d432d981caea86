"""Pictures with their true and predicted masks in, one PNG out that a person looks at."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from defectseg.data.tile import TileSet
from defectseg.evaluation.scored import ScoredPicture
from defectseg.files import replace_atomically
from defectseg.inference.engine import Engine
from defectseg.inference.operating_point import OperatingPoint
from defectseg.inference.predictor import predict
from defectseg.overlay import overlay, to_rgb

CELL = 240  # pixels: the longer side of a picture in the gallery
CAPTION = 16  # pixels
GAP = 6  # pixels


@dataclass(frozen=True)
class Panel:
    """One row of the gallery."""

    caption: str
    picture: npt.NDArray[np.uint8]  # (H, W, C) in 0..255
    true_mask: npt.NDArray[np.uint8]  # (H, W) in 0..K
    pred_mask: npt.NDArray[np.uint8]  # (H, W) in 0..K


def write_gallery(path: Path, panels: Sequence[Panel], columns: int = 2) -> None:
    """Draw the panels: picture, truth laid over it, prediction laid over it."""
    drawn = [draw_panel(panel) for panel in panels]
    rows = [drawn[start : start + columns] for start in range(0, len(drawn), columns)]
    heights = [max(image.height for image in row) for row in rows]
    width = columns * (3 * (CELL + GAP) + GAP)
    sheet = Image.new("RGB", (width, max(1, sum(heights) + GAP * len(rows))), "white")
    top = 0
    for row, height in zip(rows, heights, strict=True):
        for column, image in enumerate(row):
            sheet.paste(image, (column * (width // columns), top))
        top += height + GAP
    with replace_atomically(path) as staging:
        sheet.save(staging, "PNG", optimize=True)


def draw_panel(panel: Panel) -> Image.Image:
    """Picture | truth | prediction, with the caption above."""
    overlays = [
        panel.picture,
        overlay(panel.picture, panel.true_mask),
        overlay(panel.picture, panel.pred_mask),
    ]
    cells = [shrink(to_rgb(image)) for image in overlays]
    image = Image.new("RGB", (3 * (CELL + GAP), cells[0].height + CAPTION), "white")
    ImageDraw.Draw(image).text((2, 2), panel.caption, fill="black")
    for index, cell in enumerate(cells):
        image.paste(cell, (index * (CELL + GAP), CAPTION))
    return image


def shrink(rgb: npt.NDArray[np.uint8]) -> Image.Image:
    """Scale the longer side to `CELL`."""
    image = Image.fromarray(np.ascontiguousarray(rgb))
    scale = CELL / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.BILINEAR)


def choose_galleries(
    pictures: Sequence[ScoredPicture],
    engine: Engine,
    point: OperatingPoint,
    part: TileSet,
    channels: int,
    count: int,
) -> dict[str, list[Panel]]:
    """Misses, false alarms, best, median and worst pictures, predicted once more to be drawn.

    Misses are the accepted defect pictures with most defect pixels, false alarms the surest ones;
    best, median and worst are the defect pictures by their own Dice.
    """
    ranked = sorted((p for p in pictures if p.tile.is_defect), key=lambda p: (-p.dice, p.tile.id))
    middle = max(0, (len(ranked) - count) // 2)
    misses = sorted((p for p in pictures if p.escapes), key=lambda p: -p.tile.defect_px)
    alarms = sorted((p for p in pictures if p.is_false_alarm), key=lambda p: -p.score)
    groups = {
        "misses": misses[:count],
        "false alarms": alarms[:count],
        "best": ranked[:count],
        "median": ranked[middle:][:count],
        "worst": ranked[-count:],
    }
    return {
        name: [_panel(name, scored, engine, point, part, channels) for scored in chosen]
        for name, chosen in groups.items()
    }


def _panel(
    group: str,
    scored: ScoredPicture,
    engine: Engine,
    point: OperatingPoint,
    part: TileSet,
    channels: int,
) -> Panel:
    picture = part.picture(scored.tile, channels)
    pred_mask = predict(engine, picture, point).mask
    said = f"{scored.tile.defect_class}, {scored.verdict}"
    dice = "" if np.isnan(scored.dice) else f", Dice {scored.dice:.2f}"
    caption = f"{group}: {scored.tile.id}, {said}{dice}"
    return Panel(caption, picture, part.mask(scored.tile), pred_mask)
