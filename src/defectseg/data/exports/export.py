"""Tiles in, a folder that a labelling tool opens out: with their masks, or with predictions.

What was corrected there comes back through data/layouts.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from defectseg.data.exports.coco import write_coco
from defectseg.data.exports.item import ExportItem, Shapes
from defectseg.data.exports.label_studio import write_label_studio
from defectseg.data.exports.masks import write_masks
from defectseg.data.layouts.layout import Batch
from defectseg.data.staging import explain_full_disk, stage_beside, swap_in
from defectseg.data.tile import TileSet
from defectseg.errors import DataError

Format = Literal["coco", "label-studio", "masks"]
Writer = Callable[[Path, Sequence[str], Iterable[ExportItem], Shapes], None]
WRITERS: dict[Format, Writer] = {
    "coco": write_coco,
    "label-studio": write_label_studio,
    "masks": write_masks,
}


def export_items(
    folder: Path,
    classes: Sequence[str],
    items: Iterable[ExportItem],
    form: Format,
    shapes: Shapes,
) -> None:
    """Write a folder that does not exist yet, as a whole or not at all.

    Raises:
        DataError: The folder exists, the format has no such shapes, or the disk is full.
    """
    if folder.exists():
        raise DataError(f"{folder} exists already; name a folder that does not, or remove it")
    with stage_beside(folder) as stage:
        new = stage / "new"
        new.mkdir()
        with explain_full_disk(stage, 0):
            WRITERS[form](new, classes, items, shapes)
        with swap_in(new, folder, stage):
            pass


def read_labels_of(tiles: TileSet) -> Iterator[ExportItem]:
    """Each tile with its own mask, one at a time."""
    for tile in tiles.tiles:
        batch = Batch(tile.labelled_by, tile.labelled_at, tile.label_tool)
        yield ExportItem(tile.id, tiles.folder / tile.image, tiles.mask(tile), batch)
