"""A folder in, its pairs of picture and mask out, whichever of the known layouts it follows.

class_folders   <Class>/Imgs/<id>.jpg or <Class>/<id>.jpg, its mask <id>.png beside it
images_masks    images/<path>.<any>, its mask masks/<path>.<any> or masks/<path>_mask.<any>

In a class folder every file that is no .png is a picture. A .png is a mask if its name ends in
`_mask` or if its stem is that of a picture that is no .png. Any other .png is a picture where the
folder has masks named `_mask`, and else a mask without its picture.
"""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from defectseg.data.faults import Fault
from defectseg.data.pairing import MASK_ENDING, Group, Record, find_candidates, pair_files
from defectseg.data.picture import SUFFIXES
from defectseg.data.tile import CLEAN
from defectseg.errors import LayoutError

LayoutName = Literal["class_folders", "images_masks"]
KNOWN: dict[LayoutName, str] = {
    "class_folders": "<Class>/Imgs/<id>.jpg or <Class>/<id>.jpg with its mask <id>.png beside it",
    "images_masks": "images/<id>.jpg with its mask masks/<id>.png or masks/<id>_mask.png",
}
MAX_DEPTH = 3  # folders between the root and the layout: archives have a top folder
NO_DEFECT = frozenset({"free", "good", "ok", "clean", "normal", "no_defect"})
NO_CLASS = frozenset({"imgs", "images", "masks"})  # folders of these names are no class


@dataclass(frozen=True)
class Layout:
    """What was recognised below a folder."""

    name: LayoutName
    root: Path  # the folder that holds the class folders, or images/ and masks/
    records: tuple[Record, ...]  # sorted by id, those with a pairing fault left out
    files: tuple[Path, ...]  # every picture and mask file of the layout, paired or not, sorted
    ignored: tuple[str, ...]  # pictures below the root that are none of `files`, relative
    faults: tuple[Fault, ...]  # of the pairing

    def relative(self, path: Path) -> str:
        """A path as messages and digests show it."""
        return path.relative_to(self.root).as_posix()


def find_layout(root: Path, layout: LayoutName | Literal["auto"]) -> Layout:
    """Recognise the layout of a folder, or of one a few folders below it.

    Raises:
        LayoutError: No known layout, more than one, or one without pictures.
    """
    names = [name for name in KNOWN if layout in {"auto", name}]
    folders = [root]
    for _ in range(MAX_DEPTH + 1):
        found = [(name, folder) for folder in folders for name in names if FITS[name](folder)]
        if len(found) > 1:
            raise LayoutError(_describe_ambiguous(root, found))
        if found:
            return _read_layout(*found[0])
        folders = [each for folder in folders for each in _subfolders(folder)]
    raise LayoutError(_describe_unknown(root, names))


def _read_layout(name: LayoutName, root: Path) -> Layout:
    groups = list(GROUPS[name](root))
    files = {path for group in groups for _, path in (*group.pictures, *group.masks)}
    if not files:
        raise LayoutError(f"the layout {name} was found, but it holds no picture")
    records, faults = pair_files(root, groups)
    ignored = (path for path in _pictures_below(root) if path not in files)
    return Layout(
        name=name,
        root=root,
        records=tuple(sorted(records, key=lambda record: record.id)),
        files=tuple(sorted(files, key=lambda path: os.fsencode(path.relative_to(root).as_posix()))),
        ignored=tuple(sorted(path.relative_to(root).as_posix() for path in ignored)),
        faults=tuple(faults),
    )


def to_class(folder: str) -> str:
    """The class that a folder's name says: `MT_Blowhole` is blowhole, `MT_Free` is CLEAN.

    Raises:
        LayoutError: The name has no letter a-z and no digit.
    """
    name = re.sub(r"[^a-z0-9]+", "_", folder.lower().removeprefix("mt_")).strip("_")
    if not name:
        raise LayoutError(f"the folder {folder!r} gives no class name; use letters a-z and digits")
    return CLEAN if name in NO_DEFECT else name


