"""What is wrong with single pictures and masks in, one message that lists all of it out."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from defectseg.errors import OffendersError


class FaultKind(Enum):
    """The kinds of fault, in the order of the message: (what, advice)."""

    UNREADABLE = ("unreadable pictures or masks", "Replace or remove these files.")
    NO_MASK = (
        "pictures without a mask",
        "Add the mask (all 0 where there is no defect) or remove the picture.",
    )
    NO_PICTURE = ("masks without a picture", "Add the picture or remove the mask.")
    TWO_MASKS = ("pictures with two masks", "Keep one of the masks.")
    SAME_ID = (
        "two pictures with one id",
        "An id is the file name without its ending and must be unique, upper and lower case alike.",
    )
    SIZES = (
        "sizes of picture and mask differ",
        "Export the mask at the picture's size, upright by its EXIF orientation.",
    )
    MASK_VALUES = (
        "unknown mask values",
        "A mask is binary (defect above data_load.mask_threshold) or holds class indexes 0..K; "
        "set data_load.mask_kind, mask_threshold or classes.",
    )
    DEFECT_ON_CLEAN = (
        "defect pixels in the mask of a clean picture",
        "Move the picture into the folder of its class or empty its mask.",
    )
    EMPTY_MASK = (
        "defect pictures with an empty mask",
        "Repair the mask, or set data_load.on_empty_mask to exclude or keep.",
    )

    @property
    def what(self) -> str:
        return self.value[0]

    @property
    def advice(self) -> str:
        return self.value[1]


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with one picture or mask."""

    kind: FaultKind
    offender: str  # the file, and what is wrong with it where the kind does not say it all


def raise_faults(faults: Sequence[Fault]) -> None:
    """Raise one error with a section for each kind of fault; do nothing without faults.

    Raises:
        OffendersError: There are faults; each section shows its first ones and counts all.
    """
    sections = []
    for kind in FaultKind:
        offenders = [fault.offender for fault in faults if fault.kind is kind]
        if offenders:
            sections.append(OffendersError(kind.what, offenders, kind.advice))
    if not sections:
        return
    if len(sections) == 1:
        raise sections[0]
    error = OffendersError("", [each for section in sections for each in section.offenders], "")
    error.args = ("\n".join(str(section) for section in sections),)
    raise error
