"""metrics/per_image.csv of one revision in, its rows and which scores they can tell out.

Older revisions have fewer columns; what comes may be from a fork, so every cell is checked.
K defect classes, M = 1 + K.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from defectseg.confusion import Overlap
from defectseg.data.audit.versions import Printable
from defectseg.data.tile import CLEAN
from defectseg.errors import ComparisonError
from defectseg.inference.operating_point import Verdict

FOUND = ("regions", "found_iou30", "found_iou50", "false_regions")
PIXELS = ("tp", "fp", "fn")
NEEDS = (  # the start of a metric's name → the columns without which nobody can compute it
    ("iou_pooled", PIXELS),
    (("iou_", "pixel_accuracy"), ("confusion",)),
    (("escape_rate", "false_alarm_rate", "review_rate"), ("verdict",)),
    (("image_auroc", "image_average_precision"), ("score",)),
    (("defects_found", "false_regions"), FOUND),
    (("dice_", "precision_pooled", "recall_pooled"), PIXELS),
)
Count = Annotated[int, Field(ge=0, le=10**12)]


def _split(text: object) -> object:
    return text.split() if isinstance(text, str) else text


class Row(BaseModel):
    """What one picture added to the scores."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    id: Printable
    defect_class: Printable = Field(alias="class")
    surface: Printable
    tp: Count  # pixels of any defect against background
    fp: Count
    fn: Count
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None  # of picture and mask
    score: Annotated[float, Field(ge=0, le=1)] | None = None
    verdict: Verdict | None = None
    regions: Count = 0
    found_iou30: Count = 0
    found_iou50: Count = 0
    false_regions: Count = 0
    confusion: Annotated[tuple[Count, ...], BeforeValidator(_split)] = ()  # M × M, row by row

    @property
    def is_defect(self) -> bool:
        """Whether the truth shows a defect."""
        return self.defect_class != CLEAN

    @property
    def dice(self) -> float:
        """Of any defect against background; NaN when there is none and none was predicted."""
        tp, fp, fn = (np.asarray(float(value)) for value in (self.tp, self.fp, self.fn))
        return float(Overlap(tp, fp, fn).dice)

    def matrix(self, classes: Sequence[str], among: Sequence[str]) -> npt.NDArray[np.float64]:
        """Its confusion with the classes of its file laid out `among` those of both files.

        Without the counts of each class, all pixels of a defect count as the first class.
        """
        size = 1 + len(among)
        laid = np.zeros((size, size))
        if self.confusion:
            place = [0, *(1 + among.index(name) for name in classes)]
            laid[np.ix_(place, place)] = np.reshape(self.confusion, (len(place), len(place)))
        else:
            laid[1, 1], laid[0, 1], laid[1, 0] = self.tp, self.fp, self.fn
        return laid


@dataclass(frozen=True)
class PerImage:
    """The rows of one revision."""

    name: str  # of the revision
    classes: tuple[str, ...]  # the K defect classes
    rows: dict[str, Row]  # by id
    columns: frozenset[str]

    def missing_for(self, metric: str) -> tuple[str, ...]:
        """The columns that it lacks to compute a metric."""
        needed = next((cols for starts, cols in NEEDS if metric.startswith(starts)), ())
        return tuple(column for column in needed if column not in self.columns)

    def knows(self, metric: str) -> bool:
        """Whether the metric is one that rows can tell at all; the calibration error is not."""
        return any(metric.startswith(starts) for starts, _ in NEEDS)


def parse_per_image(content: bytes, name: str, classes: Sequence[str]) -> PerImage:
    """Read and check the rows.

    Args:
        name: Of the revision, for messages.
        classes: The K defect classes in the order of its masks.

    Raises:
        ComparisonError: It is no per_image.csv; names the row.
    """
    try:
        reader = csv.DictReader(io.StringIO(content.decode("utf-8"), newline=""), strict=True)
        rows = [_to_row(row, len(classes)) for row in reader]
    except (ValueError, csv.Error) as error:  # ValidationError is a ValueError
        raise ComparisonError(
            f"metrics/per_image.csv of {name} is damaged: {_explain(error)}; "
            "run the stage evaluate there again"
        ) from error
    by_id = {row.id: row for row in rows}
    if not rows or len(by_id) < len(rows):
        fault = "has a picture twice" if rows else "has no picture"
        raise ComparisonError(f"metrics/per_image.csv of {name} {fault}; run evaluate there again")
    columns = frozenset(reader.fieldnames or ())
    return PerImage(name, tuple(classes), dict(sorted(by_id.items())), columns)


def _to_row(cells: dict[str, str], classes: int) -> Row:
    row = Row.model_validate(cells)
    expected = (1 + classes) ** 2
    if "confusion" in cells and len(row.confusion) != expected:
        raise ValueError(
            f"picture {row.id} has {len(row.confusion)} counts in its confusion, but "
            f"{classes} classes need {expected}"
        )
    return row


def _explain(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc'])) or 'row'}: {first['msg']}"
    return str(error)