def _is_class_folders(folder: Path) -> bool:
    for class_folder in _subfolders(folder):
        inner, files = _class_files(class_folder)
        group = _split_class_files(files, None)
        if files and (inner != class_folder or any(c.masks for c in find_candidates(group)[0])):
            return True
    return False


def _read_class_folders(root: Path) -> Iterator[Group]:
    for class_folder in _subfolders(root):
        _, files = _class_files(class_folder)
        if files:
            yield _split_class_files(files, to_class(class_folder.name))


def _class_files(folder: Path) -> tuple[Path, list[Path]]:
    """The folder that holds the pictures of a class folder, and its picture and mask files."""
    below = _subfolders(folder)
    if folder.name.lower() in NO_CLASS:
        return folder, []
    for each in below:
        if each.name.lower() == "imgs":
            return each, _pictures_in(each)
    return folder, [] if below else _pictures_in(folder)


def _split_class_files(files: Sequence[Path], defect_class: str | None) -> Group:
    """Tell pictures from masks by the rule at the top of this file."""
    pngs = [path for path in files if path.suffix.lower() == ".png"]
    pictures = [path for path in files if path.suffix.lower() != ".png"]
    stems = {path.stem for path in pictures}
    named = {path.stem for path in pngs if path.stem.endswith(MASK_ENDING)}
    masks = []
    for path in pngs:
        has_named_mask = path.stem + MASK_ENDING in named
        is_mask = path.stem in named or (path.stem in stems and not has_named_mask)
        if is_mask or (path.stem not in stems and not named):
            masks.append(path)
        else:
            pictures.append(path)
    return Group([(p.stem, p) for p in pictures], [(m.stem, m) for m in masks], defect_class)


def _is_images_masks(folder: Path) -> bool:
    return _named(folder, "images") is not None and _named(folder, "masks") is not None


def _read_images_masks(root: Path) -> Iterator[Group]:
    images, masks = _named(root, "images"), _named(root, "masks")
    if images and masks:
        yield Group(_keyed(images), _keyed(masks), None)


def _keyed(folder: Path) -> list[tuple[str, Path]]:
    found = _pictures_below(folder)
    return [(path.relative_to(folder).with_suffix("").as_posix(), path) for path in found]


def _named(folder: Path, name: str) -> Path | None:
    return next((each for each in _subfolders(folder) if each.name.lower() == name), None)


def _subfolders(folder: Path) -> list[Path]:
    """Folders in a folder, without hidden ones and what macOS adds to archives."""
    return sorted(
        each
        for each in folder.iterdir()
        if each.is_dir() and not each.name.startswith((".", "__MACOSX"))
    )


def _pictures_in(folder: Path) -> list[Path]:
    return sorted(each for each in folder.iterdir() if _is_picture(each))


def _pictures_below(folder: Path, above: frozenset[Path] = frozenset()) -> list[Path]:
    above |= {folder.resolve()}  # a link to a folder above would never end
    below = [each for each in _subfolders(folder) if each.resolve() not in above]
    return _pictures_in(folder) + [p for each in below for p in _pictures_below(each, above)]


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()


def _describe_unknown(root: Path, names: Sequence[LayoutName]) -> str:
    folders = ", ".join(f"{each.name}/" for each in _subfolders(root)[:10]) or "no folder"
    pictures = len(_pictures_below(root))
    looked = "\n".join(f"  {name}: {KNOWN[name]}" for name in names)
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


FITS: dict[LayoutName, Callable[[Path], bool]] = {
    "class_folders": _is_class_folders,
    "images_masks": _is_images_masks,
}
GROUPS: dict[LayoutName, Callable[[Path], Iterator[Group]]] = {
    "class_folders": _read_class_folders,
    "images_masks": _read_images_masks,
}
