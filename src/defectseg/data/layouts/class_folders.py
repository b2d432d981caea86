"""A folder per class in, pairs of picture and mask out.

<Class>/Imgs/<id>.jpg or <Class>/<id>.jpg, its mask <id>.png beside it

Every file that is no .png is a picture. A .png is a mask if its name ends in `_mask` or if its stem
is that of a picture that is no .png. Any other .png is a picture where the folder has masks named
`_mask`, and else a mask without its picture.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from defectseg.data.labels.label import to_label
from defectseg.data.layouts.folders import pictures_in, subfolder, subfolders
from defectseg.data.layouts.layout import Layout
from defectseg.data.layouts.pairing import MASK_ENDING, Group, find_candidates, pair_layout
from defectseg.data.tile import CLEAN

ABOUT = "<Class>/Imgs/<id>.jpg or <Class>/<id>.jpg with its mask <id>.png beside it"
NO_CLASS = frozenset({"imgs", "images", "masks"})  # folders of these names are no class


def fits(folder: Path) -> bool:
    """Whether a folder holds a class folder with a mask, or with pictures in Imgs/."""
    for class_folder in subfolders(folder):
        inner, files = _class_files(class_folder)
        group = _split_class_files(files, None)
        if files and (inner != class_folder or any(c.masks for c in find_candidates(group)[0])):
            return True
    return False


def read(root: Path) -> Layout:
    """Read every class folder; the classes are sorted by name.

    Raises:
        LayoutError: A folder's name gives no class.
    """
    groups = list(_read_groups(root))
    classes = {str(group.defect_class) for group in groups} - {CLEAN}
    return pair_layout("class_folders", root, groups, tuple(sorted(classes)))


def _read_groups(root: Path) -> Iterator[Group]:
    for class_folder in subfolders(root):
        _, files = _class_files(class_folder)
        if files:
            yield _split_class_files(files, to_label(class_folder.name))


def _class_files(folder: Path) -> tuple[Path, list[Path]]:
    """The folder that holds the pictures of a class folder, and its picture and mask files."""
    if folder.name.lower() in NO_CLASS:
        return folder, []
    inner = subfolder(folder, "imgs")
    if inner:
        return inner, pictures_in(inner)
    return folder, [] if subfolders(folder) else pictures_in(folder)


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
