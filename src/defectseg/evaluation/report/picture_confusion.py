"""The actual and the predicted class of each picture in, a table of counts out."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from defectseg.data.tile import CLEAN


@dataclass(frozen=True)
class ConfusionRow:
    """The pictures of one actual class."""

    name: str
    pictures: int
    counts: tuple[int, ...]  # by predicted class
    shares: tuple[float, ...]  # of the row, 0..1


@dataclass(frozen=True)
class ConfusionTable:
    """Rows are what a picture shows, columns what the model says."""

    names: tuple[str, ...]  # of the columns
    rows: tuple[ConfusionRow, ...]


def count_pictures(pairs: Sequence[tuple[str, str]], classes: Sequence[str]) -> ConfusionTable:
    """Count the pairs: good pictures first, then the classes in their order, then other names.

    Classes that no picture shows and the model says of none are left out.
    """
    there = {name for pair in pairs for name in pair}
    ordered = [name for name in (CLEAN, *classes) if name in there]
    names = (*ordered, *sorted(there - set(ordered)))
    counted = Counter(pairs)
    rows = []
    for actual in names:
        counts = tuple(counted[actual, predicted] for predicted in names)
        total = sum(counts)
        if total:
            shares = tuple(number / total for number in counts)
            rows.append(ConfusionRow(actual, total, counts, shares))
    return ConfusionTable(names, tuple(rows))
