"""The curves of two revisions in, charts with both lines out."""

import csv
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from defectseg.errors import DefectsegError
from defectseg.evaluation.report.charts import Axis, Chart, Line, Point, draw_chart
from defectseg.revisions.revision import Revision

PLOTS = "metrics/plots"
ROWS = 2000  # of a curve: what a page can hold


@dataclass(frozen=True)
class Plot:
    """One file of metrics/plots and how it is drawn."""

    file: str
    title: str
    description: str
    axes: tuple[Axis, Axis]
    columns: tuple[str, str]  # x, y; shares, drawn as percent
    has_dots: bool = False
    has_diagonal: bool = False


KINDS = (
    Plot(
        "precision_recall.csv",
        "Precision over recall of the pixels",
        "At every threshold; the nearer to the upper right corner, the better.",
        (Axis("Recall, %", 0, 100), Axis("Precision, %", 0, 100)),
        ("recall", "precision"),
    ),
    Plot(
        "escapes.csv",
        "Escapes over false alarms",
        "At every level of rejection, on test; the nearer to the lower left corner, the better.",
        (
            Axis("False alarms of 100 good pictures", 0, 100),
            Axis("Escapes of 100 defect pictures", 0, 100),
        ),
        ("false_alarm_rate", "escape_rate"),
    ),
    Plot(
        "reliability.csv",
        "Reliability",
        "On the dashed diagonal a probability comes true exactly as often as it says.",
        (Axis("Predicted probability of a defect, %", 0, 100), Axis("Came true, %", 0, 100)),
        ("probability", "share"),
        has_dots=True,
        has_diagonal=True,
    ),
)


def draw_plots(base: Revision, head: Revision) -> tuple[list[Chart], list[str]]:
    """The charts that can be drawn, and sentences about what cannot be had."""
    curves: dict[str, Mapping[str, Sequence[Point]]] = {}
    problems = []
    for what, revision in (("base", base), ("head", head)):
        try:
            curves[f"{what}: {revision.name}"] = read_curves(revision)
        except (DefectsegError, OSError, ValueError, LookupError, csv.Error) as error:
            problems.append(f"The curves of {revision.name} cannot be had: {error}")
    charts = []
    for kind in KINDS:
        lines = [
            Line(name, read[kind.file], kind.has_dots)
            for name, read in curves.items()
            if read.get(kind.file)
        ]
        guides = [[(0.0, 0.0), (100.0, 100.0)]] if kind.has_diagonal else []
        if lines:
            charts.append(draw_chart(kind.title, kind.description, kind.axes, lines, guides=guides))
    return charts, problems


def read_curves(revision: Revision) -> dict[str, list[Point]]:
    """The points of each file of `KINDS` that a revision has.

    Raises:
        RevisionError: The files cannot be had.
        ValueError, LookupError: A file is damaged.
    """
    with tempfile.TemporaryDirectory() as folder:
        place = revision.fetch(PLOTS, Path(folder))
        if place is None:
            return {}
        return {
            kind.file: read_points(place / kind.file, kind.columns, _is_of_test)
            for kind in KINDS
            if (place / kind.file).is_file()
        }


def read_points(
    path: Path, columns: tuple[str, str], is_shown: Callable[[Mapping[str, str]], bool]
) -> list[Point]:
    """Two columns of shares 0..1 as percent; rows with an empty cell are left out."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if is_shown(row)][:ROWS]
    pairs = [(row[columns[0]], row[columns[1]]) for row in rows]
    points = [(100 * float(x), 100 * float(y)) for x, y in pairs if x and y]
    return [point for point in points if all(map(isfinite, point))]


def _is_of_test(row: Mapping[str, str]) -> bool:
    return row.get("part", "test") == "test"
