"""Which part and which surface each picture has in, the surfaces that lie in several parts out.

A score on test pictures whose siblings were trained on says how well the network remembers, not
how well it finds defects on a surface that it has never seen. N pictures: everything is linear
in N.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

TRAIN = "train"
PARTS = (TRAIN, "valid", "test")


@dataclass(frozen=True)
class Leaks:
    """What a split shares between its parts; without a leak `straddling` is empty."""

    pictures: Mapping[str, int]  # part → pictures
    surfaces: Mapping[str, int]  # part → surfaces
    straddling: Mapping[str, Mapping[str, tuple[str, ...]]]  # surface → part → its pictures, sorted

    def shared(self, first: str, second: str) -> tuple[str, ...]:
        """The surfaces with pictures in both of two parts, sorted."""
        return tuple(
            name for name, parts in self.straddling.items() if first in parts and second in parts
        )

    def siblings(self, part: str, other: str = TRAIN) -> tuple[str, ...]:
        """The pictures of one part that have a sibling in the other one, sorted."""
        there = (self.straddling[surface][part] for surface in self.shared(part, other))
        return tuple(sorted(picture for pictures in there for picture in pictures))

    def share(self, part: str, other: str = TRAIN) -> float | None:
        """The share of a part's pictures that have a sibling in the other one; None: no picture."""
        count = self.pictures[part]
        return len(self.siblings(part, other)) / count if count else None

    def to_json(self) -> dict[str, Any]:
        """Everything, for a file."""
        return {
            "pictures": dict(self.pictures),
            "surfaces": dict(self.surfaces),
            "leaked_surfaces": len(self.straddling),
            "shared_surfaces": {
                f"{first}, {second}": len(self.shared(first, second))
                for first, second in combinations(PARTS, 2)
            },
            "with_a_sibling_in_train": {
                part: {
                    "pictures": len(self.siblings(part)),
                    "share": self.share(part),
                    "names": list(self.siblings(part)),
                }
                for part in PARTS
                if part != TRAIN
            },
            "leaks": {
                surface: {part: list(names) for part, names in parts.items()}
                for surface, parts in self.straddling.items()
            },
        }


def find_leaks(parts: Mapping[str, str], surfaces: Mapping[str, str]) -> Leaks:
    """Find the surfaces whose pictures lie in more than one part.

    Args:
        parts: picture → one of `PARTS`.
        surfaces: picture → surface, for at least the pictures of `parts`; others do not count.

    Raises:
        ValueError: A picture of `parts` has no surface, or a part that is none of `PARTS`.
    """
    without = sorted(parts.keys() - surfaces.keys())
    if without:
        raise ValueError(f"{len(without)} pictures have no surface, such as {without[0]}")
    unknown = sorted(set(parts.values()) - set(PARTS))
    if unknown:
        raise ValueError(f"parts {unknown}; expected only {', '.join(PARTS)}")
    members: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for picture in sorted(parts):
        members[surfaces[picture]][parts[picture]].append(picture)
    seen = Counter(part for there in members.values() for part in there)
    counts = Counter(parts.values())
    return Leaks(
        pictures={part: counts[part] for part in PARTS},
        surfaces={part: seen[part] for part in PARTS},
        straddling={
            surface: {part: tuple(members[surface][part]) for part in PARTS if part in there}
            for surface, there in sorted(members.items())
            if len(there) > 1
        },
    )
