"""What holds a setting back: its scores if one kind of error had not been made, and by surface.

Each question changes the counts of the pictures (n, M, M), rows the truth, columns what was said;
M = 1 + K classes, 0 the background. The answers do not add up: a pixel may be wrong in two ways.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from defectseg.confusion import any_defect, each_class, iou_by_class, iou_macro
from defectseg.evaluation.metrics import to_number

Counts = npt.NDArray[np.float64]
LOST = 0.1  # IoU: a surface with less is as good as not found


def as_it_is(confusion: Counts) -> Counts:
    """Nothing is changed."""
    return confusion


def kinds_told(confusion: Counts) -> Counts:
    """A pixel of a defect that is called some defect is called the right one."""
    told = confusion.copy()
    for kind in range(1, confusion.shape[1]):
        told[:, kind, 1:] = 0.0
        told[:, kind, kind] = confusion[:, kind, 1:].sum(axis=1)
    return told


def clean_pictures_told(confusion: Counts) -> Counts:
    """Nothing is said on pictures without a defect."""
    told = confusion.copy()
    clean = confusion[:, 1:].sum(axis=(1, 2)) == 0
    told[clean] = silent(confusion[clean])
    return told


def nothing_false(confusion: Counts) -> Counts:
    """No background is called a defect, on any picture."""
    told = confusion.copy()
    told[:, :1] = silent(confusion)[:, :1]
    return told


def pictures_found(confusion: Counts) -> Counts:
    """Pictures of which no pixel of a defect is found are left out."""
    shown = confusion[:, 1:].sum(axis=(1, 2))
    found = confusion[:, 1:, 1:].sum(axis=(1, 2))
    kept: Counts = confusion[(shown == 0) | (found > 0)]
    return kept


def nothing_missed(confusion: Counts) -> Counts:
    """A pixel of a defect that is called background is called the right defect."""
    told = confusion.copy()
    for kind in range(1, confusion.shape[1]):
        told[:, kind, kind] += confusion[:, kind, 0]
    told[:, 1:, 0] = 0.0
    return told


def silent(confusion: Counts) -> Counts:
    """The same pixels, all called background."""
    told = np.zeros_like(confusion)
    told[..., 0] = confusion.sum(axis=-1)
    return told


AS_IT_IS = "as it is"
QUESTIONS: dict[str, Callable[[Counts], Counts]] = {
    AS_IT_IS: as_it_is,
    "the kind of each found pixel told": kinds_told,
    "clean pictures told": clean_pictures_told,
    "nothing false": nothing_false,
    "pictures left out where nothing is found": pictures_found,
    "nothing missed": nothing_missed,
}


def ask(confusion: Counts, classes: Sequence[str]) -> dict[str, dict[str, float]]:
    """The scores by question: macro IoU, pooled Dice and the IoU of each class."""
    return {
        question: scores_of(change(confusion), classes) for question, change in QUESTIONS.items()
    }


def scores_of(confusion: Counts, classes: Sequence[str]) -> dict[str, float]:
    """The scores of the pooled pixels."""
    pooled = confusion.sum(axis=0)
    overall = {"iou_macro": iou_macro(pooled), "dice_pooled": any_defect(pooled).dice}
    return {name: float(value) for name, value in overall.items()} | iou_by_class(pooled, classes)


def by_surface(
    confusion: Counts, kinds: npt.NDArray[np.str_], surfaces: Sequence[str], classes: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """How the surfaces that show a class score one by one: pooled, the largest decide.

    Args:
        kinds: (n,): the class of each picture.
        surfaces: (n,)
    """
    found = {}
    for index, name in enumerate(classes):
        names = np.array(surfaces)[kinds == name]
        each = np.array([confusion[kinds == name][names == one].sum(axis=0) for one in set(names)])
        shown = each[:, index + 1].sum(axis=1)
        own, any_kind = each_class(each).iou[:, index], any_defect(each).iou
        found[name] = {
            "surfaces": len(each),
            "own": quartiles(own),
            "any": quartiles(any_kind),
            "lost": int((own < LOST).sum()),
            "largest": to_number(shown.max() / shown.sum()),
        }
    return found


def quartiles(values: Counts) -> list[float | None]:
    """The first, the median and the third."""
    return [to_number(value) for value in np.percentile(values, (25, 50, 75))]
