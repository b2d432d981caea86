"""What checks look at, what they find and what params.yaml says of them: their common words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from defectseg.data.quality.agreement import Agreement
from defectseg.data.quality.duplicates import Duplicate, DuplicateParams
from defectseg.data.quality.measures import Measure
from defectseg.data.surfaces.find import Pair
from defectseg.data.tile import Tile

Severity = Literal["error", "warning", "off"]


def name_severity(value: object) -> object:
    """A severity as YAML gives it: `off` without quotes is its word for false."""
    return "off" if value is False else value


Level = Annotated[Severity, BeforeValidator(name_severity)]


class CheckParams(DuplicateParams):
    """params.yaml: data_load.checks: the severity of each check, then their thresholds."""

    unreadable: Level
    no_mask: Level
    no_picture: Level
    two_masks: Level
    same_id: Level
    sizes: Level
    mask_values: Level
    defect_on_clean: Level
    empty_mask: Level
    bad_label: Level
    exact_duplicates: Level
    near_duplicates: Level
    mixed_labels: Level
    label_agreement: Level
    tiny_defects: Level
    full_masks: Level
    border_defects: Level
    grey_masks: Level
    size_outliers: Level
    brightness_outliers: Level
    contrast_outliers: Level
    sharpness_outliers: Level
    class_balance: Level
    low_depth: Level
    unused_labels: Level
    least_agreement: float = Field(ge=0, le=1)  # Dice of two masks of one surface
    tiny_px: int = Field(ge=0)  # pixels: a smaller region is tiny
    full_share: float = Field(gt=0, le=1)  # share of the picture: a larger mask is full
    grey_share: float = Field(ge=0, le=1)  # share of a mask's drawn pixels that may be grey
    outlier: float = Field(gt=0)  # robust standard deviations from the median of the set
    least_surfaces: int = Field(ge=1)  # surfaces that each class should have

    def severity(self, check: str) -> Severity:
        """The severity of a check by its name."""
        level: Severity = getattr(self, check)
        return level


@dataclass(frozen=True)
class GreyMask:
    """A mask file that holds other values than background and defect."""

    share: float  # of its pixels above 0 that are below 255, 0..1
    area_ratio: float  # pixels above 0 over pixels above the threshold, ≥ 1; 0 where none is above


@dataclass(frozen=True)
class Finding:
    """What one check has found: one sentence, and every picture that it is about."""

    check: str  # a key of CheckParams
    severity: Severity
    summary: str  # what, how many, what to do
    pictures: tuple[str, ...] = ()  # ids (of a file fault: file names), all of them
    details: tuple[str, ...] = ()  # one for each of `pictures`, or none at all
    pairs: tuple[tuple[str, str], ...] = ()  # to be shown side by side
    pair_details: tuple[str, ...] = ()  # one for each of `pairs`, or none at all


@dataclass(frozen=True)
class Found:
    """What a check says: a Finding without the name and the severity of its check."""

    summary: str
    pictures: tuple[str, ...] = ()
    details: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    pair_details: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """Everything that checks may look at."""

    tiles: Sequence[Tile]  # sorted by id
    classes: tuple[str, ...]
    measures: Mapping[str, Measure]  # by picture id
    agreement: Agreement
    surface_source: str = "pixels"  # data_load.surfaces.source
    similarity: float | None = None  # data_load.surfaces.similarity; None: not from pixels
    nearest: Sequence[Pair] = ()  # pairs whose similarity lies nearest to it
    duplicates: Sequence[Duplicate] = ()
    grey_masks: Mapping[str, GreyMask] = field(default_factory=dict)  # by picture id
    largest_16_bit: Mapping[str, int] = field(default_factory=dict)  # of 16-bit pictures, by id
    bit_depth: int = 16  # data_load.bit_depth: what 16-bit pictures are said to use
    unused_labels: tuple[str, ...] = ()  # named in params, not in the source
    folds: int | None = None  # data_split.folds where it is known


@dataclass(frozen=True)
class LeftOut:
    """One row of data/quarantine.csv: a file that is no tile, and why."""

    file: str  # relative to the data set
    check: str  # a key of CheckParams
    reason: str


def share_of_defect(measure: Measure) -> float:
    """The share of a picture that its mask covers, 0..1."""
    return measure.defect_px / (measure.width * measure.height)


def tell_of_each(
    facts: Facts, tiles: Sequence[Tile], summary: str, tell: Callable[[Measure], str]
) -> Found | None:
    """What a check says that finds single pictures; None without any."""
    if not tiles:
        return None
    ids = tuple(tile.id for tile in tiles)
    return Found(summary, ids, tuple(tell(facts.measures[name]) for name in ids))
