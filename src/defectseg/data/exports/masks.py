"""Pictures with masks in, images/ and masks/ out, as `layouts.images_masks` reads them.

images/<id>.<any>, its mask masks/<id>.png, and classes.json, which names the mask values 1..K

A mask is a PNG of a palette: its values are class indexes, and a person sees colours. There is no
place in it for who labelled the picture, nor for a prediction's score.
Shapes: H rows, W columns, K defect classes; index 0 is the background.
"""

import io
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from defectseg.data.exports.item import ExportItem, Shapes
from defectseg.data.labels.class_map import MAX_CLASSES
from defectseg.data.labels.label import to_label
from defectseg.data.layouts.pairing import to_id
from defectseg.data.picture import SUFFIXES
from defectseg.data.tile import CLASSES, CLEAN
from defectseg.errors import DataError, LayoutError
from defectseg.files import write_json
from defectseg.overlay import COLOURS


def write_masks(
    folder: Path, classes: Sequence[str], items: Iterable[ExportItem], shapes: Shapes
) -> None:
    """Write a data set into an empty folder, one picture at a time.

    Args:
        classes: K names; mask value k is classes[k - 1].
        shapes: "masks"; there is no other form here.

    Raises:
        DataError: The shapes are polygons, or a class, an id or a mask could not be read back.
    """
    if shapes != "masks":
        raise DataError(f"the format masks holds pixels, not {shapes}; choose shapes masks")
    _check_classes(classes)
    for name in ("images", "masks"):
        (folder / name).mkdir()
    palette = to_palette(len(classes))
    ids: set[str] = set()
    for item in items:
        _check_item(item, len(classes), ids)
        ids.add(item.id.casefold())
        suffix = item.picture.suffix.lower()
        shutil.copyfile(item.picture, folder / "images" / f"{item.id}{suffix}")
        (folder / "masks" / f"{item.id}.png").write_bytes(_encode(item.mask, palette))
    write_json(folder / CLASSES, list(classes))


def to_palette(count: int) -> list[int]:
    """Red, green and blue 0..255 of all 256 indexes: black, K as in an overlay, then black."""
    used = [int(value) for k in range(count) for value in COLOURS[k % len(COLOURS)]]
    return [0, 0, 0, *used, *[0] * (3 * (255 - count))]  # of fewer Pillow would make fewer bits


def _encode(mask: npt.NDArray[np.uint8], palette: list[int]) -> bytes:
    image = Image.fromarray(mask)
    image.putpalette(palette)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _check_classes(classes: Sequence[str]) -> None:
    """Refuse what would come back under another name, or as no class index."""
    wrong = [name for name in classes if not _is_label(name)]
    if wrong or len(set(classes)) < len(classes):
        raise DataError(
            f"classes {wrong or list(classes)} could not be told apart when read back; name each "
            "once, of a-z, 0-9 and single _, and none like background"
        )
    if not 1 <= len(classes) <= MAX_CLASSES:
        raise DataError(f"{len(classes)} classes; masks can hold 1 to {MAX_CLASSES}")


def _is_label(name: str) -> bool:
    try:
        return to_label(name) == name != CLEAN
    except LayoutError:
        return False


def _check_item(item: ExportItem, count: int, ids: set[str]) -> None:
    """Refuse a name that leads elsewhere or is taken, and a mask of other values."""
    if item.id != to_id(item.id) or item.id.startswith(".") or not item.id:
        raise DataError(f"{item.id[:100]!r} is no id of a picture: expected letters, digits, _ - .")
    if item.id.casefold() in ids:
        raise DataError(f"two pictures have the id {item.id}, upper and lower case alike")
    if item.picture.suffix.lower() not in SUFFIXES:
        raise DataError(
            f"{item.picture.name} is no picture: expected {', '.join(sorted(SUFFIXES))}"
        )
    is_mask = item.mask.ndim == 2 and item.mask.dtype == np.uint8 and item.mask.size > 0
    if not is_mask or item.mask.max() > count:
        raise DataError(
            f"the mask of {item.id} is {item.mask.shape} {item.mask.dtype} with values up to "
            f"{item.mask.max(initial=0)}; expected (H, W) uint8 of 0..{count}"
        )
