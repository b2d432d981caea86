"""The metrics of each class and of each defect size in, rows with a bar and its interval out."""

from collections.abc import Sequence
from dataclasses import dataclass

from defectseg.evaluation.report.facts import ReportFacts
from defectseg.evaluation.report.thumbnails import colour_of
from defectseg.evaluation.report.weakness import LEAST_SURFACES, SIZES
from defectseg.evaluation.report.wording import (
    interval_in,
    metric_of,
    number_in,
    say,
    say_interval,
)
from defectseg.evaluation.slices import Slice


@dataclass(frozen=True)
class Bar:
    """A value 0..1 as a bar, its interval as a line over it."""

    text: str
    interval: str
    share: float | None  # of the length of the bar
    ends: tuple[float, float] | None


@dataclass(frozen=True)
class ClassRow:
    """One class of defects, or one size."""

    name: str
    colour: str  # "" where it has none
    pictures: int
    surfaces: int
    escapes: Bar
    overlap: Bar  # IoU of a class, defects found of a size
    is_small: bool


def class_rows(facts: ReportFacts) -> list[ClassRow]:
    """One row a class, in the order of the model."""
    tested = facts.parts.get("test", {})
    rows = []
    for index, name in enumerate(facts.info.classes, start=1):
        counted = tested.get(name, {})
        surfaces = counted.get("surfaces", 0)
        rows.append(
            ClassRow(
                name,
                colour_of(index),
                counted.get("pictures", 0),
                surfaces,
                escapes=_bar(facts, f"escape_rate_{name}"),
                overlap=_bar(facts, f"iou_{name}"),
                is_small=surfaces < LEAST_SURFACES,
            )
        )
    return rows


def size_rows(slices: Sequence[Slice]) -> list[ClassRow]:
    """One row a size of defects, as the slices have them; without intervals."""
    return [
        ClassRow(
            one.name,
            "",
            one.defect_pictures,
            one.surfaces,
            escapes=_plain("escape_rate", one.escape_rate),
            overlap=_plain("defects_found_iou30", one.defects_found),
            is_small=one.surfaces < LEAST_SURFACES,
        )
        for one in slices
        if one.group == SIZES
    ]


def _bar(facts: ReportFacts, key: str) -> Bar:
    metric, value = metric_of(key), number_in(facts.metrics, key)
    ends = interval_in(facts.metrics, key)
    return Bar(say(metric, value), say_interval(metric, ends), value, ends)


def _plain(key: str, value: float | None) -> Bar:
    return Bar(say(metric_of(key), value), "", value, None)
