"""Two versions of the tiles in, what a person asks about them out: not which files, but what.

Classes are compared by their names: a class may have another index in another version. Surfaces are
compared as groups: their names do not matter. Of the files only those are opened that may differ.
N tiles, H rows, W columns; everything is linear in N, and two masks are in memory at a time.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from defectseg.data.audit.versions import TileVersion
from defectseg.data.picture import decode_mask
from defectseg.data.tile import CLEAN, Tile
from defectseg.errors import DataError

NameMask = npt.NDArray[np.uint16]  # (H, W) in 0..number of names: 0 background, k the k-th name


@dataclass(frozen=True)
class Relabelled:
    """A picture whose mask says something else than before."""

    id: str
    iou: float | None  # of the two masks, any defect; None where their sizes differ
    class_iou: float | None  # the same; a pixel agrees only if both say the same class
    defect_px: tuple[int, int]  # before, after
    labelled_by: str  # who drew the later mask; "" where the manifest does not say


@dataclass(frozen=True)
class ClassChange:
    """A picture whose class is another one."""

    id: str
    before: str
    after: str


@dataclass(frozen=True)
class Balance:
    """How much there is of one class, before and after."""

    defect_class: str
    pictures: tuple[int, int]
    surfaces: tuple[int, int]
    defect_px: tuple[int, int]


@dataclass(frozen=True)
class DataDiff:
    """What changed between two versions; ids are sorted."""

    before: str  # names of the versions
    after: str
    pictures: tuple[int, int]
    surfaces: tuple[int, int]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]  # the picture has another content
    relabelled: tuple[Relabelled, ...]  # the least agreement first
    class_changes: tuple[ClassChange, ...]
    moved: tuple[str, ...]  # of the pictures in both versions, those with other siblings
    balance: tuple[Balance, ...]  # by the names of the classes, CLEAN last

    @property
    def is_empty(self) -> bool:
        """Whether nothing that a person asks about changed."""
        lists = (self.added, self.removed, self.changed, self.relabelled, self.class_changes)
        return not any(lists) and not self.moved


def diff_tiles(before: TileVersion, after: TileVersion) -> DataDiff:
    """Compare two versions of the tiles.

    Raises:
        DataError: A file that may differ cannot be read, or a mask has a value without a class.
    """
    pairs = [(old, after.tiles[key]) for key, old in before.tiles.items() if key in after.tiles]
    versions = tuple(before.tiles.values()), tuple(after.tiles.values())
    relabelled = find_relabelled(before, after, pairs)
    return DataDiff(
        before=before.name,
        after=after.name,
        pictures=(len(before.tiles), len(after.tiles)),
        surfaces=(_count_surfaces(versions[0]), _count_surfaces(versions[1])),
        added=tuple(key for key in after.tiles if key not in before.tiles),
        removed=tuple(key for key in before.tiles if key not in after.tiles),
        changed=tuple(
            old.id
            for old, new in pairs
            if old.sha256 != new.sha256
            and before.files.md5(old.image) != after.files.md5(new.image)
        ),
        relabelled=tuple(sorted(relabelled, key=_least_agreement_first)),
        class_changes=tuple(
            ClassChange(old.id, old.defect_class, new.defect_class)
            for old, new in pairs
            if old.defect_class != new.defect_class
        ),
        moved=find_moved(pairs),
        balance=tuple(_balance(*versions)),
    )


def find_moved(pairs: Sequence[tuple[Tile, Tile]]) -> tuple[str, ...]:
    """The pictures whose siblings, among those of both versions, are others than before."""
    old_sizes = Counter(old.surface for old, _ in pairs)
    new_sizes = Counter(new.surface for _, new in pairs)
    shared = Counter((old.surface, new.surface) for old, new in pairs)
    return tuple(
        old.id
        for old, new in pairs
        if not old_sizes[old.surface] == new_sizes[new.surface] == shared[old.surface, new.surface]
    )


def find_relabelled(
    before: TileVersion, after: TileVersion, pairs: Sequence[tuple[Tile, Tile]]
) -> Iterator[Relabelled]:
    """The pictures whose masks, read by the names of the classes, differ.

    Raises:
        DataError: See `diff_tiles`.
    """
    names = {name: index for index, name in enumerate(sorted({*before.classes, *after.classes}), 1)}
    is_renumbered = any(old != new for old, new in zip(before.classes, after.classes, strict=False))
    for old, new in pairs:
        may_differ = old.sha256 != new.sha256 and (
            before.files.md5(old.mask) != after.files.md5(new.mask)
        )
        if may_differ or (is_renumbered and (old.defect_px or new.defect_px)):
            masks = _read_mask(before, old, names), _read_mask(after, new, names)
            drawn = int((masks[0] > 0).sum()), int((masks[1] > 0).sum())
            if any(drawn) and not np.array_equal(*masks):
                yield Relabelled(old.id, *agree(*masks), drawn, new.labelled_by)


def agree(first: NameMask, second: NameMask) -> tuple[float | None, float | None]:
    """The IoU of two masks that differ: of any defect, and where a pixel agrees by its class too.

    None where their sizes differ: there is no pixel to compare.
    """
    if first.shape != second.shape:
        return None, None
    either = int(((first > 0) | (second > 0)).sum())
    both = int(((first > 0) & (second > 0)).sum())
    same = int(((first > 0) & (first == second)).sum())
    return both / either, same / either


def _read_mask(version: TileVersion, tile: Tile, names: dict[str, int]) -> NameMask:
    values = decode_mask(version.files.read(tile.mask))
    if int(values.max(initial=0)) > len(version.classes):
        raise DataError(
            f"{tile.mask} of {version.name} has the value {values.max()}, but there are only "
            f"{len(version.classes)} classes; run data_load again"
        )
    table = np.array([0, *(names[name] for name in version.classes)], dtype=np.uint16)
    return table[values]


def _balance(before: Sequence[Tile], after: Sequence[Tile]) -> Iterator[Balance]:
    found = {tile.defect_class for tiles in (before, after) for tile in tiles}
    for name in (*sorted(found - {CLEAN}), CLEAN):
        members = [[t for t in tiles if t.defect_class == name] for tiles in (before, after)]
        old, new = members
        yield Balance(
            defect_class=name,
            pictures=(len(old), len(new)),
            surfaces=(_count_surfaces(old), _count_surfaces(new)),
            defect_px=(sum(t.defect_px for t in old), sum(t.defect_px for t in new)),
        )


def _count_surfaces(tiles: Sequence[Tile]) -> int:
    return len({tile.surface for tile in tiles})


def _least_agreement_first(relabelled: Relabelled) -> tuple[float, float, str]:
    undefined = -1.0  # the masks cannot be compared: look at these first
    agreements = (relabelled.class_iou, relabelled.iou)
    first, second = (undefined if value is None else value for value in agreements)
    return first, second, relabelled.id
