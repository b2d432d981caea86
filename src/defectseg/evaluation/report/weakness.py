"""The slices of the test part in, the same with the weakest ones and the too small ones marked out.

A slice of few surfaces says little: whatever its score, it is never called the weakest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from defectseg.evaluation.report.wording import decimal, metric_of, number_in, of_100, say
from defectseg.evaluation.slices import Slice

LEAST_SURFACES = 5  # below this a slice says little
NAMED = 3  # of the weakest slices, in one sentence each
SIZES = "size of the defect"  # the group that tells escapes by the size of the defect


@dataclass(frozen=True)
class Column:
    """One score of a slice."""

    field: str  # of Slice
    key: str  # of metrics/evaluate.json: the same score of the whole test part
    title: str
    is_better_high: bool


COLUMNS = (
    Column("escape_rate", "escape_rate", "Escapes of 100", False),
    Column("false_alarm_rate", "false_alarm_rate", "False alarms of 100", False),
    Column("defects_found", "defects_found_iou30", "Defects found of 100", True),
    Column("dice_pooled", "dice_pooled", "Dice", True),
)


@dataclass(frozen=True)
class Cell:
    """One score of a slice in words."""

    text: str
    is_weakest: bool  # of its group, and worse than the whole test part


@dataclass(frozen=True)
class Row:
    """One slice."""

    slice: Slice
    is_small: bool
    cells: tuple[Cell, ...]  # one for each of COLUMNS


@dataclass(frozen=True)
class Group:
    """The slices of one kind."""

    name: str
    rows: tuple[Row, ...]


def mark_slices(slices: Sequence[Slice], metrics: Mapping[str, Any]) -> list[Group]:
    """Group the slices in the order of their first coming, and mark them."""
    names = dict.fromkeys(one.group for one in slices)
    return [_group(name, [one for one in slices if one.group == name], metrics) for name in names]


def weakest(slices: Sequence[Slice], metrics: Mapping[str, Any]) -> list[str]:
    """Sentences on the slices whose defects pass unseen most often, the worst first."""
    whole = number_in(metrics, "escape_rate")
    worse = [
        (one, rate)
        for one in slices
        if (rate := one.escape_rate) is not None
        and whole is not None
        and rate > whole
        and one.surfaces >= LEAST_SURFACES
    ]
    worse.sort(key=lambda each: (-each[1], each[0].group, each[0].name))
    metric = metric_of("escape_rate")
    return [
        f"{one.group}, {one.name}: {say(metric, rate)} pictures with a defect pass unseen; "
        f"in the whole test part {of_100(whole)}."
        for one, rate in worse[:NAMED]
    ]


def _group(name: str, slices: Sequence[Slice], metrics: Mapping[str, Any]) -> Group:
    worst = {column.field: _worst(column, slices, metrics) for column in COLUMNS}
    rows = []
    for one in slices:
        is_small = one.surfaces < LEAST_SURFACES
        cells = []
        for column in COLUMNS:
            value = getattr(one, column.field)
            is_weakest = not is_small and value is not None and value == worst[column.field]
            cells.append(Cell(_number(column, value), is_weakest))
        rows.append(Row(one, is_small, tuple(cells)))
    return Group(name, tuple(rows))


def _number(column: Column, value: float | None) -> str:
    is_rate = metric_of(column.key).kind == "rate"
    return of_100(value) if is_rate else decimal(value)


def _worst(column: Column, slices: Sequence[Slice], metrics: Mapping[str, Any]) -> float | None:
    """The worst score of the slices that are not small, if the whole test part has a better one."""
    sign = -1.0 if column.is_better_high else 1.0
    known = [
        value
        for one in slices
        if one.surfaces >= LEAST_SURFACES and (value := getattr(one, column.field)) is not None
    ]
    whole = number_in(metrics, column.key)
    if not known or whole is None:
        return None
    worst: float = max(known, key=lambda value: sign * value)
    return worst if sign * worst > sign * whole else None
