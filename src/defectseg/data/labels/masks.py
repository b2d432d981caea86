"""The values of all masks in, one rule out that says which label each value stands for.

Shapes: H rows, W columns, K defect classes; index 0 is the background.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from defectseg.data.faults import Fault, FaultKind
from defectseg.data.labels.class_map import MAX_CLASSES, ClassParams
from defectseg.data.tile import CLEAN
from defectseg.errors import DataError

UNNAMED = "defect"  # the class of binary masks when nobody names it
VALUES_SHOWN = 6


class MaskParams(ClassParams):
    """params.yaml: data_load, what the values of a mask mean."""

    mask_kind: Literal["auto", "binary", "index"]
    mask_threshold: int = Field(ge=0, le=254)  # binary: a value above it is defect


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
    """Which label the values of the masks of one set stand for."""

    kind: Literal["binary", "index"]
    labels: tuple[str, ...]  # index: of the values 1, 2, …; binary: the only one, see `to_index`
    threshold: int

    def is_empty(self, mask: MaskSummary) -> bool:
        """Whether no pixel of the mask is a defect."""
        return mask.largest <= (self.threshold if self.kind == "binary" else 0)

    def to_index(
        self, values: npt.NDArray[np.uint8], label: str | None, index: Mapping[str, int]
    ) -> npt.NDArray[np.uint8]:
        """Stored values (H, W) in 0..255 → class indexes (H, W) in 0..K.

        Args:
            values: A mask as `decode_mask` returns it.
            label: What the picture's folder names, for binary masks; None: the only label.
            index: 0..K for every label, see `ClassMap`.
        """
        table = np.zeros(256, dtype=np.uint8)
        if self.kind == "index":
            for value, name in enumerate(self.labels, start=1):
                table[value] = index[name]
        elif label != CLEAN:
            table[self.threshold + 1 :] = index[label or self.labels[0]]
        return table[values]


def without_void(values: npt.NDArray[np.uint8], void: int | None) -> npt.NDArray[np.uint8]:
    """Stored values (H, W) with the one that says nothing turned into background."""
    return values if void is None else np.where(values == void, np.uint8(0), values)


def summarise_mask(values: npt.NDArray[np.uint8]) -> MaskSummary:
    """Keep the distinct values and the size of a mask (H, W)."""
    distinct = np.flatnonzero(np.bincount(values.ravel(), minlength=256))
    return MaskSummary(distinct.astype(np.uint8).tobytes(), values.shape[1], values.shape[0])


def choose_folder_rule(
    masks: Mapping[str, MaskSummary], labels: Sequence[str], params: MaskParams
) -> tuple[MaskRule, list[Fault]]:
    """The rule where folders name the labels: binary masks.

    Raises:
        DataError: The params say otherwise, or there is no label.
    """
    if params.mask_kind == "index":
        raise DataError(
            "data_load.mask_kind is index, but the folders name the classes "
            "and their masks are binary; set it to auto"
        )
    if not labels:
        raise DataError("every class folder is one without defects: there is no defect to learn")
    rule = MaskRule("binary", tuple(labels), params.mask_threshold)
    return rule, _check_binary(masks, rule)


def choose_rule(
    masks: Mapping[str, MaskSummary], labels: Sequence[str] | None, params: MaskParams
) -> tuple[MaskRule, list[Fault]]:
    """The rule of masks of bare values: all of them together say what they mean.

    Args:
        masks: Of every readable mask, by its name.
        labels: Of the values 1, 2, …, where the source names them. Else data_load.classes names
            them, unless there are labels to rename or to ignore: class_1, class_2, …
        params: May say the kind, too.

    Raises:
        DataError: More labels are named than binary masks can hold.
    """
    drawn = [mask.largest for mask in masks.values() if mask.largest > 0]
    if not labels and not params.rename and not params.ignore:
        labels = params.classes
    is_index = bool(drawn or labels) and max(drawn, default=0) <= MAX_CLASSES
    if params.mask_kind == "index" or (params.mask_kind == "auto" and is_index):
        names = labels or [f"class_{k + 1}" for k in range(max(drawn, default=1))]
        rule = MaskRule("index", tuple(names[:MAX_CLASSES]), params.mask_threshold)
        return rule, _check_index(masks, rule)
    if labels and len(labels) > 1:
        raise DataError(
            f"the masks are binary, but {len(labels)} labels are named: {', '.join(labels)}; "
            "name one, or none"
        )
    rule = MaskRule("binary", tuple(labels or (UNNAMED,)), params.mask_threshold)
    if params.mask_kind == "binary":
        return rule, _check_binary(masks, rule)
    return rule, _check_auto(masks, rule)


def _check_index(masks: Mapping[str, MaskSummary], rule: MaskRule) -> list[Fault]:
    largest = len(rule.labels)
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
        Fault(FaultKind.MASK_VALUES, name, f"values {_shown(masks[name].values)}; {why}")
        for name in names
    ]


def _shown(values: bytes) -> str:
    if len(values) <= VALUES_SHOWN:
        return ", ".join(map(str, values))
    return f"{values[0]}, {values[1]}, {values[2]} … {values[-1]} ({len(values)} of them)"
