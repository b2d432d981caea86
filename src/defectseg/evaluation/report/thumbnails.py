"""Panels of a gallery in, small pictures as text out that a page can hold without growing large.

Shapes: H rows, W columns, h and w those of the thumbnail, K defect classes.
"""

import base64
import io
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from defectseg.evaluation.gallery import Panel
from defectseg.overlay import COLOURS, overlay, to_rgb

SIDES = (320, 240, 180, 130)  # px of the longer side: the first that fits into the budget
BUDGET = 4_000_000  # characters of all pictures of a page
QUALITY = 75  # of the JPEG
VIEWS = ("picture", "truth", "prediction")


@dataclass(frozen=True)
class Thumbnail:
    """One small picture."""

    view: str  # one of VIEWS
    uri: str  # data:image/jpeg;base64,…
    width: int  # px
    height: int  # px
    alt: str  # what it shows, for whoever cannot see it


@dataclass(frozen=True)
class Shown:
    """One panel as a page shows it."""

    caption: str
    thumbnails: tuple[Thumbnail, ...]  # one for each of VIEWS


def draw_galleries(
    galleries: Mapping[str, Sequence[Panel]], classes: Sequence[str]
) -> dict[str, list[Shown]]:
    """Draw all panels at the largest of SIDES whose pictures stay within BUDGET together."""
    for side in SIDES[:-1]:
        with suppress(_TooLargeError):
            return _draw(galleries, classes, side, BUDGET)
    return _draw(galleries, classes, SIDES[-1], most=sys.maxsize)


def draw_panel(panel: Panel, classes: Sequence[str], side: int) -> Shown:
    """Picture, truth and prediction; the two masks are laid over the picture."""
    height, width = panel.true_mask.shape
    scale = min(1.0, side / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    rgb = Image.fromarray(np.ascontiguousarray(to_rgb(panel.picture)))
    small = np.asarray(rgb.resize(size, Image.Resampling.BOX))
    thumbnails = [_encode(small, "picture", f"{panel.caption}: picture")]
    for view, mask in zip(VIEWS[1:], (panel.true_mask, panel.pred_mask), strict=True):
        tinted = mark_defects(small, shrink_mask(mask, *size))
        alt = f"{panel.caption}: {view}: {_name_classes(mask, classes)}"
        thumbnails.append(_encode(tinted, view, alt))
    return Shown(panel.caption, tuple(thumbnails))


def shrink_mask(mask: npt.NDArray[np.uint8], width: int, height: int) -> npt.NDArray[np.uint8]:
    """(H, W) in 0..K → (h, w): no defect vanishes however small; of two classes the higher wins."""
    rows, columns = (
        np.arange(size) * full // size
        for size, full in zip((height, width), mask.shape, strict=True)
    )
    shrunk: npt.NDArray[np.uint8] = np.maximum.reduceat(
        np.maximum.reduceat(mask, rows, axis=0), columns, axis=1
    )
    return shrunk


def mark_defects(
    picture: npt.NDArray[np.uint8], mask: npt.NDArray[np.uint8]
) -> npt.NDArray[np.uint8]:
    """Tint the defects and draw a line around them: (h, w, 3) and (h, w) → (h, w, 3).

    A defect of one pixel would be lost to the eye without the line.
    """
    tinted = overlay(picture, mask)
    around = ndimage.grey_dilation(mask, size=(3, 3))
    line = (around > 0) & (mask == 0)
    tinted[line] = COLOURS[(around[line].astype(int) - 1) % len(COLOURS)]
    return tinted


def colour_of(index: int) -> str:
    """The colour that a class 1..K is tinted with, such as `#e69f00`."""
    return "#{:02x}{:02x}{:02x}".format(*COLOURS[(index - 1) % len(COLOURS)])


def _encode(rgb: npt.NDArray[np.uint8], view: str, alt: str) -> Thumbnail:
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=QUALITY)
    uri = f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    return Thumbnail(view, uri, rgb.shape[1], rgb.shape[0], alt)


def _name_classes(mask: npt.NDArray[np.uint8], classes: Sequence[str]) -> str:
    present = [classes[index - 1] for index in np.unique(mask[mask > 0])]
    return ", ".join(present) or "no defect"


class _TooLargeError(Exception):
    """The pictures do not stay within the budget."""


def _draw(
    galleries: Mapping[str, Sequence[Panel]], classes: Sequence[str], side: int, most: int
) -> dict[str, list[Shown]]:
    """Raises: _TooLargeError: The pictures have more than `most` characters; stops at once."""
    drawn: dict[str, list[Shown]] = {name: [] for name in galleries}
    for name, panels in galleries.items():
        for panel in panels:
            shown = draw_panel(panel, classes, side)
            most -= sum(len(thumbnail.uri) for thumbnail in shown.thumbnails)
            if most < 0:
                raise _TooLargeError
            drawn[name].append(shown)
    return drawn
