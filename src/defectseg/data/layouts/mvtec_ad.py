"""Pictures as MVTec AD has them, sorted by defect, and binary masks in; pairs of them out.

train/good/<id>.png, test/good/<id>.png     no defect
test/<defect>/<id>.png                      its mask ground_truth/<defect>/<id>_mask.png or <id>.png

validation/good/ as in MVTec LOCO is read too. There a picture has a folder of masks,
ground_truth/<defect>/<id>/000.png: its defect is what lies in any of them.
Shapes: H rows, W columns.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from defectseg.data.labels.label import MaskFile, to_label
from defectseg.data.layouts.folders import pictures_in, subfolder, subfolders
from defectseg.data.layouts.layout import Layout, Record
from defectseg.data.layouts.pairing import Group, pair_layout
from defectseg.data.picture import decode_mask
from defectseg.data.tile import CLEAN
from defectseg.errors import DataError

ABOUT = "train/good/, test/<defect>/<id>.png with its mask ground_truth/<defect>/<id>_mask.png"
PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class MaskFolder:
    """The drawing of several masks of one picture: what is not 0 in any of them is the defect."""

    paths: tuple[Path, ...]
    label: str
    size: None = None

    @property
    def names(self) -> frozenset[str]:
        """See `Drawing.names`."""
        return frozenset({self.label})

    def draw(self, size: tuple[int, int], index: Mapping[str, int]) -> npt.NDArray[np.uint8]:
        """See `Drawing.draw`."""
        drawn = np.zeros(size[::-1], dtype=np.uint8)
        for path in self.paths:
            values = decode_mask(path.read_bytes())
            if values.shape != drawn.shape:
                height, width = values.shape
                raise DataError(
                    f"{path.parent.name}/{path.name} is {width}×{height}, "
                    f"the picture {size[0]}×{size[1]}"
                )
            drawn[values > 0] = index.get(self.label, 0)
        return drawn


def fits(folder: Path) -> bool:
    """Whether a folder holds test/ and ground_truth/."""
    return None not in (subfolder(folder, "test"), subfolder(folder, "ground_truth"))


def read(root: Path) -> Layout:
    """Read every folder of a defect, and those without defects; the classes are sorted by name.

    Raises:
        LayoutError: A folder's name gives no class.
    """
    groups, folders = list(_read_groups(root)), _read_mask_folders(root)
    classes = sorted({str(group.defect_class) for group in groups} - {CLEAN})
    masks = [path for paths in folders.values() for path in paths]
    layout = pair_layout("mvtec_ad", root, groups, tuple(classes), masks)
    records = [_label(record, folders) for record in layout.records]
    used = {layout.relative(path) for path in masks}
    ignored = (each for each in layout.ignored if each not in used)
    return replace(layout, records=tuple(records), ignored=tuple(ignored))


def _read_groups(root: Path) -> Iterator[Group]:
    """The pictures of each folder, with the masks of its name."""
    truth = subfolder(root, "ground_truth")
    masks = {each.name: each for each in subfolders(truth)} if truth else {}
    for name in PARTS:
        part = subfolder(root, name)
        for folder in subfolders(part) if part else []:
            key = f"{name}/{folder.name}/"
            own = masks.pop(folder.name, None) if name == "test" else None
            yield Group(_keyed(folder, key), _keyed_masks(own, key), to_label(folder.name))
    for folder in masks.values():
        yield Group([], _keyed_masks(folder, ""), to_label(folder.name))


def _keyed(folder: Path, above: str) -> list[tuple[str, Path]]:
    return [(above + path.stem, path) for path in pictures_in(folder)]


def _keyed_masks(folder: Path | None, above: str) -> list[tuple[str, Path]]:
    """The masks of a folder; a folder of masks stands as its first one."""
    if folder is None:
        return []
    several = [
        (above + each.name, found[0]) for each in subfolders(folder) if (found := pictures_in(each))
    ]
    return _keyed(folder, above) + several


def _read_mask_folders(root: Path) -> dict[Path, tuple[Path, ...]]:
    """The masks of every picture that has a folder of them, by the first."""
    truth = subfolder(root, "ground_truth")
    folders = [each for defect in subfolders(truth) for each in subfolders(defect)] if truth else []
    return {found[0]: tuple(found) for each in folders if (found := pictures_in(each))}


def _label(record: Record, folders: Mapping[Path, tuple[Path, ...]]) -> Record:
    if not isinstance(record.label, MaskFile) or record.defect_class in {None, CLEAN}:
        return record
    paths = folders.get(record.label.path)
    return replace(record, label=MaskFolder(paths, str(record.defect_class))) if paths else record
