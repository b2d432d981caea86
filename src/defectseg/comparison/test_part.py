"""The rows of two revisions in, the pictures on which both are scored out.

Two models can be compared only on the same pictures with the same masks. n pictures.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from defectseg.comparison.per_image import FOUND, PerImage, Row
from defectseg.comparison.ranked import RankedTable
from defectseg.errors import SHOWN, ComparisonError


@dataclass(frozen=True)
class Pairs:
    """The same pictures as base and head have them."""

    base: tuple[Row, ...]  # (n,) sorted by id
    head: tuple[Row, ...]  # (n,)
    classes: tuple[str, ...]  # of both, those of head first
    of: tuple[int, int]  # pictures in the whole test part of base and of head
    notes: tuple[str, ...]  # what could not be checked

    @property
    def surfaces(self) -> tuple[str, ...]:
        """Of each picture, (n,), as head groups them."""
        return tuple(row.surface for row in self.head)


def pair_pictures(base: PerImage, head: PerImage, is_common: bool) -> Pairs:
    """Match the pictures of two test parts.

    Args:
        is_common: Take those that both have, where the parts differ.

    Raises:
        ComparisonError: The parts differ and `is_common` is not asked for, or share nothing.
    """
    shared = [key for key in head.rows if key in base.rows]
    changed = [key for key in shared if not is_same(base.rows[key], head.rows[key])]
    only = [key for key in base.rows if key not in head.rows]
    new = [key for key in head.rows if key not in base.rows]
    moved = find_moved([(base.rows[key], head.rows[key]) for key in shared])
    if (only or new or changed or moved) and not is_common:
        raise ComparisonError(describe_difference(base, head, (only, new, changed, moved)))
    common = [key for key in shared if key not in set(changed)]
    if not common:
        raise ComparisonError(
            f"the test parts of {base.name} and {head.name} have no picture in common; "
            "nothing can be compared. Is data_split or the source of the data another one?"
        )
    unchecked = [each.name for each in (base, head) if "sha256" not in each.columns]
    notes = tuple(
        f"The rows of {name} do not say which bytes a picture has: the pictures are matched by "
        "their ids and the number of their defect pixels."
        for name in unchecked
    )
    if common and moved:
        notes += ("The revisions group the pictures into other surfaces; those of head are used.",)
    return Pairs(
        tuple(base.rows[key] for key in common),
        tuple(head.rows[key] for key in common),
        tuple(dict.fromkeys([*head.classes, *base.classes])),
        (len(base.rows), len(head.rows)),
        notes,
    )


def is_same(base: Row, head: Row) -> bool:
    """Whether two rows are of the same picture with the same mask, as far as they tell."""
    if base.sha256 and head.sha256:
        return base.sha256 == head.sha256
    return base.tp + base.fn == head.tp + head.fn and base.is_defect == head.is_defect


def find_moved(pairs: Sequence[tuple[Row, Row]]) -> list[str]:
    """The pictures whose surface has other pictures; its name does not matter."""
    old = Counter(base.surface for base, _ in pairs)
    new = Counter(head.surface for _, head in pairs)
    both = Counter((base.surface, head.surface) for base, head in pairs)
    return [
        head.id
        for base, head in pairs
        if not old[base.surface] == new[head.surface] == both[base.surface, head.surface]
    ]


def describe_difference(base: PerImage, head: PerImage, found: Sequence[Sequence[str]]) -> str:
    """Why two test parts cannot be compared as they are."""
    only, new, changed, moved = found
    counts = (
        (only, f"only in {base.name}"),
        (new, f"only in {head.name}"),
        (changed, "with another picture or mask"),
        (moved, "on a surface with other pictures"),
    )
    told = ", ".join(f"{len(names)} {what}" for names, what in counts if names)
    names = [name for names, _ in counts for name in names][:SHOWN]
    return (
        f"the test parts differ: {told} (of {len(base.rows)} and {len(head.rows)} pictures, such "
        f"as {', '.join(names[:5])}); scores of other pictures say nothing about the model. With "
        "--common both are scored on the pictures that both test parts have"
    )


def to_table(rows: Sequence[Row], classes: Sequence[str], among: Sequence[str]) -> RankedTable:
    """The rows as arrays; columns that the revision lacks are zeros, to be left out later.

    Args:
        classes: In the order of the masks of that revision.
        among: All classes of both revisions.
    """
    defect = np.array([row.is_defect for row in rows])
    verdict = np.array([row.verdict or "" for row in rows])
    return RankedTable(
        confusion=np.stack([row.matrix(classes, among) for row in rows]),
        dice=np.array([row.dice for row in rows]),
        score=np.array([row.score or 0.0 for row in rows]),
        defect_class=np.array([row.defect_class for row in rows]),
        defect=defect,
        escape=defect & (verdict == "accept"),
        false_alarm=~defect & (verdict == "reject"),
        review=verdict == "review",
        found=np.array([[getattr(row, column) for column in FOUND] for row in rows], dtype=float),
    )
