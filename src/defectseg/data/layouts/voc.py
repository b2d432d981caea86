"""Masks of Pascal VOC, and of CVAT's "Segmentation mask", in; pairs of picture and label out.

SegmentationClass/<path>.png, its picture JPEGImages/<path>.jpg (or images/, pictures/)
labelmap.txt                    what the colours mean, see `label_map`
ImageSets/Segmentation/*.txt    which pictures are labelled, a path a line; without it: all

With labelmap.txt the colours say the label, in grey masks the value is a position in it. Without
it, values of grey masks and palettes are class indexes as in `masks`, 255 among them is void, and
masks of colours are a fault. SegmentationObject/ is not read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from defectseg.data.faults import Fault, FaultKind
from defectseg.data.labels.class_map import MAX_CLASSES
from defectseg.data.labels.label import MaskFile
from defectseg.data.layouts.folders import files_in, pictures_below, subfolder
from defectseg.data.layouts.label_map import (
    LABEL_MAP,
    VOID_VALUE,
    LabelMap,
    read_label_map,
    read_stored,
    show_colours,
    to_colour_mask,
)
from defectseg.data.layouts.layout import Layout, Record
from defectseg.data.layouts.pairing import MASK_ENDING, Group, pair_layout
from defectseg.errors import DataError, LayoutError

ABOUT = "SegmentationClass/<id>.png with its picture JPEGImages/<id>.jpg (Pascal VOC, CVAT)"
PICTURES = ("jpegimages", "images", "pictures")
MAX_LIST_BYTES = 100_000_000  # of one list of pictures


@dataclass(frozen=True)
class _Names:
    """What ImageSets/Segmentation says."""

    lists: tuple[Path, ...]
    places: Mapping[str, str]  # of each name that is listed: the file and line


def fits(folder: Path) -> bool:
    """Whether a folder holds SegmentationClass/."""
    return subfolder(folder, "segmentationclass") is not None


def read(root: Path) -> Layout:
    """Read the masks, their pictures and what the masks mean.

    Raises:
        LayoutError: The pictures are missing, or labelmap.txt or a list is damaged.
    """
    masks = subfolder(root, "segmentationclass")
    pictures = next((each for name in PICTURES if (each := subfolder(root, name))), None)
    if masks is None or pictures is None:
        raise LayoutError(
            "SegmentationClass/ has no pictures beside it: expected JPEGImages/, images/ or "
            "pictures/; export with the pictures, or copy them there"
        )
    names = _read_names(root)
    group = _only_listed(Group(_keyed(pictures), _keyed(masks), None), names)
    label_file = root / LABEL_MAP
    label_map = read_label_map(label_file) if label_file.is_file() else None
    labels = label_map.labels if label_map else None
    others = [*names.lists, *([label_file] if label_map else [])]
    layout = pair_layout("voc", root, [group], labels, others)
    records, faults = _label(layout, label_map)
    faults += _find_missing(group, names)
    ignored = (each for each in layout.ignored if not each.lower().startswith("segmentationobject"))
    return replace(
        layout, records=records, faults=(*layout.faults, *faults), ignored=tuple(ignored)
    )


def _keyed(folder: Path) -> list[tuple[str, Path]]:
    found = pictures_below(folder)
    return [(path.relative_to(folder).with_suffix("").as_posix(), path) for path in found]


def _read_names(root: Path) -> _Names:
    sets = subfolder(root, "imagesets")
    folder = subfolder(sets, "segmentation") if sets else None
    lists = files_in(folder, [".txt"]) if folder else []
    places: dict[str, str] = {}
    for path in lists:
        shown = path.relative_to(root).as_posix()
        if path.stat().st_size > MAX_LIST_BYTES:
            raise LayoutError(
                f"{shown} has more than {MAX_LIST_BYTES} bytes; expected a path a line"
            )
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise LayoutError(f"{shown} is no readable UTF-8 text: {error}; repair it") from error
        for number, line in enumerate(lines, start=1):
            name = line.strip().strip('"')  # CVAT quotes names with a space
            if name:
                places.setdefault(name, f"{shown}, line {number}")
    if lists and not places:
        raise LayoutError("the lists in ImageSets/Segmentation/ name no picture; remove them")
    return _Names(tuple(lists), places)


def _only_listed(group: Group, names: _Names) -> Group:
    """Pictures and masks that are listed; all where there is no list."""
    if not names.lists:
        return group
    listed = names.places.keys()
    pictures = [(key, path) for key, path in group.pictures if key in listed]
    masks = [
        (key, path)
        for key, path in group.masks
        if not listed.isdisjoint({key, key.removesuffix(MASK_ENDING)})
    ]
    if not pictures:
        raise LayoutError(
            "no picture has a name of the lists in ImageSets/Segmentation/, such as "
            f"{next(iter(listed))[:100]!r}; correct or remove the lists"
        )
    return Group(pictures, masks, None)


def _find_missing(group: Group, names: _Names) -> list[Fault]:
    """Names that are listed and have neither picture nor mask: without a picture a mask says so."""
    found = {key for key, _ in (*group.pictures, *group.masks)}
    missing = [(name, place) for name, place in names.places.items() if name not in found]
    return [Fault(FaultKind.NO_PICTURE, place, repr(name[:100])) for name, place in missing]


def _label(layout: Layout, label_map: LabelMap | None) -> tuple[tuple[Record, ...], list[Fault]]:
    """Give each record the label that its mask is; those without one are left out."""
    records, faults, values = [], [], np.zeros(256, dtype=bool)
    for record in layout.records:
        path = record.label.path if isinstance(record.label, MaskFile) else record.picture
        kind = FaultKind.UNREADABLE
        try:
            stored = read_stored(path.read_bytes(), label_map is not None)
            kind = FaultKind.BAD_LABEL
            if label_map:
                records.append(replace(record, label=to_colour_mask(path, stored, label_map)))
            elif stored.ndim == 3:
                raise DataError(_describe_colours(stored))
            else:
                values[stored.ravel()] = True
                records.append(record)
        except (DataError, OSError) as error:
            faults.append(Fault(kind, layout.relative(path), str(error), record.id))
    if _has_void(np.flatnonzero(values).tolist()):
        records = [_with_void(record) for record in records]
    return tuple(records), faults


def _describe_colours(colours: npt.NDArray[np.uint8]) -> str:
    return (
        f"mask of the colours {show_colours(colours.reshape(-1, 3))}, and no {LABEL_MAP} that says "
        "what they mean; put it beside SegmentationClass/, with a line label:r,g,b:: for each"
    )


def _has_void(values: Sequence[int]) -> bool:
    """Whether 255 stands beside class indexes; beside nothing else it is a defect."""
    others = [value for value in values if value not in {0, VOID_VALUE}]
    return VOID_VALUE in values and bool(others) and max(others) <= MAX_CLASSES


def _with_void(record: Record) -> Record:
    if not isinstance(record.label, MaskFile):
        return record
    return replace(record, label=MaskFile(record.label.path, void=VOID_VALUE))
