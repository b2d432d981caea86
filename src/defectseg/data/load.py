"""A source in, a folder of checked tiles with its manifest out; or one message and no change.

Two passes over the files, one picture in memory at a time: the first reads the masks, because only
all their values together say what they mean; the second reads every picture once.
K defect classes.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tqdm import tqdm

from defectseg.data.faults import Fault, FaultKind, raise_faults
from defectseg.data.layouts import Layout, LayoutName, find_layout
from defectseg.data.masks import (
    MaskParams,
    MaskRule,
    MaskSummary,
    choose_folder_rule,
    choose_rule,
    summarise_mask,
)
from defectseg.data.pairing import Record
from defectseg.data.picture import decode_mask, decode_picture
from defectseg.data.sources import SourceParams, check_digest, content_digest, open_source
from defectseg.data.staging import explain_full_disk, stage_beside, swap_in
from defectseg.data.surfaces import SurfaceFinder, SurfaceParams
from defectseg.data.tile import CLEAN, Tile, TileSet, write_manifest
from defectseg.data.tile_files import to_mask_file, to_picture_file
from defectseg.errors import SHOWN, DataError
from defectseg.files import write_json


class LoadParams(SourceParams, MaskParams):
    """params.yaml: data_load."""

    layout: LayoutName | Literal["auto"]
    on_empty_mask: Literal["exclude", "keep", "fail"]  # pictures of a defect class folder
    surfaces: SurfaceParams


def load_tiles(params: LoadParams, tiles_folder: Path, report: Path) -> TileSet:
    """Fill a folder with the tiles of a source and write the report; both change or none does.

    Raises:
        DataError: The source, its layout or some of its files are wrong, or the disk is full.
    """
    with stage_beside(tiles_folder) as stage:
        source = open_source(params, stage / "source")
        layout = find_layout(source.folder, params.layout)
        digest = content_digest(layout.root, layout.files)
        check_digest(digest, params.digest)
        needed = sum(path.stat().st_size for path in layout.files)
        with explain_full_disk(stage, needed):
            loading = _Loading(params, layout, stage / "tiles")
            tile_set = loading.run()
            content = {"source": source.kind, "layout": layout.name, "digest": digest}
            with swap_in(tile_set.folder, tiles_folder, stage):
                write_json(report, content | loading.report(tile_set))
    return replace(tile_set, folder=tiles_folder)


class _Loading:
    """One run over a layout: collects the faults of all files before it gives up."""

    def __init__(self, params: LoadParams, layout: Layout, folder: Path) -> None:
        self.params = params
        self.layout = layout
        self.folder = folder
        self.faults = list(layout.faults)
        self.masks: dict[str, MaskSummary] = {}  # by relative path, the readable ones
        self.empty: list[str] = []  # ids of defect pictures with an empty mask
        self.reencoded = 0

    def run(self) -> TileSet:
        """Check every file and write the tiles.

        Raises:
            OffendersError: Some files are wrong; all are listed.
            DataError: The whole is wrong, for instance no picture is left.
        """
        for name in ("images", "masks"):
            (self.folder / name).mkdir(parents=True)
        self._read_masks()
        rule = self._choose_rule()
        records = self._without_empty_masks(rule)
        sizes = [(mask.width, mask.height) for mask in map(self._mask_of, records) if mask]
        finder = SurfaceFinder(self.params.surfaces, sizes)
        tiles = []
        for record in tqdm(records, desc="data_load", unit="picture"):
            tile = self._load(record, rule, finder)
            if tile:
                tiles.append(tile)
        raise_faults(self.faults)
        if not tiles:
            raise DataError("no picture is left: every one has an empty mask")
        surfaces = finder.surfaces()
        named = [replace(tile, surface=surfaces[tile.id]) for tile in tiles]
        return write_manifest(self.folder, rule.classes, named)

    def report(self, tile_set: TileSet) -> dict[str, Any]:
        """What was loaded: the same on every machine for the same source and params."""
        return {
            "pictures": len(tile_set.tiles),
            "surfaces": len({tile.surface for tile in tile_set.tiles}),
            "classes": _count_classes(tile_set.tiles, (*tile_set.classes, CLEAN)),
            "empty_masks": {"on_empty_mask": self.params.on_empty_mask, "ids": self.empty},
            "re_encoded": self.reencoded,
            "ignored": {
                "pictures": len(self.layout.ignored),
                "first": list(self.layout.ignored[:SHOWN]),
            },
        }

    def _read_masks(self) -> None:
        for record in tqdm(self.layout.records, desc="masks", unit="mask"):
            name = self.layout.relative(record.mask)
            try:
                values = decode_mask(record.mask.read_bytes())
            except (DataError, OSError) as error:
                self._add_fault(FaultKind.UNREADABLE, f"{name}: {error}")
            else:
                self.masks[name] = summarise_mask(values)

    def _choose_rule(self) -> MaskRule:
        try:
            if self.layout.name == "class_folders":
                named = {str(record.defect_class) for record in self.layout.records}
                rule, faults = choose_folder_rule(self.masks, named, self.params)
            else:
                rule, faults = choose_rule(self.masks, self.params)
        except DataError:
            raise_faults(self.faults)  # they may be why
            raise
        self.faults += faults
        return rule

    def _without_empty_masks(self, rule: MaskRule) -> Sequence[Record]:
        """Find the defect pictures with an empty mask and do with them as the params say."""
        empty = []
        for record in self.layout.records:
            mask = self._mask_of(record)
            if mask and rule.is_empty(mask) and record.defect_class not in {None, CLEAN}:
                empty.append(record)
        self.empty = [record.id for record in empty]
        if self.params.on_empty_mask == "fail":
            for record in empty:
                self._add_fault(FaultKind.EMPTY_MASK, self.layout.relative(record.mask))
        if self.params.on_empty_mask != "exclude":
            return self.layout.records
        return [record for record in self.layout.records if record.id not in set(self.empty)]

    def _load(self, record: Record, rule: MaskRule, finder: SurfaceFinder) -> Tile | None:
        """Check one picture against its mask; write both while there is no fault anywhere."""
        name = self.layout.relative(record.picture)
        try:
            content = record.picture.read_bytes()
            picture = decode_picture(content, channels=1)
        except (DataError, OSError) as error:
            self._add_fault(FaultKind.UNREADABLE, f"{name}: {error}")
            return None
        mask = self._mask_of(record)
        height, width = picture.shape[:2]
        if mask and (mask.width, mask.height) != (width, height):
            sizes = f"picture {width}×{height}, mask {mask.width}×{mask.height}"
            self._add_fault(FaultKind.SIZES, f"{name}: {sizes}")
        if mask and record.defect_class == CLEAN and not rule.is_empty(mask):
            self._add_fault(FaultKind.DEFECT_ON_CLEAN, self.layout.relative(record.mask))
        if self.faults:
            return None
        finder.add(record.id, picture)
        return self._write(record, rule, content)

    def _write(self, record: Record, rule: MaskRule, content: bytes) -> Tile:
        values = decode_mask(record.mask.read_bytes())
        indexes = rule.to_index(values, record.defect_class)
        counts = np.bincount(indexes.ravel(), minlength=len(rule.classes) + 1)[1:]
        drawn = rule.classes[int(counts.argmax())] if counts.any() else CLEAN
        picture, mask = to_picture_file(content), to_mask_file(indexes)
        self.reencoded += picture.is_reencoded
        tile = Tile(
            id=record.id,
            image=f"images/{record.id}{picture.ending}",
            mask=f"masks/{record.id}.png",
            defect_class=record.defect_class or drawn,
            surface="",  # known when all pictures are
            width=indexes.shape[1],
            height=indexes.shape[0],
            defect_px=int(counts.sum()),
            sha256=hashlib.sha256(picture.content + mask).hexdigest(),
        )
        (self.folder / tile.image).write_bytes(picture.content)
        (self.folder / tile.mask).write_bytes(mask)
        return tile

    def _mask_of(self, record: Record) -> MaskSummary | None:
        return self.masks.get(self.layout.relative(record.mask))

    def _add_fault(self, kind: FaultKind, offender: str) -> None:
        self.faults.append(Fault(kind, offender))


def _count_classes(tiles: Sequence[Tile], classes: Sequence[str]) -> dict[str, dict[str, int]]:
    members = defaultdict(list)
    for tile in tiles:
        members[tile.defect_class].append(tile)
    return {
        name: {
            "pictures": len(members[name]),
            "surfaces": len({tile.surface for tile in members[name]}),
            "defect_px": sum(tile.defect_px for tile in members[name]),
        }
        for name in classes
    }
