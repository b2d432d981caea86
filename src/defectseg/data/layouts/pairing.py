"""Picture files and mask files of one layout in, pairs and what is wrong with the rest out."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from defectseg.data.faults import Fault, FaultKind
from defectseg.data.labels.label import MaskFile, NoDefect
from defectseg.data.layouts.folders import other_pictures, sort_files
from defectseg.data.layouts.layout import Layout, LayoutName, Record
from defectseg.data.tile import CLEAN

MASK_ENDING = "_mask"


@dataclass(frozen=True)
class Group:
    """Pictures and masks that are paired with one another: (key, file), the key without ending."""

    pictures: list[tuple[str, Path]]
    masks: list[tuple[str, Path]]
    defect_class: str | None


@dataclass(frozen=True)
class Candidate:
    """A picture and the masks that say they are its own."""

    id: str
    picture: Path
    masks: tuple[Path, ...]
    defect_class: str | None


def pair_layout(
    name: LayoutName,
    root: Path,
    groups: Sequence[Group],
    labels: tuple[str, ...] | None,
    others: Iterable[Path] = (),
) -> Layout:
    """The layout of picture files and mask files that are paired by name.

    Args:
        others: Further files that say something, such as classes.json: the digest covers them.
    """
    found = [path for group in groups for _, path in (*group.pictures, *group.masks)]
    records, faults = pair_files(root, groups)
    return Layout(
        name=name,
        root=root,
        records=tuple(sorted(records, key=lambda record: record.id)),
        labels=labels,
        files=sort_files(root, [*found, *others] if found else ()),
        ignored=other_pictures(root, found),
        faults=tuple(faults),
    )


def pair_files(root: Path, groups: Iterable[Group]) -> tuple[list[Record], list[Fault]]:
    """Pair the files of all groups: every picture without a fault becomes a record.

    A picture in a folder without defects needs no mask.
    """

    def shown(paths: Iterable[Path]) -> str:
        return " and ".join(sorted(path.relative_to(root).as_posix() for path in paths))

    records, faults = [], []
    same_id: dict[str, list[Candidate]] = defaultdict(list)
    for group in groups:
        candidates, orphans = find_candidates(group)
        faults += [Fault(FaultKind.NO_PICTURE, shown([mask])) for mask in orphans]
        for candidate in candidates:
            same_id[candidate.id.casefold()].append(candidate)
            name = shown([candidate.picture])
            if not candidate.masks and group.defect_class != CLEAN:
                faults.append(Fault(FaultKind.NO_MASK, name, picture=candidate.id))
            elif len(candidate.masks) > 1:
                masks = shown(candidate.masks)
                faults.append(Fault(FaultKind.TWO_MASKS, name, masks, candidate.id))
    for same in same_id.values():
        only = same[0]
        if len(same) > 1:
            faults += refuse_same_id(only.id, [shown([each.picture]) for each in same])
        elif len(only.masks) == 1:
            mask = MaskFile(only.masks[0])
            records.append(Record(only.id, only.picture, mask, only.defect_class))
        elif only.defect_class == CLEAN and not only.masks:
            records.append(Record(only.id, only.picture, NoDefect(), CLEAN))
    return records, faults


def refuse_same_id(picture_id: str, files: Iterable[str]) -> list[Fault]:
    """One fault for all pictures of an id: nobody can tell which of them is meant."""
    return [Fault(FaultKind.SAME_ID, " and ".join(sorted(files)), picture=picture_id)]


def find_candidates(group: Group) -> tuple[list[Candidate], list[Path]]:
    """Every picture of a group with its masks, and the masks that belong to no picture."""
    keys = {key for key, _ in group.pictures}
    masks: dict[str, list[Path]] = defaultdict(list)
    orphans = []
    for key, path in group.masks:
        owner = key if key in keys else key.removesuffix(MASK_ENDING)
        if owner in keys:
            masks[owner].append(path)
        else:
            orphans.append(path)
    candidates = [
        Candidate(to_id(key), path, tuple(masks[key]), group.defect_class)
        for key, path in group.pictures
    ]
    return candidates, orphans


def to_id(key: str) -> str:
    """The id of a tile: letters, digits, `_`, `-` and `.`; folders are joined by two `_`."""
    return re.sub(r"[^\w.-]", "_", unicodedata.normalize("NFC", key).replace("/", "__"))
