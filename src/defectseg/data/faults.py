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
    BAD_LABEL = (
        "labels that cannot be drawn",
        "Repair them in the labelling tool and export again.",
    )
    EMPTY_MASK = (
        "defect pictures with an empty mask",
        "Repair the mask, or set data_load.keep_empty.",
    )

    @property
    def check(self) -> str:
        """The key of its severity in params.yaml: data_load.checks."""
        return self.name.lower()

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
    file: str  # the picture or mask, relative to the root of the layout
    detail: str = ""  # what is wrong with it, where the kind does not say it all
    picture: str = ""  # the id of the picture that is left out for it; "": there is none

    @property
    def offender(self) -> str:
        """The file and what is wrong with it."""
        return f"{self.file}: {self.detail}" if self.detail else self.file


def raise_faults(faults: Sequence[Fault]) -> None:
    """Raise one error with a section for each kind of fault; do nothing without faults.

    Raises:
        OffendersError: There are faults; each section shows its first ones and counts all.
    """
    raise_sections(list_sections(faults))


def list_sections(faults: Sequence[Fault]) -> list[OffendersError]:
    """One error for each kind of fault, in the order of the kinds."""
    sections = []
    for kind in FaultKind:
        offenders = [fault.offender for fault in faults if fault.kind is kind]
        if offenders:
            sections.append(OffendersError(kind.what, offenders, kind.advice))
    return sections


def raise_sections(sections: Sequence[OffendersError], advice: str = "") -> None:
    """Raise several errors as one, whose message has a paragraph for each; nothing without any.

    Raises:
        OffendersError: There are sections.
    """
    if not sections:
        return
    error = OffendersError("", [each for section in sections for each in section.offenders], "")
    paragraphs = [str(section) for section in sections]
    error.args = ("\n".join([*paragraphs, *([advice] if advice else [])]),)
    raise error
