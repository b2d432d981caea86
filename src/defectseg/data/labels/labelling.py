"""The records of a layout in, a way to draw the mask of each out.

Mask files are read once before, because only all their values together say what they mean.
Shapes: H rows, W columns, K defect classes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from defectseg.data.faults import Fault, FaultKind, raise_faults
from defectseg.data.labels.class_map import ClassMap, map_classes
from defectseg.data.labels.label import MaskFile
from defectseg.data.labels.masks import (
    MaskParams,
    MaskRule,
    MaskSummary,
    choose_folder_rule,
    choose_rule,
    summarise_mask,
    without_void,
)
from defectseg.data.layouts.layout import Layout, Record
from defectseg.data.picture import decode_mask
from defectseg.data.quality.findings import GreyMask
from defectseg.data.tile import CLEAN
from defectseg.errors import DataError


@dataclass(frozen=True)
class Labelling:
    """What the labels of a whole source mean."""

    class_map: ClassMap
    rule: MaskRule  # of the mask files
    masks: Mapping[Path, MaskSummary]  # of the readable mask files
    greys: Mapping[str, GreyMask]  # by picture id, of mask files
    faults: tuple[Fault, ...]  # of mask files

    def size_of(self, record: Record) -> tuple[int, int] | None:
        """Width and height of the label, px, as far as they are known before it is drawn."""
        if not isinstance(record.label, MaskFile):
            return record.label.size
        mask = self.masks[record.label.path]
        return mask.width, mask.height

    def draw(self, record: Record, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
        """Draw the mask (H, W) in 0..K of a picture of a width and height in px.

        Raises:
            DataError: The label cannot be drawn.
        """
        if not isinstance(record.label, MaskFile):
            return record.label.draw(size, self.class_map.index)
        values = decode_mask(record.label.path.read_bytes())
        known = without_void(values, record.label.void)
        return self.rule.to_index(known, record.defect_class, self.class_map.index)

    def says_defect(self, record: Record) -> bool:
        """Whether a folder or a labelling tool says that there is a defect, whatever is drawn."""
        index = self.class_map.index
        if isinstance(record.label, MaskFile) or record.defect_class is not None:
            return bool(record.defect_class and index.get(record.defect_class))
        return any(index[name] for name in record.label.names)

    def has_defect_on_clean(self, record: Record) -> bool:
        """Whether a picture in a folder without defects has a mask that is not empty."""
        if record.defect_class != CLEAN or not isinstance(record.label, MaskFile):
            return False
        return not self.rule.is_empty(self.masks[record.label.path])


def read_labels(layout: Layout, params: MaskParams) -> Labelling:
    """Read every mask file of a layout, and say what becomes of each label.

    Raises:
        DataError: The params do not fit the labels.
    """
    files = {r.id: r.label for r in layout.records if isinstance(r.label, MaskFile)}
    masks: dict[Path, MaskSummary] = {}
    greys: dict[str, GreyMask] = {}
    faults = []
    for picture_id, file in tqdm(files.items(), desc="masks", unit="mask", disable=not files):
        try:
            values = without_void(decode_mask(file.path.read_bytes()), file.void)
        except (DataError, OSError) as error:
            name = layout.relative(file.path)
            faults.append(Fault(FaultKind.UNREADABLE, name, str(error), picture_id))
        else:
            masks[file.path] = summarise_mask(values)
            greys[picture_id] = _measure_greys(values, params.mask_threshold)
    try:
        rule, wrong = _choose_rule(layout, masks, params)
        class_map = map_classes(layout.labels or rule.labels, params)
    except DataError:
        raise_faults([*layout.faults, *faults])  # they may be why
        raise
    owners = {layout.relative(file.path): picture_id for picture_id, file in files.items()}
    faults += [replace(fault, picture=owners[fault.file]) for fault in wrong]
    used = greys if rule.kind == "binary" else {}
    return Labelling(class_map, rule, masks, used, tuple(faults))


def _choose_rule(
    layout: Layout, masks: Mapping[Path, MaskSummary], params: MaskParams
) -> tuple[MaskRule, list[Fault]]:
    named = {layout.relative(path): mask for path, mask in masks.items()}
    if any(record.defect_class is not None for record in layout.records):
        return choose_folder_rule(named, layout.labels or (), params)
    if not named and layout.labels is not None:
        return MaskRule("index", layout.labels, params.mask_threshold), []
    return choose_rule(named, layout.labels, params)


def _measure_greys(values: npt.NDArray[np.uint8], threshold: int) -> GreyMask:
    counts = np.bincount(values.ravel(), minlength=256)
    drawn, above = int(counts[1:].sum()), int(counts[threshold + 1 :].sum())
    share = float(counts[1:255].sum() / drawn) if drawn else 0.0
    return GreyMask(share, drawn / above if above else 0.0)
