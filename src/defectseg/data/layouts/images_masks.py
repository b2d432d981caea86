"""Folders images/ and masks/ in, pairs of picture and mask out.

images/<path>.<any>, its mask masks/<path>.<any> or masks/<path>_mask.<any>

There may be several such pairs of folders, such as train/images with train/masks beside
valid/images with valid/masks: they are one data set. classes.json beside images/, a list of names,
says what the mask values 1..K mean.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from defectseg.data.labels.label import to_label
from defectseg.data.layouts.folders import pictures_below, subfolder
from defectseg.data.layouts.layout import Layout
from defectseg.data.layouts.pairing import Group, pair_layout
from defectseg.data.tile import CLASSES, CLEAN
from defectseg.errors import LayoutError

ABOUT = "images/<id>.jpg with its mask masks/<id>.png or masks/<id>_mask.png"


def fits(folder: Path) -> bool:
    """Whether a folder holds images/ and masks/."""
    return subfolder(folder, "images") is not None and subfolder(folder, "masks") is not None


def read(root: Path) -> Layout:
    """Read one pair of folders."""
    return read_several(root, [root])


def read_several(root: Path, folders: Sequence[Path]) -> Layout:
    """Read pairs of folders that lie below a root as one data set.

    Raises:
        LayoutError: A classes.json is damaged, or they contradict each other.
    """
    groups = []
    for folder in folders:
        images, masks = subfolder(folder, "images"), subfolder(folder, "masks")
        above = folder.relative_to(root).as_posix() + "/" if folder != root else ""
        if images and masks:
            groups.append(Group(_keyed(images, above), _keyed(masks, above), None))
    files = [each / CLASSES for each in dict.fromkeys([root, *folders])]
    files = [path for path in files if path.is_file()]
    found = {_read_classes(path) for path in files}
    if len(found) > 1:
        raise LayoutError(f"several {CLASSES} contradict each other; keep one, beside images/")
    return pair_layout("images_masks", root, groups, next(iter(found), None), files)


def _keyed(folder: Path, above: str) -> list[tuple[str, Path]]:
    found = pictures_below(folder)
    return [(above + path.relative_to(folder).with_suffix("").as_posix(), path) for path in found]


def _read_classes(path: Path) -> tuple[str, ...]:
    """The labels of mask values 1..K."""
    try:
        names = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise LayoutError(f"{path.name} cannot be read: {error}; expected a list") from error
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise LayoutError(f"{path.name} is no list of names; expected the labels of values 1..K")
    labels = tuple(to_label(name) for name in names)
    if CLEAN in labels or len(set(labels)) < len(labels):
        raise LayoutError(f"{path.name} names {list(labels)}: each once, and without background")
    return labels
