"""The values of all masks in, one rule out that turns each mask into class indexes 0..K.

Shapes: H rows, W columns, K defect classes; index 0 is the background, k is classes[k - 1].
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_validator

from defectseg.data.faults import Fault, FaultKind
from defectseg.data.tile import CLEAN
from defectseg.errors import DataError
from defectseg.params import Section

MAX_CLASSES = 31  # a larger value is no class index
UNNAMED = "defect"  # the class of binary masks when nobody names it
VALUES_SHOWN = 6


class MaskParams(Section):
    """params.yaml: data_load, what the values of a mask mean."""

    mask_kind: Literal["auto", "binary", "index"]
    mask_threshold: int = Field(ge=0, le=254)  # binary: a value above it is defect
    classes: tuple[str, ...] | None = Field(min_length=1, max_length=MAX_CLASSES)

    @field_validator("classes")
    @classmethod
    def check_names(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        """Refuse names that could not be a metric's key, and names given twice."""
        for name in names or ():
            if not re.fullmatch(r"[a-z0-9_]+", name) or name == CLEAN:
                raise ValueError(f"{name!r} is no class name: a-z, 0-9 and _, and not {CLEAN!r}")
        if names and len(set(names)) < len(names):
            raise ValueError(f"a class is named twice in {list(names)}")
        return names


@dataclass(frozen=True)
class MaskSummary:
    """What the first pass keeps of one mask."""

    values: bytes  # the distinct values, ascending
    width: int
    height: int

    @property
    def largest(self) -> int:
        return self.values[-1]


@dataclass(frozen=True)
class MaskRule:
    """How the masks of one set become class indexes."""

    kind: Literal["binary", "index"]
    classes: tuple[str, ...]
    threshold: int

    def is_empty(self, mask: MaskSummary) -> bool:
        """Whether no pixel of the mask is a defect."""
        return mask.largest <= (self.threshold if self.kind == "binary" else 0)

    def to_index(
        self, values: npt.NDArray[np.uint8], defect_class: str | None
    ) -> npt.NDArray[np.uint8]:
        """Stored values (H, W) in 0..255 → class indexes (H, W) in 0..K.

        Args:
            values: A mask as `decode_mask` returns it.
            defect_class: What the picture's folder names; the first class for None, and for CLEAN,
                whose pictures must have an empty mask anyway.
        """
        if self.kind == "index":
            return values
        index = 1 if defect_class in {None, CLEAN} else self.classes.index(str(defect_class)) + 1
        return np.where(values > self.threshold, np.uint8(index), np.uint8(0))


def summarise_mask(values: npt.NDArray[np.uint8]) -> MaskSummary:
    """Keep the distinct values and the size of a mask (H, W)."""
    distinct = np.flatnonzero(np.bincount(values.ravel(), minlength=256))
    return MaskSummary(distinct.astype(np.uint8).tobytes(), values.shape[1], values.shape[0])


def choose_folder_rule(
    masks: Mapping[str, MaskSummary], folder_classes: Iterable[str], params: MaskParams
) -> tuple[MaskRule, list[Fault]]:
    """The rule of class_folders: binary masks, the class is that of the folder.

    Raises:
        DataError: The params and the folders contradict each other.
    """
    found = sorted(set(folder_classes) - {CLEAN})
    if params.mask_kind == "index":
        raise DataError(
            "data_load.mask_kind is index, but in class_folders the folder names the class "
            "and its masks are binary; set it to auto"
        )
    missing = sorted(set(found) - set(params.classes or found))
    if missing:
        raise DataError(
            f"class folders {missing} are not in data_load.classes {list(params.classes or ())}; "
            "name them all, or null to take them from the folders"
        )
    if not found and not params.classes:
        raise DataError("every class folder is one without defects: there is no defect to learn")
    rule = MaskRule("binary", params.classes or tuple(found), params.mask_threshold)
    return rule, _check_binary(masks, rule)


def choose_rule(
    masks: Mapping[str, MaskSummary], params: MaskParams
) -> tuple[MaskRule, list[Fault]]:
    """The rule of images_masks: the values of all masks together say what they mean.

    Raises:
        DataError: More classes are named than binary masks can hold.
    """
    drawn = [mask.largest for mask in masks.values() if mask.largest > 0]
    is_index = bool(drawn) and max(drawn) <= MAX_CLASSES
    if params.mask_kind == "index" or (params.mask_kind == "auto" and is_index):
        names = params.classes or tuple(f"class_{k + 1}" for k in range(max(drawn, default=1)))
        rule = MaskRule("index", names[:MAX_CLASSES], params.mask_threshold)
        return rule, _check_index(masks, rule)
    if params.classes and len(params.classes) > 1:
        raise DataError(
            f"the masks are binary, but data_load.classes names {len(params.classes)} classes; "
            "name one, or null"
        )
    rule = MaskRule("binary", params.classes or (UNNAMED,), params.mask_threshold)
    if params.mask_kind == "binary":
        return rule, _check_binary(masks, rule)
    return rule, _check_auto(masks, rule)


def _check_index(masks: Mapping[str, MaskSummary], rule: MaskRule) -> list[Fault]:
    largest = len(rule.classes)
    wrong = [name for name, mask in masks.items() if mask.largest > largest]
    return _faults(masks, wrong, f"expected 0..{largest}")


def _check_binary(masks: Mapping[str, MaskSummary], rule: MaskRule) -> list[Fault]:
    """A set in which no mask at all passes the threshold was drawn for another one."""
    drawn = [name for name, mask in masks.items() if mask.largest > 0]
    if any(not rule.is_empty(masks[name]) for name in drawn):
        return []
    return _faults(masks, drawn, f"no mask of the set has a value above {rule.threshold}")


def _check_auto(masks: Mapping[str, MaskSummary], rule: MaskRule) -> list[Fault]:
    """Every mask that is drawn must be binary; the smaller side of a mixture is the wrong one."""
    drawn = {name: mask for name, mask in masks.items() if mask.largest > 0}
    weak = [name for name, mask in drawn.items() if rule.is_empty(mask)]
    indexes = [name for name in weak if drawn[name].largest <= MAX_CLASSES]
    if indexes and len(indexes) > len(drawn) - len(indexes):
        others = [name for name in drawn if drawn[name].largest > MAX_CLASSES]
        return _faults(masks, others, f"the other {len(indexes)} masks hold class indexes")
    return _faults(masks, weak, f"expected 0 and above {rule.threshold}, as in the other masks")


def _faults(masks: Mapping[str, MaskSummary], names: Sequence[str], why: str) -> list[Fault]:
    return [
        Fault(FaultKind.MASK_VALUES, f"{name}: values {_shown(masks[name].values)}; {why}")
        for name in names
    ]


def _shown(values: bytes) -> str:
    if len(values) <= VALUES_SHOWN:
        return ", ".join(map(str, values))
    return f"{values[0]}, {values[1]}, {values[2]} … {values[-1]} ({len(values)} of them)"
