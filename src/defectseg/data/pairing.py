"""Picture files and mask files of one layout in, pairs and what is wrong with the rest out."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from defectseg.data.faults import Fault, FaultKind

MASK_ENDING = "_mask"


@dataclass(frozen=True)
class Record:
    """One picture with its mask, not opened yet."""

    id: str  # unique in its layout
    picture: Path
    mask: Path
    defect_class: str | None  # CLEAN, or what the folder says; None where only the mask tells


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


def pair_files(root: Path, groups: Iterable[Group]) -> tuple[list[Record], list[Fault]]:
    """Pair the files of all groups: every picture without a fault becomes a record."""

    def shown(paths: Iterable[Path]) -> str:
        return " and ".join(sorted(path.relative_to(root).as_posix() for path in paths))

    records, faults = [], []
    same_id: dict[str, list[Candidate]] = defaultdict(list)
    for group in groups:
        candidates, orphans = find_candidates(group)
        faults += [Fault(FaultKind.NO_PICTURE, shown([mask])) for mask in orphans]
        for candidate in candidates:
            same_id[candidate.id.casefold()].append(candidate)
            if not candidate.masks:
                faults.append(Fault(FaultKind.NO_MASK, shown([candidate.picture])))
            elif len(candidate.masks) > 1:
                offender = f"{shown([candidate.picture])}: {shown(candidate.masks)}"
                faults.append(Fault(FaultKind.TWO_MASKS, offender))
    for same in same_id.values():
        if len(same) > 1:
            faults.append(Fault(FaultKind.SAME_ID, shown(each.picture for each in same)))
        elif len(same[0].masks) == 1:
            only = same[0]
            records.append(Record(only.id, only.picture, only.masks[0], only.defect_class))
    return records, faults


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
