"""models/operating_point.json in, from when on something is a defect and a picture is rejected out.

Three steps turn probabilities into a verdict:

1. A pixel is of its likeliest defect class where the probability of any defect reaches that class's
   `threshold`. This mask is inside the exported graph.
2. Connected pixels of one class are a region. The probability of its `min_area`-th surest pixel
   makes its score, so that no lone speck decides; a smaller region counts for nothing. Networks
   are surer of some classes than of others: the odds are multiplied by the class's `odds_ratio`,
   so that a score says the same of all. Where `review` is below the threshold, regions that reach
   only `review` count too: see `inference.defects`.
3. A region whose score reaches `review` is a defect; such regions of several classes that touch are
   one, of the class with most of their pixels and with the score of the surest. A picture with a
   defect goes to review; one with a defect whose score reaches `reject` is rejected; one without
   is accepted.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from defectseg.errors import ModelFileError
from defectseg.files import write_atomically

Verdict = Literal["accept", "review", "reject"]
Number = TypeVar("Number", float, npt.NDArray[np.float64])


class ClassPoint(BaseModel):
    """From when on pixels are a defect of one class."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    defect_class: str
    threshold: float = Field(ge=0, le=1)  # of a pixel's probability of any defect
    min_area: int = Field(ge=1)  # pixels of the picture as it came
    odds_ratio: float = Field(default=1.0, gt=0)  # of a score and of the probability behind it

    def score(self, probability: float) -> float:
        """What a region of this class with this probability scores, in [0, 1]."""
        return to_score(probability, self.odds_ratio)

    @property
    def halfway(self) -> float:
        """The probability that scores 0.5."""
        return to_score(0.5, 1 / self.odds_ratio)


class OperatingPoint(BaseModel):
    """Chosen on the valid part by the stage evaluate; it travels inside the exported model."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    classes: tuple[ClassPoint, ...] = Field(min_length=1)  # in the order of the K classes
    temperature: float = Field(ge=0.01, le=100)  # the logits are divided by it before the softmax
    review: float = Field(ge=0, le=1)  # a region whose score reaches it is a defect
    reject: float = Field(ge=0, le=1)  # … and with this score its picture is rejected
    rule: str  # what was asked for, such as `costs: escape 10, false alarm 1`

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.review > self.reject:
            raise ValueError(f"review {self.review} is above reject {self.reject}")
        if len(set(self.names)) < len(self.names):
            raise ValueError(f"a class stands twice in {', '.join(self.names)}")
        return self

    @property
    def thresholds(self) -> tuple[float, ...]:
        """Of each class's pixels."""
        return tuple(point.threshold for point in self.classes)

    @property
    def names(self) -> tuple[str, ...]:
        """The K defect classes; mask value k is names[k - 1]."""
        return tuple(point.defect_class for point in self.classes)

    def verdict(self, score: float) -> Verdict:
        """What becomes of a picture by the highest score of its regions, 0 if it has none."""
        if score >= self.reject:
            return "reject"
        return "review" if score >= self.review else "accept"


def to_score(probability: Number, odds_ratio: Number) -> Number:
    """Multiply the odds p / (1 - p) of probabilities in [0, 1]; a ratio of 1 changes no digit."""
    return probability / (probability + (1 - probability) / odds_ratio)


def neutral_point(classes: Sequence[str]) -> OperatingPoint:
    """Before anything is chosen: every pixel that is likelier a defect than not, of any area."""
    return OperatingPoint(
        classes=tuple(ClassPoint(defect_class=name, threshold=0.5, min_area=1) for name in classes),
        temperature=1.0,
        review=0.5,
        reject=0.5,
        rule="none",
    )


def write_point(path: Path, point: OperatingPoint) -> None:
    """Write the JSON that `read_point` reads."""
    with write_atomically(path) as file:
        file.write(point.model_dump_json(indent=2) + "\n")


def read_point(path: Path) -> OperatingPoint:
    """Read the operating point that the stage evaluate wrote.

    Raises:
        ModelFileError: It is missing, damaged or of another version.
    """
    try:
        return OperatingPoint.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise ModelFileError(
            f"{path} is no operating point of this version: {error}; run the stage evaluate first"
        ) from error
