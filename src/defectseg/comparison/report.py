"""A comparison and what changed besides in, the words and rows that every report shows out."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from defectseg.comparison.changes import Changes
from defectseg.comparison.compare import Comparison, Judged
from defectseg.comparison.pictures import Change
from defectseg.evaluation.report.wording import DASH, count

MARKS = {"better": "▲", "worse": "▼", "can't tell": "≈", "no baseline": "∅"}
LEAST_SURFACES = 6  # five that point one way do so by chance in 2 of 32 cases
SHOWN_ROWS = 100  # metrics in a table: a data set may have hundreds of classes


@dataclass(frozen=True)
class Report:
    """Everything that is told, without pictures."""

    comparison: Comparison
    changes: Changes
    pictures: tuple[Change, ...]


@dataclass(frozen=True)
class TableRow:
    """One metric as a table shows it."""

    metric: str
    base: str
    head: str
    difference: str
    interval: str
    verdict: str
    reason: str
    is_gated: bool
    colour: str  # good, error or soft: a class of base.css.j2


def headline(comparison: Comparison) -> str:
    """The verdict in words."""
    own = "; head fails its own gates" if comparison.failed_gates else ""
    if not comparison.has_baseline:
        return f"∅ No baseline: there is nothing to compare with{own}"
    if comparison.worse_gates:
        return f"▼ Worse: {', '.join(comparison.worse_gates)}{own}"
    better = [row.metric for row in comparison.judged if row.is_gated and row.verdict == "better"]
    if better:
        return f"▲ Better: {', '.join(better)}; no gated metric is worse{own}"
    return f"≈ No gated metric is worse{own}"


def rows_of(comparison: Comparison) -> Sequence[Judged]:
    """The metrics that a table shows."""
    return comparison.judged[:SHOWN_ROWS]


def colour_of(comparison: Comparison) -> str:
    """The class of base.css.j2 for the headline."""
    if comparison.worse_gates:
        return "error"
    return "good" if comparison.has_baseline else "warning"


def table_rows(comparison: Comparison) -> list[TableRow]:
    """The table of metrics; a difference that nobody knows is a dash."""
    colours = {"better": "good", "worse": "error"}
    return [
        TableRow(
            row.metric,
            number(row.base),
            number(row.head),
            number(row.difference, "+"),
            DASH if row.low is None else f"{number(row.low, '+')} to {number(row.high, '+')}",
            f"{MARKS[row.verdict]} {row.verdict}",
            row.reason,
            row.is_gated,
            colours.get(row.verdict, "soft"),
        )
        for row in rows_of(comparison)
    ]


def number(value: float | None, sign: str = "") -> str:
    """Four digits, such as `0.7979` or `+0.0123`; a dash where there is none."""
    return DASH if value is None else f"{value:{sign}.4f}"


def tell_pictures(comparison: Comparison) -> str:
    """On which pictures all of it rests; empty without a baseline."""
    pairs = comparison.pairs
    if pairs is None:
        return ""
    surfaces = count(len(set(pairs.surfaces)), "surface")
    paired = count(len(pairs.head), "picture")
    if pairs.of == (len(pairs.head),) * 2:
        return f"Both were scored on the same {paired} of {surfaces}."
    return (
        f"Both were scored again on the {paired} of {surfaces} that both test parts have, of "
        f"{pairs.of[0]} at {comparison.base} and {pairs.of[1]} at {comparison.head}; the plots "
        "and the gates of head are those of its whole test part."
    )


def tell_gates(comparison: Comparison) -> str:
    """Whether head meets its own gates."""
    if not comparison.gates:
        return f"{comparison.head} has no gates of its own."
    if comparison.failed_gates:
        failed = "; ".join(comparison.failed_gates)
        return (
            f"{comparison.head} fails {len(comparison.failed_gates)} of its own "
            f"{count(comparison.gates, 'gate')}, so it is not exported: {failed}."
        )
    return f"{comparison.head} meets its own {count(comparison.gates, 'gate')}."


def tell_notes(report: Report) -> list[str]:
    """What a reader must know before believing a number."""
    pairs = report.comparison.pairs
    few = []
    if pairs is not None and len(set(pairs.surfaces)) < LEAST_SURFACES:
        few = [
            f"With fewer than {LEAST_SURFACES} surfaces nothing is ever better or worse: any "
            "difference may be chance."
        ]
    return [*few, *report.changes.stale, *report.comparison.notes]


def tell_data(changes: Changes) -> list[tuple[str, str]]:
    """What changed in the tiles, and how many; empty where nothing did."""
    if changes.data is None:
        return [("Data", changes.data_note)] if changes.data_note else []
    found = changes.data
    steps = {"pictures": found.pictures, "surfaces": found.surfaces}
    told = [(what, f"{before} → {after}") for what, (before, after) in steps.items()]
    lists = {
        "added": found.added,
        "removed": found.removed,
        "picture changed": found.changed,
        "relabelled": found.relabelled,
        "class changed": found.class_changes,
        "siblings changed": found.moved,
    }
    return told + [(what, str(len(names))) for what, names in lists.items()]


def to_json(report: Report) -> dict[str, Any]:
    """All of it for a program."""
    comparison, pairs = report.comparison, report.comparison.pairs
    return {
        "summary": comparison.summary(),
        "base": comparison.base,
        "head": comparison.head,
        "has_baseline": comparison.has_baseline,
        "worse_gates": list(comparison.worse_gates),
        "failed_gates": list(comparison.failed_gates),
        "pictures": None
        if pairs is None
        else {"compared": len(pairs.head), "base": pairs.of[0], "head": pairs.of[1]},
        "notes": tell_notes(report),
        "metrics": [{**asdict(r), "difference": r.difference} for r in comparison.judged],
        "params": [list(row) for row in report.changes.params],
        "data": dict(tell_data(report.changes)),
        "code": {path: list(stages) for path, stages in report.changes.code},
        "changed_pictures": [
            {
                "id": change.id,
                "class": change.defect_class,
                "dice": list(change.dice),
                "verdict": [change.base.verdict, change.head.verdict],
            }
            for change in report.pictures
        ],
    }
