"""The segmentation of a COCO annotation in, a region that can be drawn out.

It is kept as compactly as it was written: points of a polygon in arrays, run lengths as a text.
"""

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, FailFast, Field, TypeAdapter, ValidationError

from defectseg.data.labels.polygons import outline_runs
from defectseg.data.labels.run_lengths import Counts, read_counts, to_counts
from defectseg.errors import DataError

FAULTS_SHOWN = 3  # of one entry

Id = int | str
Side = Annotated[int, Field(ge=1, le=1_000_000)]  # px
Numbers = Annotated[list[float], FailFast()]
RINGS = TypeAdapter(
    Annotated[list[Numbers], FailFast()], config=ConfigDict(strict=True, allow_inf_nan=False)
)


class _RunLengths(BaseModel):
    model_config = ConfigDict(strict=True)

    size: Annotated[list[Side], Field(min_length=2, max_length=2)]  # H, W
    counts: str | list[int]


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """A region of polygons."""

    rings: tuple[npt.NDArray[np.float64], ...]  # each x1, y1, x2, y2, … in px

    def runs(self, size: tuple[int, int]) -> Counts:
        """Its run lengths in a picture of a width and height in px.

        Raises:
            DataError: It is damaged.
        """
        return outline_runs(self.rings, size)


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """A region of run lengths."""

    size: tuple[int, int]  # width and height, px
    counts: str | Counts

    def runs(self, size: tuple[int, int]) -> Counts:
        """See `Outline.runs`."""
        if self.size != size:
            came, expected = "×".join(map(str, self.size)), "×".join(map(str, size))
            raise DataError(f"its run lengths are of a picture of {came}, this one has {expected}")
        return read_counts(self.counts, size)


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """An item of `annotations` that can be drawn."""

    name: str  # what messages call it
    category: Id
    shape: Outline | Runs


def to_shape(segmentation: Any) -> Outline | Runs:
    """The region of an annotation.

    Raises:
        DataError: It has none.
        ValidationError: It is none.
    """
    if not segmentation:
        raise DataError("it has no segmentation, and a box is no mask; draw a polygon or a mask")
    if isinstance(segmentation, dict):
        rle = _RunLengths.model_validate(segmentation)
        counts = rle.counts if isinstance(rle.counts, str) else to_counts(rle.counts)
        return Runs((rle.size[1], rle.size[0]), counts)
    rings = RINGS.validate_python(segmentation)
    return Outline(tuple(np.array(ring, dtype=np.float64) for ring in rings))


def describe(error: Exception) -> str:
    """What is wrong with an entry, without its content, which may be large."""
    if not isinstance(error, ValidationError):
        return str(error)
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    shown = [
        f"{'.'.join(map(str, fault['loc'])) or 'the entry'}: {fault['msg']}"
        for fault in faults[:FAULTS_SHOWN]
    ]
    return "; ".join(dict.fromkeys(shown))
