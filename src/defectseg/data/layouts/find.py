"""A folder in, its pictures and labels out, whichever of the known layouts it follows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import defectseg.data.layouts.class_folders as class_folders
import defectseg.data.layouts.coco as coco
import defectseg.data.layouts.images_masks as images_masks
import defectseg.data.layouts.label_studio as label_studio
import defectseg.data.layouts.mvtec_ad as mvtec_ad
import defectseg.data.layouts.voc as voc
from defectseg.data.layouts.folders import pictures_below, subfolders
from defectseg.data.layouts.layout import Layout, LayoutName
from defectseg.errors import LayoutError

MAX_DEPTH = 3  # folders between the root and the layout: archives have a top folder


@dataclass(frozen=True)
class Reader:
    """How one layout is recognised and read."""

    about: str  # what it looks like, for messages
    fits: Callable[[Path], bool]  # whether a folder is the root of this layout
    read: Callable[[Path], Layout]


READERS: dict[LayoutName, Reader] = {
    "class_folders": Reader(class_folders.ABOUT, class_folders.fits, class_folders.read),
    "images_masks": Reader(images_masks.ABOUT, images_masks.fits, images_masks.read),
    "mvtec_ad": Reader(mvtec_ad.ABOUT, mvtec_ad.fits, mvtec_ad.read),
    "voc": Reader(voc.ABOUT, voc.fits, voc.read),
    "coco": Reader(coco.ABOUT, coco.fits, coco.read),
    "label_studio": Reader(label_studio.ABOUT, label_studio.fits, label_studio.read),
}


def find_layout(root: Path, layout: LayoutName | Literal["auto"]) -> Layout:
    """Recognise the layout of a folder, or of one a few folders below it.

    Raises:
        LayoutError: No known layout, more than one, or one without pictures.
    """
    names = [name for name in READERS if layout in {"auto", name}]
    folders = [root]
    for _ in range(MAX_DEPTH + 1):
        found = [
            (name, folder) for folder in folders for name in names if READERS[name].fits(folder)
        ]
        if found:
            return _read(root, found)
        folders = [each for folder in folders for each in subfolders(folder)]
    raise LayoutError(_describe_unknown(root, names))


def _read(root: Path, found: Sequence[tuple[LayoutName, Path]]) -> Layout:
    name, folder = found[0]
    if len(found) > 1 and {each for each, _ in found} == {"images_masks"}:
        layout = images_masks.read_several(root, [folder for _, folder in found])
    elif len(found) > 1:
        raise LayoutError(_describe_ambiguous(root, found))
    else:
        layout = READERS[name].read(folder)
    if not layout.files:
        raise LayoutError(f"the layout {name} was found, but it holds no picture")
    return layout


def _describe_unknown(root: Path, names: Sequence[LayoutName]) -> str:
    folders = ", ".join(f"{each.name}/" for each in subfolders(root)[:10]) or "no folder"
    pictures = len(pictures_below(root))
    looked = "\n".join(f"  {name}: {READERS[name].about}" for name in names)
    return (
        f"no known layout: found {folders} and {pictures} pictures; "
        f"looked up to {MAX_DEPTH} folders deep for\n{looked}\n"
        "Arrange the pictures in one of these ways or point data_load.source at the right folder."
    )


def _describe_ambiguous(root: Path, found: Sequence[tuple[LayoutName, Path]]) -> str:
    places = "\n".join(f"  {name} in {path.relative_to(root).as_posix()}/" for name, path in found)
    return (
        f"more than one layout:\n{places}\n"
        "Set data_load.layout, or point data_load.source at one of these folders."
    )
