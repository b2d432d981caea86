"""A layout in, its tiles written and everything that is wrong with them out.

One picture is in memory at a time. A picture with a fault is left out; whether the fault stops the
run is not decided here.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import Field
from tqdm import tqdm

from defectseg.data.faults import Fault, FaultKind, list_sections, raise_sections
from defectseg.data.labels.label import MaskFile
from defectseg.data.labels.labelling import Labelling, read_labels
from defectseg.data.labels.masks import MaskParams
from defectseg.data.layouts.layout import Layout, Record
from defectseg.data.notes import read_picture_notes
from defectseg.data.picture import decode_picture, largest_value, read_size
from defectseg.data.quality.measures import Measure, measure
from defectseg.data.surfaces.find import SurfaceFinder, SurfaceParams, Surfaces
from defectseg.data.surfaces.names import PictureNotes
from defectseg.data.tile import CLEAN, Tile, TileSet, write_manifest
from defectseg.data.tile_files import to_mask_file, to_picture_file
from defectseg.errors import DataError


class TileParams(MaskParams):
    """params.yaml: data_load, how a picture and its label become a tile."""

    bit_depth: int = Field(ge=9, le=16)  # bits that 16-bit pictures use
    keep_empty: bool  # whether a picture said to have a defect may have an empty mask
    surfaces: SurfaceParams

    @property
    def white(self) -> int:
        """The largest value of a 16-bit picture: it becomes 255."""
        return int(2**self.bit_depth - 1)


@dataclass(frozen=True)
class Loaded:
    """The tiles of a layout, and what was seen on the way."""

    tile_set: TileSet
    labelling: Labelling
    surfaces: Surfaces
    measures: Mapping[str, Measure]  # by tile id
    largest_16_bit: Mapping[str, int]  # of 16-bit pictures, by tile id
    faults: tuple[Fault, ...]  # of layout, masks and pictures
    reencoded: int  # pictures that could not be copied byte for byte


def load_layout(params: TileParams, layout: Layout, folder: Path) -> Loaded:
    """Write images/, masks/ and the manifest of every picture without a fault into a folder.

    Raises:
        DataError: The params do not fit the source, or no picture is left.
    """
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    labelling = read_labels(layout, params)
    loading = _Loading(params, layout, labelling, folder)
    tiles = [tile for record in _with_progress(loading.records) if (tile := loading.load(record))]
    if not tiles:
        raise_sections(list_sections(loading.faults), "There is no picture left.")
        raise DataError("the layout has no picture with a label")
    surfaces = loading.finder.find()
    named = [replace(tile, surface=surfaces.names[tile.id]) for tile in tiles]
    return Loaded(
        tile_set=write_manifest(folder, labelling.class_map.classes, named),
        labelling=labelling,
        surfaces=surfaces,
        measures=loading.measures,
        largest_16_bit=loading.largest_16_bit,
        faults=tuple(loading.faults),
        reencoded=loading.reencoded,
    )


def _with_progress(records: Sequence[Record]) -> "tqdm[Record]":
    return tqdm(records, desc="data_load", unit="picture")


class _UnusableError(Exception):
    """A picture cannot become a tile; it becomes a fault and never leaves this module."""

    def __init__(self, kind: FaultKind, detail: str = "") -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail


class _Loading:
    """One run over the pictures of a layout."""

    def __init__(
        self, params: TileParams, layout: Layout, labelling: Labelling, folder: Path
    ) -> None:
        self.params = params
        self.layout = layout
        self.labelling = labelling
        self.folder = folder
        self.faults = [*layout.faults, *labelling.faults]
        left_out = {fault.picture for fault in self.faults}
        self.records = [record for record in layout.records if record.id not in left_out]
        self.notes = read_picture_notes(layout, params.surfaces)
        sizes = [size for record in self.records if (size := read_size(record.picture))]
        self.finder = SurfaceFinder(params.surfaces, sizes)
        self.measures: dict[str, Measure] = {}
        self.largest_16_bit: dict[str, int] = {}
        self.reencoded = 0

    def load(self, record: Record) -> Tile | None:
        """Check one picture against its label, and write both; None: it has a fault."""
        try:
            return self._load(record)
        except _UnusableError as fault:
            is_of_mask = fault.kind in {FaultKind.DEFECT_ON_CLEAN, FaultKind.EMPTY_MASK}
            label = record.label
            path = label.path if is_of_mask and isinstance(label, MaskFile) else record.picture
            name = self.layout.relative(path)
            self.faults.append(Fault(fault.kind, name, fault.detail, record.id))
            return None

    def _load(self, record: Record) -> Tile:
        try:
            content = record.picture.read_bytes()
            picture = decode_picture(content, channels=1, white=self.params.white)
        except (DataError, OSError) as error:
            raise _UnusableError(FaultKind.UNREADABLE, str(error)) from error
        mask = self._draw(record, (picture.shape[1], picture.shape[0]))
        if self.labelling.has_defect_on_clean(record):
            raise _UnusableError(FaultKind.DEFECT_ON_CLEAN)
        if self.labelling.says_defect(record) and not (mask.any() or self.params.keep_empty):
            raise _UnusableError(FaultKind.EMPTY_MASK)
        self.finder.add(record.id, picture, self.notes[record.id].surface)
        classes = self.labelling.class_map.classes
        self.measures[record.id] = measure(picture, mask, len(classes))
        largest = largest_value(content)
        if largest is not None:
            self.largest_16_bit[record.id] = largest
        return self._write(record, content, mask)

    def _draw(self, record: Record, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
        noted = self.labelling.size_of(record)
        if noted in {None, size}:
            try:
                mask = self.labelling.draw(record, size)
            except (DataError, OSError) as error:
                raise _UnusableError(FaultKind.BAD_LABEL, str(error)) from error
            noted = mask.shape[1], mask.shape[0]
            if noted == size:
                return mask
        sizes = "picture {}×{}, mask {}×{}".format(*size, *(noted or ()))
        raise _UnusableError(FaultKind.SIZES, sizes)

    def _write(self, record: Record, content: bytes, drawn: npt.NDArray[np.uint8]) -> Tile:
        picture = to_picture_file(content, white=self.params.white)
        mask = to_mask_file(drawn)
        self.reencoded += picture.is_reencoded
        notes = self.notes[record.id]
        tile = Tile(
            id=record.id,
            image=f"images/{record.id}{picture.ending}",
            mask=f"masks/{record.id}.png",
            defect_class=self._class_of(record, drawn),
            surface="",  # known when all pictures are
            width=drawn.shape[1],
            height=drawn.shape[0],
            defect_px=int(np.count_nonzero(drawn)),
            sha256=hashlib.sha256(picture.content + mask).hexdigest(),
            **_batch(notes),
        )
        (self.folder / tile.image).write_bytes(picture.content)
        (self.folder / tile.mask).write_bytes(mask)
        return tile

    def _class_of(self, record: Record, drawn: npt.NDArray[np.uint8]) -> str:
        """What the folder says, else the class with the most pixels."""
        class_map = self.labelling.class_map
        if record.defect_class is not None:
            return class_map.class_of(record.defect_class)
        counts = np.bincount(drawn.ravel(), minlength=len(class_map.classes) + 1)[1:]
        return class_map.classes[int(counts.argmax())] if counts.any() else CLEAN


def _batch(notes: PictureNotes) -> dict[str, str]:
    return {
        "labelled_by": notes.labelled_by,
        "labelled_at": notes.labelled_at,
        "label_tool": notes.label_tool,
    }
